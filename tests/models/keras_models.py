"""Random Keras models for the tests: Sequential, functional, or with a model inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers as known
from numpy.typing import NDArray

ACTIVATIONS = (
    "tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "leaky_relu", "elu", "softsign",
    "softplus", "silu", "gelu", "mish", "selu", "hard_silu", "relu6", "hard_tanh",
)  # fmt: skip
DENSE = (*ACTIVATIONS, "softmax", "log_softmax", "exponential")
ALONE = (
    ("Activation", {"activation": "gelu"}), ("Activation", {"activation": "swish"}),
    ("ReLU", {"max_value": 0.5}), ("ReLU", {"negative_slope": 0.25}), ("ReLU", {"threshold": 0.25}),
    ("LeakyReLU", {"negative_slope": 0.1}), ("ELU", {"alpha": 0.5}),
)  # fmt: skip
NOTHING = (
    ("Dropout", {"rate": 0.5}), ("SpatialDropout1D", {"rate": 0.5}),
    ("GaussianNoise", {"stddev": 1.0}), ("GaussianDropout", {"rate": 0.5}),
    ("AlphaDropout", {"rate": 0.5}), ("ActivityRegularization", {"l2": 0.1}),
    ("Activation", {"activation": "linear"}), ("Identity", {}),
)  # fmt: skip
Layer = dict[str, Any]
"""A layer to be made: its class, under ``kind``, and the arguments of its constructor."""


@st.composite
def cells(draw: st.DrawFn) -> Layer:
    kind = draw(st.sampled_from(["SimpleRNN", "GRU", "LSTM"]))
    options: Layer = {
        "kind": kind,
        "units": draw(st.integers(1, 4)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "use_bias": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.3])),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(ACTIVATIONS))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    if kind == "LSTM":
        options["unit_forget_bias"] = draw(st.booleans())
    return options


@st.composite
def recurrent(
    draw: st.DrawFn, sequences: bool, backwards: bool = True, unroll: bool = True
) -> Layer:
    """A recurrent layer of any form; ``backwards``, ``unroll``: whether it may be so."""
    cell = draw(cells())
    options = {"return_sequences": sequences, "go_backwards": backwards and draw(st.booleans())}
    form = draw(st.sampled_from(["layer", "cell", "stack", "bidirectional", "two", "of_cell"]))
    if form in ("layer", "bidirectional", "two"):
        layer = cell | options | {"unroll": unroll and draw(st.booleans())}
    else:
        count = 1 if form != "stack" else draw(st.integers(2, 3))
        inner = [cell, *(draw(cells()) for _ in range(count - 1))]
        layer = {"kind": "RNN", "cells": inner} | options
    if form in ("layer", "cell", "stack"):
        return layer
    # Keras 3 makes the backward layer one with go_backwards=True, whatever the other has.
    layer |= {"go_backwards": False}
    modes = st.sampled_from(["concat", "sum", "mul", "ave"])
    wrapper: Layer = {"kind": "Bidirectional", "layer": layer, "merge_mode": draw(modes)}
    if form == "two":
        turned = options["go_backwards"]
        layer |= {"go_backwards": turned}
        other = {"activation": draw(st.sampled_from(ACTIVATIONS)), "go_backwards": not turned}
        wrapper["backward_layer"] = layer | other
    return wrapper


@st.composite
def stepwise(draw: st.DrawFn, first: bool = False) -> list[Layer]:
    """``first``: nothing that does not say how many features it takes."""
    forms = ["nothing", "dense", "distributed", "activated", "idle"]
    form = draw(st.sampled_from(forms if first else [*forms, "alone"]))
    dense = {
        "kind": "Dense", "units": draw(st.integers(1, 4)), "use_bias": draw(st.booleans()),
    }  # fmt: skip
    name, options = draw(st.sampled_from(NOTHING))
    function, constants = draw(st.sampled_from(ALONE))
    activation = draw(st.sampled_from(DENSE))
    return {
        "nothing": [{"kind": name, **options}],
        "dense": [dense | {"activation": activation}],
        "distributed": [{"kind": "TimeDistributed", "layer": dense | {"activation": activation}}],
        "activated": [dense, {"kind": "Activation", "activation": activation}],
        "alone": [{"kind": function, **constants}],
        "idle": [{"kind": "TimeDistributed", "layer": {"kind": "Dropout", "rate": 0.5}}],
    }[form]


@st.composite
def chains(draw: st.DrawFn, masked: bool = False) -> list[Layer]:
    """The layers of a chain behind the input; with a mask only the last recurrent layer may go
    backwards, as Keras does not turn the mask round, and none is unrolled, where Keras 3.15 fails
    to turn it on PyTorch."""
    count = draw(st.integers(1, 3))
    sequences = draw(st.booleans())
    layers: list[Layer] = []
    for index in range(count):
        last = index == count - 1
        if draw(st.booleans()) and (last or sequences):
            layers += draw(stepwise(first=not layers))
        layers.append(draw(recurrent(not last or sequences, last or not masked, not masked)))
    if draw(st.booleans()):
        steps = draw(stepwise())
        layers += steps if sequences or "Time" not in steps[0]["kind"] else []
    if not sequences:
        layers = [
            layer for index, layer in enumerate(layers)
            if layer["kind"] != "SpatialDropout1D" or index < len(layers) - 1
        ]  # fmt: skip
    return layers


def make(layer: Layer) -> Any:
    """The Keras layer."""
    options = {key: value for key, value in layer.items() if key not in ("kind", "cells")}
    for key in ("layer", "backward_layer"):
        if key in options:
            options[key] = make(options[key])
    if layer["kind"] == "RNN":
        inside = [
            getattr(known, f"{cell['kind']}Cell")(**{k: v for k, v in cell.items() if k != "kind"})
            for cell in layer["cells"]
        ]
        return known.RNN(inside[0] if len(inside) == 1 else inside, **options)
    return getattr(known, layer["kind"])(**options)


def build(
    first: Any, layers: Sequence[Layer], form: str, shape: tuple[int | None, ...], seed: int
) -> Any:
    """A Keras model with random weights: ``first`` (an Embedding, a Masking, or None) and layers.

    ``form``: ``"sequential"``, ``"functional"``, or ``"nested"``: a Sequential in the middle of a
    functional model.
    """
    made = [make(layer) for layer in layers]
    everything = made if first is None else [first, *made]
    if form == "sequential":
        model = keras.Sequential([keras.Input(shape), *everything])
    else:
        start = end = keras.Input(shape)
        cut = len(everything) // 2 if form == "nested" else len(everything)
        for layer in everything[:cut]:
            end = layer(end)
        if form == "nested":
            inner = [keras.Input(end.shape[1:]), *everything[cut:]]
            end = keras.Sequential(inner, name="inner")(end)
        model = keras.Model(start, end)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(0, 0.4, weight.shape).astype("float32"))
    return model


def run(model: Any, x: NDArray[Any]) -> NDArray[Any]:
    """What a Keras model makes of x [batch, time, ...]."""
    y: NDArray[Any] = keras.ops.convert_to_numpy(model(x))
    return y
