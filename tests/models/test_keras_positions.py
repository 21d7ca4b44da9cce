"""Keras's recurrent layers in a TimeDistributed, which run over the positions of each step, against
Keras; what is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
from keras import layers as known
from test_keras_convolution import saved_and_read, steps, with_numbers

import rnn_native as rn
from rnn_native.errors import UnsupportedError

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
B, T, P, C = 2, 6, 5, 3


def each(layer: Any) -> Any:
    return known.TimeDistributed(layer)


def both(layer: Any, **options: Any) -> Any:
    return known.Bidirectional(layer, **options)


WORDS: dict[str, list[Any]] = {
    "the last of each": [each(known.LSTM(4)), known.GRU(3, return_sequences=True)],
    "all of each": [each(known.GRU(4, return_sequences=True)), known.Reshape((-1, 4 * P)),
                    known.LSTM(3)],
    "a simple one": [each(known.SimpleRNN(4, activation="relu", return_sequences=True))],
    "both directions": [each(both(known.LSTM(4, return_sequences=True))), each(known.GRU(2))],
    "the last of both": [each(both(known.GRU(4, reset_after=False))), known.Dense(3)],
    "their sum": [each(both(known.LSTM(4), merge_mode="sum")), known.SimpleRNN(2)],
    "backwards": [each(known.GRU(4, go_backwards=True)), known.Dense(2, activation="tanh")],
    "behind a convolution": [known.Conv2D(4, (1, 3), padding="same"),
                             each(both(known.GRU(3, return_sequences=True))),
                             each(known.Dense(2)), each(known.LSTM(3))],
    "a stack of cells": [each(known.RNN([known.LSTMCell(4), known.GRUCell(3)]))],
    "a Sequential": [each(keras.Sequential([known.GRU(4, return_sequences=True), known.LSTM(2)]))],
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", WORDS)
def test_it_is_that_of_keras(name: str, suffix: str) -> None:
    model = with_numbers(keras.Sequential([known.Input((T, P, C)), *WORDS[name]]), 3)
    spec = saved_and_read(model, suffix)
    assert any(not layer.runs_over_time for layer in spec.recurrents)
    x = np.random.default_rng(4).standard_normal((B, T, P, C)).astype("f4")
    want = model.predict(x, verbose=0)
    want = steps(want, 0) if want.ndim > 2 else want
    largest = max(1.0, float(np.abs(want).max()))
    for run, off in ((rn.reference.run, 1e-5), (rn.Model(spec), 2e-5)):
        y, _ = run(spec, steps(x, 0)) if run is rn.reference.run else run(steps(x, 0))
        np.testing.assert_allclose(y, want, rtol=0, atol=off * largest)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (lambda: known.GRU(4, go_backwards=True, return_sequences=True), "go_backwards=True with"),
        (lambda: both(known.GRU(4, return_sequences=True), merge_mode="ave"), "merge_mode='ave'"),
    ],
)
def test_what_it_cannot_be_is_refused_by_name(inside: Any, message: str) -> None:
    model = keras.Sequential([known.Input((T, P, C)), each(inside())])
    with pytest.raises(UnsupportedError, match=message):
        saved_and_read(model, ".keras")


def test_positions_have_to_be_told() -> None:
    model = keras.Sequential([known.Input((T, None, C)), each(known.GRU(4))])
    with pytest.raises(UnsupportedError, match=r"does not say how large|time as the first axis"):
        saved_and_read(model, ".keras")
