"""Keras's layers in NumPy, from Keras's own arrays: a second transcription, for tests alone.

Arrays are as ``layer.get_weights()`` gives them, x is [batch, time, features] and so is y. float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
Weights = Sequence[NDArray[Any]]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def hard_sigmoid_2(x: Array) -> Array:
    """Of Keras 2."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def hard_sigmoid_3(x: Array) -> Array:
    """Of Keras 3."""
    return np.clip(x / 6 + 0.5, 0, 1)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def dense(x: Array, weights: Weights) -> Array:
    y = x @ weights[0]
    return np.asarray(y + weights[1] if len(weights) > 1 else y)


def simple_rnn(x: Array, weights: Weights, f: Function = np.tanh, backwards: bool = False) -> Array:
    kernel, recurrent, bias = _with_bias(weights)
    h = np.zeros((len(x), len(recurrent)))
    y = []
    for x_t in _steps(x, backwards):
        h = f(x_t @ kernel + h @ recurrent + bias)
        y.append(h)
    return np.stack(y, axis=1)


def lstm(
    x: Array,
    weights: Weights,
    f: Function = np.tanh,
    gate: Function = sigmoid,
    backwards: bool = False,
) -> Array:
    """Gates i, f, c, o."""
    kernel, recurrent, bias = _with_bias(weights)
    h = c = np.zeros((len(x), len(recurrent)))
    y = []
    for x_t in _steps(x, backwards):
        i, forget, new, o = np.split(x_t @ kernel + h @ recurrent + bias, 4, axis=1)
        c = gate(forget) * c + gate(i) * f(new)
        h = gate(o) * f(c)
        y.append(h)
    return np.stack(y, axis=1)


def gru(
    x: Array,
    weights: Weights,
    f: Function = np.tanh,
    gate: Function = sigmoid,
    backwards: bool = False,
    reset_after: bool = False,
) -> Array:
    """Gates z, r, h."""
    kernel, recurrent, bias = _with_bias(weights)
    units = len(recurrent)
    own, of_h = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    h = np.zeros((len(x), units))
    y = []
    for x_t in _steps(x, backwards):
        a = x_t @ kernel + own
        if reset_after:
            b = h @ recurrent + of_h
            z, r = (gate(a[:, s] + b[:, s]) for s in (slice(0, units), slice(units, 2 * units)))
            new = f(a[:, 2 * units :] + r * b[:, 2 * units :])
        else:
            z, r = (
                gate(a[:, s] + h @ recurrent[:, s])
                for s in (slice(0, units), slice(units, 2 * units))
            )
            new = f(a[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
        h = z * h + (1 - z) * new
        y.append(h)
    return np.stack(y, axis=1)


def bidirectional(layer: Callable[..., Array], x: Array, weights: Weights, **options: Any) -> Array:
    """Concatenated, the backward outputs in the order of x."""
    half = len(weights) // 2
    forward = layer(x, weights[:half], **options)
    backward = layer(x, weights[half:], backwards=True, **options)
    return np.concatenate([forward, backward[:, ::-1]], axis=-1)


def from_cudnn(weights: Weights, gates: int) -> Weights:
    """The arrays of a CuDNNLSTM or CuDNNGRU as those of an LSTM, or a GRU that resets after.

    Each gate's matrices lie in the file as cuDNN has them, [H, in] and [H, H] in rows, though the
    first one under the shape [in, H].
    """
    kernel, recurrent, bias = (np.asarray(array, np.float64) for array in weights)
    size, units = kernel.shape[0], recurrent.shape[0]
    kernels = [
        np.array([[part.ravel()[h * size + i] for h in range(units)] for i in range(size)])
        for part in np.split(kernel, gates, axis=1)
    ]
    recurrents = [
        np.array([[part[h, k] for h in range(units)] for k in range(units)])
        for part in np.split(recurrent, gates, axis=1)
    ]
    both = bias.reshape(2, -1)
    return [np.hstack(kernels), np.hstack(recurrents), both if gates == 3 else both.sum(axis=0)]


def _with_bias(weights: Weights) -> tuple[Array, Array, Array]:
    kernel, recurrent, *bias = (np.asarray(array, np.float64) for array in weights)
    return kernel, recurrent, bias[0] if bias else np.zeros(kernel.shape[1])


def _steps(x: Array, backwards: bool) -> Array:
    steps = np.swapaxes(x, 0, 1)
    return steps[::-1] if backwards else steps
