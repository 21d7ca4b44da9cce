"""MessagePack as Flax writes it, made by hand: arrays come out by name, all else does no harm."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax_files import cell, packed
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats.flax_file import Arrays


def test_a_tree_is_read_by_its_names(tmp_path: Path) -> None:
    tree = {
        "params": {"LSTMCell_0": (weights := cell())},
        "step": 3,
        "more": [1.5, None, True, -1, "é" * 40],
    }
    path = tmp_path / "net.msgpack"
    path.write_bytes(packed(tree))
    (layer,) = formats.read(path, prefix="params").layers
    want = np.concatenate([weights[f"h{gate}"]["kernel"].T for gate in "ifgo"])
    np.testing.assert_array_equal(layer.arrays["weight_hh_l0"], want)
    assert (layer.cell, layer.input_size, layer.hidden_size) == ("lstm", 3, 4)
    np.testing.assert_array_equal(layer.arrays["bias_ih_l0"], np.zeros(16))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated"),
        (packed({"a": 1})[:-1], "truncated"),
        (packed({"a": 1}) + b"\0", "1 bytes follow the end"),
        (b"\xc1", "byte 0xc1 at 0 begins no value"),
        (b"\xdf\xff\xff\xff\xff", "truncated"),
        (b"\xdd\xff\xff\xff\xff", "truncated"),
        (b"\x81\xc0\x01", "a key that is no name"),
        (b"\x81\x80\x01", "begins no value here"),
        (b"\xa2\xff\xff", "not UTF-8"),
        (b"\x91" * 70 + b"\xc0", "64 deep"),
        (packed({"a" * 1001: 1}), "names of 1001 characters"),
        (b"\xc7\x01\x01\x05", "array '': expected its shape"),
        (b"\xc7\x03\x01\x93\x91\xa1", "truncated"),
        (packed({"a": 1, "__msgpack_chunked_array__": True}), "in chunks"),
        (b"\x82" + packed("a") + packed(np.ones(2)) + packed("a") + packed(np.ones(2)), "twice"),
    ],
)
def test_what_is_malformed_is_refused(data: bytes, message: str) -> None:
    with pytest.raises((rn.FormatError, rn.UnsupportedError), match=message):
        Arrays(data)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (((2, 3), "float32", bytes(20)), r"\(2, 3\) of float32 takes 24 bytes, got 20"),
        (((2**40, 2**40), "float32", bytes(8)), "takes .* bytes, got 8"),
        (((0,), "float32", b""), "takes 0 bytes"),
        (((2,), "int32", bytes(8)), "expected float64, float32, float16, bfloat16; got 'int32'"),
    ],
)
def test_an_array_is_as_long_as_its_bytes(claim: Any, message: str) -> None:
    inner = packed(claim)
    arrays = Arrays(b"\x81\xa1a\xc8" + struct.pack(">H", len(inner)) + b"\x01" + inner)
    kind = rn.UnsupportedError if "; got" in message else rn.FormatError
    with pytest.raises(kind, match=message):
        arrays["a"]


def test_names_cost_no_more_than_the_file() -> None:
    many = packed({"n" * 900: dict.fromkeys(map(str, range(5000)), 1)})
    with pytest.raises(rn.FormatError, match="too many of them"):
        Arrays(many)


@given(st.binary(max_size=60))
def test_any_bytes_end_in_arrays_or_an_error(data: bytes) -> None:
    try:
        arrays = Arrays(data)
        for name in arrays:
            arrays[name]
    except rn.RnnError:
        pass


@given(st.data())
def test_no_changed_byte_does_worse_than_an_error(data: st.DataObject) -> None:
    whole = bytearray(packed({"a": cell(2, 2), "b": [1, "x"]}))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(rn.RnnError):
        dict(Arrays(bytes(whole)))
