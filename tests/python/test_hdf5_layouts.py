"""The newer layouts of HDF5, and arrays in chunks, against h5py, which writes them."""

from __future__ import annotations

import io
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_native.errors import FormatError, UnsupportedError
from rnn_native.formats.keras import hdf5

VERSIONS = ("earliest", "v108", "v110", "latest")
NEWER = pytest.mark.parametrize("libver", VERSIONS[1:])
EACH = pytest.mark.parametrize("libver", VERSIONS)
RNG = np.random.default_rng(0)


def written(make: Any, libver: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver, **options) as file:
        make(file)
    return buffer.getvalue()


def check(data: bytes) -> hdf5.File:
    """Whatever h5py finds in a file is found, and as much of it."""
    ours = hdf5.File(data)
    groups, arrays = [""], []
    with h5py.File(io.BytesIO(data)) as file:

        def visit(path: str, item: Any) -> None:
            (groups if isinstance(item, h5py.Group) else arrays).append(path)

        file.visititems(visit)
        for path in arrays:
            values = ours.array(path)
            assert values.shape == file[path].shape
            assert values.dtype == file[path].dtype
            np.testing.assert_array_equal(values, file[path][()])
        for path in groups:
            item = file[path or "/"]
            assert sorted(ours.children(path)) == sorted(item)
            for name, value in item.attrs.items():
                if isinstance(value, str):
                    assert ours.text(path, name) == value
                else:
                    texts = [v.decode() if isinstance(v, bytes) else v for v in value]
                    assert ours.names(path, name) == texts
    assert set(ours.groups) == set(groups)
    assert set(ours.datasets) == set(arrays)
    return ours


def as_keras(file: Any) -> None:
    file.attrs["model_config"] = '{"class_name": "Sequential"}' * 3000
    for number in range(12):
        group = file.create_group(f"layer_{number}")
        group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
        group["cell/kernel:0"] = RNG.normal(0, 1, (5, 7)).astype("f4")
        group["bias:0"] = np.arange(3.0)


@EACH
def test_a_file_like_keras_s(libver: str) -> None:
    check(written(as_keras, libver))


@EACH
def test_superblocks_are_of_the_version_that_is_meant(libver: str) -> None:
    version = {"earliest": 0, "v108": 2}.get(libver, 3)
    assert written(as_keras, libver)[8] == version


@NEWER
@pytest.mark.parametrize("count", [1, 8, 9, 40, 400, 3000])
def test_groups_of_any_size(libver: str, count: int) -> None:
    """Links in the header; in a heap of one block; of blocks of blocks, with a deep tree."""

    def make(file: Any) -> None:
        for number in range(count):
            file.create_group(f"layer of a long name {number}")
        file["layer of a long name 0"]["a"] = np.ones(3)

    data = written(make, libver)
    assert (b"FHDB" in data) == (count > 8)
    assert (b"FHIB" in data) == (count > 12)
    assert (b"BTIN" in data) == (count > 40)
    check(data)


@NEWER
@pytest.mark.parametrize("track", [False, True])
def test_groups_that_keep_an_order(libver: str, track: bool) -> None:
    def make(file: Any) -> None:
        for name in "zaymbxcé":
            file.create_group(name, track_order=track).attrs["name"] = name
        for number in range(20):
            group = file.create_group(f"group/{number}", track_order=track)
            group.attrs["n"] = f"{number}"

    check(written(make, libver, track_order=track))


@NEWER
@pytest.mark.parametrize(("count", "size"), [(3, 10), (9, 10), (300, 50), (2, 70_000), (12, 9000)])
def test_attributes_of_any_number_and_size(libver: str, count: int, size: int) -> None:
    """In the header, in a heap, and too large for a heap's blocks."""

    def make(file: Any) -> None:
        for number in range(count):
            file.attrs[f"names{number}"] = np.array([b"x" * size, b"y%d" % number])

    check(written(make, libver))


@EACH
def test_many_messages_continue_in_other_blocks(libver: str) -> None:
    def make(file: Any) -> None:
        group = file.create_group("a")
        for number in range(7):
            file.create_group(f"in between {number}")
            group.attrs[f"names {number}"] = [f"{number}" * 9] * 5

    check(written(make, libver))


