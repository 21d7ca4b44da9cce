"""A second transcription of every cell's equations: one row, one unit, one Python float at a time.

Shares nothing with ``rnn_native.reference``: no matrix products, no batches, no masks. Each row
runs alone, cut to its length; the reverse direction reverses the list.
"""

from __future__ import annotations

import math
from itertools import chain, product
from typing import Any

import numpy as np
from strategies import Case, first_state, grouped, map_state

from rnn_native.spec import (
    Elementwise,
    Embedding,
    InstanceNorm,
    LayerNorm,
    Linear,
    Merge,
    PReLU,
    Recurrent,
    Scale,
    Softmax,
)
from rnn_native.spec.layers.conv import Conv
from rnn_native.spec.layers.pool_within import PoolWithin
from rnn_native.spec.layers.strided import Strided


def logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


PER_UNIT = {
    "identity": lambda v: v,
    "sigmoid": logistic,
    "tanh": math.tanh,
    "relu": lambda v: max(v, 0.0),
    "affine": lambda v, alpha, beta: alpha * v + beta,
    "leaky_relu": lambda v, alpha: v if v >= 0 else alpha * v,
    "thresholded_relu": lambda v, alpha: v if v >= alpha else 0.0,
    "scaled_tanh": lambda v, alpha, beta: alpha * math.tanh(beta * v),
    "hard_sigmoid": lambda v, alpha, beta: min(max(alpha * v + beta, 0.0), 1.0),
    "elu": lambda v, alpha: v if v >= 0 else alpha * (math.exp(v) - 1.0),
    "softsign": lambda v: v / (1.0 + abs(v)),
    "softplus": lambda v: math.log(1.0 + math.exp(v)),
    "silu": lambda v, alpha: v / (1.0 + math.exp(-alpha * v)),
    "gelu": lambda v: v * (1.0 + math.erf(v / math.sqrt(2.0))) / 2.0,
    "gelu_tanh": lambda v: (
        v * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (v + 0.044715 * v**3))) / 2.0
    ),
    "mish": lambda v: v * math.tanh(math.log(1.0 + math.exp(v))),
    "hard_swish": lambda v, alpha, beta: v * min(max(alpha * v + beta, 0.0), 1.0),
    "selu": lambda v, alpha, beta: beta * (v if v >= 0 else alpha * (math.exp(v) - 1.0)),
    "clip": lambda v, alpha, beta: min(max(v, alpha), beta),
    "max": max,
    "min": min,
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "reciprocal": lambda v: 1.0 / v,
    "pow": math.pow,
    "erf": math.erf,
}


def functions_of(layer: Recurrent, direction: int) -> list[Any]:
    """f, g, h of one direction, each of its argument within the bounds of the clip."""

    def clipped(v: float) -> float:
        return v if layer.clip is None else max(-layer.clip, min(layer.clip, v))

    return [
        lambda v, a=a: PER_UNIT[a.name](clipped(v), *a.constants)
        for a in layer.activations_of(direction)
    ]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def scalar_step(
    layer: Recurrent,
    direction: int,
    w: dict[str, Any],
    x: list[float],
    state: list[list[float]],
) -> list[list[float]]:
    """The state after one step: h, and what else the cell carries on."""
    if layer.gate_recurrent:
        return gate_recurrent_step(layer, w, x, state)
    h, c = state[0], state[-1]
    size = layer.hidden_size
    units = range(size)
    functions = functions_of(layer, direction)

    def from_x(gate: int, unit: int) -> float:
        row = gate * size + unit
        return dot(w["weight_ih"][row], x) + (w["bias_ih"][row] if layer.bias else 0.0)

    def from_h(gate: int, unit: int, h: list[float]) -> float:
        row = gate * size + unit
        return dot(w["weight_hh"][row], h) + (w["bias_hh"][row] if layer.bias else 0.0)

    if layer.cell == "rnn":
        (f,) = functions
        return [[f(from_x(0, k) + from_h(0, k, h)) for k in units]]
    if layer.cell == "gru":
        f, g = functions
        r = [f(from_x(0, k) + from_h(0, k, h)) for k in units]
        z = [f(from_x(1, k) + from_h(1, k, h)) for k in units]
        if layer.reset_after:
            n = [g(from_x(2, k) + r[k] * from_h(2, k, h)) for k in units]
        else:
            reset = [r[k] * h[k] for k in units]
            n = [g(from_x(2, k) + from_h(2, k, reset)) for k in units]
        return [[(1.0 - z[k]) * n[k] + z[k] * h[k] for k in units]]
    i, f, g, o = ([from_x(gate, k) + from_h(gate, k, h) for k in units] for gate in range(4))
    peep = {gate: w.get(f"weight_c{gate}", [0.0] * size) for gate in "ifo"}
    gate, candidate, output = functions
    new_c = []
    for k in units:
        keep = gate(f[k] + peep["f"][k] * c[k])
        take = gate(i[k] + peep["i"][k] * c[k])
        if layer.input_forget:
            keep = 1.0 - take
        new_c.append(keep * c[k] + take * candidate(g[k]))
        if layer.cell_clip is not None:
            new_c[k] = max(-layer.cell_clip, min(layer.cell_clip, new_c[k]))
    out = [gate(o[k] + peep["o"][k] * new_c[k]) * output(new_c[k]) for k in units]
    if layer.proj_size:
        out = [dot(row, out) for row in w["weight_hr"]]
    return [out, new_c]


