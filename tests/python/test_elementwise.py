"""Elementwise: a function of every feature, within its derived bound, wherever a layer may stand.

``strategies.specs`` draws it too, so the properties of all chains (streams, files, threads, cutting
of time) hold it as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bounds
import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check

import rnn_native as rn
from rnn_native import formats
from rnn_native.activations import CONSTANTS
from rnn_native.formats import safetensors
from rnn_native.spec import Elementwise, Embedding, Linear, ModelSpec, Recurrent

EVERY = [Elementwise(name, **dict.fromkeys(takes, 0.75)) for name, takes in CONSTANTS.items()]
every = pytest.mark.parametrize("layer", EVERY, ids=lambda layer: layer.function)


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_every_size_are_within_the_bound(layer: Elementwise, dtype: str) -> None:
    """A table gives it the numbers themselves, of both signs and most exponents, in rows of every
    width about a vector's."""
    rng = np.random.default_rng(71)
    for width in (1, 3, 8, 15, 16, 17, 40):
        size = np.exp2(rng.uniform(-20, 10, (64, width)))
        table = (size * rng.choice([-1.0, 1.0], size.shape)).astype(np.float32).astype(dtype)
        spec = ModelSpec((Embedding(table), layer))
        check(spec, rng.integers(0, 64, (30, 2)), None, [30, 11], dtype=dtype)


@every
def test_calls_streams_and_threads_have_the_same_bits(layer: Elementwise) -> None:
    rng = np.random.default_rng(72)
    first = strategies.make_recurrent(rng, "lstm", 5, 19)
    spec = ModelSpec((first, layer, strategies.make_linear(rng, 19, 3)))
    x = strategies.random_input(spec, 9, 4, rng)
    model = rn.Model(spec)
    y, _ = model(x, num_threads=1)
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=4)
    assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x]), y)
    assert model.spec.layers[1] == layer


@every
def test_a_graph_may_begin_with_it_and_a_file_keeps_it(layer: Elementwise, tmp_path: Path) -> None:
    rng = np.random.default_rng(73)
    spec = ModelSpec(
        nodes={
            "f": (layer, ("x",)),
            "rnn": (strategies.make_recurrent(rng, "gru", 6, 4), ("f",)),
            "last": (layer, ("rnn.last",)),
        },
        inputs={"x": 6},
        outputs="last",
    )
    safetensors.write(spec, tmp_path / "f.safetensors")
    x = rng.standard_normal((7, 2, 6), np.float32)
    y, _ = rn.load(tmp_path / "f.safetensors")(x, lengths=[7, 0])
    want, _ = rn.reference.run(spec, x, lengths=[7, 0])
    # Another layout of the same sums in float64 is held by test_graph_model; here that it is f.
    np.testing.assert_allclose(y, want, rtol=0, atol=64 * bounds.U32 * (1 + np.abs(want).max()))


def test_an_onnx_file_has_the_operators_of_that_name(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    rng = np.random.default_rng(74)
    path = tmp_path / "f.onnx"
    for layer in EVERY:
        first = strategies.make_recurrent(rng, "gru", 3, 4)
        spec = ModelSpec((first, layer, strategies.make_linear(rng, 4, 2)))
        if layer.function in ("identity", "thresholded_relu", "scaled_tanh"):
            with pytest.raises(rn.UnsupportedError, match=f"function={layer.function}: "):
                formats.write(spec, path)
            continue
        formats.write(spec, path)
        assert formats.read(path).layers[1] == layer
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        x = strategies.random_input(spec, 5, 2, rng)
        (theirs,) = session.run(["y"], {"x": x})
        want, _ = rn.reference.run(spec, x)
        # theirs is float32 arithmetic of unknown order: twice the bound of ours
        bound, _ = bounds.run(spec, x)
        assert np.all(np.abs(theirs - want) <= 2 * bound.each + 1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "layer"),
    [
        ("LeakyReLU", {"alpha": 0.25}, Elementwise("leaky_relu", 0.25)),
        ("LeakyReLU", {"negative_slope": 0.5}, Elementwise("leaky_relu", 0.5)),
        ("ELU", {"alpha": 0.5}, Elementwise("elu", 0.5)),
        ("ReLU", {}, Elementwise("relu")),
        ("Activation", {"activation": "softplus"}, Elementwise("softplus")),
        ("Activation", {"activation": "tanh"}, Elementwise("tanh")),
    ],
)
def test_activations_of_keras_stand_by_themselves(
    kind: str, options: dict[str, Any], layer: Elementwise, tmp_path: Path
) -> None:
    layers = [kf.recurrent("LSTM", "rnn", 4), kf.layer(kind, "f", **options)]
    layers.append(kf.layer("Dense", "out", units=2, activation="elu"))
    cell, dense = kf.lstm(3, 4), kf.dense(4, 2)
    path = kf.write_h5(
        tmp_path / "m.h5", kf.sequential(*layers), {"rnn": cell, "f": {}, "out": dense}, "2.2.4"
    )
    spec = formats.read(path)
    assert [type(one) for one in spec.layers] == [Recurrent, Elementwise, Linear, Elementwise]
    assert spec.layers[1] == layer
    assert spec.layers[3] == Elementwise("elu", 1.0)
    x = np.random.default_rng(75).normal(0, 1, (2, 6, 3))
    h = layer.as_activation.function(ke.lstm(x, list(cell.values())))
    z = ke.dense(h, list(dense.values()))
    want = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
    y, _ = rn.reference.run(spec, np.swapaxes(x, 0, 1))
    np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=1e-12)
    assert [len(arrays) for arrays in rn.keras_weights(spec)] == [3, 2]


def test_what_is_none_is_refused_by_name() -> None:
    linear = Linear(np.ones((4, 3), np.float32))
    with pytest.raises(rn.OptionError, match="expected one of identity, relu"):
        Elementwise("swish")
    with pytest.raises(rn.OptionError, match="relu alpha: expected none"):
        Elementwise("relu", 0.5)
    with pytest.raises(rn.UnsupportedError, match="layer 0: an Elementwise cannot be first"):
        ModelSpec((Elementwise("relu"),))
    with pytest.raises(rn.UnsupportedError, match="layer 1 is a"):
        rn.train.Network(ModelSpec((linear, Elementwise("relu"))))
    with pytest.raises(rn.ShapeError, match="expected one input, got 2"):
        ModelSpec(
            nodes={"f": (Elementwise("relu"), ("x", "z"))}, inputs={"x": 2, "z": 2}, outputs="f"
        )
    with pytest.raises(rn.FormatError, match="function"):
        formats.metadata.from_metadata(
            {
                "rnn_native.version": "1",
                "rnn_native.layers": "2",
                "rnn_native.layer.0": "linear in_features=3 out_features=4 bias=false "
                "activation=identity",
                "rnn_native.layer.1": "elementwise function=tanh,tanh",
            },
            {"0.weight": linear.weight},
        )
