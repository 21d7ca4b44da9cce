"""Hypothesis strategies of models: ``recurrents()``, with ``activations()`` and
``general_options()``; ``specs()``; and ``cases()``, which adds the arguments of a call.

What they are made with is here as well: ``random_layers`` and ``random_calls``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from random_calls import first_state as first_state
from random_calls import grouped as grouped
from random_calls import map_state as map_state
from random_calls import poison_padding as poison_padding
from random_calls import random_input as random_input
from random_calls import random_state as random_state
from random_calls import some_rows as some_rows
from random_calls import stateful as stateful
from random_calls import zero_state as zero_state
from random_layers import fading as fading
from random_layers import make_conv as make_conv
from random_layers import make_embedding as make_embedding
from random_layers import make_linear as make_linear
from random_layers import make_pad as make_pad
from random_layers import make_pool_within as make_pool_within
from random_layers import make_recurrent as make_recurrent
from random_layers import make_scale as make_scale
from random_layers import make_spec as make_spec
from random_layers import make_strided as make_strided
from random_layers import make_upsample as make_upsample
from random_layers import make_within as make_within
from variants import BOUNDED as BOUNDED
from variants import GENERAL_VARIANTS as GENERAL_VARIANTS
from variants import TRAINED_VARIANT_IDS as TRAINED_VARIANT_IDS
from variants import TRAINED_VARIANTS as TRAINED_VARIANTS
from variants import VARIANT_IDS as VARIANT_IDS
from variants import VARIANTS as VARIANTS

from rnn_native.activations import CONSTANTS
from rnn_native.cells import ACTIVATIONS, DIRECTIONS, NONLINEARITIES
from rnn_native.layers import MERGE_MODES
from rnn_native.spec import (
    STANDARD,
    Activation,
    Elementwise,
    InstanceNorm,
    Layer,
    LayerNorm,
    Linear,
    Merge,
    ModelSpec,
    PReLU,
    Recurrent,
    Softmax,
)


def seeds() -> st.SearchStrategy[int]:
    """Seeds of NumPy generators: the numbers come from these, hypothesis shrinks the structure."""
    return st.integers(0, 2**32 - 1)


ANYWHERE = tuple(
    name for name in CONSTANTS if name not in ("exp", "log", "sqrt", "reciprocal", "pow")
)
"""The activations that are numbers, and no steeper than about 1, wherever they are."""


@st.composite
def activations(draw: st.DrawFn, names: Sequence[str] = ANYWHERE) -> Activation:
    """Any activation but those, with constants that make no slope steeper than about 1.

    scaled_tanh's largest slope is the product of its constants; a threshold of at most 1 leaves
    values on both of its sides.
    """
    name = draw(st.sampled_from(names))
    constants = {constant: draw(st.floats(-1.0, 1.0, width=32)) for constant in CONSTANTS[name]}
    if name == "clip":
        constants = dict(zip(constants, sorted(constants.values()), strict=True))
    return Activation(name, **constants)


@st.composite
def general_options(
    draw: st.DrawFn, cell: str, directions: int, functions: Sequence[str] = ANYWHERE
) -> dict[str, Any]:
    """activations, clip, input_forget and cell_clip of a Recurrent, each of them there or not.

    Gates that are not bounded multiply the state without end; they are drawn with a clip.
    """
    clip = draw(st.none() | st.floats(0.25, 2.0, width=32))
    chosen = []
    for standard in STANDARD[cell] * draw(st.sampled_from([1, directions])):
        gate = cell != "rnn" and standard.name == "sigmoid"
        names = [f for f in functions if f in BOUNDED or not gate or clip is not None]
        chosen.append(draw(activations(names)))
    return {
        "activations": tuple(chosen) if draw(st.booleans()) else None,
        "clip": clip,
        "input_forget": cell == "lstm" and draw(st.booleans()),
        "cell_clip": draw(st.none() | st.floats(0.125, 1.0, width=32)) if cell == "lstm" else None,
    }


@st.composite
def recurrents(
    draw: st.DrawFn,
    *,
    input_size: int | None = None,
    cells: Sequence[str] = ("rnn", "gru", "lstm"),
    output_layers: bool = True,
    general: bool = True,
    functions: Sequence[str] = ANYWHERE,
    initial: bool = True,
    directions: Sequence[str] = DIRECTIONS,
    max_size: int = 6,
    max_layers: int = 3,
    dtype: DTypeLike = np.float32,
) -> Recurrent:
    """A Recurrent of any cell, option, direction and depth, sizes from 1 to max_size."""
    cell = draw(st.sampled_from(list(cells)))
    hidden_size = draw(st.integers(1, max_size))
    options: dict[str, Any] = {
        "num_layers": draw(st.integers(1, max_layers)),
        "direction": draw(st.sampled_from(list(directions))),
        "bias": draw(st.booleans()),
    }
    if cell == "rnn":
        options["nonlinearity"] = draw(st.sampled_from(NONLINEARITIES))
        options["output_layer"] = draw(st.integers(0, max_size)) if output_layers else 0
        if options["output_layer"]:
            options["output_nonlinearity"] = draw(st.sampled_from(ACTIVATIONS))
    elif draw(st.booleans()):
        options["gate_recurrent"] = True
    elif cell == "gru":
        options["reset_after"] = draw(st.booleans())
    else:
        options["proj_size"] = draw(st.integers(0, hidden_size - 1))
        options["peephole"] = draw(st.booleans())
    general = general and not (options.get("gate_recurrent") or options.get("output_layer"))
    if general and draw(st.booleans()):
        directions_used = 2 if options["direction"] == "bidirectional" else 1
        options |= draw(general_options(cell, directions_used, functions))
        if options["activations"] is not None:
            options.pop("nonlinearity", None)
    if initial and draw(st.integers(0, 3)) == 3:
        options["initial_state"] = True
    if input_size is None:
        input_size = draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(seeds()))
    return make_recurrent(rng, cell, input_size, hidden_size, dtype=dtype, **options)


def width_of(layers: Sequence[Layer]) -> int:
    """Features that a chain gives."""
    return next(layer.output_size for layer in reversed(layers) if layer.output_size is not None)


@st.composite
def norms(draw: st.DrawFn, weight: NDArray[Any], bias: NDArray[Any]) -> LayerNorm:
    """A LayerNorm of as many features, with these or without, of any groups, no steeper than
    about 3."""
    size = len(weight)
    return LayerNorm(
        size,
        draw(st.sampled_from([weight, None])),
        draw(st.sampled_from([bias, None])),
        draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0])),
        draw(st.sampled_from([0.125, 0.3])),
        draw(st.booleans()),
    )


@st.composite
def instance_norms(draw: st.DrawFn, weight: NDArray[Any], bias: NDArray[Any]) -> InstanceNorm:
    """An InstanceNorm of as many features, likewise, of any positions."""
    size = len(weight)
    positions = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    channels = size // positions
    return InstanceNorm(
        size,
        draw(st.sampled_from([weight[:channels], None])),
        draw(st.sampled_from([bias[:channels], None])),
        draw(st.sampled_from([0.125, 0.3])),
        positions,
        draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0])),
    )


@st.composite
def specs(
    draw: st.DrawFn,
    *,
    directions: Sequence[str] = DIRECTIONS,
    initial: bool = True,
    functions: Sequence[str] = ANYWHERE,
    scales: bool = False,
    convs: bool = False,
    max_size: int = 6,
    max_recurrents: int = 2,
    dtype: DTypeLike = np.float32,
) -> ModelSpec:
    """Any model: [Embedding or Linear,] 0..max_recurrents Recurrents, [Linear], with a Merge, an
    Elementwise and, with ``scales``, a Scale, PReLU, LayerNorm, Softmax or, where layers may run
    backwards, InstanceNorm, with ``convs``, a Strided, a PoolWithin, a Conv or a Recurrent along
    the positions of each step behind any of these; never empty. The last Recurrent over time may
    give its last state alone, and any may begin with a state of its own, unless ``initial`` is
    False."""

    def linear(in_features: int) -> Linear:
        return make_linear(
            np.random.default_rng(draw(seeds())),
            in_features,
            draw(st.integers(1, max_size)),
            bias=draw(st.booleans()),
            activation=draw(st.sampled_from(ACTIVATIONS)),
            dtype=dtype,
        )

    def merge() -> None:
        features = width_of(layers)
        if features % 2 == 0 and draw(st.booleans()):
            layers.append(Merge(draw(st.sampled_from(MERGE_MODES)), features // 2))
        if draw(st.integers(0, 3)) == 0:
            f = draw(activations(functions))
            layers.append(Elementwise(f.name, *f.constants))
        if scales and draw(st.integers(0, 1)) == 0:
            numbers = make_scale(np.random.default_rng(draw(seeds())), width_of(layers), dtype)
            norm = draw(norms(numbers.scale, numbers.shift))
            layers.append(draw(st.sampled_from([numbers, PReLU(numbers.scale), norm])))
            if draw(st.integers(0, 3)) == 0:
                parts = [n for n in range(1, len(numbers.scale) + 1) if len(numbers.scale) % n == 0]
                layers[-1] = Softmax(draw(st.sampled_from(parts)), draw(st.booleans()))
            has_time = all(getattr(layer, "return_sequences", True) for layer in layers)
            if "reverse" in directions and has_time and draw(st.booleans()):
                layers[-1] = draw(instance_norms(numbers.scale, numbers.shift))
        if convs and draw(st.integers(0, 1)) == 0:
            rng = np.random.default_rng(draw(seeds()))
            width = width_of(layers)
            kind = draw(st.integers(0, 4))
            if kind < 2:
                layers.append(make_conv(rng, width, dtype=dtype))
            elif kind < 4:
                layers.append([make_strided, make_pool_within][kind - 2](rng, width))
            else:
                layers.append(make_within(rng, width, along=("positions",), dtype=dtype))

    layers: list[Layer] = []
    width = draw(st.integers(1, max_size))
    first = draw(st.sampled_from(["recurrent", "linear", "embedding"]))
    if first == "linear":
        layers.append(linear(width))
    elif first == "embedding":
        rng = np.random.default_rng(draw(seeds()))
        layers.append(make_embedding(rng, draw(st.integers(1, max_size)), width, dtype=dtype))
    if layers:
        merge()
    count = draw(st.integers(0 if layers else 1, max_recurrents))
    for index in range(count):
        width = width_of(layers) if layers else width
        options: dict[str, Any] = {"directions": directions, "max_size": max_size, "dtype": dtype}
        options["functions"] = functions
        if convs and draw(st.integers(0, 3)) == 0:
            rng = np.random.default_rng(draw(seeds()))
            layer = make_within(rng, width, directions=directions, along=("time",), dtype=dtype)
        else:
            layer = draw(recurrents(input_size=width, initial=initial, **options))
        if index == count - 1 and not layer.output_layer and draw(st.booleans()):
            layer = replace(layer, return_sequences=False)
        layers.append(layer)
        merge()
    if draw(st.booleans()):
        layers.append(linear(width_of(layers)))
        merge()
    return ModelSpec(tuple(layers))


@dataclass(frozen=True, eq=False)
class Case:
    """A model and the arguments of one call: ``run(spec, x, state, lengths)``."""

    spec: ModelSpec
    x: NDArray[Any]
    state: Any = None
    lengths: list[int] | None = None

    @property
    def time(self) -> int:
        return int(self.x.shape[0])

    @property
    def batch(self) -> int:
        return int(self.x.shape[1])


@st.composite
def cases(
    draw: st.DrawFn,
    spec: st.SearchStrategy[ModelSpec] | None = None,
    *,
    min_time: int = 0,
    max_time: int = 7,
    max_batch: int = 4,
    with_lengths: bool | None = None,
    dtype: DTypeLike = np.float32,
) -> Case:
    """A Case: any spec, T from min_time to max_time, B from 0 to max_batch.

    state is None or random; lengths is None or random in 0..T, as with_lengths says or, where
    that is None, either.
    """
    model = draw(specs(dtype=dtype) if spec is None else spec)
    time, batch = draw(st.integers(min_time, max_time)), draw(st.integers(0, max_batch))
    rng = np.random.default_rng(draw(seeds()))
    x = random_input(model, time, batch, rng, dtype=dtype)
    state = random_state(model, batch, rng, dtype=dtype) if draw(st.booleans()) else None
    if with_lengths is None:
        with_lengths = draw(st.booleans())
    lengths = st.lists(st.integers(0, time), min_size=batch, max_size=batch)
    return Case(model, x, state, draw(lengths) if with_lengths else None)
