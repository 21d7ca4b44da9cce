"""The cells' equations in float64 NumPy, one time step each, and the activations.

To add a cell: write its step function and enter it in ``_STEPS``. A step takes the layer's options,
its activations, its weights, x_t and the state, and returns everything it calculates by the names
of the equations, ``Recurrent.trace_names``, among them the new state, ``Recurrent.state_names``.

Notation of the equations: ``*`` is the elementwise product, ``W x`` a matrix product,
``x_t`` the input of step t, ``h_t`` the state that is also the output. In the code a batch of
rows stands where the equations have one column, hence ``x @ W.T`` for ``W x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .spec import Activation, Recurrent

Array = NDArray[np.float64]
Weights = Mapping[str, Array]
CellState = tuple[Array, ...]  # of one layer and direction, each [batch, size]
Function = Callable[[Array], Array]
Functions = tuple[Function, ...]  # f, g, h of one direction, as far as the cell has them
Step = Callable[[Recurrent, Functions, Weights, Array, CellState], dict[str, Array]]


# Activations


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by whichever of its two forms never takes exp of a positive number."""
    e: Array = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def log_softmax(x: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis, shifted by the maximum so as not to overflow."""
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so as not to overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


def softsign(x: Array) -> Array:
    """x / (1 + |x|), and its limit at infinity."""
    return np.where(np.isinf(x), np.sign(x), x / (1.0 + np.abs(x)))


# NaN stays NaN in each of them.
ACTIVATIONS: Final[Mapping[str, Function]] = MappingProxyType({
    "identity": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "softsign": softsign,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "softmax": softmax,
    "log_softmax": log_softmax,
})  # fmt: skip

_WITH_CONSTANTS: Final[Mapping[str, Callable[..., Array]]] = MappingProxyType({
    "affine": lambda x, alpha, beta: alpha * x + beta,
    "leaky_relu": lambda x, alpha: np.where(x < 0, alpha * x, x),
    "thresholded_relu": lambda x, alpha: np.where(x < alpha, 0.0, x),
    "scaled_tanh": lambda x, alpha, beta: alpha * np.tanh(beta * x),
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0.0, 1.0),
    "elu": lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x),
})  # fmt: skip


def functions_of(layer: Recurrent, direction: int) -> Functions:
    """f, g, h of one direction; with ``clip``, of the argument within [-clip, clip]."""
    return tuple(_function(a, layer.clip) for a in layer.activations_of(direction))


def _function(activation: Activation, clip: float | None) -> Function:
    def apply(x: Array) -> Array:
        bounded = x if clip is None else np.clip(x, -clip, clip)
        if activation.name in ACTIVATIONS:
            return ACTIVATIONS[activation.name](bounded)
        return _WITH_CONSTANTS[activation.name](bounded, *activation.constants)

    return apply


# Cells: one time step of one layer and direction, for a batch of rows


def rnn_step(
    layer: Recurrent, functions: Functions, w: Weights, x: Array, state: CellState
) -> dict[str, Array]:
    """Simple recurrent network (Elman 1990), as ``torch.nn.RNN`` documents it; f: tanh, relu, as
    in section 3.1 of the article sigmoid, or another.

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
    """
    (h,) = state
    (f,) = functions
    return {"h": f(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"])}


def gru_step(
    layer: Recurrent, functions: Functions, w: Weights, x: Array, state: CellState
) -> dict[str, Array]:
    """Gated recurrent unit (Cho et al. 2014), in the terms of ``torch.nn.GRU``; f is sigmoid and
    g is tanh unless ``activations`` are others.

    r_t = f(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = f(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = g(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))       reset_after (PyTorch, cuDNN)
    n_t = g(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)       otherwise (Cho et al.; ONNX
                                                                 with linear_before_reset=0)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                        (the article swaps z and 1 - z)
    """
    (h,) = state
    f, g = functions
    w_ir, w_iz, w_in = np.split(w["weight_ih"], 3)
    w_hr, w_hz, w_hn = np.split(w["weight_hh"], 3)
    b_ir, b_iz, b_in = np.split(w["bias_ih"], 3)
    b_hr, b_hz, b_hn = np.split(w["bias_hh"], 3)

    r = f(x @ w_ir.T + b_ir + h @ w_hr.T + b_hr)
    z = f(x @ w_iz.T + b_iz + h @ w_hz.T + b_hz)
    if layer.reset_after:
        n = g(x @ w_in.T + b_in + r * (h @ w_hn.T + b_hn))
    else:
        n = g(x @ w_in.T + b_in + (r * h) @ w_hn.T + b_hn)
    return {"r": r, "z": z, "n": n, "h": (1.0 - z) * n + z * h}


def lstm_step(
    layer: Recurrent, functions: Functions, w: Weights, x: Array, state: CellState
) -> dict[str, Array]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    In the terms of ``torch.nn.LSTM``; in brackets the diagonal peepholes (Gers and Schmidhuber
    2000; ONNX's P) and the recurrent projection (Sak et al. 2014; torch's ``proj_size``). s is
    sigmoid, t and u are tanh unless ``activations`` (ONNX's f, g, h) are others.

    i_t = s(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi [+ w_ci * c_{t-1}])
    f_t = s(W_if x_t + b_if + W_hf h_{t-1} + b_hf [+ w_cf * c_{t-1}])
    f_t = 1 - i_t                                                input_forget (ONNX)
    g_t = t(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    c_t = f_t * c_{t-1} + i_t * g_t
    o_t = s(W_io x_t + b_io + W_ho h_{t-1} + b_ho [+ w_co * c_t])
    h_t = [W_hr] (o_t * u(c_t))
    """
    h, c = state
    s, t, u = functions
    gates = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    i, f, g, o = np.split(gates, 4, axis=-1)
    if layer.peephole:
        i = i + w["weight_ci"] * c
        f = f + w["weight_cf"] * c
    i, f, g = s(i), s(f), t(g)
    if layer.input_forget:
        f = 1.0 - i
    c = f * c + i * g
    if layer.peephole:
        o = o + w["weight_co"] * c
    o = s(o)
    h = o * u(c)
    if layer.proj_size:
        h = h @ w["weight_hr"].T
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


def gate_recurrent_gru_step(
    layer: Recurrent, functions: Functions, w: Weights, x: Array, state: CellState
) -> dict[str, Array]:
    """The GRU of the article's section 3.2: both gates recur on the update gate, and h_t is mixed
    the other way round from :func:`gru_step`.

    z_t = sigmoid(W_zz z_{t-1} + W_xz x_t + b_z)
    r_t = sigmoid(W_rr z_{t-1} + W_xr x_t + b_r)                 (yes: r on z_{t-1})
    n_t = tanh(W_hh (r_t * h_{t-1}) + W_xh x_t + b_h)            (the article's h~_t)
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t
    """
    h, z = state
    w_xr, w_xz, w_xh = np.split(w["weight_ih"], 3)
    w_rr, w_zz = np.split(w["weight_gh"], 2)
    b_r, b_z, b_h = np.split(w["bias_ih"], 3)

    r = sigmoid(z @ w_rr.T + x @ w_xr.T + b_r)
    z = sigmoid(z @ w_zz.T + x @ w_xz.T + b_z)
    n = np.tanh((r * h) @ w["weight_hh"].T + x @ w_xh.T + b_h)
    return {"r": r, "z": z, "n": n, "h": (1.0 - z) * h + z * n}


def gate_recurrent_lstm_step(
    layer: Recurrent, functions: Functions, w: Weights, x: Array, state: CellState
) -> dict[str, Array]:
    """The LSTM of the article's section 3.3: gates recur on gates, full-matrix peepholes see
    c_{t-1} in all four, the output gate included; h_{t-1} is not used.

    i_t = sigmoid(W_ii i_{t-1} + W_xi x_t + W_ci c_{t-1} + b_i)
    f_t = sigmoid(W_if f_{t-1} + W_xf x_t + W_cf c_{t-1} + b_f)
    o_t = sigmoid(W_io i_{t-1} + W_xo x_t + W_co c_{t-1} + b_o)
    g_t = tanh(W_ig i_{t-1} + W_xg x_t + W_cg c_{t-1} + b_g)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)
    """
    _, c, i, f = state
    w_ii, w_if, w_ig, w_io = np.split(w["weight_gh"], 4)
    from_x_and_c = x @ w["weight_ih"].T + c @ w["weight_ch"].T + w["bias_ih"]
    a_i, a_f, a_g, a_o = np.split(from_x_and_c, 4, axis=-1)

    g = np.tanh(i @ w_ig.T + a_g)
    o = sigmoid(i @ w_io.T + a_o)
    i = sigmoid(i @ w_ii.T + a_i)
    f = sigmoid(f @ w_if.T + a_f)
    c = f * c + i * g
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}


_STEPS: Final[Mapping[tuple[str, bool], Step]] = MappingProxyType({
    ("rnn", False): rnn_step,
    ("gru", False): gru_step,
    ("lstm", False): lstm_step,
    ("gru", True): gate_recurrent_gru_step,
    ("lstm", True): gate_recurrent_lstm_step,
})  # fmt: skip


def step_of(layer: Recurrent) -> Step:
    """The equations of the layer's cell."""
    return _STEPS[layer.cell, layer.gate_recurrent]