def gate_recurrent_step(
    layer: Recurrent, w: dict[str, Any], x: list[float], state: list[list[float]]
) -> list[list[float]]:
    """The article's sections 3.2 and 3.3."""
    size = layer.hidden_size
    units = range(size)

    def from_x(gate: int, unit: int) -> float:
        row = gate * size + unit
        return dot(w["weight_ih"][row], x) + (w["bias_ih"][row] if layer.bias else 0.0)

    if layer.cell == "gru":
        h, z = state
        new_z = [logistic(dot(w["weight_gh"][size + k], z) + from_x(1, k)) for k in units]
        r = [logistic(dot(w["weight_gh"][k], z) + from_x(0, k)) for k in units]
        reset = [r[k] * h[k] for k in units]
        candidate = [math.tanh(dot(w["weight_hh"][k], reset) + from_x(2, k)) for k in units]
        mixed = [(1.0 - new_z[k]) * h[k] + new_z[k] * candidate[k] for k in units]
        return [mixed, new_z]

    _, c, i, f = state

    def gate(index: int, unit: int, before: list[float]) -> float:
        row = index * size + unit
        of_c = dot(w["weight_ch"][row], c)
        return dot(w["weight_gh"][row], before) + from_x(index, unit) + of_c

    new_i = [logistic(gate(0, k, i)) for k in units]
    new_f = [logistic(gate(1, k, f)) for k in units]
    g = [math.tanh(gate(2, k, i)) for k in units]
    o = [logistic(gate(3, k, i)) for k in units]
    new_c = [new_f[k] * c[k] + new_i[k] * g[k] for k in units]
    return [[o[k] * math.tanh(new_c[k]) for k in units], new_c, new_i, new_f]


def activated(name: str, z: list[float]) -> list[float]:
    total = math.fsum(math.exp(v) for v in z) if "softmax" in name else math.nan
    if name == "softmax":
        return [math.exp(v) / total for v in z]
    if name == "log_softmax":
        return [v - math.log(total) for v in z]
    return [PER_UNIT[name](v) for v in z]


def scalar_linear(layer: Linear, x: list[float]) -> list[float]:
    bias = [0.0] * layer.output_size if layer.bias is None else layer.bias.tolist()
    z = [dot(row, x) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)]
    return activated(layer.activation, z)


def scalar_place(layer: Conv, count: int, at: int) -> int | None:
    """Which of so many positions or rows stands where one of padding may be: None is 0."""
    if 0 <= at < count:
        return at
    if layer.padding_mode == "zeros":
        return None
    if layer.padding_mode == "replicate":
        return 0 if at < 0 else count - 1
    return -at if at < 0 else 2 * (count - 1) - at


def scalar_position(layer: Conv, line: int, position: int) -> int | None:
    """Which position of a step stands there."""
    row = scalar_place(layer, layer.height, line)
    column = scalar_place(layer, layer.positions, position)
    return None if row is None or column is None else row * layer.positions + column


def scalar_conv(layer: Conv, steps: list[list[float] | None]) -> list[float]:
    """One step of what ``kernel_time`` of the input, or of padding, make: a loop over everything
    that is counted."""
    y: list[float] = []
    for line, position in np.ndindex(layer.height_made, layer.positions_made):
        at = (line * layer.stride_height - layer.top, position * layer.stride - layer.left)
        z = [_scalar_channel(layer, steps, at, out) for out in range(layer.out_channels)]
        y += activated(layer.activation, z)
    return y