PACKED: tuple[dict[str, Any], ...] = (
    {},
    {"compression": "gzip"},
    {"fletcher32": True},
    {"compression": 9, "shuffle": True, "fletcher32": True},
)
SHAPES = [(1,), (7,), (64, 3), (5, 6, 7), (200, 10)]


@EACH
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("packed", PACKED)
def test_arrays_in_chunks(libver: str, shape: tuple[int, ...], packed: dict[str, Any]) -> None:
    """One chunk, a few, and a page of them and more; whole ones and such with an edge."""

    def make(file: Any) -> None:
        for dtype in ("<f2", "<f4", ">f8"):
            values = RNG.normal(0, 1, shape).astype(dtype)
            for number, part in enumerate((1, 2, 3, 100)):
                chunks = tuple(max(1, -(-n // part)) for n in shape)
                name = f"{dtype[1:]}{number}"
                file.create_dataset(name, data=values, chunks=chunks, **packed)

    check(written(make, libver))


@EACH
def test_an_index_of_many_pages(libver: str) -> None:
    def make(file: Any) -> None:
        values = np.arange(6000.0).reshape(3, 2000)
        file.create_dataset("plain", data=values, chunks=(1, 1))
        file.create_dataset("packed", data=values, chunks=(1, 2), compression="gzip")

    check(written(make, libver))


@NEWER
def test_chunks_that_are_reserved_at_once(libver: str) -> None:
    """Their index is none: one behind the other."""

    def make(file: Any) -> None:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk((4, 3))
        create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((10, 7))
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, create)
        file["a"][...] = RNG.normal(0, 1, (10, 7))

    check(written(make, libver))


@EACH
def test_compact_arrays(libver: str) -> None:
    def make(file: Any) -> None:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3, 4))
        h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, create)
        file["a"][...] = RNG.normal(0, 1, (3, 4))

    check(written(make, libver))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_chunks_of_any_array(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4)))
    chunks = tuple(data.draw(st.integers(1, size)) for size in shape)
    values = RNG.normal(0, 1, shape).astype("f4")
    packed = data.draw(st.sampled_from(PACKED))
    libver = data.draw(st.sampled_from(VERSIONS))
    check(written(lambda f: f.create_dataset("a", data=values, chunks=chunks, **packed), libver))


@EACH
def test_arrays_that_can_grow(libver: str) -> None:
    """The first layout keeps them like others; the newer ones have an index of their own."""

    def make(file: Any) -> None:
        file.create_dataset("a", data=np.ones((4, 3)), maxshape=(None, 3), chunks=(2, 3))
        file.create_dataset("b", data=np.ones((4, 3)), maxshape=(None, None), chunks=(2, 3))
        file["c"] = np.ones(3)

    data = written(make, libver)
    if libver in ("earliest", "v108"):
        check(data)
        return
    file = hdf5.File(data)
    assert file.array("c").tolist() == [1, 1, 1]
    for name in "ab":
        with pytest.raises(UnsupportedError, match=r"it can grow .* without maxshape="):
            file.array(name)


@EACH
def test_other_filters_are_refused_by_name(libver: str) -> None:
    def make(file: Any) -> None:
        file.create_dataset("a", data=np.ones(100), compression="lzf")
        file.create_dataset("b", data=np.ones(100), scaleoffset=2)

    file = hdf5.File(written(make, libver))
    for name, own in (("a", "lzf"), ("b", "scaleoffset")):
        with pytest.raises(UnsupportedError, match=f"filter {own}; gzip, shuffle"):
            file.array(name)


@EACH
def test_chunks_that_were_never_written_are_refused(libver: str) -> None:
    def make(file: Any) -> None:
        file.create_dataset("a", (8,), "f4", chunks=(2,))[:2] = 1
        file.create_dataset("b", (8,), "f4", chunks=(2,))
        file.create_dataset("c", (8,), "f4", chunks=(8,), compression="gzip")

    file = hdf5.File(written(make, libver))
    for name in "abc":
        with pytest.raises(FormatError, match="never written"):
            file.array(name)


@EACH
def test_what_expands_beyond_the_file_is_refused(libver: str) -> None:
    def make(file: Any) -> None:
        file.create_dataset("a", data=np.zeros(2**20), chunks=(2**18,), compression="gzip")

    with pytest.raises(FormatError, match="bytes of numbers in chunks"):
        hdf5.File(written(make, libver)).array("a")
