"""The axes of a Keras value, and which of them is the time.

Keras has [batch, ...] of any rank; a value of ours has steps, and all axes of Keras's but batch and
time are the features of a step, in their order, the last one fastest: [batch, time, positions,
channels] has steps of positions times channels features. A value behind a layer that gives its last
output alone has no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

Size = int | None
"""Of an axis; None: the file does not tell."""


@dataclass(frozen=True)
class Shape:
    """``sizes`` of all axes but the batch; ``time`` is the place of the time among them."""

    sizes: tuple[Size, ...]
    time: int | None

    def __str__(self) -> str:
        return shown(self.sizes)

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def is_sequence(self) -> bool:
        """Whether it is [batch, time, features], as recurrent layers take it."""
        return self.rank == 2 and self.time == 0

    @property
    def features(self) -> tuple[int, ...]:
        """The places of the axes that are the features of a step."""
        return tuple(axis for axis in range(self.rank) if axis != self.time)

    @property
    def inside(self) -> tuple[Size, ...]:
        """The sizes of those axes."""
        return tuple(self.sizes[axis] for axis in self.features)

    @property
    def has_channels(self) -> bool:
        """Whether the last axis is one of features."""
        return self.rank > 0 and self.time != self.rank - 1

    @property
    def channels(self) -> Size:
        return self.sizes[-1]

    @property
    def positions(self) -> Size:
        """How often a step has the channels."""
        return total(self.inside[:-1])

    @property
    def steps(self) -> Size:
        return None if self.time is None else self.sizes[self.time]

    def with_size(self, axis: int, size: Size) -> Shape:
        sizes = list(self.sizes)
        sizes[axis] = size
        return replace(self, sizes=tuple(sizes))

    def with_channels(self, size: Size) -> Shape:
        return self.with_size(self.rank - 1, size)


def sequence(steps: Size, features: Size) -> Shape:
    return Shape((steps, features), 0)


def shown(sizes: Sequence[Size]) -> str:
    return f"[{', '.join(['batch', *('?' if n is None else str(n) for n in sizes)])}]"


def total(sizes: Sequence[Size]) -> Size:
    """Their product, if all are known."""
    return None if None in sizes else prod(n for n in sizes if n is not None)


def spans(sizes: Sequence[int]) -> tuple[int, ...]:
    """How many numbers apart the elements of each axis are, the last axis fastest."""
    return tuple(accumulate((*sizes[:0:-1],), lambda a, b: a * b, initial=1))[::-1]


def reshaped(shape: Shape, target: Sequence[int]) -> Shape | None:
    """The shape with other axes, of which one at most is -1, as far as the time stays an axis with
    the same features on both of its sides; None where it does not."""
    if shape.time is None:
        sizes = _resolved(target, total(shape.sizes))
        return None if sizes is None else Shape(sizes, None)
    before, after = total(shape.sizes[: shape.time]), total(shape.sizes[shape.time + 1 :])
    free = shape.steps is None and -1 in target  # so that the -1 stands for the steps
    for place, size in enumerate(target):
        if size != -1 and (free or shape.steps not in (None, size)):
            continue
        ahead, behind = _resolved(target[:place], before), _resolved(target[place + 1 :], after)
        if ahead is not None and behind is not None:
            steps = shape.steps if size == -1 else size
            return Shape((*ahead, steps, *behind), place)
    return None


def _resolved(target: Sequence[int], whole: Size) -> tuple[Size, ...] | None:
    """The sizes of axes that are ``whole`` elements together; None where they are not."""
    if whole is None:
        return _opened(target)
    known = prod(n for n in target if n != -1)
    if not known or whole % known or (-1 not in target and known != whole):
        return None
    return tuple(whole // known if n == -1 else n for n in target)


def _opened(target: Sequence[int]) -> tuple[Size, ...]:
    return tuple(None if n == -1 else n for n in target)


def starts(sizes: Sequence[Size] | None) -> list[Shape | None]:
    """What an input of these sizes may be, the batch left out: which axis may be the time. Where
    there are more axes than [time, features], one of unknown size is."""
    if sizes is None or not sizes:
        return [None]
    if len(sizes) == 1:
        return [Shape(tuple(sizes), None)]
    if len(sizes) == 2:
        return [Shape(tuple(sizes), 0)]
    axes = range(len(sizes) - 1)
    unknown = [axis for axis in axes if sizes[axis] is None]
    return [Shape(tuple(sizes), axis) for axis in unknown or axes]
