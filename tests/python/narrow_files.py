"""Files whose matrices are of fewer bytes than float32, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from strategies import make_spec

import rnn_native as rn
from rnn_native.formats import narrow, npz, safetensors
from rnn_native.formats.calling import WEIGHT_DTYPE
from rnn_native.formats.metadata import from_metadata, to_arrays, to_metadata
from rnn_native.spec.integers import int8_rows

Arrays = dict[str, NDArray[Any]]

WRITERS = {"safetensors": safetensors, "npz": npz}
INT8 = {WEIGHT_DTYPE: "int8"}
HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


def matrices(spec: rn.ModelSpec) -> set[str]:
    """Those that a weight dtype is of, by the names they have in a file."""
    return {
        f"{index}.{name}"
        for index, (layer, _) in enumerate(spec.nodes.values())
        if layer.takes_weight_dtype
        for name in layer.packed()
    }


def rounded(spec: rn.ModelSpec, kind: str) -> rn.ModelSpec:
    """The same layers, their matrices of numbers that a weight dtype has."""
    arrays = dict(to_arrays(spec))
    for name in matrices(spec):
        if kind == "int8":
            integers, scales = int8_rows(arrays[name])
            products = integers.astype(np.float64) * scales.astype(np.float64)[:, None]
            arrays[name] = products.astype(np.float32)
        else:
            arrays[name] = arrays[name].astype(HALVES[kind]).astype(np.float32)
    return from_metadata(to_metadata(spec), arrays)


def rich() -> rn.ModelSpec:
    """An embedding, a recurrent layer with states to begin with, and an output layer, quantised."""
    layers = make_spec(np.random.default_rng(0), "lstm", 3, 4, num_embeddings=5, out_features=3)
    first = tuple(np.ones((1, 4), np.float32) / 3 for _ in range(2))
    words, lstm, linear = layers.layers
    assert isinstance(lstm, rn.Recurrent)
    begun = lstm.make(lstm.arrays | {"h_0": first[0], "c_0": first[1]}, lstm.options)
    return rounded(rn.ModelSpec((words, begun, linear)), "int8")


def put(path: Path, name: str, arrays: Mapping[str, NDArray[Any]], strings: Any) -> Path:
    """A file of these, whatever they are."""
    if name == "safetensors":
        path.write_bytes(b"".join(safetensors.pack(arrays, strings)))
        return path
    members = {key: np.array(text) for key, text in strings.items()}
    with path.open("wb") as file:
        np.savez(file, **members, **arrays)  # type: ignore[arg-type]
    return path


def of_rich() -> tuple[Arrays, dict[str, str]]:
    spec = rich()
    return narrow.narrowed(to_arrays(spec), spec, "int8"), to_metadata(spec, True)
