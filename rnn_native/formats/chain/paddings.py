"""Padding of PyTorch's as ``chain=`` has it: by modules of its own, and by the ``padding_mode`` of
a convolution; over time it is a layer of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from ...errors import OptionError, UnsupportedError
from ...spec import Conv2d, Layer, Pad
from .kinds import Here, Kind, Made, parameters
from .layout import Layout

Sides = Sequence[tuple[int, int]]


def over_time(features: int, sides: tuple[int, int], mode: str) -> list[Layer]:
    """The layer that pads the time; none where there is nothing to pad."""
    return [Pad(features, *sides, mode)] if any(sides) else []


def _pad(here: Here, mode: str, count: int) -> Made:
    """Each of so many axes, one of which may be the time."""
    layout = here.layout.of_axes(here.where, count)
    if here.features is None:
        raise OptionError(f"{here.where}: cannot be first; 'Input(8, time)' says what comes")
    if here.said.get("value") not in (None, 0):
        raise UnsupportedError(f"{here.where}: expected value=0, got {here.said['value']!r}")
    sides = _sides(here, count)
    layers: list[Layer] = []
    if layout.time is not None:
        layers += over_time(here.features, sides[layout.time], mode)
    inside = [pair for axis, pair in enumerate(sides) if axis != layout.time]
    if any(map(any, inside)):
        layers.append(_inside(layout, layout.channels(here.where, here.features), inside, mode))
    axes = [
        None if size is None else size + sum(pair)
        for size, pair in zip(layout.axes, sides, strict=True)
    ]
    return layers, Layout(tuple(axes))


def _sides(here: Here, count: int) -> Sides:
    """Of each axis; PyTorch has those of the last one first."""
    said = here.said["padding"]
    numbers = said if isinstance(said, tuple) else (said,) * 2 * count
    if len(numbers) != 2 * count or any(type(n) is not int for n in numbers):
        raise OptionError(
            f"{here.where}: padding: expected a number, or {2 * count} of them; got {said!r}"
        )
    if min(numbers) < 0:
        raise UnsupportedError(f"{here.where}: padding={said!r}: below 0, which cuts")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return pairs[::-1]


def _inside(layout: Layout, channels: int, sides: Sides, mode: str) -> Layer:
    """Axes inside a step: a convolution of ones, each channel by itself."""
    sizes = (1,) * (2 - len(sides)) + layout.inside
    pairs: list[Any] = [(0, 0)] * (2 - len(sides)) + list(sides)
    ones = np.ones((channels, 1, 1, 1), np.float32)
    return Conv2d(
        ones, positions=(sizes[0], sizes[1]), padding=(pairs[0], pairs[1]), groups=channels,
        padding_mode=mode,
    )  # fmt: skip


_MODES: Final = {
    "Zero": "zeros", "Constant": "zeros", "Reflection": "reflect", "Replication": "replicate",
    "Circular": "circular",
}  # fmt: skip
CLASSES: Final[Mapping[str, Kind]] = {
    f"{name}Pad{n}d": Kind(
        partial(_pad, mode=mode, count=n),
        parameters("padding", **({"value": None} if name == "Constant" else {})),
    )
    for n in (1, 2)
    for name, mode in _MODES.items()
}
