"""How a value of a chain lies in PyTorch: which axes there are behind the channels.

PyTorch has [batch, channels, rows, columns] and the like, one of whose axes is the time; here a
step has [positions, channels], the channels of a position one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

from ...errors import OptionError, ShapeError
from ...spec.keys import MAX_SIZE

TIME: Final = "time"
FLATTEN: Final = (
    "'Flatten()' puts the positions of each channel one behind the other, as PyTorch's flatten and "
    "reshape of [..., channels, positions] do"
)


@dataclass(frozen=True)
class Layout:
    """``axes``: the sizes of those behind the channels, in PyTorch's order; None is the time, which
    is none of them where each step is one of its own.
    ``is_known``: not where a layer of ours has put positions into an order of its own."""

    axes: tuple[int | None, ...] = (None,)
    is_known: bool = True

    @property
    def inside(self) -> tuple[int, ...]:
        """The sizes of the axes that are inside a step."""
        return tuple(size for size in self.axes if size is not None)

    @property
    def positions(self) -> int:
        return prod(self.inside)

    @property
    def time(self) -> int | None:
        """Which of the axes is the time."""
        return self.axes.index(None) if None in self.axes else None

    def without_time(self) -> Layout:
        """As a reduction over the time leaves it."""
        return self if len(self.axes) == 1 else Layout(tuple(size or 1 for size in self.axes))

    def channels(self, where: str, features: int) -> int:
        """How many there are where a step has so many features."""
        if features % self.positions:
            raise ShapeError(f"{where}: {features} features are no {self.positions} positions")
        return features // self.positions

    def of_features(self, where: str) -> Layout:
        """What a module that takes all features leaves; ``ShapeError`` where there are positions,
        for then PyTorch has several orders."""
        if self.positions > 1:
            raise ShapeError(
                f"{where}: takes features, and a step has {_told(self.inside)} positions of each "
                f"channel here: {FLATTEN}"
            )
        return self.flat

    @property
    def flat(self) -> Layout:
        """What is left where positions are among the features."""
        return Layout() if self.time is not None else Layout(())

    def of_axes(self, where: str, count: int) -> Layout:
        """The same, where it has so many axes; of one, others of size 1 are left out."""
        axes = self.axes
        if len(axes) > count:
            axes = tuple(size for size in axes if size != 1)
        if len(axes) != count:
            own = ", ".join(TIME if size is None else str(size) for size in self.axes)
            raise ShapeError(
                f"{where}: expected {count} axes behind the channels, and there are {len(axes)}, "
                f"({own}): 'Input(1, {', '.join(_EXAMPLES[:count])})' at the beginning of the "
                "chain says how the input lies in PyTorch, behind its batch"
            )
        return replace(self, axes=axes)


_EXAMPLES: Final = (TIME, "80", "15")


def _told(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def read_input(where: str, args: Sequence[Any]) -> tuple[int, Layout]:
    """Features of a step and layout of ``Input(1, 32, time)``, PyTorch's axes behind the batch.

    Where the time is in front of the channels, ``Input(time, 1, 48, 15)``, each step is one of its
    own: a picture, or channels alone.
    """
    sizes = [size for size in args if size != TIME]
    if list(args).count(TIME) != 1 or not 1 <= len(sizes) <= 3:
        raise OptionError(
            f"{where}: expected the axes behind the batch, the channels and one to three others, "
            f"one of them {TIME!r}, such as Input(1, 32, time); got {tuple(args)}"
        )
    for size in sizes:
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise OptionError(f"{where}: expected sizes from 1 to {MAX_SIZE}, got {size!r}")
    if prod(sizes) > MAX_SIZE:
        raise OptionError(f"{where}: expected at most {MAX_SIZE} features, got {prod(sizes)}")
    channels_first = args[0] != TIME
    axes = tuple(None if size == TIME else size for size in args[1:])
    if not channels_first:
        axes = axes[1:]
    return prod(sizes), Layout(axes)