def _scalar_channel(
    layer: Conv, steps: list[list[float] | None], at: tuple[int, int], out: int
) -> float:
    own, rows = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    columns = iter(layer.weight[out].tolist())
    terms = [0.0 if layer.bias is None else float(layer.bias[out])]
    for step in steps:
        for j, k in np.ndindex(layer.kernel_height, layer.kernel_size):
            stands = scalar_position(
                layer, at[0] + j * layer.dilation_height, at[1] + k * layer.dilation
            )
            for c in range(own):
                w, channel = next(columns), out // rows * own + c
                if step is not None and stands is not None:
                    terms.append(w * step[stands * layer.in_channels + channel])
    return math.fsum(terms)


def scalar_pool_within(layer: PoolWithin, x: list[float]) -> list[float]:
    """The largest, or the mean, of each window and channel: a loop over its positions."""
    y: list[float] = []
    for made in range(layer.positions_made):
        first = made * layer.stride - layer.left
        at = [n for n in range(first, first + layer.kernel_size) if 0 <= n < layer.positions]
        for channel in range(layer.channels):
            window = [x[n * layer.channels + channel] for n in at]
            if layer.mode == "max":
                y.append(max(window))
            else:
                count = layer.kernel_size if layer.count_include_pad else len(at)
                y.append(math.fsum(window) / count)
    return y


def scalar_strided(layer: Strided, x: list[float]) -> list[float]:
    places = product(*map(range, layer.sizes))
    return [
        x[layer.offset + sum(i * s for i, s in zip(place, layer.strides, strict=True))]
        for place in places
    ]


def scalar_merge(layer: Merge, x: list[float]) -> list[float]:
    pairs = zip(x[: layer.size], x[layer.size :], strict=True)
    one = {"sum": lambda a, b: a + b, "mul": lambda a, b: a * b, "ave": lambda a, b: (a + b) / 2}
    return [one[layer.mode](a, b) for a, b in pairs]


def scalar_output(layer: Recurrent, h: list[float], x: list[float]) -> list[float]:
    """o = f(W_ho h + W_xo x + b_o)."""
    w = {name: array.tolist() for name, array in layer.arrays.items() if "_l" not in name}
    bias = w.get("bias_o", [0.0] * layer.output_layer)
    rows = zip(w["weight_ho"], w["weight_xo"], bias, strict=True)
    return activated(layer.output_nonlinearity, [dot(r, h) + dot(s, x) + b for r, s, b in rows])


def scalar_norm(layer: LayerNorm, row: list[float]) -> list[float]:
    size, made = layer.features // layer.groups, []
    for first in range(0, layer.features, size):
        block = row[first : first + size]
        mean = math.fsum(block) / size if layer.subtract_mean else 0.0
        variance = math.fsum((v - mean) ** 2 for v in block) / size
        made += [(v - mean) / math.sqrt(variance + layer.epsilon) for v in block]
    if layer.weight is not None:
        made = [v * w for v, w in zip(made, layer.weight.tolist(), strict=True)]
    if layer.bias is not None:
        made = [v + b for v, b in zip(made, layer.bias.tolist(), strict=True)]
    return made


def scalar_instance_norm(layer: InstanceNorm, rows: list[list[float]]) -> list[list[float]]:
    """Of each block of channels all numbers of a row: a loop over steps and positions."""
    size, made = layer.channels // layer.groups, [list(row) for row in rows]
    for group in range(layer.groups):
        own = [p * layer.channels + c for p in range(layer.positions)
               for c in range(group * size, (group + 1) * size)]  # fmt: skip
        count = max(1, len(rows) * len(own))
        mean = math.fsum(row[i] for row in rows for i in own) / count
        variance = math.fsum((row[i] - mean) ** 2 for row in rows for i in own) / count
        for row in made:
            for i in own:
                row[i] = (row[i] - mean) / math.sqrt(variance + layer.epsilon)
                if layer.weight is not None:
                    row[i] *= float(layer.weight[i % layer.channels])
                if layer.bias is not None:
                    row[i] += float(layer.bias[i % layer.channels])
    return made


def scalar_stack(
    layer: Recurrent, rows: list[list[float]], state: list[list[list[float]]]
) -> list[list[float]]:
    """What a stack of layers makes of the steps of one sequence; ``state`` has of each array a list
    for each layer and direction, and then what they are at the end."""
    given = rows
    for level in range(layer.num_layers):
        sides = []
        for d, suffix in enumerate(layer.suffixes):
            end, at = f"_l{level}{suffix}", level * layer.num_directions + d
            w = {
                name.removesuffix(end): array.tolist()
                for name, array in layer.arrays.items()
                if name.endswith(end)
            }
            now = [array[at] for array in state]
            side = []
            for x_t in rows[::-1] if suffix else rows:
                now = scalar_step(layer, d, w, x_t, now)
                side.append(now[0])
            sides.append(side[::-1] if suffix else side)
            for array, values in zip(state, now, strict=True):
                array[at] = values
        rows = [[*chain(*parts)] for parts in zip(*sides, strict=True)]
    if layer.output_layer:
        rows = [scalar_output(layer, h, x_t) for h, x_t in zip(rows, given, strict=True)]
    if not layer.return_sequences:  # h of each direction, where it came to its end
        rows = [[*chain(*state[0][-layer.num_directions :])]]
    return rows


