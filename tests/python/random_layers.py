"""Random layers and models for tests, from a NumPy generator, which comes first.

``make_recurrent``, ``make_linear``, ``make_conv`` and so on are one layer, ``make_spec`` a whole
model around Recurrent layers of one kind. Weights are float32 unless asked otherwise, so that a
float32 path and the float64 reference are given the very same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from variants import VARIANTS

from rnn_native.cells import ACTIVATIONS, DIRECTIONS
from rnn_native.spec import (
    Embedding,
    Layer,
    Linear,
    ModelSpec,
    Recurrent,
    Scale,
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
