"""The zip archives of ``torch.save``: nothing compressed, nothing twice, nothing in two places."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from torch_files import archive, whole, zip_file

from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.formats.torch import unpack
from rnn_native.formats.torch.archive import Archive

ONES = np.ones(6, np.float32)
VALUE = {"x": whole("0", ONES)}
DATA = zip_file(VALUE)
CONTENTS = {"a": b"12345", "b/c": b"", "d": bytes(100)}
CENTRAL = DATA.index(b"PK\1\2")  # the first entry of the directory
END = len(DATA) - 22


def changed(position: int, value: bytes) -> bytes:
    return DATA[:position] + value + DATA[position + len(value) :]


def test_records_are_read_as_they_were_written() -> None:
    whole = Archive(archive(CONTENTS))
    assert whole.names == list(CONTENTS)
    for name, data in CONTENTS.items():
        assert bytes(whole.read(name)) == data
        assert whole.size(name) == len(data)
        assert name in whole
    with pytest.raises(FormatError, match="zip: record 'e' is missing"):
        whole.read("e")


def with_zip64(data: bytes) -> bytes:
    """The same archive with the sizes in ZIP64 records, as PyTorch ends its own."""
    end = len(data) - 22
    *_, count, size, begin, _ = struct.unpack("<4s4H2IH", data[end:])
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    full = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return data[:end] + end64 + locator + full


def test_zip64_is_read() -> None:
    data = with_zip64(archive(CONTENTS))
    assert {name: bytes(Archive(data).read(name)) for name in CONTENTS} == CONTENTS
    locator = len(data) - 42
    for place in (0, len(data), 2**63):
        bad = data[: locator + 8] + struct.pack("<Q", place) + data[locator + 16 :]
        with pytest.raises(FormatError, match="zip: no ZIP64 directory at byte"):
            Archive(bad)


def test_large_sizes_stand_in_an_extra_field() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped, zipped.open("a", "w", force_zip64=True) as record:
        record.write(b"12345")
    data = file.getvalue()
    entry = data.index(b"PK\1\2")
    extra = struct.pack("<HH2Q", 1, 16, 5, 5)
    moved = data[: entry + 20] + b"\xff" * 8 + data[entry + 28 : entry + 30]
    moved += struct.pack("<H", len(extra)) + data[entry + 32 : entry + 47] + extra
    begin, size = entry, len(moved) - entry
    data = moved + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, size, begin, 0)
    assert bytes(Archive(data).read("a")) == b"12345"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_is_refused_and_no_bomb_unpacked(method: int) -> None:
    bomb = zip_file(VALUE, {"data/1": bytes(10**7)}, compression=method)
    assert len(bomb) < 10**5
    tracemalloc.start()
    with pytest.raises(UnsupportedError, match=r"zip: record 'archive/data\.pkl' is compressed"):
        unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_encryption_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="is encrypted"):
        Archive(changed(CENTRAL + 8, b"\1"))


def test_damage_is_noticed_where_there_is_a_checksum() -> None:
    begin = DATA.index(ONES.tobytes())
    damaged = changed(begin + 3, b"\0")
    with pytest.raises(FormatError, match="record 'archive/data/0' is damaged"):
        dict(unpack(damaged)[1])
    unchecked = damaged.replace(struct.pack("<I", zlib.crc32(ONES.tobytes())), bytes(4))
    assert unpack(unchecked)[1]["x"][0] != 1  # as PyTorch writes when told to calculate none


def directory(offsets: list[int], names: list[bytes], sizes: list[int]) -> bytes:
    """An archive of one record of 100 bytes and a directory that says what it is told to."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 100, 100, 1, 0) + b"a"
    data = local + bytes(100)
    entries = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, size, size, len(name),
                    0, 0, 0, 0, 0, offset) + name
        for offset, name, size in zip(offsets, names, sizes, strict=True)
    )  # fmt: skip
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, len(offsets), len(offsets), len(entries), len(data), 0
    )
    return data + entries + end


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (directory([0, 0], [b"a", b"a"], [100, 100]), "record 'a' is there twice"),
        (directory([0], [b"a"], [101]), "record 'a' reaches past the records' end"),
        (directory([0], [b"a"], [2**32 - 1]), "reaches past"),
        (directory([0], [b"b"], [100]), "record 'b' has another name in its header"),
        (directory([5], [b"a"], [100]), "record 'a' has no header at byte 5"),
        (directory([2**32 - 1], [b"a"], [100]), "has no header at byte 4294967295"),
        (directory([0], [b"\xff"], [100]), "name is not UTF-8"),
        (DATA + b"\0", "no directory at the end"),
        (b"\0" + DATA, "not a file of torch.save|the directory should end"),
        (b"PK", "no directory at the end"),
        (changed(END + 8, b"\0\0"), "an archive of several parts"),
        (changed(END + 8, b"\0\0\0\0"), "bytes in the directory after 0 records"),
        (changed(END + 8, b"\xff\xff\xff\xff"), "65535 records in a directory"),
        (changed(END + 8, b"\5\0\5\0"), "the directory is truncated|is malformed"),
        (changed(END + 4, b"\1"), "an archive of several parts"),
        (changed(END + 12, b"\0\0\0\0"), "the directory should end at byte"),
        (changed(END + 16, b"\xff\xff\xff\xff"), "the directory should end at byte"),
        (changed(END + 20, b"\1"), "no directory at the end"),
        (changed(CENTRAL, b"XX"), "the directory is malformed"),
        (changed(CENTRAL + 28, b"\xff\xff"), "the directory is malformed"),
        (changed(CENTRAL + 20, b"\0"), "is stored, but of two sizes"),
    ],
)
def test_what_a_directory_must_not_say_is_refused(data: bytes, message: str) -> None:
    kind = UnsupportedError if "several parts" in message else FormatError
    with pytest.raises(kind, match=message):
        unpack(data)


