"""The GRU of the article's section 3.2, whose gates recur on a gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...activations import Array, sigmoid
from ..cell import GATE_KEY, Cell, CellState, Functions, Options, Weights
from ..products import Dot
from .gru import GRU


class GateGRU(Cell):
    """The GRU of the article's section 3.2: both gates recur on the update gate, and h_t is mixed
    the other way round from ``GRU``.

    z_t = sigmoid(W_zz z_{t-1} + W_xz x_t + b_z)
    r_t = sigmoid(W_rr z_{t-1} + W_xr x_t + b_r)                 (yes: r on z_{t-1})
    n_t = tanh(W_hh (r_t * h_{t-1}) + W_xh x_t + b_h)            (the article's h~_t)
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t
    """

    name = "gate_gru"
    kind = GRU.kind
    gate_recurrent = True
    gates = GRU.gates
    state_names = tuple("hz")
    trace_names = GRU.trace_names
    activations = GRU.activations
    keys = (GATE_KEY,)

    def recurrent_shapes(
        self, hidden: int, options: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "weight_gh", (2 * hidden, hidden)
        yield "weight_hh", (hidden, hidden)

    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        h, z = state
        w_xr, w_xz, w_xh = np.split(w["weight_ih"], 3)
        w_rr, w_zz = np.split(w["weight_gh"], 2)
        b_r, b_z, b_h = np.split(w["bias_ih"], 3)

        r = sigmoid(dot(z, w_rr) + dot(x, w_xr) + b_r)
        z = sigmoid(dot(z, w_zz) + dot(x, w_xz) + b_z)
        n = np.tanh(dot(r * h, w["weight_hh"]) + dot(x, w_xh) + b_h)
        return {"r": r, "z": z, "n": n, "h": (1.0 - z) * h + z * n}
