"""What the official safetensors library writes, the C core opens: names and strings with any
characters, arrays of every type beside the model's own, in whatever order the library puts them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native import _core
from rnn_native.formats.metadata import to_arrays, to_metadata
from rnn_native.formats.safetensors import dumps
from rnn_native.states import state_counts

library = pytest.importorskip(
    "safetensors.numpy", reason="see tests/models/requirements-oracles.txt"
)
pytestmark = pytest.mark.oracle

TYPES = [
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64", "complex64",
]  # fmt: skip
SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (3,), (2, 0, 3), (2, 3), (1, 2, 1, 2, 1, 1, 1, 2)]
# Everything that a string of Unicode can hold; what JSON escapes comes often.
TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('"\\/\n\x00\x1f'))
)
OTHERS = st.dictionaries(
    TEXT.filter(lambda name: name != "__metadata__"),
    st.tuples(st.sampled_from(TYPES), st.sampled_from(SHAPES)),
    max_size=6,
)


def model() -> rn.ModelSpec:
    return rn.ModelSpec((rn.LSTM(3, 5, num_layers=2).spec, rn.Linear(np.ones((2, 5)), np.ones(2))))


SPEC = model()
X = np.random.default_rng(1).standard_normal((4, 2, 3), dtype="float32")


def run(data: bytes) -> Any:
    core = _core.CoreModel(data, 0, 1, state_counts(SPEC))
    return core.run(X, None, None, False, 1)[0]


@settings(deadline=None, max_examples=150)
@given(OTHERS, st.dictionaries(TEXT, TEXT, max_size=4))
def test_a_file_of_the_library_opens(
    others: dict[str, tuple[str, tuple[int, ...]]], strings: dict[str, str]
) -> None:
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in others.items()}
    arrays |= to_arrays(SPEC)
    data = library.save(arrays, metadata=strings | to_metadata(SPEC))
    assert run(data).tobytes() == run(dumps(SPEC)).tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_of_each_type_are_the_numbers_they_are(dtype: str) -> None:
    weights = {name: array.astype(dtype) for name, array in to_arrays(SPEC).items()}
    as_floats = {name: array.astype("float32") for name, array in weights.items()}
    strings = to_metadata(SPEC)
    assert (
        run(library.save(weights, strings)).tobytes()
        == run(library.save(as_floats, strings)).tobytes()
    )


def test_both_refuse_the_same_wrong_files() -> None:
    import safetensors

    good = dumps(SPEC)
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + length])
    first, second = [name for name in header if name != "__metadata__"][:2]

    def changed(name: str, key: str, value: Any) -> bytes:
        text = json.dumps(header | {name: header[name] | {key: value}}).encode()
        return struct.pack("<Q", len(text)) + text + good[8 + length :]

    for data in (
        good[:-1],
        good + b"\0",
        good[:7],
        struct.pack("<Q", length + 1) + good[8:],
        struct.pack("<Q", 2**63) + good[8:],
        changed(first, "data_offsets", header[second]["data_offsets"]),
        changed(first, "data_offsets", header[first]["data_offsets"][::-1]),
        changed(first, "shape", [1, *header[first]["shape"], 2]),
        changed(first, "shape", [2**32, 2**32]),
        changed(first, "dtype", "F32"),  # it is F64
        changed(first, "dtype", "F33"),
    ):
        with pytest.raises(safetensors.SafetensorError):
            library.load(data)
        with pytest.raises(rn.RnnError):
            run(data)
