"""NumPy: a plain loop over time, as one would write it; for orientation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from rnn_native import Recurrent
from rnn_native.benchmark.worker import Form, Task

Array = NDArray[Any]


def version() -> str:
    kernels = {
        info.get("architecture", "?") for info in threadpool_info() if info["user_api"] == "blas"
    }
    return f"{np.__version__} ({', '.join(sorted(kernels)) or 'no BLAS found'})"


def _sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _lstm(xs: Array, h: Array, c: Array, W_hh: Array, b_hh: Array) -> tuple[Array, ...]:
    H = h.shape[-1]
    gates = xs + h @ W_hh
    gates += b_hh
    i, f, o = _sigmoid(gates[:, :H]), _sigmoid(gates[:, H : 2 * H]), _sigmoid(gates[:, 3 * H :])
    c = f * c + i * np.tanh(gates[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def _gru(xs: Array, h: Array, W_hh: Array, b_hh: Array) -> tuple[Array, ...]:
    H = h.shape[-1]
    hs = h @ W_hh + b_hh
    rz = _sigmoid(xs[:, : 2 * H] + hs[:, : 2 * H])
    n = np.tanh(xs[:, 2 * H :] + rz[:, :H] * hs[:, 2 * H :])
    return (n + rz[:, H:] * (h - n),)


def _rnn(xs: Array, h: Array, W_hh: Array, b_hh: Array) -> tuple[Array, ...]:
    return (np.tanh(xs + h @ W_hh + b_hh),)


_STEPS: Mapping[str, Any] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def _run(layer: Recurrent, parts: list[tuple[Array, ...]], x: Array, starts: list[Array]) -> Any:
    T, B, _ = x.shape
    D, H = layer.num_directions, layer.hidden_size
    step = _STEPS[layer.cell]
    finals = [np.empty_like(start) for start in starts]
    for number in range(layer.num_layers):
        y = np.empty((T, B, D * H), np.float32)
        for direction in range(D):
            row = number * D + direction
            W_ih, W_hh, b_ih, b_hh = parts[row]
            xs = x @ W_ih + b_ih
            states = tuple(start[row] for start in starts)
            for t in range(T) if direction == 0 else reversed(range(T)):
                states = step(xs[t], *states, W_hh, b_hh)
                y[t, :, direction * H : (direction + 1) * H] = states[0]
            for final, state in zip(finals, states, strict=True):
                final[row] = state
        x = y
    return x, finals


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    threadpool_limits(task.threads)
    parts = []
    for number in range(layer.num_layers):
        for suffix in layer.suffixes:
            W_ih, W_hh, b_ih, b_hh = (
                layer.arrays[f"{name}_l{number}{suffix}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            parts.append((np.ascontiguousarray(W_ih.T), np.ascontiguousarray(W_hh.T), b_ih, b_hh))
    rows = layer.num_layers * layer.num_directions
    zeros = [np.zeros((rows, task.x.shape[1], layer.hidden_size), np.float32)]
    starts = list(task.states or zeros * len(layer.state_sizes))
    call = partial(_run, layer, parts, task.x, starts)
    return {"loop": Form(call, lambda got: [got[0], *got[1]])}