def test_records_that_share_bytes_are_refused() -> None:
    inner = archive({"a": b"x"})
    outer = archive({"b": inner})  # its record holds a whole record of another name
    offset = outer.index(b"PK\3\4", 4)
    entry = inner[inner.index(b"PK\1\2") : inner.index(b"PK\5\6")]
    entry = entry[:42] + struct.pack("<I", offset) + entry[46:]
    end = outer.index(b"PK\1\2", outer.index(b"PK\5\6"))
    own = outer[end : outer.rindex(b"PK\5\6")]
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, len(own + entry), end, 0)
    with pytest.raises(FormatError, match="zip: records overlap"):
        Archive(outer[:end] + own + entry + tail)


def test_the_number_of_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_native.formats.torch.archive.MAX_RECORDS", 2)
    with pytest.raises(FormatError, match="zip: 3 records in a directory of"):
        Archive(archive(CONTENTS))


def renamed(*names: str) -> bytes:
    return archive(dict.fromkeys(names, b"\x80\x02N."))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (renamed("data.pkl"), "expected one record data.pkl"),
        (renamed("a/b/data.pkl"), "expected one record data.pkl"),
        (renamed("a/data.pkl", "b/data.pkl"), "expected one record data.pkl"),
        (archive({"weights.npy": b""}), "expected one record data.pkl"),
        (archive({}), "expected one record data.pkl"),
    ],
)
def test_another_archive_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message if len(data) > 22 else "expected one record"):
        unpack(data)


def test_a_program_without_named_weights_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedError, match=r"TorchScript program .*freeze.*from before"):
        unpack(zip_file(None, {"constants.pkl": b""}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[", "not JSON"), (b"\xff", "not JSON"), (b"[]", "expected an object of strings"),
        (b'{"a": 1}', "expected an object of strings"), (b"[" * 100_000, "not JSON"),
        (b" " * 2**20 + b"{}", "1048578 bytes, more than 1048576"),
    ],
)  # fmt: skip
def test_a_description_that_is_none_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"rnn_native\.json: {message}"):
        unpack(zip_file(VALUE, {"rnn_native.json": text}))


def test_data_are_not_copied() -> None:
    _, tensors = unpack(DATA)
    array: Any = tensors["x"]
    assert not array.flags.owndata
    assert not array.flags.writeable
