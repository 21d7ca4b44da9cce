"""The shards of a TensorFlow.js model: files beside it, and the arrays that lie in them.

The files of a group are one stretch of bytes, its arrays lie in it one behind the other and fill
it. Numbers of 8 or 16 bits with a ``quantization`` are q * scale + min, rounded to float32 as
TensorFlow.js has them; float16 is widened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from ...spec import Array
from ..names import some
from ..outside import resolve
from ..reading import read_bytes
from ..stored import empty
from .document import Document

_TYPES: Final = {
    "float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "<u1", "uint16": "<u2",
    "bool": "?",
}  # fmt: skip
_MOST: Final = 100_000  # arrays, and files


@dataclass(frozen=True)
class Entry:
    """An array as the manifest has it; ``packed`` is the type it is stored in, where that has
    fewer bits, of which a number is ``scale`` times it and ``least``."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    packed: str = ""
    scale: float = 1.0
    least: float = 0.0

    @property
    def is_quantised(self) -> bool:
        return self.packed in ("uint8", "uint16")

    @property
    def size(self) -> int:
        """In bytes."""
        return prod(self.shape) * np.dtype(_TYPES[self.packed or self.dtype]).itemsize


@dataclass(frozen=True)
class Stored:
    """An array and where its bytes are."""

    entry: Entry
    data: memoryview

    @property
    def shape(self) -> tuple[int, ...]:
        return self.entry.shape

    @property
    def raw(self) -> NDArray[Any]:
        """As it is stored."""
        code = _TYPES[self.entry.packed or self.entry.dtype]
        if not len(self.data):
            return empty(f"weightsManifest: {self.entry.name[:200]!r}", self.entry.shape, code)
        return np.frombuffer(self.data, code).reshape(self.entry.shape)

    @property
    def array(self) -> Array:
        """``FormatError`` where its numbers are not finite."""
        raw = self.raw.reshape(-1)
        if self.entry.dtype != "float32":
            raise UnsupportedError(
                f"weightsManifest: {self.entry.name[:200]!r}: dtype {self.entry.dtype!r}: "
                "expected float32"
            )
        if self.entry.is_quantised:
            with np.errstate(over="ignore", invalid="ignore"):
                wide = raw * np.float64(self.entry.scale) + self.entry.least
                array = wide.astype(np.float32)
        else:
            array = raw.astype(np.float32)
        if not np.isfinite(array).all():
            raise FormatError(
                f"weightsManifest: {self.entry.name[:200]!r}: expected finite numbers"
            )
        return array.reshape(self.entry.shape)


@dataclass(frozen=True)
class Locations:
    """Groups of the manifest: the files of each, and its arrays."""

    groups: tuple[tuple[tuple[str, ...], tuple[Entry, ...]], ...]

    @property
    def paths(self) -> list[str]:
        return [path for paths, _ in self.groups for path in paths]

    @property
    def entries(self) -> list[Entry]:
        return [entry for _, entries in self.groups for entry in entries]


def locations(document: Document) -> Locations:
    """What the manifest says; no shard is read."""
    groups = []
    for index, value in enumerate(document.list("weightsManifest")):
        group = document.of(value, f"weightsManifest[{index}]")
        paths = group.list("paths")
        if not all(isinstance(path, str) for path in paths):
            raise group.wrong("paths", "a list of texts")
        entries = [group.of(one, "weights") for one in group.list("weights")]
        groups.append((tuple(paths), tuple(map(_entry, entries))))
    found = Locations(tuple(groups))
    for what, named in (("files", found.paths), ("arrays", [e.name for e in found.entries])):
        if len(set(named)) != len(named) or len(named) > _MOST:
            raise FormatError(
                f"weightsManifest: expected {what} that are named once each, at most {_MOST}"
            )
    return found


def _entry(document: Document) -> Entry:
    name, dtype = document.text("name"), document.text("dtype")
    where = f"weightsManifest: {name[:200]!r}"
    document.where = where
    shape = document.list("shape")
    if any(type(n) is not int or not 0 <= n < 2**31 for n in shape):
        raise document.wrong("shape", "a list of sizes")
    if "quantization" not in document:
        if dtype not in ("float32", "int32", "bool"):
            raise document.unsupported(f"dtype {dtype[:80]!r}: expected float32")
        return Entry(name, tuple(shape), dtype)
    packing = document.inner("quantization")
    packed = packing.text("dtype")
    if packed == "float16":
        return Entry(name, tuple(shape), "float32", packed)
    if packed not in ("uint8", "uint16"):
        raise packing.unsupported(f"dtype {packed[:80]!r}: expected uint8, uint16 or float16")
    numbers = [packing.number("scale"), packing.number("min")]
    return Entry(name, tuple(shape), "float32", packed, *numbers)


def read_arrays(document: Document) -> Mapping[str, Stored]:
    """All arrays by name; ``FormatError`` unless each group's fill its files."""
    folder = os.path.dirname(os.path.abspath(os.fspath(document.path)))
    found: dict[str, Stored] = {}
    seen: set[str] = set()
    for paths, entries in locations(document).groups:
        pieces = []
        for location in paths:
            pieces.append(_bytes(folder, location, seen))
        data = memoryview(b"".join(pieces))
        needed = sum(entry.size for entry in entries)
        if needed != len(data):
            raise FormatError(
                f"weightsManifest: {some(list(paths))}: {len(data)} bytes, and the arrays of the "
                f"group take {needed}"
            )
        begin = 0
        for entry in entries:
            found[entry.name] = Stored(entry, data[begin : begin + entry.size])
            begin += entry.size
    return found


def _bytes(folder: str, location: str, seen: set[str]) -> bytes:
    where = "weightsManifest: paths"
    try:
        path = resolve(folder, location)
        if path in seen:
            raise FormatError(f"{location!r:.200} is read already")
        seen.add(path)
        return read_bytes(path)
    except (OSError, FormatError) as error:
        raise FormatError(f"{where}: {error}") from error
