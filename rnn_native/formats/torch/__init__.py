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

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from ...errors import FormatError, UnsupportedError
from ...spec import ModelSpec
from ..metadata import read_tensors
from ..reading import read_bytes
from . import foreign, legacy, quantized, script
from .archive import Archive
from .flat import Flat, flat
from .names import by_layers
from .storages import Storages, Tensors
from .unpickle import Machine
from .values import Tensor
from .writing import DESCRIPTION, MAX_DESCRIPTION, write

__all__ = [
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
    """What ``write`` put into the file beside the weights; nothing in one of another's."""
    return unpack(read_bytes(path))[0]


def is_saved(data: bytes) -> bool:
    """Whether a file begins as one of ``torch.save``, in either of its formats."""
    return data.startswith(b"PK") or legacy.is_legacy(data)


def unpack(data: bytes) -> tuple[dict[str, str], Tensors]:
    """What ``write`` tells of the layers (or nothing), and all tensors by their dotted names.

    Raises ``FormatError`` for what is malformed, and for a file of other objects without a tensor;
    ``UnsupportedError`` for other files of PyTorch's.
    """
    if data.startswith(b"PK"):
        return _unpack_zip(data)
    if data[257:262] == b"ustar":
        raise UnsupportedError(
            "the tar format of PyTorch before 0.2: load and save it with a newer PyTorch"
        )
    if not data.startswith(b"\x80"):
        raise FormatError(
            f"not a file of torch.save: expected a zip archive or a pickle, got {data[:8]!r}"
        )
    value, views = legacy.load(data)
    return {}, _tensors(flat(value, len(data), Tensor), views.__getitem__, "<", len(data))


def _unpack_zip(data: bytes) -> tuple[dict[str, str], Tensors]:
    archive = Archive(data)
    pickles = [name for name in archive.names if name.endswith("/data.pkl")]
    roots = [name.removesuffix("/data.pkl") for name in pickles if name.count("/") == 1]
    if len(roots) != 1:
        raise FormatError("a zip archive, but not of torch.save: expected one record data.pkl")
    (root,) = roots
    storages = Storages()
    begin, end = archive.place(f"{root}/data.pkl")
    value = Machine(data, begin, end, storages.persistent).load()
    for key, storage in storages.roots.items():
        size = archive.size(f"{root}/data/{key}")
        if size != storage.nbytes:
            raise FormatError(f"storage {key!r:.100}: expected {storage.nbytes} bytes, got {size}")
    order = b"little"
    if f"{root}/byteorder" in archive:
        order = bytes(archive.read(f"{root}/byteorder")[:10])
    if order not in (b"little", b"big"):
        raise FormatError(f"byteorder: expected little or big, got {order!r}")
    metadata = {}
    if f"{root}/{DESCRIPTION}" in archive:
        metadata = _description(archive.read(f"{root}/{DESCRIPTION}"))
    fetch = cache(lambda key: archive.read(f"{root}/data/{key}"))
    found = flat(value, end - begin, Tensor)
    if script.is_program(archive, root):
        script.check(found)
        script.add_said(archive, root, found)
    return metadata, _tensors(found, fetch, "<" if order == b"little" else ">", len(data))


def _tensors(
    found: Flat[Tensor], fetch: Callable[[str], memoryview], order: str, size: int
) -> Tensors:
    return Tensors(quantized.renamed(found.named, found.said), fetch, order, size, found.said)


def _description(text: memoryview) -> dict[str, str]:
    if len(text) > MAX_DESCRIPTION:
        raise FormatError(f"{DESCRIPTION}: {len(text)} bytes, more than {MAX_DESCRIPTION}")
    try:
        value = json.loads(bytes(text).decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{DESCRIPTION}: not JSON: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise FormatError(f"{DESCRIPTION}: expected an object of strings")
    return value
