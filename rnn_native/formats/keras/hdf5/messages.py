"""What the messages of an HDF5 object header say: element types, shapes, places, attributes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....errors import FormatError, UnsupportedError
from ...bfloat16 import widened
from ...stored import empty
from .bounded import UNDEFINED, Bytes
from .chunks import Chunked, chunked

_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS = 0x01, 0x03, 0x07, 0x08, 0x0B
_INTEGER, _FLOAT, _STRING, _OPAQUE, _ENUM, _VARIABLE = 0, 1, 3, 5, 8, 9
_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2
_LAYOUTS: Final = ("compact", "contiguous", "chunked", "virtual")
_MAX_RANK: Final = 32
# Size: offset, precision, where and how wide exponent and mantissa are, bias, as IEEE 754 has it.
_FLOATS: Final = {
    2: (0, 16, 10, 5, 0, 10, 15),
    4: (0, 32, 23, 8, 0, 23, 127),
    8: (0, 64, 52, 11, 0, 52, 1023),
}


@dataclass(frozen=True)
class Type:
    """An element type: a NumPy float, text, or neither (None)."""

    size: int
    dtype: np.dtype[Any] | None = None
    text: bool = False
    in_heap: bool = False
    bfloat16: bool = False
    opaque: bool = False  # of two bytes that nothing is said of
    integers: np.dtype[Any] | None = None  # or truth values


@dataclass(frozen=True)
class Text:
    """The elements of an attribute of texts, or references to them."""

    shape: tuple[int, ...] | None
    raw: list[bytes]
    in_heap: bool


@dataclass(frozen=True)
class Dataset:
    """An array of a file, that has been checked to lie in it, not read yet."""

    shape: tuple[int, ...]
    type: Type
    start: int
    compact: bytes | None = None
    chunked: Chunked | None = None
    refused: str | None = None

    def array(self, data: Bytes, path: str) -> NDArray[Any]:
        """The floats of the dataset; bfloat16 widens to float32."""
        if 0 in self.shape and self.refused is None and self.type.dtype is not None:
            raise FormatError(f"dataset {path!r}: expected numbers, got the shape {self.shape}")
        if self.type.dtype is None and self.refused is None:
            raise FormatError(f"dataset {path!r}: expected floats{self._why}")
        return self._numbers(data, path, self.type.dtype)

    def stored(self, data: Bytes, path: str) -> NDArray[Any]:
        """Its numbers, whether floats, integers or truth values."""
        dtype = self.type.dtype or self.type.integers
        if dtype is None and self.refused is None:
            raise UnsupportedError(f"dataset {path!r}: expected numbers{self._why}")
        return self._numbers(data, path, dtype)

    @property
    def _why(self) -> str:
        if not self.type.opaque:
            return ""
        return (
            ", got two bytes an element of which the file does not say what they are: "
            "Keras writes a bfloat16 model so to .h5, and cannot load it; save it as .keras"
        )

    def _numbers(self, data: Bytes, path: str, dtype: np.dtype[Any] | None) -> NDArray[Any]:
        if self.refused is not None:
            raise UnsupportedError(f"dataset {path!r}: {self.refused}")
        assert dtype is not None
        count = prod(self.shape)
        if not count:
            return empty(f"dataset {path!r}", self.shape, dtype)
        if self.chunked is not None:
            where = f"dataset {path!r}"
            values = self.chunked.array(data, self.shape, dtype, where)
            return widened(values) if self.type.bfloat16 else values
        source, start = (data.whole, self.start) if self.compact is None else (self.compact, 0)
        if start + count * self.type.size > len(source):
            raise FormatError(
                f"dataset {path!r}: {count * self.type.size} bytes at {start} are not in the file"
            )
        values = np.frombuffer(source, dtype, count, start).reshape(self.shape)
        return widened(values) if self.type.bfloat16 else values


def dataset(kinds: Mapping[int, bytes], attributes: Mapping[str, bytes], path: str) -> Dataset:
    """What the messages of a dataset's header say."""
    where = f"dataset {path!r}"
    for kind in (_DATASPACE, _DATATYPE, _LAYOUT):
        if kind not in kinds:
            raise FormatError(f"{path!r} is neither a group nor a dataset")
    shape, _ = _dataspace(kinds[_DATASPACE], where)
    element = _datatype(kinds[_DATATYPE], where)
    if element.bfloat16 and "dtype" not in attributes:
        element = Type(element.size, opaque=True)
    if shape is None:
        return Dataset((0,), element, 0)
    layout = kinds[_LAYOUT]
    if len(layout) < 4 or layout[0] not in (3, 4, 5):
        return Dataset(shape, element, 0, refused="a layout of HDF5 that Keras does not write")
    if _EXTERNAL in kinds:
        return Dataset(shape, element, 0, refused="data in other files; Keras writes none")
    if layout[1] == _CHUNKED and 0 not in shape:
        try:
            pieces = chunked(layout, kinds.get(_FILTERS), shape, where)
        except UnsupportedError as error:  # of this array, which nobody may ask for
            return Dataset(shape, element, 0, refused=str(error))
        return Dataset(shape, element, 0, chunked=pieces)
    if layout[1] == _COMPACT:
        (size,) = struct.unpack_from("<H", layout, 2)
        return Dataset(shape, element, 0, compact=layout[4 : 4 + size])
    if layout[1] != _CONTIGUOUS or len(layout) < 18:
        name = _LAYOUTS[layout[1]] if layout[1] < len(_LAYOUTS) else f"unknown {layout[1]}"
        return Dataset(shape, element, 0, refused=f"layout {name}; Keras writes contiguous arrays")
    start, size = struct.unpack_from("<QQ", layout, 2)
    if size != prod(shape) * element.size:
        raise FormatError(f"{where}: shape {shape} does not take {size} bytes")
    if size and start == UNDEFINED:
        raise FormatError(f"{where}: it was never written")
    return Dataset(shape, element, start if size else 0)


