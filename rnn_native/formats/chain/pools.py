"""Pools of PyTorch's as ``chain=`` has them: over time, and over each axis inside a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import Final

import numpy as np

from ...errors import OptionError, UnsupportedError
from ...spec import Conv1d, Layer, PoolWithin, Reduce, Strided
from ...spec.layers.pool import Pool
from .kinds import Here, Kind, Made, parameters
from .layout import Layout
from .windows import each

_MODES: Final = {"Max": "max", "Avg": "average"}
_REDUCED: Final = {"max": "max", "average": "mean"}
_AXES: Final = 3
Axes = Sequence[int | None]


def _pool(here: Here, mode: str, count: int) -> Made:
    layout = here.layout.of_axes(here.where, count)
    sizes = each(here, "kernel_size", count, 1)
    strides = sizes if here.said["stride"] is None else each(here, "stride", count, 1)
    padding = each(here, "padding", count)
    if here.said.get("dilation") not in (None, 1, (1,) * count):
        raise UnsupportedError(f"{here.where}: expected dilation=1, got {here.said['dilation']!r}")
    if here.said.get("divisor_override") is not None:
        raise UnsupportedError(f"{here.where}: expected no divisor_override")
    counts = here.said.get("count_include_pad", True)
    layers: list[Layer] = []
    axes = list(layout.axes)
    for axis, (size, stride, pad) in enumerate(zip(sizes, strides, padding, strict=True)):
        if (size, stride) == (1, 1):
            continue
        if 2 * pad > size:
            raise OptionError(f"{here.where}: padding={pad} is more than half of kernel {size}")
        length = axes[axis]
        rest = stride - 1 if length is None else (length + 2 * pad - size) % stride
        if here.said["ceil_mode"] is True and rest:
            raise UnsupportedError(f"{here.where}: ceil_mode=True is another number of steps here")
        if length is None:
            layers.append(Pool(mode, size, stride, pad, pad, counts))
            continue
        own = _Axis(here, axes, axis)
        layers += own.pooled(mode, size, stride, pad, counts)
        axes[axis] = (length + 2 * pad - size) // stride + 1
    return layers, Layout(tuple(axes))


class _Axis:
    """One of the axes inside a step, [outer, count, inner] of its features."""

    def __init__(self, here: Here, axes: Axes, axis: int) -> None:
        if here.features is None:
            raise OptionError(f"{here.where}: cannot be first")
        before = [size for size in axes[:axis] if size is not None]
        behind = [size for size in axes[axis + 1 :] if size is not None]
        count = axes[axis]
        assert count is not None
        self.outer, self.count = prod(before), count
        self.inner = prod(behind) * here.layout.channels(here.where, here.features)

    def pooled(self, mode: str, size: int, stride: int, pad: int, counts: bool) -> list[Layer]:
        """Windows of one size."""
        outer, count, inner = self.outer, self.count, self.inner
        if (size, pad, count % size) == (stride, 0, 0):  # none of them is in two rows
            return [PoolWithin(mode, outer * count, inner, size)]
        made = (count + 2 * pad - size) // stride + 1
        own = PoolWithin(mode, count, outer * inner, size, stride, pad, pad, counts)
        return [*_moved((outer, count, inner), (1, 0, 2)), own,
                *_moved((made, outer, inner), (1, 0, 2))]  # fmt: skip

    def gathered(self, mode: str, windows: Sequence[range]) -> list[Layer]:
        """Windows of several sizes: a mean is a product with a matrix; of the largest, each window
        is made as long as the longest with numbers of its own once more."""
        longest = max(map(len, windows))
        if mode == "average":
            weight = np.zeros((len(windows), self.count), np.float32)
            for row, window in enumerate(windows):
                weight[row, list(window)] = 1 / len(window)
        else:
            at = [place for one in windows for place in (*one, *one)[:longest]]
            weight = np.eye(self.count, dtype=np.float32)[at]
        places = self.outer * self.inner
        layers: list[Layer] = _moved((self.outer, self.count, self.inner), (0, 2, 1))
        layers.append(Conv1d(weight[:, :, None], positions=places))
        if mode == "max":
            layers.append(PoolWithin("max", places * len(weight), 1, longest))
        return layers + _moved((self.outer, self.inner, len(windows)), (0, 2, 1))


def _moved(sizes: Sequence[int], order: Sequence[int]) -> list[Layer]:
    """Axes of features in another order; nothing where that is the same features in a row."""
    assert len(sizes) == len(order) == _AXES
    if [axis for axis in order if sizes[axis] > 1] == [a for a in range(_AXES) if sizes[a] > 1]:
        return []
    strides = [prod(sizes[axis + 1 :]) for axis in range(_AXES)]
    return [
        Strided(prod(sizes), tuple(sizes[axis] for axis in order), tuple(strides[a] for a in order))
    ]


def _adaptive(here: Here, mode: str, count: int) -> Made:
    """To as many of each axis as are said; of the time to one, which is then no more."""
    layout = here.layout.of_axes(here.where, count)
    wanted = here.said["output_size"]
    wanted = wanted if isinstance(wanted, tuple) else (wanted,) * count
    if len(wanted) != count or any(n is not None and (type(n) is not int or n < 1) for n in wanted):
        raise OptionError(
            f"{here.where}: output_size: expected a number from 1 or None, or {count} of them; "
            f"got {here.said['output_size']!r}"
        )
    layers: list[Layer] = []
    axes: list[int | None] = list(layout.axes)
    for axis, size in enumerate(wanted):
        length = axes[axis]
        if size is None or size == length:
            continue
        if length is None:
            if size != 1:
                raise UnsupportedError(f"{here.where}: the time can become 1, not {size}")
            continue
        windows = [range(k * length // size, -(-(k + 1) * length // size)) for k in range(size)]
        steps = {b.start - a.start for a, b in pairwise(windows)} or {length}
        own = _Axis(here, axes, axis)
        if len({len(window) for window in windows}) == len(steps) == 1:
            layers += own.pooled(mode, len(windows[0]), steps.pop(), 0, True)
        else:
            layers += own.gathered(mode, windows)
        axes[axis] = size
    made = Layout(tuple(axes))
    if layout.time is not None and wanted[layout.time] == 1:
        layers.append(Reduce(_REDUCED[mode]))
        made = made.without_time()
    return layers, made


_PARAMETERS: Final = {
    "Max": parameters(
        "kernel_size stride", padding=0, dilation=1, return_indices=None, ceil_mode=False
    ),
    "Avg": parameters(
        "kernel_size stride", padding=0, ceil_mode=False, count_include_pad=True,
        divisor_override=None,
    ),
}  # fmt: skip

CLASSES: Final[Mapping[str, Kind]] = {
    **{
        f"{name}Pool{n}d": Kind(partial(_pool, mode=mode, count=n), _PARAMETERS[name])
        for n in (1, 2)
        for name, mode in _MODES.items()
    },
    **{
        f"Adaptive{name}Pool{n}d": Kind(
            partial(_adaptive, mode=mode, count=n), parameters("output_size")
        )
        for n in (1, 2)
        for name, mode in _MODES.items()
    },
}
