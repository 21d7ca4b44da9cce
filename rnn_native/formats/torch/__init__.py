"""PyTorch's .pt and .pth, without PyTorch: the weights that ``torch.save`` wrote.

Both of its formats are read, the zip archive (``archive``) and the one before (``legacy``).
``unpickle`` interprets their pickles: it knows tensors and plain containers, has a stand-in for all
else (``foreign``), and never calls anything. Checkpoints, which are dicts, lists and modules in
each other, are flattened by dots (``flat``): the names are those of a ``state_dict``, from which
``formats.plain`` takes one recurrent module. Modules saved whole and programs of TorchScript
(``script``) have weights by the same names (``objects``), and so have quantized ones
(``quantized``).

Files are not trusted: what one makes us hold or calculate is bounded by its size.
"""

from __future__ import annotations

import os
from typing import Any

from ...spec import ModelSpec
from ..metadata import read_tensors
from ..reading import read_bytes
from ..stored import Stored
from . import foreign, legacy, quantized, script
from .every import every
from .loading import load_file
from .names import by_layers
from .storages import Tensors
from .values import Tensor
from .writing import write

__all__ = [
    "arrays",
    "every",
    "from_bytes",
    "is_saved",
    "read",
    "read_all",
    "strings",
    "unpack",
    "write",
]


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a file that ``torch.save`` wrote of a ``state_dict``, or of a checkpoint with one.

    ``options`` are those of ``plain.from_state_dict``; a file that ``write`` made describes its
    layers and takes none.
    """
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and the strings that ``write`` put beside it."""
    return from_bytes(read_bytes(path), **options)


def from_bytes(data: bytes, **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """As of ``read_all``, of the bytes of a file."""
    metadata, tensors = unpack(data)
    named = by_layers(metadata, tensors) if metadata else tensors
    with foreign.told(tensors.named):
        return read_tensors(metadata, named, **options)


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """What ``write`` put into the file beside the weights, and ``container``: which of the files of
    ``torch.save`` and ``torch.jit.save`` it is."""
    found = load_file(read_bytes(path), Tensor)
    return found.metadata | {"container": found.container}


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Every tensor and every array of NumPy's in the file; see ``every``."""
    return every(read_bytes(path))


def is_saved(data: bytes) -> bool:
    """Whether a file begins as one of ``torch.save``, in either of its formats."""
    return data.startswith(b"PK") or legacy.is_legacy(data)


def unpack(data: bytes) -> tuple[dict[str, str], Tensors]:
    """What ``write`` tells of the layers (or nothing), and all tensors by their dotted names.

    Raises ``FormatError`` for what is malformed; ``UnsupportedError`` for other files of PyTorch's,
    and for one of other objects without a tensor.
    """
    found = load_file(data, Tensor)
    if found.constants is not None:
        script.check(found.flat)
    named = quantized.renamed(found.flat.named, found.flat.said)
    tensors = Tensors(named, found.fetch, found.order, len(data), found.flat.said)
    return found.metadata, tensors
