"""A second transcription of every cell's equations: one row, one unit, one Python float at a time.

Shares nothing with ``rnn_native.reference``: no matrix products, no batches, no masks. Each row
runs alone, cut to its length; the reverse direction reverses the list.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import numpy as np
from strategies import Case, grouped, map_state, zero_state

from rnn_native.spec import Embedding, Linear, Recurrent


def logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def scalar_step(
    layer: Recurrent, w: dict[str, Any], x: list[float], h: list[float], c: list[float]
) -> tuple[list[float], list[float]]:
    size = layer.hidden_size
    units = range(size)

    def from_x(gate: int, unit: int) -> float:
        row = gate * size + unit
        return dot(w["weight_ih"][row], x) + (w["bias_ih"][row] if layer.bias else 0.0)

    def from_h(gate: int, unit: int, h: list[float]) -> float:
        row = gate * size + unit
        return dot(w["weight_hh"][row], h) + (w["bias_hh"][row] if layer.bias else 0.0)

    if layer.cell == "rnn":
        a = [from_x(0, k) + from_h(0, k, h) for k in units]
        return [math.tanh(v) if layer.nonlinearity == "tanh" else max(v, 0.0) for v in a], c
    if layer.cell == "gru":
        r = [logistic(from_x(0, k) + from_h(0, k, h)) for k in units]
        z = [logistic(from_x(1, k) + from_h(1, k, h)) for k in units]
        if layer.reset_after:
            n = [math.tanh(from_x(2, k) + r[k] * from_h(2, k, h)) for k in units]
        else:
            reset = [r[k] * h[k] for k in units]
            n = [math.tanh(from_x(2, k) + from_h(2, k, reset)) for k in units]
        return [(1.0 - z[k]) * n[k] + z[k] * h[k] for k in units], c
    i, f, g, o = ([from_x(gate, k) + from_h(gate, k, h) for k in units] for gate in range(4))
    peep = {gate: w.get(f"weight_c{gate}", [0.0] * size) for gate in "ifo"}
    new_c = []
    for k in units:
        keep = logistic(f[k] + peep["f"][k] * c[k])
        take = logistic(i[k] + peep["i"][k] * c[k])
        new_c.append(keep * c[k] + take * math.tanh(g[k]))
    out = [logistic(o[k] + peep["o"][k] * new_c[k]) * math.tanh(new_c[k]) for k in units]
    if layer.proj_size:
        out = [dot(row, out) for row in w["weight_hr"]]
    return out, new_c


def scalar_linear(layer: Linear, x: list[float]) -> list[float]:
    bias = [0.0] * layer.output_size if layer.bias is None else layer.bias.tolist()
    z = [dot(row, x) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)]
    total = math.fsum(math.exp(v) for v in z)
    per_unit = {
        "identity": lambda v: v,
        "sigmoid": logistic,
        "tanh": math.tanh,
        "relu": lambda v: max(v, 0.0),
        "softmax": lambda v: math.exp(v) / total,
        "log_softmax": lambda v: v - math.log(total),
    }
    return [per_unit[layer.activation](v) for v in z]


def scalar_run(case: Case) -> tuple[Any, Any]:
    """Every row alone, cut to its length; the reverse direction by reversing the list."""
    spec = case.spec
    lengths = case.lengths if case.lengths is not None else [case.time] * case.batch
    state = zero_state(spec, case.batch) if case.state is None else case.state
    final = map_state(lambda a: a.astype(np.float64), state)
    y = np.zeros((case.time, case.batch, spec.output_size))
    for b, length in enumerate(lengths):
        rows = case.x[:length, b].tolist()
        groups = iter(grouped(spec, final))
        for layer in spec.layers:
            if isinstance(layer, Embedding):
                rows = [layer.weight[index].tolist() for index in rows]
            elif isinstance(layer, Linear):
                rows = [scalar_linear(layer, row) for row in rows]
            else:
                arrays = next(groups)
                for level in range(layer.num_layers):
                    sides = []
                    for d, suffix in enumerate(layer.suffixes):
                        end, at = f"_l{level}{suffix}", level * layer.num_directions + d
                        w = {
                            name.removesuffix(end): array.tolist()
                            for name, array in layer.arrays.items()
                            if name.endswith(end)
                        }
                        h, c = arrays[0][at, b].tolist(), arrays[-1][at, b].tolist()
                        side = []
                        for x_t in rows[::-1] if suffix else rows:
                            h, c = scalar_step(layer, w, x_t, h, c)
                            side.append(h)
                        sides.append(side[::-1] if suffix else side)
                        arrays[-1][at, b] = c
                        arrays[0][at, b] = h  # last: where there is no c, both are h
                    rows = [[*chain(*parts)] for parts in zip(*sides, strict=True)]
        for t, row in enumerate(rows):
            y[t, b] = row
    return y, final
