"""The gated recurrent unit (Cho et al. 2014)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ...activations import Activation, Array
from ..cell import ACTIVATIONS_KEY, CLIP_KEY, Cell, CellState, Functions, Options, Weights
from ..keys import Key
from ..products import Dot


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014), in the terms of ``torch.nn.GRU``; f is sigmoid and
    g is tanh unless ``activations`` are others.

    r_t = f(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = f(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = g(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))       reset_after (PyTorch, cuDNN)
    n_t = g(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)       otherwise (Cho et al.; ONNX
                                                                 with linear_before_reset=0)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                        (the article swaps z and 1 - z)
    """

    name = kind = "gru"
    gates = tuple("rzn")
    state_names = ("h",)
    trace_names = tuple("rznh")
    activations = (Activation("sigmoid"), Activation("tanh"))
    keys = (Key("reset_after", "flag", True), ACTIVATIONS_KEY, CLIP_KEY)
    article: ClassVar = {"gate_recurrent": True}

    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        (h,) = state
        f, g = functions
        w_ir, w_iz, w_in = np.split(w["weight_ih"], 3)
        w_hr, w_hz, w_hn = np.split(w["weight_hh"], 3)
        b_ir, b_iz, b_in = np.split(w["bias_ih"], 3)
        b_hr, b_hz, b_hn = np.split(w["bias_hh"], 3)

        r = f(dot(x, w_ir) + b_ir + dot(h, w_hr) + b_hr)
        z = f(dot(x, w_iz) + b_iz + dot(h, w_hz) + b_hz)
        if layer.reset_after:
            n = g(dot(x, w_in) + b_in + r * (dot(h, w_hn) + b_hn))
        else:
            n = g(dot(x, w_in) + b_in + dot(r * h, w_hn) + b_hn)
        return {"r": r, "z": z, "n": n, "h": (1.0 - z) * n + z * h}
