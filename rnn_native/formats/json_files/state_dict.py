"""A ``state_dict`` of PyTorch's as JSON: lists of numbers by name, as RTNeural's examples have it.

What is in objects has their names in front, with dots; what is no list of numbers is left out. The
order in which the modules run is not in such a file: ``chain=`` says it. One that :func:`write`
made has strings besides that describe its layers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...errors import FormatError
from ...spec import Array, ModelSpec
from ..metadata import PREFIX, from_tensors, to_metadata
from ..stored import Stored
from ..torch.names import by_layers, sequential_arrays
from .document import Document, Path, array_of, open_document, stored_lists, told, write_document

OPTIONS: Final = (
    "cell", "nonlinearity", "reset_after", "output_nonlinearity", "prefix", "chain",
)  # fmt: skip
_DEEPEST: Final = 64  # objects in each other


def read_all(path: Path, **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    return from_document(open_document(path), **options)


def strings(path: Path) -> dict[str, str]:
    document = open_document(path)
    ours = {k: v for k, v in document.items() if k.startswith(PREFIX) and isinstance(v, str)}
    return ours | told({key: value for key, value in document.items() if key not in ours})


def arrays(path: Path) -> dict[str, Stored]:
    return arrays_of(open_document(path))


def arrays_of(document: Document) -> dict[str, Stored]:
    """Lists of numbers by their dotted names."""
    lists = {name: value for name, value in _flat(document) if isinstance(value, list)}
    return stored_lists(lists, "tensor")


def is_one(document: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for _, value in _flat(document))


def from_document(document: Document, **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """Options are those of ``plain.from_state_dict`` and, with ``chain``, of
    ``chain.from_state_dict``."""
    ours = {k: v for k, v in document.items() if k.startswith(PREFIX)}
    if not all(isinstance(value, str) for value in ours.values()):
        raise FormatError(f"{PREFIX}...: expected texts")
    lists = {name: value for name, value in _flat(document) if isinstance(value, list)}
    arrays: Mapping[str, Array] = _Arrays(lists)
    return from_tensors(ours, by_layers(ours, arrays) if ours else arrays, **options), ours


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write the ``state_dict`` of the ``torch.nn.Sequential`` that has the same layers; atomically.
    ``UnsupportedError`` for a model that PyTorch has no modules for."""
    arrays = {name: array.tolist() for name, array in sequential_arrays(spec).items()}
    write_document({**to_metadata(spec), **(strings or {}), **arrays}, path)


class _Arrays(dict[str, Any]):
    """Lists of numbers by name, each an array once it is asked for: what is not needed does no
    harm."""

    def __getitem__(self, name: str) -> Array:
        value = super().__getitem__(name)
        if isinstance(value, list):
            self[name] = value = array_of(value, f"tensor {name[:200]!r}")
        array: Array = value
        return array


def _flat(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value
