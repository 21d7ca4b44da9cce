"""Operators that make one number of a window, or of all places of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Anything, Node
from .common import Arrays, Entry, floats
from .windows import PLACES, Windows, windows_of


def _pool(node: Node, arrays: Arrays) -> Any:
    average = node.op == "AveragePool"
    own = {"count_include_pad": ("int", 0)} if average else {"storage_order": ("int", 0)}
    options = node.options(**PLACES, ceil_mode=("int", 0), **own)
    x = arrays[0]
    if x.ndim < 3:
        raise node.malformed(f"expected [batch, channels, ...], got {x.shape}")
    if any(node.outputs[1:]):
        raise node.unsupported("its output Indices is not supported")
    windows = windows_of(node, options, x.shape[2:], None)
    counts = windows.counts(x.shape[2:], bool(options["ceil_mode"]))
    if not average:
        low = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        return _largest(windows.padded(x, counts, low), windows, counts)
    floats(node, x)
    return _averages(x, windows, counts, bool(options["count_include_pad"]))


def _largest(x: Anything, windows: Windows, counts: tuple[int, ...]) -> Anything:
    y: Anything | None = None
    for _, where in windows.positions(counts):
        y = x[where].copy() if y is None else np.maximum(y, x[where], out=y)
    assert y is not None
    return y


def _averages(x: Anything, windows: Windows, counts: tuple[int, ...], padding: bool) -> Anything:
    """Sums of the windows by how many numbers each has, with those of the padding or without."""
    rank = x.ndim - 2
    around = list(zip(windows.before, windows.after, strict=True)) if padding else [(0, 0)] * rank
    ones = np.pad(np.ones(x.shape[2:], x.dtype), around, constant_values=1)[None, None]
    rest = Windows(
        windows.kernel, windows.strides, windows.dilations,
        *((0,) * rank, (0,) * rank) if padding else (windows.before, windows.after),
    )  # fmt: skip
    numbers, there = windows.padded(x, counts, 0), rest.padded(ones, counts, 0)
    sums = np.zeros((*x.shape[:2], *counts), x.dtype)
    found = np.zeros((1, 1, *counts), x.dtype)
    for _, where in windows.positions(counts):
        sums += numbers[where]
        found += there[where]
    return sums / found


def _global(node: Node, arrays: Arrays) -> Any:
    node.options()
    x = arrays[0]
    axes = tuple(range(2, x.ndim))
    function = np.max if node.op == "GlobalMaxPool" else np.mean
    if not prod(x.shape[2:]):
        raise node.malformed(f"expected some numbers of each channel, got {x.shape}")
    return function(x, axis=axes, keepdims=True)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "AveragePool": (_pool, 1, 1),
        "GlobalAveragePool": (_global, 1, 1),
        "GlobalMaxPool": (_global, 1, 1),
        "MaxPool": (_pool, 1, 1),
    }
)
