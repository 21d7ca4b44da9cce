"""The LSTM of the article's section 3.3, whose gates recur on gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...activations import Array, sigmoid
from ..cell import GATE_KEY, Cell, CellState, Functions, Options, Weights
from ..products import Dot
from .lstm import LSTM


class GateLSTM(Cell):
    """The LSTM of the article's section 3.3: gates recur on gates, full-matrix peepholes see
    c_{t-1} in all four, the output gate included; h_{t-1} is not used.

    i_t = sigmoid(W_ii i_{t-1} + W_xi x_t + W_ci c_{t-1} + b_i)
    f_t = sigmoid(W_if f_{t-1} + W_xf x_t + W_cf c_{t-1} + b_f)
    o_t = sigmoid(W_io i_{t-1} + W_xo x_t + W_co c_{t-1} + b_o)
    g_t = tanh(W_ig i_{t-1} + W_xg x_t + W_cg c_{t-1} + b_g)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)
    """

    name = "gate_lstm"
    kind = LSTM.kind
    gate_recurrent = True
    gates = LSTM.gates
    state_names = tuple("hcif")
    trace_names = LSTM.trace_names
    activations = LSTM.activations
    keys = (GATE_KEY,)

    def recurrent_shapes(
        self, hidden: int, options: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "weight_gh", (4 * hidden, hidden)
        yield "weight_ch", (4 * hidden, hidden)

    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        _, c, i, f = state
        w_ii, w_if, w_ig, w_io = np.split(w["weight_gh"], 4)
        from_x_and_c = dot(x, w["weight_ih"]) + dot(c, w["weight_ch"]) + w["bias_ih"]
        a_i, a_f, a_g, a_o = np.split(from_x_and_c, 4, axis=-1)

        g = np.tanh(dot(i, w_ig) + a_g)
        o = sigmoid(dot(i, w_io) + a_o)
        i = sigmoid(dot(i, w_ii) + a_i)
        f = sigmoid(dot(f, w_if) + a_f)
        c = f * c + i * g
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}
