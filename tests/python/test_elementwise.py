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
from agreement import DTYPES, assert_same_bits
from elementwise_cases import EVERY, MORE, check_sizes, of_positive_numbers

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import safetensors
from rnn_native.formats.onnx.functions import WRITTEN
from rnn_native.spec import Elementwise, Linear, ModelSpec, Recurrent

every = pytest.mark.parametrize("layer", [*EVERY, *MORE], ids=lambda layer: layer.function)


@every
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_every_size_are_within_the_bound(layer: Elementwise, dtype: str) -> None:
    check_sizes(layer, dtype)


def test_limits_are_the_references() -> None:
    """At infinity, zero and NaN, and far out, where a product would be 0 times infinity."""
    x = np.array([0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 200.0, -200.0], np.float32)
    for layer in [*EVERY, *MORE]:
        spec = ModelSpec(nodes={"f": (layer, ("x",))}, inputs={"x": 8}, outputs="f")
        y, _ = rn.Model(spec)(x[None, None])
        with np.errstate(all="ignore"):
            want = layer.as_activation.function(x.astype(np.float64)).astype(np.float32)
        want[np.abs(want) < 2.0**-126] = 0
        np.testing.assert_allclose(y[0, 0], want, rtol=2e-6, atol=1e-37, err_msg=layer.function)


@every
def test_calls_streams_and_threads_have_the_same_bits(layer: Elementwise) -> None:
    rng = np.random.default_rng(72)
    first = strategies.make_recurrent(rng, "lstm", 5, 19)
    size = (Elementwise("abs"),) if of_positive_numbers(layer) else ()
    spec = ModelSpec((first, *size, layer, strategies.make_linear(rng, 19, 3)))
    x = strategies.random_input(spec, 9, 4, rng)
    model = rn.Model(spec)
    y, _ = model(x, num_threads=1)
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=4)
    assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x]), y)
    assert np.isfinite(y).all()
    assert model.spec.layers[-2] == layer


@pytest.mark.parametrize(
    "layer", [one for one in EVERY if one.function in strategies.ANYWHERE], ids=lambda f: f.function
)
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
    for layer in [*EVERY, *MORE]:
        first = strategies.make_recurrent(rng, "gru", 3, 4)
        size = (Elementwise("abs"),) if of_positive_numbers(layer) else ()
        spec = ModelSpec((first, *size, layer, strategies.make_linear(rng, 4, 2)))
        if layer.function not in WRITTEN or (layer.function == "hard_swish" and layer != MORE[2]):
            with pytest.raises(rn.UnsupportedError, match=layer.function):
                formats.write(spec, path)
            continue
        formats.write(spec, path)
        assert formats.read(path).layers[-2] == layer
        runtime = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        x = strategies.random_input(spec, 5, 2, rng)
        (theirs,) = session.run(["y"], {"x": x})
        want, _ = rn.reference.run(spec, x)
        # theirs is float32 arithmetic of unknown order: twice the bound of ours
        bound, _ = bounds.run(spec, x)
        assert np.all(np.abs(theirs - want) <= 2 * bound.each + 1e-6), layer


@pytest.mark.parametrize(
    ("node", "layer"),
    [
        (("Gelu", {}), Elementwise("gelu")),
        (("Gelu", {"approximate": "tanh"}), Elementwise("gelu_tanh")),
        (("Mish", {}), Elementwise("mish")),
        (("Neg", {}), Elementwise("affine", -1.0, 0.0)),
        (("Clip", {}, 0.0, 6.0), Elementwise("clip", 0.0, 6.0)),
        (("Clip", {}, -0.25), Elementwise("max", -0.25)),
        (("Clip", {}, None, 0.25), Elementwise("min", 0.25)),
        (("Clip", {}, float(np.finfo(np.float32).min), 0.5), Elementwise("min", 0.5)),
        (("Clip", {}), None),
        (("HardSwish", {}), Elementwise("hard_swish")),
        (("Swish", {"alpha": 0.5}), Elementwise("silu", 0.5)),
        (("Max", {}, 0.125), Elementwise("max", 0.125)),
        (("Min", {}, 0.25), Elementwise("min", 0.25)),  # the number first
        (("Pow", {}, 3.0), Elementwise("pow", 3.0)),
        (("Selu", {"alpha": 0.5, "gamma": 2.0}), Elementwise("selu", 0.5, 2.0)),
    ],
)
def test_operators_of_other_sets_are_read(
    node: tuple[Any, ...], layer: Elementwise | None, tmp_path: Path
) -> None:
    """Behind a product, in a file of operator set 20, or 24 where that brought it, against
    onnxruntime."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    op, attributes, *more = node
    rng = np.random.default_rng(77)
    weight = rng.normal(0, 1, (3, 4)).astype(np.float32)
    constants = {"w": weight}
    names = []
    for index, value in enumerate(more):
        names.append("" if value is None else f"c{index}")
        constants |= {} if value is None else {f"c{index}": np.float32(value)}
    make = onnx.helper
    graph = make.make_graph(
        [
            make.make_node("MatMul", ["x", "w"], ["h"]),
            make.make_node(op, ["h", *names][:: -1 if op == "Min" else 1], ["y"], **attributes),
        ],
        "g",
        [make.make_tensor_value_info("x", 1, ["time", "batch", 3])],
        [make.make_tensor_value_info("y", 1, ["time", "batch", 4])],
        [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    opset = make.make_opsetid("", 24 if op == "Swish" else 20)
    model = make.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    spec = formats.read(tmp_path / "m.onnx")
    assert spec.layers[1:] == (() if layer is None else (layer,))
    x = rng.normal(0, 1, (5, 2, 3)).astype(np.float32)
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": x})
    y, _ = rn.Model(spec)(x)
    bound, _ = bounds.run(spec, x)
    assert np.all(np.abs(theirs - y) <= 3 * bound.each + 1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "layer"),
    [
        ("LeakyReLU", {"alpha": 0.25}, Elementwise("leaky_relu", 0.25)),
        ("LeakyReLU", {"negative_slope": 0.5}, Elementwise("leaky_relu", 0.5)),
        ("ELU", {"alpha": 0.5}, Elementwise("elu", 0.5)),
        ("ReLU", {}, Elementwise("relu")),
        ("Activation", {"activation": "softplus"}, Elementwise("softplus")),
        ("Activation", {"activation": "tanh"}, Elementwise("tanh")),
        ("Activation", {"activation": "swish"}, Elementwise("silu")),
        ("Activation", {"activation": "gelu"}, Elementwise("gelu")),
        ("Activation", {"activation": "relu6"}, Elementwise("clip", 0.0, 6.0)),
        ("Activation", {"activation": "hard_silu"}, Elementwise("hard_swish")),
        ("ReLU", {"max_value": 0.5}, Elementwise("clip", 0.0, 0.5)),
        ("ReLU", {"negative_slope": 0.5}, Elementwise("leaky_relu", 0.5)),
        ("ReLU", {"threshold": 0.25}, Elementwise("thresholded_relu", 0.25)),
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
        Elementwise("squeeze")
    with pytest.raises(rn.OptionError, match="got 'swish', which is silu here"):
        Elementwise("swish")
    with pytest.raises(rn.OptionError, match="got 'relu6', which is clip with 0 and 6 here"):
        Elementwise("relu6")
    with pytest.raises(rn.OptionError, match="expected alpha, the least, of at most beta"):
        Elementwise("clip", 1.0, 0.5)
    with pytest.raises(rn.OptionError, match="pow alpha"):
        Elementwise("pow")
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
