"""The zip archives that ``torch.save`` writes: records stored as they are, none compressed.

Records are views of the file's bytes; nothing is copied or unpacked, so that no archive can be
larger than its file. The layout is that of PKWARE's APPNOTE.TXT, 4.3, with the ZIP64 records that
PyTorch writes always. What ``torch.save`` does not write is refused: encryption, records that
overlap or are there twice, bytes before the archive or behind it; and compression, in a record
that is asked for.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ...errors import FormatError, UnsupportedError

MAX_RECORDS: Final = 100_000  # one for each storage, and some

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_FULL: Final = 0xFFFFFFFF  # a 32-bit field whose value stands in the ZIP64 extra field


@dataclass(frozen=True, slots=True)
class _Record:
    begin: int
    end: int
    checksum: int
    stored: bool
    deflated: bool
    size: int  # of what is in it, which may be compressed


class Archive:
    """The records of an archive by name, checked; ``names`` are in its order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        count, begin, end = _directory(data)
        if count > MAX_RECORDS or count * _CENTRAL.size > end - begin:
            raise FormatError(f"zip: {count} records in a directory of {end - begin} bytes")
        self._records: dict[str, _Record] = {}
        spans = []
        position = begin
        for _ in range(count):
            name, record, local, position = _entry(data, position, begin, end)
            if name in self._records:
                raise FormatError(f"zip: record {name!r:.200} is there twice")
            self._records[name] = record
            spans.append((local, record.end))
        if position != end:
            raise FormatError(f"zip: {end - position} bytes in the directory after {count} records")
        spans.sort()
        if any(after[0] < before[1] for before, after in pairwise(spans)):
            raise FormatError("zip: records overlap")

    @property
    def names(self) -> list[str]:
        return list(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def size(self, name: str) -> int:
        record = self._find(name)
        return record.end - record.begin

    def read(self, name: str) -> memoryview:
        """The bytes of a record; ``FormatError`` where they do not have its checksum."""
        record = self._find(name)
        view = memoryview(self._data)[record.begin : record.end]
        # torch.serialization.set_crc32_options(False) leaves the field at 0.
        if record.checksum and zlib.crc32(view) != record.checksum:
            raise FormatError(f"zip: record {name!r:.200} is damaged: its checksum is another")
        return view

    def inflate(self, name: str, most: int) -> bytes:
        """The bytes of a record that may be deflated, as the code of a program is; ``FormatError``
        where there are more than ``most``, or others than the checksum says."""
        record = self._records.get(name)
        if record is None or not record.deflated:
            return bytes(self.read(name)[:most])
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflating.decompress(memoryview(self._data)[record.begin : record.end], most + 1)
        except zlib.error as error:
            raise FormatError(f"zip: record {name!r:.200} is damaged: {error}") from None
        if len(data) > most or len(data) != record.size or zlib.crc32(data) != record.checksum:
            raise FormatError(
                f"zip: record {name!r:.200}: expected {record.size} bytes, at most {most}, of its "
                f"checksum; got {len(data)}"
            )
        return data

    def place(self, name: str) -> tuple[int, int]:
        """Where a record, checked as by ``read``, begins and ends in the file."""
        self.read(name)
        return self._records[name].begin, self._records[name].end

    def _find(self, name: str) -> _Record:
        if name not in self._records:
            raise FormatError(f"zip: record {name!r:.200} is missing")
        if not self._records[name].stored:
            raise UnsupportedError(
                f"zip: record {name!r:.200} is compressed; torch.save stores records as they are"
            )
        return self._records[name]


def _directory(data: bytes) -> tuple[int, int, int]:
    """How many records the central directory has; where it begins and ends."""
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\5\6" or data[-2:] != b"\0\0":
        raise FormatError("zip: no directory at the end: truncated, or something follows it")
    _, disk, first, here, count, size, begin, _ = _END.unpack_from(data, end)
    locator = end - _LOCATOR.size
    if locator >= 0 and data[locator : locator + 4] == b"PK\6\7":
        _, _, end, _ = _LOCATOR.unpack_from(data, locator)
        if end > locator - _END64.size or data[end : end + 4] != b"PK\6\6":
            raise FormatError(f"zip: no ZIP64 directory at byte {end}")
        _, _, _, _, disk, first, here, count, size, begin = _END64.unpack_from(data, end)
    if disk or first or here != count:
        raise UnsupportedError("zip: an archive of several parts")
    if begin + size != end:
        raise FormatError(
            f"zip: the directory should end at byte {end}, it spans {begin} to {begin + size}"
        )
    return count, begin, end


def _entry(data: bytes, position: int, directory: int, end: int) -> tuple[str, _Record, int, int]:
    """One entry of the directory: name, record, where its header is, where the entry ends."""
    if position + _CENTRAL.size > end:
        raise FormatError("zip: the directory is truncated")
    magic, _, _, flags, method, _, _, checksum, packed, size, *lengths, _, _, _, local = (
        _CENTRAL.unpack_from(data, position)
    )
    begin = position + _CENTRAL.size
    after_name = begin + lengths[0]
    after_extra = after_name + lengths[1]
    position = after_extra + lengths[2]
    if magic != b"PK\1\2" or position > end:
        raise FormatError("zip: the directory is malformed")
    try:
        name = data[begin:after_name].decode()
    except UnicodeDecodeError:
        raise FormatError("zip: a record's name is not UTF-8") from None
    if flags & 1:
        raise UnsupportedError(f"zip: record {name!r:.200} is encrypted")
    wide = iter(_extra64(data[after_name:after_extra]))
    size, packed, local = (next(wide, _FULL) if v == _FULL else v for v in (size, packed, local))
    if size != packed and method == 0:
        raise FormatError(f"zip: record {name!r:.200} is stored, but of two sizes")
    if local + _LOCAL.size > directory or data[local : local + 4] != b"PK\3\4":
        raise FormatError(f"zip: record {name!r:.200} has no header at byte {local}")
    *_, of_name, of_extra = _LOCAL.unpack_from(data, local)
    begin_name, end_name = local + _LOCAL.size, local + _LOCAL.size + of_name
    start = end_name + of_extra
    if data[begin_name:end_name] != data[begin:after_name]:
        raise FormatError(f"zip: record {name!r:.200} has another name in its header")
    if start + packed > directory:
        raise FormatError(f"zip: record {name!r:.200} reaches past the records' end")
    record = _Record(start, start + packed, checksum, method == 0, method == 8, size)
    return name, record, local, position


def _extra64(extra: bytes) -> list[int]:
    """The numbers of the ZIP64 extra field."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        position += 4
        if kind == 1:
            field = extra[position : position + length]
            return [value for (value,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
        position += length
    return []
