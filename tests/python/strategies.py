"""Random models for tests: builders from a NumPy generator, and hypothesis strategies.

Builders take a ``numpy.random.Generator`` first, or last where they follow a spec:

- ``make_recurrent``, ``make_linear``, ``make_conv`` and so on: one layer;
- ``make_spec``: a whole model around Recurrent layers of one kind;
- ``zero_state``, ``first_state``, ``random_state``, ``random_input``: what such a model is called
  with;
- ``map_state``, ``grouped``: the arrays of a state, whatever its structure;
- ``some_rows``: rows of y, which has an axis of time or, after a last state alone, has none;
- ``poison_padding``: NaN into everything past each row's length.

Strategies: ``recurrents()``, with ``activations()`` and ``general_options()``; ``specs()``; and
``cases()``, which adds the arguments of a call.

Weights, states and inputs are float32 unless asked otherwise, so that a float32 path and the
float64 reference are given the very same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
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
    Embedding,
    InstanceNorm,
    Layer,
    LayerNorm,
    Linear,
    Merge,
    ModelSpec,
    PReLU,
    Recurrent,
    Scale,
    Softmax,
)
from rnn_native.spec.layers.conv import PADDING_MODES, Conv
from rnn_native.spec.layers.pad import PAD_MODES, Pad
from rnn_native.spec.layers.pool import POOL_MODES
from rnn_native.spec.layers.pool_within import PoolWithin
from rnn_native.spec.layers.strided import Strided
from rnn_native.spec.layers.upsample import MODES, Upsample


def fading(cell: str, options: dict[str, Any]) -> float:
    """A gain of make_recurrent with which the bound of errors fades from step to step: with larger
    ones it grows until it says nothing, soonest in a gate-recurrent LSTM, whose c comes back
    through four full matrices."""
    return 0.2 if cell == "lstm" and options.get("gate_recurrent") else 0.5


def make_recurrent(
    rng: np.random.Generator,
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    gain: float = 1.0,
    dtype: DTypeLike = np.float32,
    **options: Any,
) -> Recurrent:
    """A Recurrent with weights uniform in +-gain / sqrt(hidden_size); options are Recurrent's, of
    which ``initial_state=True`` is one uniform in +-1."""
    bound = gain / np.sqrt(hidden_size)
    rows = {"rnn": 1, "gru": 3, "lstm": 4}[cell] * hidden_size
    features = options.get("proj_size", 0) or hidden_size
    direction = options.get("direction", "forward")
    begins = options.pop("initial_state", None)
    suffixes = {"forward": [""], "reverse": ["_reverse"], "bidirectional": ["", "_reverse"]}
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(options.get("num_layers", 1)):
        below = features * len(suffixes[direction]) if layer else input_size
        for suffix in suffixes[direction]:
            end = f"_l{layer}{suffix}"
            shapes["weight_ih" + end] = (rows, below)
            if options.get("gate_recurrent", False):
                shapes["weight_gh" + end] = (rows - (cell == "gru") * hidden_size, hidden_size)
                own = ("weight_hh", hidden_size) if cell == "gru" else ("weight_ch", rows)
                shapes[own[0] + end] = (own[1], hidden_size)
                if options.get("bias", True):
                    shapes["bias_ih" + end] = (rows,)
                continue
            shapes["weight_hh" + end] = (rows, features)
            if options.get("bias", True):
                shapes["bias_ih" + end] = shapes["bias_hh" + end] = (rows,)
            if options.get("proj_size", 0):
                shapes["weight_hr" + end] = (features, hidden_size)
            if options.get("peephole", False):
                shapes |= {f"weight_c{gate}{end}": (hidden_size,) for gate in "ifo"}
    if size := options.get("output_layer", 0):
        shapes["weight_ho"] = (size, features * len(suffixes[direction]))
        shapes["weight_xo"] = (size, input_size)
        if options.get("bias", True):
            shapes["bias_o"] = (size,)
    weights = {
        name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()
    }
    layer = Recurrent(cell, input_size, hidden_size, weights, **options)
    if not begins:
        return layer
    given = tuple(rng.uniform(-1.0, 1.0, part[:, 0].shape).astype(dtype) for part in layer.begin(1))
    return replace(layer, initial_state=given)


def make_linear(
    rng: np.random.Generator,
    in_features: int,
    out_features: int,
    *,
    bias: bool = True,
    activation: str = "identity",
    dtype: DTypeLike = np.float32,
) -> Linear:
    """A Linear with weights and bias uniform in +-1 / sqrt(in_features)."""
    bound = 1.0 / np.sqrt(in_features)
    weight = rng.uniform(-bound, bound, (out_features, in_features)).astype(dtype)
    offset = rng.uniform(-bound, bound, out_features).astype(dtype) if bias else None
    return Linear(weight, offset, activation)


def make_scale(rng: np.random.Generator, features: int, dtype: DTypeLike = np.float32) -> Scale:
    """A Scale with numbers uniform in +-1."""
    return Scale(*rng.uniform(-1.0, 1.0, (2, features)).astype(dtype))


def make_conv(
    rng: np.random.Generator,
    features: int,
    *,
    time: bool = False,
    streams: bool = True,
    activations: Sequence[str] = ACTIVATIONS,
    dtype: DTypeLike = np.float32,
) -> Conv:
    """A Conv of steps of so many features, with every option by chance: over positions alone or,
    with ``time``, over steps too; ``streams``: without padding behind the last step."""

    def pick(least: int, most: int) -> int:
        return int(rng.integers(least, most + 1))

    channels = int(rng.choice([n for n in range(1, features + 1) if features % n == 0]))
    positions = features // channels
    groups = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
    options: dict[str, Any] = {"padding_mode": str(rng.choice(PADDING_MODES))}
    if pick(0, 1):
        options |= _height(rng, positions, options["padding_mode"])
    positions //= options.get("height", 1)
    most = 3 if options["padding_mode"] != "reflect" else positions - 1
    options |= {"left": pick(0, min(2, most)), "right": pick(0, min(2, most))}
    padded = options["left"] + positions + options["right"]
    options |= {"kernel_size": pick(1, min(3, padded)), "stride": pick(1, 3)}
    reach = options["kernel_size"] - 1
    options["dilation"] = pick(1, min(3, (padded - 1) // reach)) if reach else pick(1, 3)
    if time:
        options |= {"kernel_time": pick(1, 3), "stride_time": pick(1, 2)}
        options["dilation_time"] = pick(1, 3)
        extent = (options["kernel_time"] - 1) * options["dilation_time"] + 1
        options["before"] = pick(0, extent - 1)
        options["after"] = 0 if streams else pick(0, extent - 1)
    taps = options.get("kernel_time", 1) * options["kernel_size"] * channels // groups
    taps *= options.get("kernel_height", 1)
    out, bound = groups * pick(1, 2), 1.0 / np.sqrt(taps)
    weight = rng.uniform(-bound, bound, (out, taps)).astype(dtype)
    bias = rng.uniform(-bound, bound, out).astype(dtype) if pick(0, 1) else None
    options |= {"in_channels": channels, "groups": groups, "positions": positions}
    return Conv(weight, bias, activation=str(rng.choice(activations)), **options)


def _height(rng: np.random.Generator, positions: int, padding_mode: str) -> dict[str, int]:
    """Options of a Conv over rows, by chance, into which so many positions are cut."""
    height = int(rng.choice([n for n in range(1, positions + 1) if positions % n == 0]))
    most = 3 if padding_mode != "reflect" else height - 1
    top, bottom = (int(n) for n in rng.integers(0, min(2, most) + 1, 2))
    padded = top + height + bottom
    kernel = int(rng.integers(1, min(3, padded) + 1))
    dilation = int(rng.integers(1, (min(3, (padded - 1) // (kernel - 1)) if kernel > 1 else 3) + 1))
    return {
        "height": height, "kernel_height": kernel, "stride_height": int(rng.integers(1, 4)),
        "dilation_height": dilation, "top": top, "bottom": bottom,
    }  # fmt: skip


def make_pool_within(rng: np.random.Generator, features: int) -> PoolWithin:
    """A pool of the positions in steps of so many features, with every option by chance."""
    channels = int(rng.choice([n for n in range(1, features + 1) if features % n == 0]))
    positions = features // channels
    kernel_size = int(rng.integers(1, min(positions + 2, 5)))
    least = max(0, kernel_size - positions)  # of padding
    left = int(rng.integers(kernel_size))
    right = int(rng.integers(min(max(0, least - left), kernel_size - 1), kernel_size))
    return PoolWithin(
        str(rng.choice(POOL_MODES)), positions, channels, kernel_size, int(rng.integers(1, 4)),
        left, right, bool(rng.integers(2)),
    )  # fmt: skip


def make_within(
    rng: np.random.Generator,
    features: int,
    *,
    directions: Sequence[str] = DIRECTIONS,
    along: Sequence[str] = ("positions", "time"),
    dtype: DTypeLike = np.float32,
) -> Recurrent:
    """A Recurrent in steps of so many features, with every option by chance, of any cell."""
    channels = int(rng.choice([n for n in range(1, features + 1) if features % n == 0]))
    runs = str(rng.choice(along))
    ways = [(cell, options) for cell, options in VARIANTS if not options.get("output_layer")]
    cell, options = ways[int(rng.integers(len(ways)))]
    return make_recurrent(
        rng, cell, channels, int(rng.integers(4, 7)), positions=features // channels, along=runs,
        num_layers=int(rng.integers(1, 3)), bias=bool(rng.integers(4)),
        direction=str(rng.choice(DIRECTIONS if runs == "positions" else directions)),
        return_sequences=runs == "time" or bool(rng.integers(3)),
        initial_state=bool(rng.integers(2)), dtype=dtype, **options,
    )  # fmt: skip


def make_upsample(rng: np.random.Generator, features: int) -> Upsample:
    """An Upsample of steps of so many features."""
    factor, mode = int(rng.integers(1, 4)), str(rng.choice(MODES))
    if mode == "parts":
        factor = int(rng.choice([n for n in range(1, min(features, 4) + 1) if features % n == 0]))
    return Upsample(factor, mode, int(rng.integers(factor)))


def make_pad(rng: np.random.Generator, features: int, *, streams: bool = True) -> Pad:
    """A Pad of steps of so many features; ``streams``: one that runs in streams."""
    before, after = (int(n) for n in rng.integers(0, 4, 2))
    if streams:
        return Pad(features, before, 0, str(rng.choice(["zeros", "replicate"])))
    return Pad(features, before, after, str(rng.choice(PAD_MODES)))


def make_strided(rng: np.random.Generator, features: int) -> Strided:
    """A view of so many features, of one to four axes that may overlap."""
    left = features - 1
    offset = int(rng.integers(left + 1))
    left -= offset
    axes = []
    for _ in range(int(rng.integers(1, 5))):
        count, stride = int(rng.integers(1, 4)), int(rng.integers(0, 3))
        count = min(count, 1 + left // stride) if stride else count
        left -= (count - 1) * stride
        axes.append((count, stride))
    sizes, strides = zip(*axes, strict=True)
    return Strided(features, sizes, strides, offset)


def make_embedding(
    rng: np.random.Generator,
    num_embeddings: int,
    embedding_dim: int,
    *,
    dtype: DTypeLike = np.float32,
) -> Embedding:
    """An Embedding with weights uniform in +-1."""
    return Embedding(rng.uniform(-1.0, 1.0, (num_embeddings, embedding_dim)).astype(dtype))


def make_spec(
    rng: np.random.Generator,
    cell: str = "lstm",
    input_size: int = 3,
    hidden_size: int = 4,
    *,
    num_embeddings: int = 0,
    num_recurrents: int = 1,
    out_features: int = 0,
    activation: str = "identity",
    dtype: DTypeLike = np.float32,
    **options: Any,
) -> ModelSpec:
    """[Embedding of input_size features,] Recurrent, ..., [Linear]; a size of 0 is no layer.

    options are those of every Recurrent, as of ``make_recurrent``.
    """
    layers: list[Layer] = []
    if num_embeddings:
        layers.append(make_embedding(rng, num_embeddings, input_size, dtype=dtype))
    width = input_size
    for _ in range(num_recurrents):
        layers.append(make_recurrent(rng, cell, width, hidden_size, dtype=dtype, **options))
        width = layers[-1].output_size
    if out_features:
        layers.append(make_linear(rng, width, out_features, activation=activation, dtype=dtype))
    return ModelSpec(tuple(layers))


def stateful(spec: ModelSpec) -> list[Recurrent]:
    """The Recurrents that carry a state from step to step."""
    return [layer for layer in spec.recurrents if layer.state_names]


def _states(spec: ModelSpec, batch: int, fill: Any) -> Any:
    per_layer = []
    for layer in stateful(spec):
        rows = layer.num_layers * layer.num_directions
        arrays = tuple(fill((rows, batch, size)) for size in layer.state_sizes)
        per_layer.append(arrays if len(arrays) > 1 else arrays[0])
    return per_layer[0] if len(per_layer) == 1 else tuple(per_layer)


def zero_state(spec: ModelSpec, batch: int, *, dtype: DTypeLike = np.float32) -> Any:
    """The model's state, all zeros: ``h``, a tuple such as ``(h, c)``, or a tuple of those for
    several layers, as the API has it."""
    return _states(spec, batch, lambda shape: np.zeros(shape, dtype))


def first_state(spec: ModelSpec, batch: int, *, dtype: DTypeLike = np.float32) -> Any:
    """The state that a call begins with where it states none, structured as ``zero_state``."""
    each = [layer.first_state(batch, layer.input_size) for layer in stateful(spec)]
    arrays = iter([array for state in each for array in state])
    return _states(spec, batch, lambda shape: next(arrays).astype(dtype))


def random_state(
    spec: ModelSpec, batch: int, rng: np.random.Generator, *, dtype: DTypeLike = np.float32
) -> Any:
    """A state uniform in +-1, structured as ``zero_state``."""
    return _states(spec, batch, lambda shape: rng.uniform(-1.0, 1.0, shape).astype(dtype))


def map_state(change: Callable[[NDArray[Any]], Any], state: Any) -> Any:
    """The state with every array replaced by change(array)."""
    if isinstance(state, tuple):
        return tuple(map_state(change, part) for part in state)
    return change(state)


def grouped(spec: ModelSpec, state: Any) -> list[tuple[Any, ...]]:
    """The state as one tuple of arrays per Recurrent layer that has one: ``(h,)``, ``(h, c)`` and
    so on."""
    per_layer = [state] if len(stateful(spec)) == 1 else state
    return [part if isinstance(part, tuple) else (part,) for part in per_layer]


def some_rows(spec: ModelSpec, y: NDArray[Any], which: Any) -> NDArray[Any]:
    """Those rows of y, time first."""
    rows: NDArray[Any] = y[:, which] if spec.return_sequences else y[which]
    return rows


def random_input(
    spec: ModelSpec,
    time: int,
    batch: int,
    rng: np.random.Generator,
    *,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Standard normal [time, batch, input_size], or for an Embedding indices [time, batch]."""
    if spec.takes_indices:
        return rng.integers(0, spec.input_size, (time, batch))
    return rng.standard_normal((time, batch, spec.input_size)).astype(dtype)


def poison_padding(x: NDArray[Any], lengths: Sequence[int]) -> NDArray[Any]:
    """A copy of float x [time, batch, ...] that is NaN past each row's length."""
    poisoned = x.copy()
    for row, length in enumerate(lengths):
        poisoned[length:, row] = np.nan
    return poisoned


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