def attribute_name(body: bytes, path: str) -> str:
    """The name of an attribute; of nothing else in it anything is known."""
    return _split_attribute(body, f"attribute of {path!r}")[0]


def attribute(body: bytes, where: str) -> Text:
    """The texts of an attribute; of an empty one of any type, none."""
    _, datatype, dataspace, data = _split_attribute(body, where)
    shape, count = _dataspace(dataspace, where)
    if not count:
        return Text(shape, [], False)
    element = _datatype(datatype, where)
    if not element.text:
        raise FormatError(f"{where}: expected text")
    if len(data) < count * element.size:
        raise FormatError(f"{where}: {count} elements do not fit into {len(data)} bytes")
    size = element.size
    raw = [data[size * index : size * (index + 1)] for index in range(count)]
    return Text(shape, raw, element.in_heap)


def _split_attribute(body: bytes, where: str) -> tuple[str, bytes, bytes, bytes]:
    """Name, datatype, dataspace and data."""
    if len(body) < 9:
        raise FormatError(f"{where}: {len(body)} bytes are too few")
    version, flags, *sizes = struct.unpack_from("<BBHHH", body)
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise UnsupportedError(f"{where}: version {version}, flags {flags}")
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(body[at : at + size])
        if len(parts[-1]) != size:
            raise FormatError(f"{where}: it leaves its message")
        at += (size + 7) // 8 * 8 if version == 1 else size
    try:
        name = parts[0].rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: its name is not text: {error}") from error
    return name, parts[1], parts[2], body[at:]


def _dataspace(body: bytes, where: str) -> tuple[tuple[int, ...] | None, int]:
    """Shape and number of elements; None and 0 where there is no value at all."""
    version, rank = (body[0], body[1]) if len(body) >= 4 else (0, 0)
    if version not in (1, 2) or rank > _MAX_RANK:
        raise FormatError(f"{where}: a shape of version {version} and rank {rank}")
    if version == 2 and body[3] == 2:
        return None, 0
    at = 8 if version == 1 else 4
    if len(body) < at + 8 * rank:
        raise FormatError(f"{where}: a shape of rank {rank} in {len(body)} bytes")
    shape = struct.unpack_from(f"<{rank}Q", body, at)
    return shape, prod(shape)


def _datatype(body: bytes, where: str) -> Type:
    if len(body) < 8:
        raise FormatError(f"{where}: an element type of {len(body)} bytes")
    kind, bits, size = body[0] & 15, body[1], struct.unpack_from("<I", body, 4)[0]
    if size == 0:
        raise FormatError(f"{where}: elements of no size")
    if kind == _FLOAT and len(body) >= 20 and bits & 0x40 == 0 and size in _FLOATS:
        if struct.unpack_from("<HHBBBBI", body, 8) == _FLOATS[size]:
            order = ">" if bits & 1 else "<"
            return Type(size, np.dtype(f"{order}f{size}"))
    elif kind in (_INTEGER, _ENUM) and size in (1, 2, 4, 8):
        return Type(size, integers=_integers(kind, body, size))
    elif kind == _STRING:
        return Type(size, text=True)
    elif kind == _OPAQUE and size == 2:  # where an attribute says so, Keras's bfloat16
        return Type(size, np.dtype("<u2"), bfloat16=True)
    elif kind == _VARIABLE and bits & 15 == 1 and size == 16:
        return Type(size, text=True, in_heap=True)
    return Type(size)


def _integers(kind: int, body: bytes, size: int) -> np.dtype[Any] | None:
    """Those of all bits of their bytes; of an enumeration of one byte, as h5py writes truth values,
    these."""
    if kind == _ENUM:
        members = body[20:].split(b"\0")
        return np.dtype("?") if size == 1 and {b"FALSE", b"TRUE"} <= set(members) else None
    if len(body) < 12 or struct.unpack_from("<HH", body, 8) != (0, 8 * size):
        return None
    order, signed = ">" if body[1] & 1 else "<", body[1] & 8
    return np.dtype(f"{order}{'i' if signed else 'u'}{size}")
