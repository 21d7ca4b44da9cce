"""What a recurrent operator runs over: time, time at each position of a step, or the positions.

Its X has a dimension of steps, one of rows and one of features. Axes of the features of a step
among the rows are positions, each a sequence of its own; as the steps they are what it runs along,
whatever the rows are. So is a single step of what has no time, where the model has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ...spec import Elementwise
from .graph import Node
from .layout import arranged
from .roles import Roles
from .values import Axis, Data, Dim, Step, live, show, size_of

_LAST: Final = 2**31


@dataclass(frozen=True)
class Over:
    """The data with their features in the order [positions, channels], what it runs over, as
    ``Recurrent.along`` has it, and the axes of the positions."""

    data: Data
    along: str
    positions: Dim = ()

    def count(self, node: Node) -> int:
        """How many positions there are."""
        count = size_of(self.positions)
        if count is None:
            raise node.unsupported(
                f"the file does not say how many positions {show([self.positions])} are"
            )
        return count


def over(node: Node, data: Data, layout: int, roles: Roles) -> Over:
    """What a recurrent operator with this X runs over; ``layout`` 1 is with rows first."""
    data = claimed(placed(data, roles), 2, roles)
    steps, rows, channels = (data.dims[i] for i in ((1, 0, 2) if layout else (0, 1, 2)))
    inside = [[a for a in live(dim) if a in data.features] for dim in (steps, rows)]
    if not any(inside):
        return Over(data, "positions" if _has_no_time(data, steps, roles) else "time")
    if inside[0] and (inside[1] or len(inside[0]) < len(live(steps))):
        raise node.unsupported(
            f"runs over {show([steps])} of {show(data.dims)}: expected the time, or all positions "
            "of a step"
        )
    known = any(axis in data.features for axis in channels) or data.step is not None
    if not known or any(axis not in data.features for axis in live(channels)):
        data.check_features(node, 2)
    positions = tuple(inside[0] or inside[1])
    data = arranged(node, data, (*positions, *live(channels)))
    return Over(data, "positions" if inside[0] else "time", positions)


def _has_no_time(data: Data, steps: Dim, roles: Roles) -> bool:
    """Whether it is a single step of what has no time, though the model has one."""
    time = roles.axes.get("time")
    axes = [axis for dim in data.dims for axis in dim]
    return (
        time is not None
        and time.size != 1
        and data.step is not None
        and not live(steps)
        and not any(axis.role == "time" for axis in axes)
    )


def placed(data: Data, roles: Roles) -> Data:
    """An input of the graph with more than three axes, of which two have free sizes: the others are
    the features, in the order that they have in the file, but for the one right behind the batch,
    which goes last, as the channels of a convolution do. What reads the same input later has its
    features so, too."""
    axes = live([axis for dim in data.dims for axis in dim])
    if data.step is not None or data.source in roles.placed or not data.features:
        return data
    inside = [axis for axis in axes if axis.size is not None and axis.role in (None, "features")]
    if len(inside) < 2 or len(axes) - len(inside) != 2 or any(axis.is_made for axis in axes):
        return data
    order = sorted(inside, key=_place)
    for axis in order:
        axis.become("features")
    roles.placed[data.source] = tuple(order)
    return replace(data, features=tuple(order))


def claimed(data: Data, at: int, roles: Roles) -> Data:
    """An input of the graph, or a function of each of its numbers, whose dimension ``at`` a layer
    reads as the features, which is another than its last one, or has been added to it: the one
    feature of a series. What reads the same input later has its features so, too."""
    features = live(data.dims[at]) if data.dims else ()
    source, between = data, []
    while source.step is not None and isinstance(source.draft, Elementwise):
        between.append(source)
        (source,) = source.step.inputs
    if source.step is not None or data.source in roles.placed or not data.features:
        return data
    axes = live([axis for dim in data.dims for axis in dim])
    others = [axis for axis in axes if axis not in features]
    if features == live(data.features) or len(others) > 2 or len(features) > 1:
        return data
    if any(axis.is_made or axis.role in ("time", "batch") for axis in features):
        return data
    for axis in data.features:
        axis.release()
    for axis in features:
        axis.become("features")
    roles.placed[data.source] = features or data.fresh(1)
    made = roles.as_placed(source)
    for value in reversed(between):
        assert value.step is not None
        step = Step(value.step.draft, (made,), node=value.step.node)
        made = replace(value, features=made.features, step=step)
    return made if between else roles.as_placed(data)


def _place(axis: Axis) -> int:
    """Where an axis stands among the features; that which is one from the start is the last of its
    input."""
    word, _, number = str(axis).partition(" ")
    place = int(number) if word == "axis" and number.isdecimal() else _LAST
    return _LAST + 1 if place == 1 else place
