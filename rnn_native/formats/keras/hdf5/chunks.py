"""Datasets in chunks: where each chunk is, by the indexes of both layouts, and how it is packed.

An array that can grow in the newer layout has another index, and is refused: Keras's cannot.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....errors import FormatError, UnsupportedError
from .bounded import UNDEFINED, WORK, Bytes, number, unpacked

_TREE, _SINGLE, _IMPLICIT, _FIXED = 0, 1, 2, 3
_GROWING: Final = {4: "extensible array", 5: "B-tree of version 2"}
_DEFLATE, _SHUFFLE, _FLETCHER = 1, 2, 3
_NAMES: Final = {4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
_Piece = tuple[tuple[int, ...], int, int, int]  # offset in the array, address, bytes, mask


@dataclass(frozen=True)
class Chunked:
    """``sizes`` of a chunk; ``filters`` in the order of writing; ``own``: of one packed chunk its
    bytes and mask, of a fixed array the elements of a page as a power of 2."""

    index: int
    address: int
    sizes: tuple[int, ...]
    filters: tuple[int, ...]
    own: tuple[int, ...] = ()
    whole_edges: bool = True

    def array(
        self, data: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any], where: str
    ) -> NDArray[Any]:
        """The whole array; ``FormatError`` where a chunk of it is missing."""
        data.make(prod(shape) * dtype.itemsize, where)
        made: NDArray[Any] = np.empty(shape, dtype)
        left = prod(-(-size // own) for size, own in zip(shape, self.sizes, strict=True))
        for at, address, size, mask in self._pieces(data, shape, dtype.itemsize, where):
            data.spend()
            if address == UNDEFINED:
                break
            cut = tuple(slice(a, a + n) for a, n in zip(at, self.sizes, strict=True))
            if any(a >= n or a % own for a, n, own in zip(at, shape, self.sizes, strict=True)):
                raise FormatError(f"{where}: a chunk at {at} of an array {shape}")
            edge = any(c.stop > n for c, n in zip(cut, shape, strict=True))
            packed = self.whole_edges or not edge
            raw = self._unpacked(data, (address, size, mask), dtype.itemsize, packed, where)
            chunk = np.frombuffer(raw, dtype).reshape(self.sizes)
            own = made[cut]
            own[...] = chunk[tuple(slice(n) for n in own.shape)]
            left -= 1
        if left:
            raise FormatError(f"{where}: some of its chunks were never written")
        made.flags.writeable = False
        return made

    def _unpacked(
        self, data: Bytes, piece: tuple[int, int, int], item: int, packed: bool, where: str
    ) -> bytes:
        address, size, mask = piece
        full = prod(self.sizes) * item
        data.once(address, where)
        data.make(full, where)
        raw = data.take(address, size, where)
        filters = self.filters if packed else ()
        for place in reversed(range(len(filters))):
            if mask >> place & 1:
                continue
            if filters[place] == _FLETCHER:
                raw = raw[:-4]
            elif filters[place] == _DEFLATE:
                raw = _inflated(raw, full + 4 * len(filters), where)
            elif len(raw) == full:  # by bytes of the same place in their elements
                raw = np.frombuffer(raw, np.uint8).reshape(item, -1).T.tobytes()
        if len(raw) != full:
            raise FormatError(f"{where}: a chunk of {len(raw)} bytes; expected {full}")
        return raw

    def _pieces(
        self, data: Bytes, shape: tuple[int, ...], item: int, where: str
    ) -> Iterator[_Piece]:
        full = prod(self.sizes) * item
        if self.address == UNDEFINED:
            return
        if self.index == _TREE:
            yield from self._tree(data, self.address, None, where)
            return
        counts = [-(-size // own) for size, own in zip(shape, self.sizes, strict=True)]
        if prod(counts) > WORK:
            raise FormatError(f"{where}: {prod(counts)} chunks; at most {WORK} are read")
        places = product(*(range(0, n * own, own) for n, own in zip(counts, self.sizes,
                                                                    strict=True)))  # fmt: skip
        if self.index == _SINGLE:
            size, mask = self.own or (full, 0)
            yield (0,) * len(shape), self.address, size, mask
        elif self.index == _IMPLICIT:
            for place, at in enumerate(places):
                yield at, self.address + place * full, full, 0
        else:
            for at, entry in zip(places, self._entries(data, prod(counts), where), strict=False):
                size = number(entry, 8, len(entry) - 12, where) if len(entry) > 8 else full
                mask = number(entry, len(entry) - 4, 4, where) if len(entry) > 8 else 0
                yield at, number(entry, 0, 8, where), size, mask

    def _tree(self, data: Bytes, address: int, level: int | None, where: str) -> Iterator[_Piece]:
        data.once(address, where)
        head = "<4sBBH16x"
        signature, kind, own, used = struct.unpack(head, data.take(address, 24, where))
        if signature != b"TREE" or kind != 1 or (level is not None and own != level):
            raise FormatError(f"{where}: the tree of its chunks is broken")
        rank = len(self.sizes)
        form = f"<II{rank + 1}QQ"
        width = struct.calcsize(form)
        body = data.take(address + 24, used * width, where)
        for index in range(used):
            size, mask, *at, child = struct.unpack_from(form, body, index * width)
            if own:
                yield from self._tree(data, child, own - 1, where)
            else:
                yield tuple(at[:rank]), child, size, mask

    def _entries(self, data: Bytes, count: int, where: str) -> Iterator[bytes]:
        """Of a fixed array, which lies in pages where it is long."""
        data.once(self.address, where)
        client, size, bits, most, block = data.head(self.address, "BBBQQ", b"FAHD", where)
        if client not in (0, 1) or size < (13 if client else 8) or most < count or bits > 62:
            raise FormatError(f"{where}: an index of {most} chunks; expected {count}")
        if block == UNDEFINED:
            return
        data.once(block, where)
        data.head(block, "BQ", b"FADB", where)
        at, page = block + 14, 1 << bits
        if most <= page:
            yield from _cut(data.take(at, most * size, where), size)
            return
        pages = -(-most // page)
        at += (pages + 7) // 8
        at += 4  # its checksum; each page has one as well
        for first in range(0, most, page):
            length = min(page, most - first) * size
            yield from _cut(data.take(at, length, where), size)
            at += length + 4


def chunked(layout: bytes, filters: bytes | None, shape: tuple[int, ...], where: str) -> Chunked:
    """What the messages of a dataset say, of version 3 to 5; ``UnsupportedError``, which does not
    say where, for other filters and indexes."""
    applied = _filters(filters, where) if filters is not None else ()
    version = layout[0]
    if version == 3:
        rank, address = unpacked("BQ", layout, where, 2)
        _check_rank(rank, shape, where)
        sizes = unpacked(f"{rank}I", layout, where, 11)
        found = Chunked(_TREE, address, sizes[:-1], applied)
    else:
        flags, rank, width = unpacked("BBB", layout, where, 2)
        _check_rank(rank, shape, where)
        at = 5 + rank * width
        sizes = tuple(number(layout, 5 + n * width, width, where) for n in range(rank))
        index = number(layout, at, 1, where)
        at += 1
        own: tuple[int, ...] = ()
        if index in _GROWING:
            raise UnsupportedError(
                f"it can grow (the index of its chunks is of the kind {_GROWING[index]}); h5py "
                "writes arrays that are read here without maxshape="
            )
        if index == _SINGLE and flags & 2:
            own = unpacked("QI", layout, where, at)
            at += 12
        elif index == _FIXED:
            at += 1
        elif index not in (_SINGLE, _IMPLICIT):
            raise FormatError(f"{where}: an index of chunks of the kind {index}")
        (address,) = unpacked("Q", layout, where, at)
        found = Chunked(index, address, sizes[:-1], applied, own, not flags & 1)
    if not all(found.sizes):
        raise FormatError(f"{where}: chunks of the shape {found.sizes}")
    return found


def _check_rank(rank: int, shape: tuple[int, ...], where: str) -> None:
    if rank != len(shape) + 1:
        raise FormatError(f"{where}: chunks of {rank - 1} axes, an array of {len(shape)}")


def _filters(body: bytes, where: str) -> tuple[int, ...]:
    version, count = unpacked("BB", body, where)
    if version not in (1, 2):
        raise FormatError(f"{where}: filters of version {version}")
    at = 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (own,) = unpacked("H", body, where, at)
        at += 2
        name = 0
        if version == 1 or own >= 256:
            (name,) = unpacked("H", body, where, at)
            at += 2
        _, values = unpacked("HH", body, where, at)
        padded = version == 1
        at += 4 + ((name + 7) // 8 * 8 if padded else name)
        at += 4 * (values + (values % 2 if padded else 0))
        if own not in (_DEFLATE, _SHUFFLE, _FLETCHER):
            raise UnsupportedError(
                f"packed by the filter {_NAMES.get(own, own)}; gzip, shuffle and fletcher32 are "
                "read here"
            )
        found.append(own)
    return tuple(found)


def _inflated(raw: bytes, limit: int, where: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, limit + 1)
    except zlib.error as error:
        raise FormatError(f"{where}: a chunk that cannot be unpacked: {error}") from error


def _cut(body: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]
