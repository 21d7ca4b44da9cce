"""Keras's models with inputs without time, repeated vectors, numbers beside values, and softmax and
norms anywhere, against Keras itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("keras", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import keras
from conftest import Runner
from keras import layers as known

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

T, B, F, W = 6, 3, 4, 3
RUNNERS = (Runner("reference"), Runner("model"))


def steps(time: int | None = None, name: str = "x") -> Any:
    return known.Input((time, F), name=name)


def who() -> Any:
    return known.Input((W,), name="who")


def sequences(kind: Any, units: int = 5) -> Any:
    return kind(units, return_sequences=True)


def added_and_multiplied() -> Any:
    x, w = steps(), who()
    y = sequences(known.GRU)(known.Add()([x, known.Dense(F, activation="tanh")(w)]))
    return keras.Model([x, w], known.Multiply()([known.Dense(5)(w), y]))


def beside_a_last_state() -> Any:
    x, w = steps(), who()
    both = known.Concatenate()([known.LSTM(5)(x), known.Dense(3, activation="relu")(w)])
    return keras.Model([w, x], known.Dense(2)(both))


def repeated() -> Any:
    x, w = steps(T), who()
    every = known.RepeatVector(T)(known.Dense(F)(w))
    return keras.Model([x, w], sequences(known.LSTM)(known.Concatenate()([x, every])))


def an_index() -> Any:
    x, w = steps(T), known.Input((1,), name="who", dtype="int32")
    found = known.Flatten()(known.Embedding(9, 3)(w))
    both = known.Concatenate()([x, known.RepeatVector(T)(found)])
    return keras.Model([x, w], sequences(known.GRU)(both))


def an_index_by_an_operator() -> Any:
    x, w = steps(), known.Input((1,), name="who", dtype="int32")
    return keras.Model([x, w], sequences(known.GRU)(x * known.Embedding(9, F)(w)))


def with_fewer_steps() -> Any:
    """Each of the steps that a pool leaves."""
    x, w = steps(), who()
    y = known.AveragePooling1D(2)(sequences(known.GRU)(x))
    return keras.Model([x, w], sequences(known.GRU)(known.Maximum()([y, known.Dense(5)(w)])))


def autoencoder() -> Any:
    code = [known.LSTM(5), known.RepeatVector(T), sequences(known.LSTM)]
    return keras.Sequential([steps(T), *code, known.TimeDistributed(known.Dense(F))])


def decoder_beside_who() -> Any:
    x, w = steps(T), who()
    code = known.Concatenate()([known.Bidirectional(known.GRU(5))(x), w])
    y = sequences(known.GRU)(known.RepeatVector(T)(code))
    return keras.Model([x, w], [y, known.Dense(2)(y)])


def gate_of_the_mean() -> Any:
    x = steps()
    y = sequences(known.GRU)(x)
    gate = known.Dense(5, activation="sigmoid")(known.GlobalAveragePooling1D()(y))
    return keras.Model(x, known.GRU(2)(known.Multiply()([y, gate])))


def numbers() -> Any:
    x = steps()
    g, y = sequences(known.GRU)(x), sequences(known.LSTM)(x)
    return keras.Model(x, (1 - g) * y * 0.5 + g / 4 - (0.25 + y) + (y - 2))


def a_number_in_a_chain() -> Any:
    x = steps()
    return keras.Model(x, known.GRU(2)(1 - sequences(known.GRU)(x * 3)))


def softmax_behind_a_normalisation() -> Any:
    """sentinews's way."""
    layers = [known.GRU(5), known.BatchNormalization(), known.Softmax()]
    return keras.Sequential([steps(), *layers])


def softmax_of_steps() -> Any:
    both = known.Bidirectional(known.GRU(3, return_sequences=True, go_backwards=False))
    layers = [sequences(known.GRU), known.Activation("softmax"), both, known.Softmax()]
    return keras.Sequential([steps(), *layers])


def unit_norm() -> Any:
    """ao-compensation-model's way."""
    layers = [sequences(known.GRU), known.Dense(3), known.UnitNormalization()]
    return keras.Sequential([steps(), *layers])


