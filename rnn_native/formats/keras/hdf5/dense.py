"""Where newer groups keep many links or attributes: heaps of blocks that double in size
(fractal heaps), and trees (B-trees, version 2) that say where in a heap each one is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from ....errors import FormatError, UnsupportedError
from .bounded import SHARED, UNDEFINED, Bytes, number, unpacked

LINKS: Final = 5
ATTRIBUTES: Final = 8
"""Kinds of trees, both by the name."""
_HUGE: Final = 1
_BEFORE_ID: Final = {LINKS: 4, ATTRIBUTES: 0}
_MAX_DEPTH: Final = 32


def objects(data: Bytes, heap: int, tree: int, kind: int, where: str) -> Iterator[bytes]:
    """What the entries of a tree stand for, in the tree's order."""
    if heap == UNDEFINED or tree == UNDEFINED:
        return
    store = Heap(data, heap, where)
    for record in records(data, tree, kind, where):
        if kind == ATTRIBUTES and number(record, 8, 1, where) & SHARED:
            raise UnsupportedError(f"{where}: a shared message")
        yield store.object(record[_BEFORE_ID[kind] :])


def records(data: Bytes, address: int, kind: int, where: str) -> Iterator[bytes]:
    """The records of a tree; those of leaves and of what is above them."""
    data.once(address, where)
    found, node, size, depth, root, count = data.head(address, "BIHHxxQH", b"BTHD", where)
    if found != kind or depth > _MAX_DEPTH or not size or node < 10 + size:
        raise FormatError(f"{where}: a tree of kind {found}, {depth} deep; expected kind {kind}")
    if root == UNDEFINED:
        return
    most = [(node - 10) // size]
    total, widths = most[0], [0]
    for _ in range(depth):
        pointer = 8 + _width(most[0]) + widths[-1]
        most.append((node - 10 - pointer) // (size + pointer))
        total = (most[-1] + 1) * total + most[-1]
        widths.append(_width(max(total, 1)))
    pending = [(root, count, depth)]
    while pending:
        at, count, level = pending.pop()
        data.once(at, where)
        (letters, version, own) = unpacked("4sBB", data.take(at, 6, where), where)
        if (letters, version, own) != (b"BTIN" if level else b"BTLF", 0, kind):
            raise FormatError(f"{where}: no node of its tree at {at}")
        body = data.take(at + 6, count * size, where)
        for index in range(count):
            data.spend()
            yield body[index * size : (index + 1) * size]
        if not level:
            continue
        own_width, all_width = _width(most[0]), widths[level - 1]
        pointer = 8 + own_width + all_width
        below = data.take(at + 6 + count * size, (count + 1) * pointer, where)
        for index in range(count + 1):
            start = index * pointer
            (child,) = unpacked("Q", below, where, start)
            pending.append((child, number(below, start + 8, own_width, where), level - 1))


class Heap:
    """The objects of a fractal heap by their ids."""

    def __init__(self, data: Bytes, address: int, where: str) -> None:
        self._data, self._where = data, where
        data.once(address, where)
        # Sizes of ids and filters, the largest object; the tree of huge objects; the blocks: how
        # many in a row, the first one's size, the largest one's that has objects, bits of an
        # offset; the root and its rows.
        self._row: int
        self._first: int
        (self._id, filters, _, largest, self._huge_tree, width, first, direct, bits, root,
         rows) = data.head(
            address, "HHBI8xQ8x8x8x8x8x8x8x8x8x8xHQQH2xQH", b"FRHP", where)  # fmt: skip
        if filters:
            raise UnsupportedError(f"{where}: names and attributes that are compressed")
        if not (width and first and direct >= first and 0 < bits <= 64 and rows <= 64):
            raise FormatError(f"{where}: a heap with blocks of {first} to {direct} bytes")
        self._offset = (bits + 7) // 8
        self._length = min(_width(largest), (direct.bit_length() + 6) // 8)
        self._row, self._first, self._direct = width, first, direct
        self._huge: dict[int, tuple[int, int]] | None = None
        self._blocks: list[tuple[int, int, int]] = []  # offset in the heap, size, address
        if root != UNDEFINED and rows:
            self._walk(root, rows)
        elif root != UNDEFINED:
            self._block(0, first, root)
        self._starts = [start for start, _, _ in self._blocks]

    def object(self, own: bytes) -> bytes:
        what = number(own, 0, 1, self._where) >> 4
        if what == _HUGE:
            address, length = self._of_huge(own)
            return self._data.take(address, length, self._where)
        if what:
            raise UnsupportedError(f"{self._where}: an object of a heap of the kind {what}")
        offset = number(own, 1, self._offset, self._where)
        length = number(own, 1 + self._offset, self._length, self._where)
        index = bisect_right(self._starts, offset) - 1
        start, size, address = self._blocks[index] if index >= 0 else (0, 0, 0)
        if offset + length > start + size:
            raise FormatError(f"{self._where}: {length} bytes at {offset} are not in its heap")
        return self._data.take(address + offset - start, length, self._where)

    def _of_huge(self, own: bytes) -> tuple[int, int]:
        """Address and length of an object that lies by itself."""
        if self._huge is None:
            self._huge = {}
            for record in records(self._data, self._huge_tree, 1, self._where):
                address, length, key = unpacked("QQQ", record, self._where)
                self._huge[key] = (address, length)
        key = number(own, 1, min(8, self._id - 1), self._where)
        if key not in self._huge:
            raise FormatError(f"{self._where}: no object {key} in its heap")
        return self._huge[key]

    def _walk(self, root: int, rows: int) -> None:
        """All blocks, in the heap's order."""
        pending = [(0, root, rows)]
        while pending:
            begin, address, rows = pending.pop()
            if rows < 0:
                self._block(begin, -rows, address)
                continue
            self._data.once(address, self._where)
            self._data.head(address, f"Q{self._offset}s", b"FHIB", self._where)
            table = self._data.take(address + 13 + self._offset, 8 * rows * self._row, self._where)
            inside = []
            for index in range(rows * self._row):
                size = self._first << max(0, index // self._row - 1)
                (child,) = unpacked("Q", table, self._where, 8 * index)
                if child != UNDEFINED:
                    inside.append((begin, child, self._rows_of(size)))
                begin += size
            pending += inside[::-1]

    def _rows_of(self, size: int) -> int:
        """Of a block of blocks; of one with objects, its size below 0."""
        if size <= self._direct:
            return -size
        return (size // (self._first * self._row)).bit_length()

    def _block(self, begin: int, size: int, address: int) -> None:
        self._data.once(address, self._where)
        self._data.head(address, f"Q{self._offset}s", b"FHDB", self._where)
        self._blocks.append((begin, size, address))


def _width(most: int) -> int:
    """Bytes of a number up to this one."""
    return (most.bit_length() + 7) // 8
