"""How far what single layers make may be from the reference: parts of bounds.py, which derives
them."""

from __future__ import annotations

import numpy as np
from bounds_arithmetic import Approx, Arithmetic, Matrix, concat, exact
from numpy.typing import NDArray

from rnn_native.spec import InstanceNorm, Merge, Softmax
from rnn_native.spec.layers.conv import Conv
from rnn_native.spec.layers.pool_within import PoolWithin


def merge(layer: Merge, x: Approx, ar: Arithmetic) -> Approx:
    """The norm of a half is at most that of the whole."""
    a, b = (
        Approx(x.value[..., half], x.each[..., half], x.norm)
        for half in (slice(layer.size), slice(layer.size, None))
    )
    if layer.mode == "mul":
        return ar.mul(a, b)
    total = ar.add(a, b)
    return total if layer.mode == "sum" else ar.mul(total, exact(np.full(a.value.shape, 0.5)))


def read(x: Approx, at: NDArray[np.int64], shape: tuple[int, ...]) -> Approx:
    """Features ``at`` of x as rows of that shape, the last axis a row's; -1: it is 0."""
    there, lead = at.reshape(-1) >= 0, x.value.shape[:-1]
    value, each = (
        np.where(there, a[..., at.reshape(-1)], 0.0).reshape(*lead, *shape)
        for a in (x.value, x.each)
    )
    return Approx(value, each, np.sqrt(np.sum(each**2, axis=-1, keepdims=True)))


def conv(layer: Conv, x: Approx, ar: Arithmetic) -> Approx:
    """A Conv of each step is a Linear over the taps of each position and group: a sum of K
    products and the bias in any order, of groups of one channel too, each product rounded before
    it is added or not. Positions of padding are zeros, which add nothing."""
    positions = layer._read_positions()
    made, kernel = positions.shape
    own = layer.in_channels // layer.groups
    rows = layer.out_channels // layer.groups
    parts = []
    for group in range(layer.groups):
        first = positions[:, :, None] * layer.in_channels + group * own
        at = np.where(positions[:, :, None] >= 0, first + np.arange(own), -1)
        which = slice(group * rows, (group + 1) * rows)
        bias = [] if layer.bias is None else [np.asarray(layer.bias[which], np.float64)]
        taps = read(x, at, (made, kernel * own))
        parts.append(ar.dot([(Matrix(layer.weight[which]), taps)], bias))
    y = ar.activation(layer.activation, concat(parts))
    shape = (*x.value.shape[:-1], layer.output_size)
    norm = np.sqrt(np.sum(y.norm**2, axis=-2))
    return Approx(y.value.reshape(shape), y.each.reshape(shape), norm)


def pool_within(layer: PoolWithin, x: Approx, ar: Arithmetic) -> Approx:
    """The largest of some numbers is off by no more than the one of them that is off by most; a
    mean is a sum, as of products with 1, and a division, which rounds once."""
    made, kernel, channels = layer.positions_made, layer.kernel_size, layer.channels
    first = np.arange(made) * layer.stride - layer.left
    positions = (first[:, None] + np.arange(kernel))[:, None]
    there = (positions >= 0) & (positions < layer.positions)
    at = np.where(there, positions * channels + np.arange(channels)[:, None], -1)
    taps = read(x, at, (made * channels, kernel))
    real = np.broadcast_to(there, at.shape).reshape(made * channels, kernel)
    if layer.mode == "max":
        value = np.max(np.where(real, taps.value, -np.inf), axis=-1)
        each = np.max(taps.each, axis=-1) + ar.tiny
    else:
        total = ar.dot([(Matrix(np.ones((1, kernel))), taps)], [])
        count = np.full(len(real), kernel) if layer.count_include_pad else real.sum(axis=-1)
        mean = ar.mul(total, exact(np.broadcast_to((1 / count)[:, None], total.value.shape)))
        value, each = mean.value[..., 0], mean.each[..., 0]
    return Approx(value, each, np.sqrt(np.sum(each**2, axis=-1, keepdims=True)))


def over_time(layer: InstanceNorm, x: Approx, lengths: NDArray[np.int64], ar: Arithmetic) -> Approx:
    """Of each row it is a LayerNorm of all its numbers, in blocks, whose bound is of any order and
    of sums in any precision."""
    value, each = np.zeros(x.value.shape), np.zeros(x.value.shape)
    for row, end in enumerate(lengths):
        own = x[:end, row]
        shape = (end, layer.positions, layer.groups, layer.channels // layer.groups)
        flat = [
            a.reshape(shape).transpose(2, 0, 1, 3).reshape(1, -1) for a in (own.value, own.each)
        ]
        if not end:
            continue
        made = ar.normal(Approx(*flat, np.ones((1, 1))), layer.groups, layer.epsilon, True)
        moved = (shape[2], shape[0], shape[1], shape[3])
        for to, part in ((value, made.value), (each, made.each)):
            to[:end, row] = part.reshape(moved).transpose(1, 2, 0, 3).reshape(end, -1)
    return Approx(value, each, np.sqrt(np.sum(each**2, axis=-1, keepdims=True)))


def softmax(layer: Softmax, x: Approx, ar: Arithmetic) -> Approx:
    """That of a Linear, of each block by itself."""
    shape = (*x.value.shape[:-1], layer.groups, x.value.shape[-1] // layer.groups)
    each = x.each.reshape(shape)
    norm = np.sqrt(np.sum(each**2, axis=-1, keepdims=True))
    y = ar.softmax(Approx(x.value.reshape(shape), each, norm), layer.log)
    wide = y.each.reshape(x.each.shape)
    return Approx(y.value.reshape(wide.shape), wide, np.sqrt(np.sum(wide**2, -1, keepdims=True)))
