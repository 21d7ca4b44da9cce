"""Every option of Keras's layers counts, or has no effect because it is of training alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec

SIZE, UNITS = 3, 4
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
X = np.random.default_rng(1).normal(0, 1, (6, 2, SIZE))
X[4:, 1] = -2  # what a Masking finds
ACTIVATIONS = (
    "tanh", "sigmoid", "linear", "relu", "hard_sigmoid", "leaky_relu", "elu", "softsign", "softplus"
)  # fmt: skip


def read(folder: Path, layers: list[Any], weights: Any, version: str = "2.4.0") -> ModelSpec:
    path = kf.write_h5(folder / "model.h5", kf.sequential(*layers), weights, version)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of outputs that are turned round
        return formats.read(path)


def run(spec: ModelSpec) -> Any:
    return rn.reference.run(spec, X)[0]


def of_cell(folder: Path, kind: str, version: str = "2.4.0", **options: Any) -> Any:
    bias = () if options.get("use_bias") is False else None
    weights = kf.lstm(SIZE, UNITS, gates=GATES[kind], bias=bias)
    return run(read(folder, [kf.recurrent(kind, "x", UNITS, **options)], {"x": weights}, version))


def differ(outputs: list[Any]) -> bool:
    """Each from all others, in shape or by far more than rounding."""
    return all(
        a.shape != b.shape or np.abs(a - b).max() > 1e-3
        for i, a in enumerate(outputs)
        for b in outputs[:i]
    )


@pytest.mark.parametrize(
    ("kind", "where"),
    [(kind, "activation") for kind in GATES]
    + [(kind, "recurrent_activation") for kind in ("GRU", "LSTM")],
)
def test_each_activation_is_no_other(kind: str, where: str, tmp_path: Path) -> None:
    outputs = [of_cell(tmp_path, kind, **{where: name}) for name in ACTIVATIONS]
    outputs.append(of_cell(tmp_path, kind, "3.4.1", **{where: "hard_sigmoid"}))
    assert differ(outputs)


@pytest.mark.parametrize(
    ("kind", "option"),
    [(kind, option) for kind in GATES for option in ("go_backwards", "return_sequences")],
)
def test_every_option_of_a_recurrent_layer_counts(kind: str, option: str, tmp_path: Path) -> None:
    assert differ([of_cell(tmp_path, kind, **{option: value}) for value in (False, True)])


@pytest.mark.parametrize("kind", GATES)
def test_a_layer_without_biases_is_one_with_zeros(kind: str, tmp_path: Path) -> None:
    without = of_cell(tmp_path, kind, use_bias=False)
    weights = kf.lstm(SIZE, UNITS, gates=GATES[kind])
    weights["bias"][:] = 0
    zeros = run(read(tmp_path, [kf.recurrent(kind, "x", UNITS)], {"x": weights}))
    np.testing.assert_array_equal(without, zeros)
    assert differ([without, of_cell(tmp_path, kind)])


def test_where_a_gru_resets_counts_with_the_same_weights(tmp_path: Path) -> None:
    before, after = (
        of_cell(tmp_path, "GRU", use_bias=False, reset_after=after) for after in (False, True)
    )
    assert differ([before, after])


@pytest.mark.parametrize(("version", "after"), [("2.2.4", False), ("3.4.1", True)])
def test_where_it_resets_unless_said_is_keras_s_default(
    version: str, after: bool, tmp_path: Path
) -> None:
    layer = kf.recurrent("GRU", "x", UNITS, use_bias=False)
    del layer["config"]["reset_after"]
    weights = {"x": kf.lstm(SIZE, UNITS, gates=3, bias=())}
    assert read(tmp_path, [layer], weights, version).recurrents[0].reset_after == after


def test_every_merge_mode_is_no_other(tmp_path: Path) -> None:
    inner = kf.recurrent("LSTM", "x", UNITS)
    weights = {
        f"{side}_x/{name}": array
        for seed, side in enumerate(("forward", "backward"))
        for name, array in kf.lstm(SIZE, UNITS, seed).items()
    }
    outputs = []
    for mode in ("concat", "sum", "mul", "ave"):
        layer = kf.layer("Bidirectional", "b", layer=inner, merge_mode=mode)
        outputs.append(run(read(tmp_path, [layer], {"b": weights})))
    assert differ(outputs)


def test_a_mask_counts(tmp_path: Path) -> None:
    rest = [kf.recurrent("LSTM", "x", UNITS, return_sequences=False)]
    weights: dict[str, Any] = {"m": {}, "x": kf.lstm(SIZE, UNITS)}
    outputs = []
    for value in (-2.0, 7.0):
        mask = kf.layer("Masking", "m", mask_value=value)
        outputs.append(run(read(tmp_path, [mask, *rest], weights)))
    assert differ(outputs)
    np.testing.assert_array_equal(outputs[1], run(read(tmp_path, rest, {"x": weights["x"]})))


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "softmax", "log_softmax"])
@pytest.mark.parametrize("distributed", [False, True])
def test_a_dense_layer_of_each_activation(name: str, distributed: bool, tmp_path: Path) -> None:
    """By itself and for each step; and ``use_bias``."""
    weights = kf.dense(SIZE, UNITS)
    z = X @ weights["kernel"].astype(float)
    function: Any = {
        "linear": lambda z: z,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
        "log_softmax": lambda z: z - np.log(np.exp(z).sum(-1, keepdims=True)),
    }[name]
    for bias in (True, False):
        layer = kf.layer("Dense", "x", units=UNITS, activation=name, use_bias=bias)
        if distributed:
            layer = kf.layer("TimeDistributed", "t", layer=layer)
        arrays = weights if bias else {"kernel": weights["kernel"]}
        got = run(read(tmp_path, [layer], {layer["config"]["name"]: arrays}))
        expected = function(z + (weights["bias"] if bias else 0))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


OF_TRAINING: dict[str, Any] = {
    "dropout": 0.5, "recurrent_dropout": 0.5, "implementation": 1, "unroll": True,
    "unit_forget_bias": True, "kernel_initializer": "zeros", "bias_initializer": "ones",
    "recurrent_initializer": "orthogonal", "kernel_regularizer": "l2", "bias_constraint": "non_neg",
    "activity_regularizer": "l1", "trainable": False, "seed": 3, "stateful": True,
}  # fmt: skip


@pytest.mark.parametrize("option", OF_TRAINING)
def test_options_of_training_and_of_how_it_is_run_have_no_effect(
    option: str, tmp_path: Path
) -> None:
    plain, other = (
        of_cell(tmp_path, "LSTM", **given) for given in ({}, {option: OF_TRAINING[option]})
    )
    np.testing.assert_array_equal(plain, other)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Dropout", {"rate": 0.5}), ("SpatialDropout1D", {"rate": 0.5}),
        ("AlphaDropout", {"rate": 0.5}), ("GaussianDropout", {"rate": 0.5}),
        ("GaussianNoise", {"stddev": 1}), ("ActivityRegularization", {"l1": 1}),
        ("Identity", {}), ("Activation", {"activation": "linear"}),
    ],
)  # fmt: skip
def test_layers_that_act_in_training_alone_are_none(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    cell = kf.recurrent("GRU", "x", UNITS)
    weights: dict[str, Any] = {"x": kf.lstm(SIZE, UNITS, gates=3), "d": {}}
    plain = read(tmp_path, [cell], {"x": weights["x"]})
    for layers in (
        [kf.layer(kind, "d", **options), cell],
        [cell, kf.layer(kind, "d", **options)],
        [cell, kf.layer("TimeDistributed", "d", layer=kf.layer(kind, "e", **options))],
    ):
        spec = read(tmp_path, layers, weights)
        assert len(spec.layers) == 1
        np.testing.assert_array_equal(run(spec), run(plain))
