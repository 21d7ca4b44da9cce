"""JAX: jit over lax.scan, the gates fused into one product a step, the input's into one in all.

For one step there is no scan. Arrays are on the device before the clock starts, and a call lasts
until its results are there. Forms: the weights as arguments, or as constants of the program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"
if os.environ.get("OMP_NUM_THREADS") == "1":  # no hand-over to a pool of one thread
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
from jax import lax

from rnn_native import Recurrent
from rnn_native.benchmark.worker import Form, Task


def version() -> str:
    return str(jax.__version__)


def _lstm(xs: Any, states: Any, W_hh: Any, b_hh: Any) -> Any:
    h, c = states
    i, f, g, o = jnp.split(xs + h @ W_hh, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return h, c


def _gru(xs: Any, states: Any, W_hh: Any, b_hh: Any) -> Any:
    (h,) = states
    x_rz, x_n = jnp.split(xs, [2 * h.shape[-1]], axis=-1)
    h_rz, h_n = jnp.split(h @ W_hh, [2 * h.shape[-1]], axis=-1)
    r, z = jnp.split(jax.nn.sigmoid(x_rz + h_rz), 2, axis=-1)
    n = jnp.tanh(x_n + r * (h_n + b_hh))
    return (n + z * (h - n),)


def _rnn(xs: Any, states: Any, W_hh: Any, b_hh: Any) -> Any:
    return (jnp.tanh(xs + states[0] @ W_hh),)


_STEPS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


def _weights(layer: Recurrent) -> list[tuple[Any, ...]]:
    """Of each layer and direction: W_ih and W_hh transposed, the bias of the input's product, and
    GRU's b_hn, which is the only bias that has to stay with the recurrent product."""
    parts = []
    for number in range(layer.num_layers):
        for suffix in layer.suffixes:
            end = f"_l{number}{suffix}"
            W_ih, W_hh, b_ih, b_hh = (
                layer.arrays[name + end]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            inside = b_hh.copy()
            if layer.cell == "gru":
                inside[2 * layer.hidden_size :] = 0
            rest = b_hh[-layer.hidden_size :]
            parts.append(tuple(map(jnp.asarray, (W_ih.T, W_hh.T, b_ih + inside, rest))))
    return parts


def _run(layer: Recurrent, parts: Any, x: Any, starts: Any) -> Any:
    D = layer.num_directions
    step = _STEPS[layer.cell]
    finals = []
    for number in range(layer.num_layers):
        ys = []
        for direction in range(D):
            row = number * D + direction
            W_ih, W_hh, b, b_hn = parts[row]
            first = tuple(start[row] for start in starts)
            xs = x @ W_ih + b
            if len(x) == 1:
                last = step(xs[0], first, W_hh, b_hn)
                y = last[0][None]
            else:

                def body(states: Any, xs: Any, W: Any = W_hh, bias: Any = b_hn) -> Any:
                    new = step(xs, states, W, bias)
                    return new, new[0]

                last, y = lax.scan(body, first, xs, reverse=direction == 1)
            ys.append(y)
            finals.append(last)
        x = ys[0] if D == 1 else jnp.concatenate(ys, axis=-1)
    return x, [jnp.stack(kind) for kind in zip(*finals, strict=True)]


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    parts = _weights(layer)
    x = jnp.asarray(task.x)
    shape = (layer.num_layers * layer.num_directions, task.x.shape[1], layer.hidden_size)
    zeros = [jnp.zeros(shape, jnp.float32)] * len(layer.state_sizes)
    starts = list(map(jnp.asarray, task.states)) if task.states else zeros
    as_arguments = partial(jax.jit(partial(_run, layer)), parts, x, starts)
    as_constants = partial(jax.jit(partial(_run, layer, parts)), x, starts)

    def form(call: Any) -> Form:
        return Form(lambda: jax.block_until_ready(call()), lambda got: [got[0], *got[1]])

    return {"arguments": form(as_arguments), "constants": form(as_constants)}
