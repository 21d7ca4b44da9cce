"""safetensors files: what is written anybody can read, what is read is checked to the byte."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import make_linear, make_spec, specs

from rnn_native.errors import FormatError, RnnError, UnsupportedError
from rnn_native.formats import safetensors as sf
from rnn_native.formats.metadata import to_arrays, to_metadata
from rnn_native.spec import Linear, ModelSpec

Header = dict[str, Any]


def container(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype: str, shape: list[int], begin: int, end: int) -> Header:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def small() -> ModelSpec:
    return make_spec(np.random.default_rng(0), "gru", 1, 1, bias=False, out_features=1)


@given(st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: specs(dtype=dtype)))
def test_a_model_comes_back_bit_for_bit(spec: ModelSpec) -> None:
    data = sf.dumps(spec)
    again = sf.loads(data)
    assert to_metadata(again) == to_metadata(spec)
    arrays = to_arrays(again)
    for name, array in to_arrays(spec).items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].tobytes() == array.tobytes()
    assert sf.dumps(again) == data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_every_kind_keep_their_bits(dtype: type) -> None:
    info = np.finfo(dtype)
    payload = np.array([np.nan, -np.nan], dtype)
    numbers = [0.0, -0.0, np.inf, -np.inf, info.tiny, info.smallest_subnormal, info.max, 1 / 3]
    weight = np.concatenate([payload, np.array(numbers, dtype)])[None]
    layer = sf.loads(sf.dumps(ModelSpec((Linear(weight),)))).layers[0]
    assert isinstance(layer, Linear)
    assert layer.weight.dtype == dtype
    assert layer.weight.tobytes() == weight.tobytes()


@given(specs(max_recurrents=1))
def test_data_begin_aligned_and_lie_without_holes(spec: ModelSpec) -> None:
    data = sf.dumps(spec)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert (8 + length) % sf.ALIGNMENT == 0
    assert header.pop("__metadata__") == to_metadata(spec)
    end = 0
    for entry in header.values():  # in the order of the header
        begin, stop = entry["data_offsets"]
        assert begin == end
        assert begin % {"F32": 4, "F64": 8}[entry["dtype"]] == 0
        end = stop
    assert 8 + length + end == len(data)


def test_larger_elements_come_first_so_that_all_are_aligned() -> None:
    arrays = {
        "b": np.ones(1, np.float32),
        "a": np.ones(3, np.float32),
        "d": np.ones(1, np.float64),
        "c": np.ones((2, 2), np.float64),
    }
    data = b"".join(sf.pack(arrays, {}))
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert list(header) == ["c", "d", "a", "b"]


def test_writing_copies_the_weights_once() -> None:
    spec = ModelSpec((make_linear(np.random.default_rng(0), 512, 1024),))
    size = sum(array.nbytes for array in to_arrays(spec).values())
    tracemalloc.start()
    try:
        data = sf.dumps(spec)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The bytes themselves, and what the header takes to be made.
    assert len(data) > size
    assert peak < len(data) + 100_000


def test_other_byte_orders_and_layouts_are_written_as_the_format_has_them() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    _, tensors = sf.unpack(b"".join(sf.pack({"x": array}, {})))
    np.testing.assert_array_equal(tensors["x"], array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.complex64])
def test_only_weights_are_written(dtype: type) -> None:
    with pytest.raises(TypeError, match="tensor 'x': expected float32 or float64"):
        sf.pack({"x": np.ones(2, dtype)}, {})


def test_the_official_library_reads_what_we_write(tmp_path: Path) -> None:
    official = pytest.importorskip("safetensors")
    spec = make_spec(
        np.random.default_rng(0), "lstm", num_embeddings=5, out_features=3, peephole=True
    )
    sf.write(spec, tmp_path / "model.safetensors")
    with official.safe_open(tmp_path / "model.safetensors", "np") as file:
        assert file.metadata() == to_metadata(spec)
        arrays = to_arrays(spec)
        assert set(file.keys()) == set(arrays)
        for name, array in arrays.items():
            assert file.get_tensor(name).tobytes() == array.tobytes()


@given(specs(max_recurrents=1))
def test_we_read_what_the_official_library_writes(spec: ModelSpec) -> None:
    official = pytest.importorskip("safetensors.numpy")
    data = official.save(dict(to_arrays(spec)), to_metadata(spec))
    assert sf.dumps(sf.loads(data)) == sf.dumps(spec)


def test_half_precision_widens_exactly() -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    header = {
        "half": tensor("F16", [2**16], 0, 2**17),
        "brain": tensor("BF16", [2**16], 2**17, 2**18),
    }
    _, tensors = sf.unpack(container(header, bits.tobytes() * 2))
    half, brain = tensors["half"], tensors["brain"]
    assert half.dtype == brain.dtype == np.float32
    np.testing.assert_array_equal(half, bits.view(np.float16).astype(np.float32))
    # bfloat16 by its definition: 1 sign, 8 exponent and 7 fraction bits.
    exponent, fraction = (bits >> 7 & 0xFF).astype(int), (bits & 0x7F).astype(float)
    finite = exponent != 0xFF
    value = np.where(
        exponent == 0, fraction * 2.0**-133, (128 + fraction) * 2.0 ** (exponent - 134.0)
    ) * np.where(bits >> 15, -1.0, 1.0)
    np.testing.assert_array_equal(brain[finite], value[finite].astype(np.float32))
    np.testing.assert_array_equal(np.isinf(brain[~finite]), fraction[~finite] == 0)
    np.testing.assert_array_equal(np.isnan(brain[~finite]), fraction[~finite] != 0)


def test_tensors_of_other_types_matter_only_when_they_are_needed() -> None:
    header = {"count": tensor("I64", [], 0, 8), "x": tensor("F32", [0, 3], 8, 8)}
    _, tensors = sf.unpack(container(header, bytes(8)))
    assert len(tensors) == 2
    assert tensors["x"].shape == (0, 3)
    with pytest.raises(UnsupportedError, match="tensor 'count': expected F64, F32, F16, BF16; got"):
        tensors["count"]


def test_any_bytes_like_object_will_do() -> None:
    data = sf.dumps(small())
    for kind in (bytes, bytearray, memoryview):
        assert sf.dumps(sf.loads(kind(data))) == data
    shifted = memoryview(b"x" + data)[1:]  # nothing in it is aligned
    assert sf.dumps(sf.loads(shifted)) == data


def test_a_file_cut_short_anywhere_is_refused() -> None:
    data = sf.dumps(small())
    for size in range(len(data)):
        with pytest.raises(FormatError):
            sf.loads(data[:size])
    with pytest.raises(FormatError):
        sf.loads(data + b"\0")


def test_no_changed_byte_of_the_header_does_worse_than_an_error() -> None:
    data = sf.dumps(small())
    (length,) = struct.unpack("<Q", data[:8])
    for position in range(8 + length):
        for value in (0, 0x20, 0x22, 0x30, 0x7F, 0xFF, data[position] ^ 1):
            changed = bytearray(data)
            changed[position] = value
            try:
                spec = sf.loads(bytes(changed))
            except RnnError:
                continue
            assert spec.num_parameters == small().num_parameters


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32, 2**63, 2**64 - 1, sf.MAX_HEADER + 1, 1000])
def test_a_wrong_length_of_the_header_is_refused(length: int) -> None:
    with pytest.raises(FormatError, match="header"):
        sf.loads(container({"x": tensor("F32", [1], 0, 4)}, bytes(4), length=length))


def test_a_header_over_the_limit_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header = b"{}".ljust(1000)
    sf.unpack(container(header))
    monkeypatch.setattr(sf, "MAX_HEADER", 999)
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(FormatError, match="header: 1000 bytes long, more than the 999 allowed"):
        sf.unpack(container(header))


X = tensor("F32", [2], 0, 8)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([], "JSON object"),
        (b"", "JSON object"),
        (b"[" * 100_000, "JSON object"),
        (b'{"a":' + b"[" * 100_000, "JSON object"),
        (b'{"x": ' + b"1" * 10_000 + b"}", "JSON object"),
        (b' {"x": 1}', "JSON object"),
        (b"\xef\xbb\xbf{}", "JSON object"),
        (b'{"\xff": 1}', "JSON object"),
        (b'{"\\ud800": 1}', "JSON object"),
        (b"{} x", "JSON object"),
        (b'{"x": NaN}', "tensor 'x'"),
        ({"x": None}, "tensor 'x': expected dtype"),
        ({"x": []}, "tensor 'x': expected dtype"),
        ({"x": {"dtype": "F32", "shape": [2]}}, "tensor 'x': expected dtype"),
        ({"x": {**X, "more": 1}}, "tensor 'x': expected dtype"),
        ({"x": {**X, "dtype": "F128"}}, "tensor 'x': unknown dtype 'F128'"),
        ({"x": {**X, "dtype": "f32"}}, "tensor 'x': unknown dtype"),
        ({"x": {**X, "dtype": ["F32"]}}, "tensor 'x': unknown dtype"),
        ({"x": {**X, "shape": 2}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [-2]}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [2.0]}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [True, 2]}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": ["2"]}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [2] + [1] * 40}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [2**63]}}, "tensor 'x': shape"),
        ({"x": {**X, "shape": [2**62, 2**62, 4]}}, "tensor 'x': F32 of shape"),
        ({"x": {**X, "shape": [2**62] * 32}}, "tensor 'x': F32 of shape"),
        ({"x": {**X, "shape": [3]}}, "tensor 'x': F32 of shape"),
        ({"x": {**X, "shape": [0]}}, "tensor 'x': F32 of shape"),
        ({"x": {**X, "dtype": "F64"}}, "tensor 'x': F64 of shape"),
        ({"x": {**X, "dtype": "F4", "shape": [15]}}, "tensor 'x': F4 of shape"),
        ({"x": {**X, "data_offsets": [8, 0]}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": [-8, 0]}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": [0]}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": [0, 8, 8]}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": {"0": 8}}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": [0.0, 8.0]}}, "tensor 'x': data_offsets"),
        ({"x": {**X, "data_offsets": [4, 12]}}, "tensor 'x': begins at byte 4, expected 0"),
        ({"x": tensor("F32", [4], 0, 16)}, "tensor 'x': ends at byte 16, past"),
        ({"x": tensor("F32", [1], 0, 4)}, "8 bytes of data, but the tensors end at byte 4"),
        ({}, "8 bytes of data, but the tensors end at byte 0"),
        ({"x": X, "y": X}, "tensor 'y': begins at byte 0, expected 8: overlaps tensor 'x'"),
        ({"x": X, "y": tensor("F32", [1], 4, 8)}, "tensor 'y': .*overlaps tensor 'x'"),
        ({"y": tensor("F32", [1], 4, 8)}, "tensor 'y': .*leaves a hole after the header"),
        ({"x": X, "__metadata__": {"a": 1}}, "__metadata__"),
        ({"x": X, "__metadata__": ["a"]}, "__metadata__"),
        ({"x": X, "__metadata__": "a"}, "__metadata__"),
        ({"x": X, "__metadata__": None}, "__metadata__"),
        (b'{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "shape": [2]}}', "twice"),
    ],
)
def test_a_header_that_does_not_describe_the_data_is_refused(header: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        sf.unpack(container(header, bytes(8)))


def test_a_name_given_twice_is_refused_by_name() -> None:
    entry = json.dumps(X)
    with pytest.raises(FormatError, match="'x' is there twice"):
        sf.unpack(container(f'{{"x": {entry}, "x": {entry}}}'.encode(), bytes(8)))


@pytest.mark.parametrize("change", ["grow", "shrink", "move"])
@given(specs(max_recurrents=1, max_size=3))
def test_places_moved_in_a_real_file_are_refused(change: str, spec: ModelSpec) -> None:
    move: Callable[[list[int]], list[int]] = {
        "grow": lambda o: [o[0], o[1] + 4],
        "shrink": lambda o: [o[0], o[1] - 4],
        "move": lambda o: [o[0] + 4, o[1] + 4],
    }[change]
    data = sf.dumps(spec)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    for name in to_arrays(spec):
        entry = {**header[name], "data_offsets": move(header[name]["data_offsets"])}
        with pytest.raises(FormatError, match="tensor "):
            sf.loads(container({**header, name: entry}, data[8 + length :]))
