"""Keras models that are graphs: chains, models inside of models, and parts that are taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.spec import Linear, ModelSpec, Recurrent

X = np.random.default_rng(1).normal(0, 1, (2, 5, 3))
A, B, C = kf.lstm(3, 4), kf.lstm(4, 2, 1, 3), kf.dense(2, 3, 2)
OF_A, OF_B, OF_C = ({"a": A}, {"b": B}, {"c": C})


def run(spec: ModelSpec) -> Any:
    return np.swapaxes(rn.reference.run(spec, np.swapaxes(X, 0, 1))[0], 0, 1)


def of_a(x: Any = X) -> Any:
    return ke.lstm(x, list(A.values()))


def of_b(x: Any) -> Any:
    return ke.gru(x, list(B.values()))


def of_c(x: Any) -> Any:
    return ke.dense(x, list(C.values()))


def lstm_a(*inputs: Any, **options: Any) -> Any:
    return kf.recurrent("LSTM", "a", 4, *inputs, **options)


def gru_b(*inputs: Any, **options: Any) -> Any:
    return kf.recurrent("GRU", "b", 2, *inputs, **options)


def dense_c(*inputs: Any) -> Any:
    return kf.layer("Dense", "c", *inputs, units=3, activation="linear")


def read(folder: Path, model: Any, weights: Any = None, **options: Any) -> ModelSpec:
    weights = OF_A | OF_B | OF_C if weights is None else weights
    return formats.read(kf.write_h5(folder / "model.h5", model, weights), **options)


def straight() -> Any:
    """In no order, which a functional model does not need."""
    layers = [dense_c("b"), kf.start("in"), gru_b("a"), lstm_a("in")]
    return kf.functional(layers, ["in"], ["c"])


def branched() -> Any:
    """in -> a -> b -> c, and a convolution beside that joins at the end."""
    layers = [
        kf.start("in"), lstm_a("in"), gru_b("a"), dense_c("b"),
        kf.layer("Conv3D", "conv", "in"),
        kf.layer("Concatenate", "join", "c", "conv"),
        kf.recurrent("LSTM", "last", 4, "join"),
    ]  # fmt: skip
    return kf.functional(layers, ["in"], ["last"])


def test_a_straight_functional_model_is_a_chain(tmp_path: Path) -> None:
    spec = read(tmp_path, straight())
    np.testing.assert_allclose(run(spec), of_c(of_b(of_a())), rtol=0, atol=1e-12)


def test_a_single_input_may_stand_alone(tmp_path: Path) -> None:
    config = straight()
    for key in ("input_layers", "output_layers"):
        config["config"][key] = config["config"][key][0]
    assert len(read(tmp_path, config).layers) == 3


def test_a_graph_that_is_no_chain_lists_its_recurrent_layers(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(tmp_path, branched())
    message = str(caught.value)
    assert "layer 'conv' (Conv3D): this layer is not supported" in message
    assert "node= takes one of the recurrent layers 'a', 'b', 'last' out" in message


def test_a_chain_with_a_layer_that_is_not_supported_lists_them_too(tmp_path: Path) -> None:
    config = kf.sequential(lstm_a(), kf.layer("Conv3D", "norm"), gru_b())
    with pytest.raises(UnsupportedError, match=r"'norm' \(Conv3D.*layers 'a', 'b' out"):
        read(tmp_path, config)


def test_node_takes_one_layer_out(tmp_path: Path) -> None:
    spec = read(tmp_path, branched(), node="a")
    np.testing.assert_allclose(run(spec), of_a(), rtol=0, atol=1e-12)
    spec = read(tmp_path, branched(), node="b")
    assert [layer.cell for layer in spec.recurrents] == ["gru"]


@pytest.mark.parametrize(
    ("between", "kinds"),
    [
        (("a", "b"), [Recurrent, Recurrent]),
        (("b", "c"), [Recurrent, Linear]),
        (["a", "c"], [Recurrent, Recurrent, Linear]),
        (("b", "b"), [Recurrent]),
    ],
)
def test_between_takes_a_run_of_layers_out(between: Any, kinds: Any, tmp_path: Path) -> None:
    spec = read(tmp_path, branched(), between=between)
    assert [type(layer) for layer in spec.layers] == kinds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"node": "A"}, "node='A': no such layer; there are a, b, c, conv"),
        ({"between": ("a", "lost")}, "between='lost': no such layer; there is 'last'"),
        ({"between": ("zzz", "a")}, "between='zzz': no such layer; there are a, b, c, conv"),
        ({"between": "ab"}, "between: expected the names of two layers, got 'ab'"),
        ({"between": ("a",)}, "between: expected the names of two layers"),
        ({"node": 3}, "node: expected the name of a layer, got 3"),
        ({"node": "a", "between": ("a", "b")}, "node= and between=: expected one of them"),
        ({"cell": "lstm"}, "cell: the model's own configuration says what it is"),
        ({"activation": "tanh"}, "activation: the model's own"),
        ({"config": "model.json"}, "config: only for a file of weights alone"),
    ],
)
def test_options_that_make_no_sense(options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        read(tmp_path, branched(), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (("b", "a"), "'b' does not come before"),
        (("conv", "c"), "'conv' does not come before"),
        (("a", "last"), r"'join' \(Concatenate\): expected one input"),
        (("conv", "conv"), r"'conv' \(Conv3D\): this layer is not supported"),
    ],
)
def test_runs_that_there_are_not(between: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, branched(), between=between)


def outer(index: int = 0) -> Any:
    """a, then a Sequential of b and c. Keras 2 counts calls of models from 1."""
    inner = kf.sequential(gru_b(), dense_c(), name="inner")
    inner |= {"name": "inner", "inbound_nodes": [[["a", 0, 0, {}]]]}
    layers = [kf.start("in"), lstm_a("in"), inner]
    return kf.functional(layers, ["in"], [("inner", index, 0)])


INNER = {f"b/{name}": array for name, array in B.items()} | {
    f"c/{name}": array for name, array in C.items()
}


@pytest.mark.parametrize("index", [0, 1])
def test_models_inside_of_models(index: int, tmp_path: Path) -> None:
    weights = OF_A | {"inner": INNER}
    spec = read(tmp_path, outer(index), weights)
    np.testing.assert_allclose(run(spec), of_c(of_b(of_a())), rtol=0, atol=1e-12)
    (layer,) = read(tmp_path, outer(index), weights, node="inner/b").recurrents
    assert layer.cell == "gru"
    spec = read(tmp_path, outer(index), weights, between=("a", "inner/b"))
    np.testing.assert_allclose(run(spec), of_b(of_a()), rtol=0, atol=1e-12)


def test_the_weights_of_an_inner_model_can_be_in_any_order(tmp_path: Path) -> None:
    """Keras lists those that are not trained last."""
    turned = {f"c/{name}": array for name, array in C.items()} | INNER
    spec = read(tmp_path, outer(), OF_A | {"inner": turned})
    np.testing.assert_allclose(run(spec), of_c(of_b(of_a())), rtol=0, atol=1e-12)


def test_a_model_that_is_called_twice(tmp_path: Path) -> None:
    square = kf.lstm(3, 3)
    inner = kf.functional(
        [kf.start("x"), kf.recurrent("LSTM", "s", 3, "x")], ["x"], ["s"], name="inner"
    )
    inner |= {"name": "inner", "inbound_nodes": [[["in", 0, 0, {}]], [["inner", 1, 0, {}]]]}
    config = kf.functional([kf.start("in"), inner], ["in"], [("inner", 2, 0)])
    weights = {"inner": {f"s/{name}": array for name, array in square.items()}}
    spec = read(tmp_path, config, weights)
    once = ke.lstm(X, list(square.values()))
    expected = ke.lstm(once, list(square.values()))
    np.testing.assert_allclose(run(spec), expected, rtol=0, atol=1e-12)


def test_a_layer_that_is_called_twice(tmp_path: Path) -> None:
    square = kf.lstm(3, 3)
    layer = kf.recurrent("LSTM", "s", 3, ["in"], [("s", 0, 0, {})])
    config = kf.functional([kf.start("in"), layer], ["in"], [("s", 1, 0)])
    spec = read(tmp_path, config, {"s": square})
    expected = ke.lstm(ke.lstm(X, list(square.values())), list(square.values()))
    np.testing.assert_allclose(run(spec), expected, rtol=0, atol=1e-12)


def test_states_can_be_inputs_and_outputs(tmp_path: Path) -> None:
    layers = [
        kf.start("in"), kf.start("h"), kf.start("c"),
        lstm_a("in", "h", "c", return_state=True),
    ]  # fmt: skip
    config = kf.functional(layers, ["in", "h", "c"], [("a", 0, 0), ("a", 0, 1), ("a", 0, 2)])
    spec = read(tmp_path, config)
    rng = np.random.default_rng(0)
    h, c = rng.normal(0, 1, (2, 1, 2, 4))
    x = np.swapaxes(X, 0, 1)
    y, (h_n, _) = rn.reference.run(spec, x, (h, c))
    np.testing.assert_array_equal(y[-1], h_n[0])
    assert np.abs(y - rn.reference.run(spec, x)[0]).max() > 0.01


def test_states_of_other_layers_are_refused_but_for_a_part(tmp_path: Path) -> None:
    layers = [
        kf.start("in"), kf.start("other"),
        lstm_a("other", return_state=True),
        kf.recurrent("LSTM", "d", 4, ["in", ("a", 0, 1), ("a", 0, 2)]),
    ]  # fmt: skip
    config = kf.functional(layers, ["in", "other"], ["d"])
    weights = OF_A | {"d": A}
    with pytest.raises(UnsupportedError, match="an initial state is made by the layer 'a'"):
        read(tmp_path, config, weights)
    spec = read(tmp_path, config, weights, node="d")
    np.testing.assert_allclose(run(spec), of_a(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["in"], [("a", 0, 1)], "expected a model with an output that is no state"),
        (["in", "b"], ["a"], "no output needs the input 'b'"),
        (["in"], ["b", ("b", 0, 1), ("c", 0, 1)], "output 1 of 'c' is not supported"),
    ],
)
def test_models_of_several_inputs_and_outputs(
    inputs: Any, outputs: Any, message: str, tmp_path: Path
) -> None:
    layers = [kf.start("in"), lstm_a("in"), gru_b("a"), dense_c("b")]
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, kf.functional(layers, inputs, outputs))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"training": True}, r"'a' \(LSTM\): called with training=True"),
        ({"mask": ["m", 0, 0]}, "no output needs the input 'm'"),
        ({"constants": [["m", 0, 0]]}, "called with constants="),
    ],
)
def test_calls_with_arguments_that_change_them(
    arguments: Any, message: str, tmp_path: Path
) -> None:
    layer = lstm_a([("in", 0, 0, arguments)])
    inputs = ["in", "m"] if "mask" in arguments else ["in"]
    config = kf.functional([kf.start("in"), kf.start("m"), layer], inputs, ["a"])
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, config)


def tensor(name: str) -> Any:
    """As Keras 3 has it among the arguments of a call."""
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def call(*args: Any, **kwargs: Any) -> Any:
    return {"inbound_nodes": [{"args": list(args), "kwargs": kwargs}]}


def of_keras_3(mask: str = "in") -> Any:
    """A chain with the nodes that make a mask, as Keras 3 writes them down."""
    masked = call(tensor("in"), mask=tensor("any"), training=False)
    layers = [
        kf.start("in"),
        kf.layer("NotEqual", "not_equal") | call(tensor(mask), 0.0),
        kf.layer("Masking", "masking", mask_value=0.0) | call(tensor("in")),
        kf.layer("Any", "any") | call(tensor("not_equal")),
        lstm_a() | call(tensor("masking"), **masked["inbound_nodes"][0]["kwargs"]),
        dense_c() | call(tensor("a")),
    ]
    return kf.functional(layers, ["in"], ["c"])


GROUPS = {"layers/lstm/cell": list(A.values()), "layers/dense": list(kf.dense(4, 3).values())}


def test_calls_as_keras_3_writes_them(tmp_path: Path) -> None:
    spec = formats.read(kf.write_keras(tmp_path / "model.keras", of_keras_3(), GROUPS))
    assert spec.mask_value == 0
    expected = ke.dense(of_a(), list(kf.dense(4, 3).values()))
    np.testing.assert_allclose(run(spec), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("source", ["masking", "a", "any"])
def test_a_mask_of_something_else_is_refused(source: str, tmp_path: Path) -> None:
    """Even of itself."""
    path = kf.write_keras(tmp_path / "model.keras", of_keras_3(mask=source), GROUPS)
    with pytest.raises(UnsupportedError, match=r"'a' \(LSTM\): its mask is made of"):
        formats.read(path)


def test_layers_of_one_s_own_are_refused_by_the_name_they_were_given(tmp_path: Path) -> None:
    config = of_keras_3()
    config["config"]["layers"][4] |= {"module": "mine", "registered_name": "mine>LSTM"}
    path = kf.write_keras(tmp_path / "model.keras", config, GROUPS)
    with pytest.raises(UnsupportedError, match=r"layer 'a' \(mine>LSTM, a class of one's own\)"):
        formats.read(path)


@pytest.mark.parametrize("root", ["layers", "_layer_checkpoint_dependencies"])
def test_layers_of_one_class_are_found_by_their_number(root: str, tmp_path: Path) -> None:
    """Keras 2.12 and 2.13, whose group has another name, counted each twice."""
    seconds = "lstm_1" if root == "layers" else "lstm_2"
    square = [kf.lstm(4, 4, seed) for seed in (1, 2)]
    config = kf.sequential(
        *(kf.recurrent("LSTM", name, 4) for name in ("zz", "yy")), name="sequential"
    )
    groups = {
        f"{root}/lstm/cell": list(square[0].values()),
        f"{root}/{seconds}/cell": list(square[1].values()),
    }
    path = kf.write_keras(tmp_path / "model.keras", config, groups)
    first, second = formats.read(path).recurrents
    np.testing.assert_array_equal(first.arrays["weight_ih_l0"], square[0]["kernel"].T)
    np.testing.assert_array_equal(second.arrays["weight_ih_l0"], square[1]["kernel"].T)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("layers"), "layers: expected a list, got None"),
        (lambda c: c.update(layers=[3]), "expected an object, got 3"),
        (lambda c: c["layers"][0].pop("name"), None),
        (lambda c: c.update(output_layers=[["x", 0, 0]]), "nothing makes the tensor 'x'"),
        (lambda c: c.update(output_layers=[["c"]]), r"expected \[name, call, index\]"),
        (lambda c: c.update(output_layers=[]), "expected tensors"),
        (lambda c: c["layers"].append(c["layers"][0]), "there are two layers 'c'"),
        (lambda c: c["layers"][0].update(inbound_nodes=3), "inbound_nodes: expected a list"),
        (lambda c: c["layers"][0].update(inbound_nodes=[3]), "expected tensors, got 3"),
        (lambda c: c["layers"][0].pop("class_name"), "expected a class_name, got None"),
    ],
)
def test_configurations_that_make_no_sense(change: Any, message: Any, tmp_path: Path) -> None:
    config = json.loads(json.dumps(straight()))
    change(config["config"])
    if message is None:
        assert len(read(tmp_path, config).layers) == 3  # the name is among the options too
        return
    with pytest.raises(FormatError, match=message):
        read(tmp_path, config)


def test_a_layer_that_needs_its_own_output(tmp_path: Path) -> None:
    config = kf.functional([kf.start("in"), lstm_a("b"), gru_b("a")], ["in"], ["b"])
    with pytest.raises(UnsupportedError, match="it needs its own output"):
        read(tmp_path, config)


def test_other_models_are_refused(tmp_path: Path) -> None:
    config = {"class_name": "Mine", "config": {"layers": []}}
    with pytest.raises(UnsupportedError, match="expected a model of the class Sequential or Func"):
        read(tmp_path, config)
