"""Conv, ConvTranspose and ConvInteger of any number of spatial axes, as products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Anything, Node
from .common import Arrays, Entry, along, floats, padded
from .windows import PLACES, Windows, at_ends, windows_of

_BLOCK: Final = 2**22
"""Numbers of a matrix of windows, of which each number of the data is copied into many."""


def _conv(node: Node, arrays: Arrays) -> Any:
    """Y[b, m] = sum over channels and places of W[m] X[b] + B[m]."""
    floats(node, arrays[0], arrays[1])
    x, weight, bias = padded(arrays, 3)
    y = _convolved(node, x, weight)
    return y if bias is None else y + along(bias, 1, y.ndim)


def _conv_integer(node: Node, arrays: Arrays) -> Any:
    """The same of (x - x_zero_point) and (w - w_zero_point), in int32."""
    return sums_of_integers(node, arrays)


def sums_of_integers(node: Node, arrays: Arrays) -> Anything:
    """What x and w come to with the zero points behind them, which may be left out."""
    x, weight, x_zero, w_zero = padded(arrays, 4)
    x, weight = x.astype(np.int32), weight.astype(np.int32)
    if x_zero is not None:
        x = x - x_zero.astype(np.int32)
    if w_zero is not None:
        zero = w_zero.astype(np.int32)
        weight = weight - (along(zero, 0, weight.ndim) if zero.ndim else zero)
    # Sums below 2**53 are exact in float64, which BLAS has.
    made: Anything = _convolved(node, x.astype(np.float64), weight.astype(np.float64))
    return made.astype(np.int32)


def _convolved(node: Node, x: Anything, weight: Anything) -> Anything:
    options = node.options(**PLACES, group=("int", 1))
    groups = _groups(node, options["group"], x, weight, x.shape[1], weight.shape[0])
    windows = windows_of(node, options, x.shape[2:], weight.shape[2:])
    if x.shape[1] != groups * weight.shape[1]:
        raise node.malformed(f"W {weight.shape} in {groups} groups of X {x.shape}")
    counts = windows.counts(x.shape[2:])
    x = windows.padded(x, counts, 0)
    x = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    w = weight.reshape(groups, weight.shape[0] // groups, -1)
    y = np.empty((*x.shape[:2], w.shape[1], *counts), x.dtype)
    if y.size:
        for b in range(len(x)):
            _products(x[b], w, windows, counts, y[b])
    return y.reshape(len(x), weight.shape[0], *counts)


def _products(
    x: Anything, w: Anything, windows: Windows, counts: tuple[int, ...], y: Anything
) -> None:
    """Y [groups, out, ...] of one padded row [groups, channels, ...], some windows at a time."""
    view = _view(x, windows, counts)  # [groups, channels, *kernel, *counts]
    numbers = x.shape[0] * w.shape[2] * prod(counts[1:])
    step = max(1, _BLOCK // max(1, numbers))
    first = 2 + len(windows.kernel)
    for at in range(0, counts[0] if counts else 1, step):
        part = view[(slice(None),) * first + (slice(at, at + step),)] if counts else view
        made = w @ part.reshape(len(w), w.shape[2], -1)
        target = y[:, :, at : at + step] if counts else y
        target[...] = made.reshape(target.shape)


def _view(x: Anything, windows: Windows, counts: tuple[int, ...]) -> Anything:
    """What each place of the kernel sees in each window, without a copy."""
    steps = x.strides[2:]
    within = tuple(d * step for d, step in zip(windows.dilations, steps, strict=True))
    between = tuple(s * step for s, step in zip(windows.strides, steps, strict=True))
    return np.lib.stride_tricks.as_strided(
        x, (*x.shape[:2], *windows.kernel, *counts), (*x.strides[:2], *within, *between),
        writeable=False,
    )  # fmt: skip


def _conv_transpose(node: Node, arrays: Arrays) -> Any:
    """Each number of X adds W, times it, to a window of Y."""
    floats(node, arrays[0], arrays[1])
    x, weight, bias = padded(arrays, 3)
    options = node.options(
        **PLACES, group=("int", 1), output_padding=("ints", None), output_shape=("ints", None)
    )
    sizes, rank = x.shape[2:], x.ndim - 2
    groups = _groups(node, options["group"], x, weight, x.shape[1], weight.shape[0])
    if x.shape[1] != weight.shape[0]:
        raise node.malformed(f"W {weight.shape} of X {x.shape}")
    windows = windows_of(node, options, sizes, weight.shape[2:])
    more = options["output_padding"] or [0] * rank
    shape = options["output_shape"]
    if shape and len(shape) != rank:
        raise node.malformed(f"attribute output_shape={shape}")
    whole = [
        s * (size - 1) + r for s, size, r in zip(windows.strides, sizes, windows.reach, strict=True)
    ]
    if shape:
        total = [max(0, w + m - n) for w, m, n in zip(whole, more, shape, strict=True)]
        windows = at_ends(windows, total, options["auto_pad"] != "SAME_UPPER")
        more = [
            n - w + b + a
            for n, w, b, a in zip(shape, whole, windows.before, windows.after, strict=True)
        ]
    made = [
        w + m - b - a for w, m, b, a in zip(whole, more, windows.before, windows.after, strict=True)
    ]
    if min(made, default=1) < 1 or 0 in sizes:
        raise node.malformed(f"X {x.shape} leaves nothing of Y {made}")
    rows = x.reshape(len(x), groups, x.shape[1] // groups, -1)
    w = weight.reshape(groups, weight.shape[0] // groups, -1)
    sums = w.swapaxes(1, 2) @ rows  # [batch, groups, out*kernel, places]
    sums = sums.reshape(len(x), groups * weight.shape[1], *windows.kernel, *sizes)
    room = [max(w, b + n) for w, b, n in zip(whole, windows.before, made, strict=True)]
    y = np.zeros((*sums.shape[:2], *room), x.dtype)
    for place, where in windows.positions(sizes):
        y[where] += sums[(slice(None), slice(None), *place)]
    kept = tuple(slice(b, b + n) for b, n in zip(windows.before, made, strict=True))
    y = y[(slice(None), slice(None), *kept)]
    return y if bias is None else y + along(bias, 1, y.ndim)


def _groups(node: Node, groups: int, x: Anything, weight: Anything, *channels: int) -> int:
    if x.ndim < 2 or weight.ndim != x.ndim:
        raise node.malformed(f"X {x.shape} and W {weight.shape} have not the same axes")
    if groups < 1 or any(count % groups for count in channels):
        raise node.malformed(f"attribute group={groups} of X {x.shape} and W {weight.shape}")
    return groups


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "Conv": (_conv, 2, 3),
        "ConvInteger": (_conv_integer, 2, 4),
        "ConvTranspose": (_conv_transpose, 2, 3),
    }
)
