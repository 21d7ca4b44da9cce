"""Keras models with branches: several inputs and outputs, joins, states that go on."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Combine, Elementwise, ModelSpec

RNG = np.random.default_rng(2)
X, Z = RNG.normal(0, 1, (2, 2, 5, 3))
LSTM, GRU, DENSE = kf.lstm(3, 3), kf.lstm(3, 3, 1, 3), kf.dense(3, 2, 2)
WEIGHTS = {"a": LSTM, "b": GRU, "c": DENSE}


def read(folder: Path, layers: Any, inputs: Any, outputs: Any, weights: Any = None) -> ModelSpec:
    config = kf.functional(layers, inputs, outputs)
    return formats.read(kf.write_h5(folder / "model.h5", config, weights or WEIGHTS))


def run(spec: ModelSpec, **inputs: Any) -> Any:
    """Batch first, by name."""
    x: Any = {name: np.swapaxes(one, 0, 1) for name, one in inputs.items()}
    ys, _ = rn.reference.run(spec, x if len(x) > 1 else next(iter(x.values())))
    ys = ys if isinstance(ys, dict) else dict(zip(spec.outputs, [ys], strict=True))
    return {name: np.swapaxes(y, 0, 1) if y.ndim == 3 else y for name, y in ys.items()}


def of(cell: Any, x: Any, arrays: Any) -> Any:
    return cell(x, list(arrays.values()))


def lstm_a(*inputs: Any, **options: Any) -> Any:
    return kf.recurrent("LSTM", "a", 3, *inputs, **options)


def gru_b(*inputs: Any, **options: Any) -> Any:
    return kf.recurrent("GRU", "b", 3, *inputs, **options)


def dense_c(*inputs: Any, **options: Any) -> Any:
    return kf.layer("Dense", "c", *inputs, **({"units": 2, "activation": "linear"} | options))


def start(name: str) -> Any:
    """An input that says its features."""
    config = {"name": name, "batch_input_shape": [None, 5, 3]}
    return kf.start(name) | {"config": config}


JOINS = {
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Average": lambda a, b: (a + b) / 2,
    "Concatenate": lambda a, b: np.concatenate([a, b], -1),
}


@pytest.mark.parametrize("kind", JOINS)
def test_layers_side_by_side_are_joined(kind: str, tmp_path: Path) -> None:
    layers = [kf.start("x"), lstm_a("x"), gru_b("x"), kf.layer(kind, "j", "a", "b")]
    spec = read(tmp_path, layers, ["x"], ["j"])
    want = JOINS[kind](of(ke.lstm, X, LSTM), of(ke.gru, X, GRU))
    np.testing.assert_allclose(run(spec, x=X)["j"], want, rtol=0, atol=1e-12)
    assert [*spec.nodes][:3] == ["a", "b", "j"]
    if kind == "Average":
        assert spec.nodes["j 2"] == (Elementwise("affine", 0.5, 0.0), ("j",))


def test_inputs_and_outputs_have_keras_s_names(tmp_path: Path) -> None:
    layers = [
        kf.start("x"), start("z"), lstm_a("x"), kf.layer("Add", "sum", "a", "z"),
        dense_c("sum", activation="tanh"), gru_b("sum"),
    ]  # fmt: skip
    spec = read(tmp_path, layers, ["x", "z"], ["c", "b"], WEIGHTS)
    total = of(ke.lstm, X, LSTM) + Z
    got = run(spec, x=X, z=Z)
    np.testing.assert_allclose(got["c"], np.tanh(of(ke.dense, total, DENSE)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(got["b"], of(ke.gru, total, GRU), rtol=0, atol=1e-12)
    assert list(spec.outputs) == ["c", "b"]
    assert spec.nodes["sum"] == (Combine("add"), ("a", "z"))


def test_an_activation_of_a_dense_that_others_read_is_its_own_layer(tmp_path: Path) -> None:
    layers = [
        kf.start("x"), dense_c("x"), kf.layer("Activation", "act", "c", activation="relu"),
        kf.layer("Concatenate", "j", "act", "c"),
    ]  # fmt: skip
    spec = read(tmp_path, layers, ["x"], ["j"])
    y = of(ke.dense, X, DENSE)
    want = np.concatenate([np.maximum(y, 0), y], -1)
    np.testing.assert_allclose(run(spec, x=X)["j"], want, rtol=0, atol=1e-12)
    assert spec.nodes["act"] == (Elementwise("relu"), ("c",))


@pytest.mark.parametrize("sequences", [True, False])
def test_an_h_goes_on(sequences: bool, tmp_path: Path) -> None:
    layers = [
        kf.start("x"), lstm_a("x", return_state=True, return_sequences=sequences),
        dense_c([("a", 0, 1)]),
    ]  # fmt: skip
    spec = read(tmp_path, layers, ["x"], ["c", "a"])
    y = of(ke.lstm, X, LSTM)
    got = run(spec, x=X)
    np.testing.assert_allclose(got["c"], of(ke.dense, y[:, -1], DENSE), rtol=0, atol=1e-12)
    np.testing.assert_allclose(got["a"], y if sequences else y[:, -1], rtol=0, atol=1e-12)
    assert spec.nodes["c"].inputs == (("a.last",) if sequences else ("a",))


def test_initial_states_are_no_inputs_of_the_graph(tmp_path: Path) -> None:
    layers = [
        kf.start("x"), kf.start("h"), gru_b("x", "h"), kf.layer("Add", "j", "b", "x"),
    ]  # fmt: skip
    spec = read(tmp_path, layers, ["x", "h"], ["j"])
    assert list(spec.inputs) == ["x"]
    with pytest.raises(UnsupportedError, match="the input 'x' is data and an initial state"):
        read(tmp_path, [kf.start("x"), gru_b("x", "x"), kf.layer("Add", "j", "b", "x")], ["x"], "j")


def test_halves_that_are_exchanged_are_put_in_order_where_they_are_joined(tmp_path: Path) -> None:
    """A bidirectional layer on steps that go_backwards turned round runs the other way round."""
    inner = kf.recurrent("LSTM", "x", 3)
    layers = [
        kf.start("x"), lstm_a("x", go_backwards=True),
        kf.layer("Bidirectional", "w", "a", layer=inner, merge_mode="concat"),
        kf.layer("Add", "j", "w", "w"), kf.recurrent("GRU", "d", 2, "j", return_sequences=False),
    ]  # fmt: skip
    halves = [kf.lstm(3, 3, seed) for seed in (3, 4)]
    both = {
        f"{side}_x/{name}": array
        for side, arrays in zip(("forward", "backward"), halves, strict=True)
        for name, array in arrays.items()
    }
    last = kf.lstm(6, 2, 5, 3)
    spec = read(tmp_path, layers, ["x"], ["d"], WEIGHTS | {"w": both, "d": last})
    y = of(ke.lstm, X[:, ::-1], LSTM)
    one, two = of(ke.lstm, y, halves[0]), of(ke.lstm, y[:, ::-1], halves[1])[:, ::-1]
    total = 2 * np.concatenate([one, two], -1)
    want = of(ke.gru, total, last)[:, -1]
    np.testing.assert_allclose(run(spec, x=X)["d"], want, rtol=0, atol=1e-12)


def test_a_value_that_is_two_outputs_has_two_names(tmp_path: Path) -> None:
    spec = read(tmp_path, [kf.start("x"), lstm_a("x"), gru_b("a")], ["x"], ["b", "a", "b"])
    assert dict(spec.outputs) == {"b": "b", "a": "a", "b 2": "b"}


def test_outputs_by_names_of_their_own(tmp_path: Path) -> None:
    """Keras 3 writes those of a model that was made with a dict of them as one."""
    config = kf.functional([kf.start("x"), lstm_a("x"), gru_b("a")], ["x"], ["a"])
    config["config"]["output_layers"] = {"one": ["b", 0, 0], "other": ["a", 0, 0]}
    spec = formats.read(kf.write_h5(tmp_path / "model.h5", config, WEIGHTS))
    assert dict(spec.outputs) == {"b": "b", "a": "a"}


def test_calls_in_a_long_circle_are_refused(tmp_path: Path) -> None:
    layers = [
        kf.start("x"), kf.layer("Add", "j", "x", "b"), lstm_a("j"), gru_b("a"),
    ]  # fmt: skip
    with pytest.raises(UnsupportedError, match="it needs its own output"):
        read(tmp_path, layers, ["x"], ["b"])


def test_many_branches_are_read_soon(tmp_path: Path) -> None:
    """2000 layers in a row, each joined with the first: no call is gone through twice."""
    names = ["x", *(f"j{i}" for i in range(2000))]
    layers = [start("x"), dense_c("x", units=3)]
    layers += [kf.layer("Add", after, before, "c") for before, after in pairwise(names)]
    spec = read(tmp_path, layers, ["x"], names[-1:], {"c": kf.dense(3, 3)})
    assert len(spec.nodes) == 2001