MODELS: list[tuple[Callable[[], Any], bool]] = [
    (added_and_multiplied, True), (beside_a_last_state, True), (repeated, True), (an_index, True),
    (an_index_by_an_operator, True), (with_fewer_steps, True), (autoencoder, False),
    (decoder_beside_who, False), (gate_of_the_mean, False), (numbers, True),
    (a_number_in_a_chain, True), (softmax_behind_a_normalisation, True), (softmax_of_steps, False),
    (unit_norm, True),
]  # fmt: skip


def randomized(model: Any, rng: np.random.Generator) -> Any:
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 2, weight.shape).astype("float32"))
        elif "seed" not in weight.path:
            weight.assign(rng.normal(0, 0.4, weight.shape).astype("float32"))
    return model


@pytest.mark.parametrize(("make", "streams"), MODELS)
def test_keras_gives_what_is_read(make: Callable[[], Any], streams: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    model = randomized(make(), rng)
    model.save(tmp_path / "m.keras")
    spec = formats.read(tmp_path / "m.keras")
    assert rn.Model(spec).streamable == streams
    feeds, x = {}, {}
    for tensor in model.inputs:
        shape = (B, *(T if size is None else size for size in tensor.shape[1:]))
        integers = "int" in str(tensor.dtype)
        array = rng.integers(0, 9, shape) if integers else rng.standard_normal(shape)
        array = array.astype("int32" if integers else "float32")
        name = tensor.name if tensor.name in spec.inputs else next(iter(spec.inputs))
        feeds[tensor.name] = array
        if spec.inputs[name].time:
            x[name] = np.swapaxes(array, 0, 1)
        else:
            assert type(spec.inputs[name]) is rn.Static
            x[name] = array[:, 0] if integers else array
    want = model(feeds if len(feeds) > 1 else next(iter(feeds.values())))
    wants = want if isinstance(want, (list, tuple)) else [want]
    for runner in RUNNERS:
        ys, _ = runner(spec, x if len(x) > 1 else next(iter(x.values())))
        found = list(ys.values()) if isinstance(ys, dict) else [ys]
        for y, one in zip(found, wants, strict=True):
            y = np.swapaxes(y, 0, 1) if y.ndim == 3 else y
            runner.assert_close(y, one.detach().numpy())


def other_steps() -> Any:
    """As many as the decoder makes, and the input has not."""
    return keras.Sequential([steps(T), known.GRU(5), known.RepeatVector(T - 1),
                             sequences(known.GRU)])  # fmt: skip


def unknown_steps() -> Any:
    return keras.Sequential([steps(), known.GRU(5), known.RepeatVector(T), sequences(known.GRU)])


def masked() -> Any:
    code = [known.Masking(), known.GRU(5), known.RepeatVector(T)]
    return keras.Sequential([steps(T), *code, sequences(known.GRU)])


def divided() -> Any:
    x = steps()
    return keras.Model(x, 1 / sequences(known.GRU)(x))


REFUSED = [
    (other_steps, "steps cannot be made of features"),
    (unknown_steps, "steps cannot be made of features"),
    (masked, "steps cannot be made of features"),
    (divided, "only a value by a number but 0 can be divided"),
]


@pytest.mark.parametrize(("make", "match"), REFUSED)
def test_what_is_refused_by_name(make: Callable[[], Any], match: str, tmp_path: Path) -> None:
    make().save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match=match):
        formats.read(tmp_path / "m.keras")


def test_a_norm_of_0_gives_0(tmp_path: Path) -> None:
    model = keras.Sequential([steps(), known.Dense(3, use_bias=False), known.UnitNormalization()])
    model.save(tmp_path / "m.keras")
    x = np.zeros((2, 1, F), np.float32)
    x[1] = 1e-6
    y, _ = rn.load(tmp_path / "m.keras")(x)
    want = model(np.swapaxes(x, 0, 1)).detach().numpy()
    np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=1e-6)
    assert not y[0].any()
