"""Our reader of HDF5 against h5py, which writes what it reads, and against broken bytes."""

from __future__ import annotations

import io
import struct
import tracemalloc
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_native.errors import FormatError, RnnError, UnsupportedError
from rnn_native.formats.keras import hdf5 as hdf5

NAMES = st.text("abcdefghij_0123:.", min_size=1, max_size=12).filter(lambda name: name != ".")
SHAPES = st.lists(st.integers(1, 5), max_size=3).map(tuple)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
TREES = st.recursive(
    st.tuples(SHAPES, st.sampled_from(["<f2", "<f4", "<f8", ">f4", ">f8"])),
    lambda inner: st.dictionaries(NAMES, inner, max_size=12),
    max_leaves=30,
)
ATTRIBUTES = st.dictionaries(NAMES, st.one_of(TEXTS, st.lists(TEXTS, max_size=6)), max_size=5)


def written(make: Any, libver: str = "earliest") -> bytes:
    """The bytes of a file that ``make`` fills."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        make(file)
    return buffer.getvalue()


def small(libver: str) -> bytes:
    """A file like Keras's, with everything that we read."""

    def make(file: Any) -> None:
        file.attrs["model_config"] = '{"class_name": "Sequential"}' * 20
        for number in range(12):
            group = file.create_group(f"layer_{number}")
            group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
            group.attrs["texts"] = ["one", "two"]
            group["cell/kernel:0"] = np.arange(6.0, dtype="f4").reshape(2, 3)
            group["bias:0"] = np.arange(3.0)
            group.create_dataset("in chunks", data=np.ones((3, 2)), chunks=(2, 2), shuffle=True)
            group.create_dataset("packed", data=np.ones((3, 2)), compression="gzip")
        for number in range(10):
            file.attrs[f"names {number}"] = np.array([b"x" * 40])

    return written(make, libver)


SMALL = small("earliest")
EITHER = {"earliest": SMALL, "latest": small("latest")}
LIBVER = pytest.mark.parametrize("libver", EITHER)


def visit(file: hdf5.File) -> None:
    """Reads everything."""
    for group in file.groups:
        file.children(group)
        for name in ("weight_names", "texts", "names 3"):
            file.names(group, name)
        file.text(group, "model_config")
    for path in file.datasets:
        file.array(path)


@LIBVER
@settings(max_examples=60, deadline=None)
@given(tree=st.dictionaries(NAMES, TREES, max_size=8), attributes=ATTRIBUTES)
def test_what_h5py_writes_is_read(libver: str, tree: Any, attributes: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    groups = {""}

    def fill(group: Any, inside: Any, path: str) -> None:
        for name, value in inside.items():
            at = f"{path}/{name}" if path else name
            if isinstance(value, dict):
                groups.add(at)
                fill(group.create_group(name), value, at)
            else:
                arrays[at] = rng.normal(0, 1, value[0]).astype(value[1])
                group[name] = arrays[at]

    def make(file: Any) -> None:
        for name, value in attributes.items():
            file.attrs[name] = value
        fill(file, tree, "")

    file = hdf5.File(written(make, libver))
    assert set(file.groups) == groups
    assert set(file.datasets) == set(arrays)
    for path, array in arrays.items():
        assert file.datasets[path].shape == array.shape
        np.testing.assert_array_equal(file.array(path), array)
    for name, value in attributes.items():
        found = file.names("", name) if isinstance(value, list) else file.text("", name)
        assert found == value
        assert file.names("", f"{name}?") is None


def test_texts_of_fixed_length_are_read() -> None:
    def make(file: Any) -> None:
        file.attrs["names"] = np.array([b"one", b"seventeen"])
        file.attrs["one"] = np.bytes_("text")

    file = hdf5.File(written(make))
    assert file.names("", "names") == ["one", "seventeen"]
    assert file.text("", "one") == "text"


def test_bfloat16_as_keras_writes_it_widens() -> None:
    bits = np.array([0x3F80, 0xC000, 0x7F80], np.uint16)

    def make(file: Any) -> None:
        file["marked"] = bits.view("V2")
        file["marked"].attrs["dtype"] = "bfloat16"
        file["opaque"] = bits.view("V2")

    file = hdf5.File(written(make))
    array = file.array("marked")
    assert array.dtype == np.float32
    assert array.tolist() == [1.0, -2.0, np.inf]
    with pytest.raises(FormatError, match="'opaque': expected floats"):
        file.array("opaque")


@pytest.mark.parametrize("version", [1, 4, 255])
def test_other_superblocks_are_refused_by_name(version: int) -> None:
    with pytest.raises(UnsupportedError, match=f"version {version}: expected 0, 2 or 3"):
        hdf5.File(SMALL[:8] + bytes([version]) + SMALL[9:])


def external_link(file: Any) -> None:
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: Any) -> None:
    file["b"] = np.zeros(3)
    file["a"] = h5py.SoftLink("/b")


def loop(file: Any) -> None:
    file["a"] = file["/"]


def second_name(file: Any) -> None:
    file["b"] = np.zeros(3)
    file["a"] = file["b"]