def scalar_along(layer: Recurrent, row: list[float]) -> list[float]:
    """The positions of one step as a sequence, from the layer's own first state on."""
    names = layer.definition.state_names
    sizes = [layer.state_size if name == "h" else layer.hidden_size for name in names]
    stack = range(layer.num_layers * layer.num_directions)
    state = [
        [layer.arrays[f"{name}_0"][at].tolist() for at in stack]
        if f"{name}_0" in layer.arrays
        else [[0.0] * size for _ in stack]
        for name, size in zip(names, sizes, strict=True)
    ]
    positions = [row[n : n + layer.input_size] for n in range(0, len(row), layer.input_size)]
    return [*chain(*scalar_stack(layer, positions, state))]


def scalar_run(case: Case) -> tuple[Any, Any]:
    """Every row alone, cut to its length; the reverse direction by reversing the list."""
    spec = case.spec
    lengths = case.lengths if case.lengths is not None else [case.time] * case.batch
    state = first_state(spec, case.batch) if case.state is None else case.state
    final = map_state(lambda a: a.astype(np.float64), state)
    y = np.zeros((case.time if spec.return_sequences else 1, case.batch, spec.output_size))
    for b, length in enumerate(lengths):
        rows = case.x[:length, b].tolist()
        groups = iter(grouped(spec, final))
        for layer in spec.layers:
            if isinstance(layer, Embedding):
                rows = [layer.weight[index].tolist() for index in rows]
            elif isinstance(layer, Linear):
                rows = [scalar_linear(layer, row) for row in rows]
            elif isinstance(layer, Merge):
                rows = [scalar_merge(layer, row) for row in rows]
            elif isinstance(layer, LayerNorm):
                rows = [scalar_norm(layer, row) for row in rows]
            elif isinstance(layer, InstanceNorm):
                rows = scalar_instance_norm(layer, rows)
            elif isinstance(layer, PReLU):
                slope = layer.slope.tolist()
                rows = [
                    [v if v >= 0 else a * v for a, v in zip(slope, row, strict=True)]
                    for row in rows
                ]
            elif isinstance(layer, Scale):
                scale, shift = layer.scale.tolist(), layer.shift.tolist()
                rows = [
                    [a * v + b for a, v, b in zip(scale, row, shift, strict=True)] for row in rows
                ]
            elif isinstance(layer, Conv):
                rows = [scalar_conv(layer, [row]) for row in rows]
            elif isinstance(layer, PoolWithin):
                rows = [scalar_pool_within(layer, row) for row in rows]
            elif isinstance(layer, Strided):
                rows = [scalar_strided(layer, row) for row in rows]
            elif isinstance(layer, Softmax):
                name = "log_softmax" if layer.log else "softmax"
                size = len(rows[0]) // layer.groups if rows else 1
                blocks = [[row[i : i + size] for i in range(0, len(row), size)] for row in rows]
                rows = [[*chain(*(activated(name, block) for block in row))] for row in blocks]
            elif isinstance(layer, Elementwise):
                f = PER_UNIT[layer.function]
                rows = [[f(v, *layer.as_activation.constants) for v in row] for row in rows]
            elif not layer.runs_over_time:
                rows = [scalar_along(layer, row) for row in rows]
            else:
                arrays, parts = next(groups), []
                for p in range(layer.positions):
                    given = [row[p * layer.input_size :][: layer.input_size] for row in rows]
                    own = [
                        slice(p * n // layer.positions, (p + 1) * n // layer.positions)
                        for n in layer.state_sizes
                    ]
                    now = [a[:, b, o].tolist() for a, o in zip(arrays, own, strict=True)]
                    parts.append(scalar_stack(layer, given, now))
                    for array, o, values in zip(arrays, own, now, strict=True):
                        array[:, b, o] = values
                rows = [[*chain(*together)] for together in zip(*parts, strict=True)]
        if not spec.return_sequences:
            y[0, b] = rows[0]
            continue
        for t, row in enumerate(rows):
            y[t, b] = row
    return y if spec.return_sequences else y[0], final
