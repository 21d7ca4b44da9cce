"""Attention as Keras's models have it, saved by Keras and beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras", reason="see tests/models/requirements-oracles.txt")

import keras

import rnn_native as rn
from rnn_native.spec import Attention, AttentionPool, SoftmaxOverTime

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
L = keras.layers
RNG = np.random.default_rng(16)


def weights(x: Any) -> Any:
    """A number of each step, which are 1 together."""
    return L.Softmax(axis=1)(L.Dense(1, activation="tanh")(x))


WAYS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "attention": (lambda x: L.GlobalAveragePooling1D()(L.Attention()([x, x])), Attention),
    "scaled": (lambda x: L.Attention(use_scale=True)([x, L.Dense(6)(x)]), Attention),
    "additive": (lambda x: L.GlobalMaxPooling1D()(L.AdditiveAttention()([x, x])), Attention),
    "a key of its own": (
        lambda x: L.AdditiveAttention(use_scale=False)([L.Dense(6)(x), x, L.Dense(6)(x)]),
        Attention,
    ),
    "dot": (lambda x: L.Flatten()(L.Dot(axes=1)([weights(x), x])), AttentionPool),
    "dot, values first": (
        lambda x: L.Flatten()(L.Dot(axes=(1, 1))([x, weights(x)])),
        AttentionPool,
    ),
    "mean": (lambda x: L.GlobalAveragePooling1D()(L.Multiply()([x, weights(x)])), SoftmaxOverTime),
    "permuted": (
        lambda x: L.Multiply()(
            [x, L.Permute((2, 1))(L.Activation("softmax")(L.Permute((2, 1))(L.Dense(6)(x))))]
        ),
        SoftmaxOverTime,
    ),
}


def saved(way: Callable[[Any], Any], path: Path, *before: Any) -> Any:
    x = inputs = L.Input((None, 4))
    for layer in before:
        x = layer(x)
    model = keras.Model(inputs, way(L.Bidirectional(L.LSTM(3, return_sequences=True))(x)))
    for weight in model.weights:
        weight.assign(RNG.normal(0.1, 0.5, weight.shape) if len(weight.shape) else 0.7)
    model.save(path)
    return model


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", WAYS)
def test_models_that_keras_saves(name: str, suffix: str, tmp_path: Path) -> None:
    way, kind = WAYS[name]
    path = tmp_path / f"m{suffix}"
    model = saved(way, path)
    ours = rn.load(path, batch_first=True)
    assert any(isinstance(node.layer, kind) for node in ours.spec.nodes.values())
    x = RNG.standard_normal((2, 11, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(ours(x)[0], want, rtol=0, atol=1e-5)


def test_a_softmax_behind_anything(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    model = saved(lambda x: L.Activation("softmax")(x), path)
    x = RNG.standard_normal((2, 11, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(rn.load(path, batch_first=True)(x)[0], want, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("way", "message"), [
    (lambda x: L.Attention(score_mode="concat")([x, x]), "score_mode='concat'"),
    (lambda x: L.Dot(axes=2)([x, x]), "axes=2; only the product over the time"),
    (lambda x: L.Dot(axes=1)([x, x]), "one of both has to be 1"),
    (lambda x: L.Dot(axes=1)([L.Dense(1)(x), x]), "no softmax over the time"),
    (lambda x: L.Attention()([x, x], use_causal_mask=True), "use_causal_mask=True"),
])  # fmt: skip
def test_what_is_refused(way: Callable[[Any], Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    saved(way, path)
    with pytest.raises(rn.UnsupportedError, match=message):
        rn.load(path)


@pytest.mark.parametrize("name", ["attention", "dot"])
def test_masked_steps_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    saved(WAYS[name][0], path, L.Masking())
    with pytest.raises(rn.UnsupportedError, match="in a model that masks steps"):
        rn.load(path)
