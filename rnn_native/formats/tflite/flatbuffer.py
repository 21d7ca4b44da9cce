"""FlatBuffers, as far as a file of tables, vectors, strings and numbers needs them.

A table begins with the distance back to its vtable: how many bytes that has, how many the table
has, and for each field where in the table it is, 0 for one that is left out. Tables, vectors and
strings are found by their distance from the field that names them; a vector begins with its length
(https://flatbuffers.dev/internals/). Numbers are little-endian.

Every place is checked before it is read. What a file makes of its bytes is counted: a few bytes
can name one table many times, and so nothing is read beyond ``_FACTOR`` times the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError

_FACTOR: Final = 8
_FREE: Final = 2**20
_TABLE: Final = 128  # what a table counts for, in bytes
_CODES: Final = {
    "bool": "?", "int8": "b", "uint8": "B", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float32": "f",
}  # fmt: skip


class Bytes:
    """The bytes of a file, and how many of them may still be read."""

    def __init__(self, data: bytes, identifier: bytes) -> None:
        if len(data) < 8 or data[4:8] != identifier:
            raise FormatError(
                f"not a file of {identifier.decode()}: bytes 4 to 8 are {data[4:8]!r}"
            )
        self.data = data
        self._left = _FREE + _FACTOR * len(data)

    def root(self) -> Table:
        return Table(self, self.number("I", 0))

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise FormatError(
                f"names its tables and vectors more than {_FACTOR} times over: they come to more "
                "than a file of this size has reason for"
            )

    def check(self, at: int, size: int) -> None:
        if not 0 <= at <= len(self.data) - size:
            raise FormatError(
                f"refers to {size} bytes at {at}; the file has {len(self.data)} bytes"
            )

    def number(self, code: str, at: int) -> Any:
        self.check(at, struct.calcsize(f"<{code}"))
        return struct.unpack_from(f"<{code}", self.data, at)[0]

    def target(self, at: int) -> int:
        """Where the distance at a place leads to."""
        return at + int(self.number("I", at))

    def vector(self, at: int, width: int) -> tuple[int, int]:
        """Where the items of a vector begin, of so many bytes each, and how many they are."""
        count = int(self.number("I", at))
        self.check(at + 4, count * width)
        self.take(8 + count * width)
        return at + 4, count


class Table:
    """A table at a place of the file; its fields by their number in the schema."""

    __slots__ = ("_at", "_fields", "_source", "_vtable")

    def __init__(self, source: Bytes, at: int) -> None:
        source.take(_TABLE)
        self._source = source
        self._at = at
        self._vtable = at - int(source.number("i", at))
        size = int(source.number("H", self._vtable))
        if size < 4 or size % 2:
            raise FormatError(f"the table at {at} has a vtable of {size} bytes")
        source.check(self._vtable, size)
        self._fields = (size - 4) // 2

    def _field(self, number: int) -> int | None:
        if number >= self._fields:
            return None
        offset = int(self._source.number("H", self._vtable + 4 + 2 * number))
        return self._at + offset if offset else None

    def number(self, number: int, kind: str, default: float = 0) -> Any:
        at = self._field(number)
        return default if at is None else self._source.number(_CODES[kind], at)

    def table(self, number: int) -> Table | None:
        at = self._field(number)
        return None if at is None else Table(self._source, self._source.target(at))

    def tables(self, number: int) -> Iterator[Table]:
        at = self._field(number)
        if at is None:
            return
        begin, count = self._source.vector(self._source.target(at), 4)
        for index in range(count):
            yield Table(self._source, self._source.target(begin + 4 * index))

    def array(self, number: int, dtype: str) -> NDArray[Any] | None:
        """A vector of numbers; None where it is left out. It is a view of the file's bytes."""
        at = self._field(number)
        if at is None:
            return None
        kind = np.dtype(dtype).newbyteorder("<")
        begin, count = self._source.vector(self._source.target(at), kind.itemsize)
        return np.frombuffer(self._source.data, kind, count, begin)

    def integers(self, number: int) -> tuple[int, ...]:
        array = self.array(number, "int32")
        return () if array is None else tuple(map(int, array))

    def text(self, number: int) -> str:
        at = self._field(number)
        if at is None:
            return ""
        begin, count = self._source.vector(self._source.target(at), 1)
        return self._source.data[begin : begin + count].decode(errors="replace")
