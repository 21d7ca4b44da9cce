"""Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ...activations import Activation, Array
from ...errors import OptionError
from ..cell import ACTIVATIONS_KEY, CLIP_KEY, Cell, CellState, Functions, Options, Weights
from ..keys import Key
from ..products import Dot


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    In the terms of ``torch.nn.LSTM``; in brackets the diagonal peepholes (Gers and Schmidhuber
    2000; ONNX's P) and the recurrent projection (Sak et al. 2014; torch's ``proj_size``). s is
    sigmoid, t and u are tanh unless ``activations`` (ONNX's f, g, h) are others.

    i_t = s(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi [+ w_ci * c_{t-1}])
    f_t = s(W_if x_t + b_if + W_hf h_{t-1} + b_hf [+ w_cf * c_{t-1}])
    f_t = 1 - i_t                                                input_forget (ONNX)
    g_t = t(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    c_t = f_t * c_{t-1} + i_t * g_t
    c_t = min(max(c_t, -cell_clip), cell_clip)                   cell_clip (TensorFlow Lite)
    o_t = s(W_io x_t + b_io + W_ho h_{t-1} + b_ho [+ w_co * c_t])
    h_t = [W_hr] (o_t * u(c_t))
    """

    name = kind = "lstm"
    gates = tuple("ifgo")
    state_names = tuple("hc")
    trace_names = tuple("ifgoch")
    activations = (Activation("sigmoid"), Activation("tanh"), Activation("tanh"))
    keys = (
        Key("proj_size", "natural", 0),
        Key("peephole", "flag", False),
        ACTIVATIONS_KEY,
        CLIP_KEY,
        Key("input_forget", "flag", False, optional=True, only_runs=True),
        Key("cell_clip", "number", optional=True, only_runs=True),
    )
    article: ClassVar = {"gate_recurrent": True}

    def check(self, options: Mapping[str, Any]) -> None:
        if options["proj_size"] >= options["hidden_size"]:
            raise OptionError(
                f"Recurrent proj_size: expected less than hidden_size {options['hidden_size']}, "
                f"got {options['proj_size']}"
            )

    def shapes(
        self, inputs: int, hidden: int, options: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield from super().shapes(inputs, hidden, options)
        if options["proj_size"]:
            yield "weight_hr", (options["proj_size"], hidden)
        if options["peephole"]:
            for gate in "ifo":
                yield f"weight_c{gate}", (hidden,)

    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        h, c = state
        s, t, u = functions
        gates = dot(x, w["weight_ih"]) + w["bias_ih"] + dot(h, w["weight_hh"]) + w["bias_hh"]
        i, f, g, o = np.split(gates, 4, axis=-1)
        if layer.peephole:
            i = i + w["weight_ci"] * c
            f = f + w["weight_cf"] * c
        i, f, g = s(i), s(f), t(g)
        if layer.input_forget:
            f = 1.0 - i
        c = f * c + i * g
        if layer.cell_clip is not None:
            c = np.clip(c, -layer.cell_clip, layer.cell_clip)
        if layer.peephole:
            o = o + w["weight_co"] * c
        o = s(o)
        h = o * u(c)
        if layer.proj_size:
            h = dot(h, w["weight_hr"])
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}
