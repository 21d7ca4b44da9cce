"""Models and files for tests of ``rnn-native run``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from strategies import make_spec

import rnn_native as rn
from rnn_native.spec import ModelSpec

RNG = np.random.default_rng(0)
SPECS = {
    "gru": make_spec(RNG, "gru", 3, 5, num_layers=2, out_features=2, activation="softmax"),
    "lstm": make_spec(RNG, "lstm", 3, 4, num_recurrents=2),
    "words": make_spec(RNG, "rnn", 3, 4, num_embeddings=6, out_features=2),
    "both": make_spec(RNG, "lstm", 3, 4, direction="bidirectional"),
    "begun": make_spec(RNG, "lstm", 3, 4, num_layers=2, initial_state=True),
}
TIME, BATCH = 11, 3
Run = Callable[..., tuple[int, str, str]]
"""The fixture ``run``: status, standard output and standard error of the command."""


def save(folder: Path, name: str) -> tuple[ModelSpec, rn.Model]:
    model = rn.Model(SPECS[name])
    model.save(folder / "model.npz")
    return SPECS[name], model


def lines_of(array: NDArray[Any]) -> str:
    """As somebody else would write them, with every digit."""
    columns = array.reshape(len(array), -1)
    return "".join(",".join(repr(float(v)) for v in row) + "\n" for row in columns)


def same(got: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.tobytes() == np.ascontiguousarray(expected).tobytes()
