"""Which axes of an input of the graph are features, where its shape alone tells.

What is read first of an input says what its axes are: a convolution has the channels behind the
batch, a recurrence inside a step has all axes of fixed sizes as its positions and channels. What
reads the same input later has its features so, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...spec import Elementwise
from .graph import INTEGERS, Node
from .roles import Roles
from .values import Axis, Data, Dim, Step, live, show

_LAST: Final = 2**31


def with_channels_second(node: Node, data: Data, roles: Roles) -> Data:
    """An input of the graph of which nothing but its shape says what its axes are: the channels are
    features, and one of the axes behind them may be the time: that of unknown size or, where there
    is none, the one that ``roles`` guesses. What reads the same input later has its features so,
    too."""
    axes = [axis for dim in data.dims[2:] for axis in live(dim)]
    channels = live(data.dims[1])
    if data.step is not None or any(axis.role == "time" for axis in axes) or not axes:
        return data
    if data.source in roles.placed:
        return data
    if len(axes) == 1 and not channels and axes[0].size is not None:
        # positions of a step: [steps, 1, features]
        return _with_features(data, (axes[0],), roles)
    free = [axis for axis in axes if axis.size is None]
    if len(free) > 1:
        raise node.unsupported(
            f"its input {data.source!r} {show(data.dims)}: expected one axis of a free size behind "
            "the channels, which is the time"
        )
    # parts that a Reshape has made of an axis are no time, for the input does not have them
    time = free[0] if free else roles.guessed([axis for axis in axes if not axis.is_made])
    if time is not None:
        time.become("time")
    return _with_features(data, (*(axis for axis in axes if axis is not time), *channels), roles)


def place_all(data: Data, roles: Roles) -> None:
    """An input of a graph with caches of past frames: all axes of known sizes are features."""
    axes = [axis for dim in data.dims for axis in live(dim) if axis.size is not None]
    if data.element not in INTEGERS:
        _with_features(data, tuple(axes), roles)


def _with_features(data: Data, features: Dim, roles: Roles) -> Data:
    for axis in features:
        axis.become("features")
    roles.placed[data.source] = features or data.fresh(1)
    return roles.as_placed(data)


def with_fixed_sizes(data: Data, roles: Roles) -> Data:
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