@pytest.mark.parametrize("make", [external_link, soft_link, loop, second_name])
@LIBVER
def test_what_has_two_names_or_lies_elsewhere_is_refused(libver: str, make: Any) -> None:
    with pytest.raises(FormatError, match=r"link|twice"):
        hdf5.File(written(make, libver))


def other_file(file: Any) -> None:
    file.create_dataset("a", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "a", (4,))
    file.create_virtual_dataset("a", layout)


def bomb(file: Any) -> None:
    file.create_dataset("a", (2**28,), "f4", chunks=(2**20,), compression="gzip")


def chunked(file: Any) -> None:
    file.create_dataset("a", (2**40,), "f4", chunks=(2**20,))


def unwritten(file: Any) -> None:
    file.create_dataset("a", (2**40,), "f4")


def numbers(file: Any) -> None:
    file["a"] = np.arange(4)


def words(file: Any) -> None:
    file["a"] = ["some", "words"]


def empty(file: Any) -> None:
    file["a"] = np.zeros((0, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (other_file, UnsupportedError, "data in other files"),
        (virtual, UnsupportedError, "layout virtual"),
        (bomb, FormatError, "bytes of numbers in chunks of a file"),
        (chunked, FormatError, "bytes of numbers in chunks of a file"),
        (unwritten, FormatError, "never written"),
        (numbers, FormatError, "expected floats"),
        (words, FormatError, "expected floats"),
        (empty, FormatError, "expected numbers"),
    ],
)
@LIBVER
def test_datasets_that_keras_does_not_write_are_refused(
    libver: str, make: Any, error: type[RnnError], message: str
) -> None:
    with pytest.raises(error, match=message):
        hdf5.File(written(make, libver)).array("a")


@LIBVER
def test_every_truncated_file_is_refused(libver: str) -> None:
    whole = EITHER[libver]
    for size in [*range(0, 600), *range(600, len(whole), 97)]:
        with pytest.raises(FormatError):
            hdf5.File(whole[:size])


@LIBVER
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_files_with_wrong_bytes_are_read_or_refused(libver: str, data: st.DataObject) -> None:
    broken = bytearray(EITHER[libver])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.sampled_from([0, 1, 2, 8, 127, 128, 255]))
    try:
        visit(hdf5.File(bytes(broken)))
    except RnnError as error:
        assert isinstance(error, (FormatError, UnsupportedError))  # noqa: PT017


def addresses(whole: bytes) -> list[int]:
    """Everything in the file that can be an address in it, on any byte."""
    words = {int.from_bytes(whole[at : at + 8], "little") for at in range(len(whole) - 8)}
    return sorted(word for word in words if 88 <= word < len(whole))


@LIBVER
@pytest.mark.parametrize("new", [0, 48, 96, 2**63, 2**64 - 1])
def test_addresses_that_lead_astray_are_refused_or_of_no_use(libver: str, new: int) -> None:
    """Out of the file, to its beginning, in circles."""
    refused = 0
    whole = EITHER[libver]
    for address in addresses(whole):
        try:
            visit(hdf5.File(whole.replace(struct.pack("<Q", address), struct.pack("<Q", new))))
        except (FormatError, UnsupportedError):
            refused += 1
    assert refused > 30


def test_arrays_that_share_their_bytes_cost_no_more_than_the_file_is_large() -> None:
    """A small file could otherwise ask for any amount of memory, in arrays that are copied."""

    def make(file: Any) -> None:
        file["a0"] = np.ones(4096)
        for number in range(1, 8):
            file.create_dataset(f"a{number}", (4096,), "f8")  # not written, so nowhere

    data = written(make)
    first = data.index(struct.pack("<d", 1.0) * 4096)
    nowhere, there = (struct.pack("<QQ", at, 8 * 4096) for at in (2**64 - 1, first))
    assert data.count(nowhere) == 7
    file = hdf5.File(data.replace(nowhere, there))
    assert file.array("a1").all()
    with pytest.raises(FormatError, match="overlaps"):
        [file.array(f"a{number}") for number in range(8)]


def test_texts_that_share_their_bytes_are_refused() -> None:
    def make(file: Any) -> None:
        file.attrs["names"] = ["x" * 3000, *(f"{number:04}" for number in range(500))]

    data = bytearray(written(make))
    start = data.index(struct.pack("<I", 3000))
    reference = bytes(data[start : start + 16])
    for number in range(501):
        data[start + 16 * number : start + 16 * (number + 1)] = reference
    with pytest.raises(FormatError, match="more text than the file holds"):
        hdf5.File(bytes(data)).names("", "names")


def test_a_file_of_many_small_structures_costs_little_time_and_memory() -> None:
    """Reading stops after a fixed amount of work, however large the file is."""
    count = 400_000
    header = struct.pack("<BxHII4x", 1, 65535, 1, 8 * count)
    body = struct.pack("<HHB3x", 0x0D, 0, 0) * count  # empty messages
    superblock = hdf5.SIGNATURE + struct.pack(
        "<8B2HI4QQQII16x", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0, 0, 2**64 - 1,
        96 + len(header) + len(body), 2**64 - 1, 0, 96, 0, 0,
    )  # fmt: skip
    data = superblock.ljust(96, b"\0") + header + body
    tracemalloc.start()
    with pytest.raises(FormatError, match=f"more than {hdf5.WORK} structures"):
        hdf5.File(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * len(data)
