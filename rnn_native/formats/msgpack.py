"""The bytes of MessagePack, as Flax writes trees of arrays in it.

https://github.com/msgpack/msgpack/blob/master/spec.md says how values are written. In a tree there
are maps, lists, numbers and text, and for an array the extension 1, in whose bytes are its shape,
the name of its type, and its numbers, row-major and little-endian. Of a tree only the arrays are
kept, by their names with dots between; of these nothing is read before it is asked for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from ..errors import FormatError, UnsupportedError

_MAX_DEPTH: Final = 64
_MAX_NAME: Final = 1000
_MAX_RANK: Final = 32
_NAMED, _FREE, _BY_BYTE = 32, 100_000, 8  # of names: what one counts besides its characters
_ARRAY: Final = 1  # the extension's number
_CHUNKED: Final = "__msgpack_chunked_array__"
_SIZES: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
                 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}  # fmt: skip
"""Codes behind which a size stands, and in how many bytes."""
_NUMBERS: Final = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
                   0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}  # fmt: skip
_PLAIN: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_BYTES, _EXTENSIONS, _TEXTS, _LISTS, _MAPS = (
    range(0xC4, 0xC7), range(0xC7, 0xCA), range(0xD9, 0xDC), range(0xDC, 0xDE), range(0xDE, 0xE0),
)  # fmt: skip
_FIXED: Final = range(0xD4, 0xD9)  # extensions of 1, 2, 4, 8 and 16 bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """An array as it is claimed: its numbers are the bytes from ``begin`` to ``end``."""

    shape: tuple[int, ...]
    dtype: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes, or an extension of this number."""

    begin: int
    end: int
    extension: int | None = None


def arrays(data: bytes) -> dict[str, Claim]:
    """All arrays of a tree by their names; ``FormatError`` for what is malformed."""
    reader = _Reader(data, 0, len(data))
    reader.tree("", 0)
    reader.check_end()
    return reader.found


class _Reader:
    """Reads values one after another, from ``begin`` to ``end``."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self.found: dict[str, Claim] = {}
        self._data = data
        self._position = begin
        self._end = end
        self._left = _FREE + _BY_BYTE * len(data)

    def check_end(self) -> None:
        if self._position != self._end:
            raise FormatError(f"msgpack: {self._end - self._position} bytes follow the end")

    def tree(self, name: str, depth: int) -> None:
        """A value, in which there may be others; its arrays are kept."""
        if depth > _MAX_DEPTH:
            raise FormatError(f"msgpack: maps more than {_MAX_DEPTH} deep in each other")
        code = self._number(1)
        count = self._count(code, range(0x80, 0x90), _MAPS)
        if count is not None:
            for _ in range(count):
                key = self._scalar(self._number(1))
                if type(key) not in (str, int):
                    raise FormatError(f"msgpack: in {name!r:.200}: a key that is no name")
                if key == _CHUNKED:
                    raise UnsupportedError(
                        f"{name!r:.200}: an array in chunks, as Flax writes those of 1 GiB and more"
                    )
                self.tree(self._name(name, key), depth + 1)
            return
        count = self._count(code, range(0x90, 0xA0), _LISTS)
        if count is not None:
            for index in range(count):
                self.tree(self._name(name, index), depth + 1)
            return
        value = self._scalar(code)
        if type(value) is _Span and value.extension == _ARRAY:
            if name in self.found:
                raise FormatError(f"msgpack: the name {name!r} is there twice")
            inner = _Reader(self._data, value.begin, value.end)
            self.found[name] = inner._claim(f"array {name!r:.200}")

    def _name(self, name: str, key: str | int) -> str:
        whole = f"{name}.{key}" if name else f"{key}"
        self._left -= _NAMED + len(whole)
        if len(whole) > _MAX_NAME or self._left < 0:
            raise FormatError(f"msgpack: names of {len(whole)} characters, or too many of them")
        return whole

    def _claim(self, where: str) -> Claim:
        """Of the bytes of an array: (shape, type, numbers)."""
        if self._count(self._number(1), range(0x90, 0xA0), _LISTS) != 3:
            raise FormatError(f"{where}: expected its shape, type and numbers")
        rank = self._count(self._number(1), range(0x90, 0xA0), _LISTS)
        if rank is None or rank > _MAX_RANK:
            raise FormatError(f"{where}: expected a shape of at most {_MAX_RANK} sizes")
        shape = tuple(self._scalar(self._number(1)) for _ in range(rank))
        dtype, numbers = (self._scalar(self._number(1)) for _ in range(2))
        self.check_end()
        sizes = all(type(size) is int and size >= 0 for size in shape)
        if not sizes or type(dtype) is not str or type(numbers) is not _Span:
            raise FormatError(f"{where}: expected its shape, type and numbers")
        return Claim(shape, dtype, numbers.begin, numbers.end)

    def _count(self, code: int, short: range, long: range) -> int | None:
        """How many values a map or list of these codes has; None where it is none."""
        if code in short:
            return code - short.start
        if code not in long:
            return None
        count = self._number(_SIZES[code])
        if count > self._end - self._position:
            raise self._truncated()
        return count

    def _scalar(self, code: int) -> Any:
        """A value without others in it, as far as it matters."""
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code in _PLAIN:
            return _PLAIN[code]
        if code in _NUMBERS:
            form = _NUMBERS[code]
            span = self._span(struct.calcsize(form))
            return struct.unpack_from(form, self._data, span.begin)[0]
        if code in _FIXED:
            return self._extension(1 << (code - _FIXED.start))
        if 0xA0 <= code < 0xC0:
            return self._text(code - 0xA0)
        if code not in _SIZES or code in _LISTS or code in _MAPS:
            raise FormatError(
                f"msgpack: byte {code:#x} at {self._position - 1} begins no value here"
            )
        size = self._number(_SIZES[code])
        if code in _TEXTS:
            return self._text(size)
        return self._span(size) if code in _BYTES else self._extension(size)

    def _extension(self, size: int) -> _Span:
        number = self._number(1)
        span = self._span(size)
        return _Span(span.begin, span.end, number)

    def _text(self, size: int) -> str:
        span = self._span(size)
        try:
            return self._data[span.begin : span.end].decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"msgpack: text that is not UTF-8: {error.reason}") from None

    def _span(self, size: int) -> _Span:
        begin = self._position
        if size > self._end - begin:
            raise self._truncated()
        self._position = begin + size
        return _Span(begin, self._position)

    def _number(self, size: int) -> int:
        span = self._span(size)
        return int.from_bytes(self._data[span.begin : span.end], "big")

    def _truncated(self) -> FormatError:
        return FormatError(f"msgpack: truncated: a value goes on after byte {self._end}")
