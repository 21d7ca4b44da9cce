"""A repr that looks like the call of a constructor is one, and makes an equal thing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits, assert_same_state
from hypothesis import given
from hypothesis import strategies as st
from strategies import activations, specs

import rnn_native as rn
from rnn_native import train
from rnn_native.layers import MERGE_MODES
from rnn_native.models import GRUModel, LSTMModel, RNNModel
from rnn_native.spec import Activation, Merge, ModelSpec

NAMES = {**vars(rn), **{model.__name__: model for model in (GRUModel, LSTMModel, RNNModel)}}


def made_again(thing: Any) -> Any:
    return eval(repr(thing), {}, NAMES)


@st.composite
def modules(draw: st.DrawFn) -> Any:
    """Any module, each of its options there or not."""
    kind = draw(st.sampled_from([rn.RNN, rn.GRU, rn.LSTM]))
    own: dict[Any, dict[str, st.SearchStrategy[Any]]] = {
        rn.RNN: {
            "nonlinearity": st.sampled_from(["tanh", "relu", "sigmoid"]),
            "output_size": st.none() | st.integers(1, 3),
        },
        rn.GRU: {"reset_after": st.booleans()},
        rn.LSTM: {"proj_size": st.integers(0, 2), "peephole": st.booleans()},
    }
    common: dict[str, st.SearchStrategy[Any]] = {
        "num_layers": st.integers(1, 3),
        "bias": st.booleans(),
        "bidirectional": st.booleans(),
        "batch_first": st.booleans() | st.sampled_from([np.True_, np.False_]),
        "dtype": st.sampled_from(["float32", "float64", np.float64, np.dtype("float32")]),
        "matmul": st.sampled_from(["auto", "packed"]),
        "num_threads": st.sampled_from([None, 1, 2, np.int64(2)]),
    }
    options = draw(st.fixed_dictionaries({}, optional={**common, **own[kind]}))
    if kind is rn.RNN and options.get("output_size"):
        options["output_nonlinearity"] = draw(st.sampled_from(["sigmoid", "softmax"]))
    if kind is not rn.RNN and draw(st.booleans()):
        options = {k: v for k, v in options.items() if k not in own[kind]}
        options["gate_recurrent"] = True
    return kind(draw(st.integers(1, 4)), draw(st.integers(3, 5)), **options)


@given(modules())
def test_a_module(module: Any) -> None:
    again = made_again(module)
    assert type(again) is type(module)
    assert repr(again) == repr(module)
    assert again.spec.options == module.spec.options
    for name in ("batch_first", "dtype", "matmul", "num_threads"):
        assert getattr(again.model, name) == getattr(module.model, name)
    again.load_state_dict(module.state_dict())  # the same names and shapes
    x = np.ones((2, 3, module.spec.input_size))
    (y, state), (expected, state_expected) = again(x), module(x)
    assert_same_bits(y, expected)
    assert_same_state(state, state_expected)


def test_a_module_shows_no_more_than_was_said() -> None:
    assert repr(rn.GRU(3, 4)) == "GRU(3, 4)"
    shown = repr(rn.LSTM(3, 4, 2, bidirectional=True, batch_first=True, dtype="float64"))
    for part in ("num_layers=2", "bidirectional=True", "batch_first=True", "dtype='float64'"):
        assert part in shown


@given(st.sampled_from(MERGE_MODES), st.integers(1, 9), activations())
def test_layers_without_arrays(mode: str, size: int, activation: Activation) -> None:
    assert made_again(Merge(mode, size)) == Merge(mode, size)
    assert made_again(activation) == activation


@pytest.mark.parametrize("make", [RNNModel, GRUModel, LSTMModel])
def test_a_model_that_learns(make: Any) -> None:
    for options in ({}, {"dropout": 0.25, "num_layers": 2, "dtype": "float64"}):
        model = make(input_dim=3, hidden_units=4, output_dim=2, **options)
        assert made_again(model).get_params() == model.get_params()


@given(specs())
def test_what_holds_arrays_does_not_look_like_a_call(spec: ModelSpec) -> None:
    """An array's repr is no array, and a long one's not even all of it."""
    for thing in (spec, *spec.layers):
        shown = repr(thing)
        if not isinstance(thing, ModelSpec) and not thing.arrays:
            continue
        assert re.fullmatch(rf"<{type(thing).__name__}: .*>", shown)
        assert "array" not in shown
    assert all(repr(layer) in repr(spec) for layer in spec.layers)


def test_gradients_show_shapes_alone() -> None:
    net = train.Network(ModelSpec((rn.GRU(3, 4).spec,)))
    _, _, tape = train.forward(net, np.ones((5, 2, 3), np.float32))
    gradients = train.backward(tape, np.ones((5, 2, 4), np.float32))
    assert repr(gradients) == "<Gradients: x=(5, 2, 3), weights=4>"
