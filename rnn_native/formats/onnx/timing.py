"""Which axis of an input is the time, and which are features, where its shape alone says so; and
the steps that windows over time make."""

from __future__ import annotations

from ...spec.window import Window
from .graph import INTEGERS, Node
from .roles import Roles
from .values import Data, Dim, live, show


def timed(node: Node, data: Data, at: int, window: Window, roles: Roles) -> tuple[Dim, ...]:
    """The dimensions, with the steps that a window makes of those of dimension ``at``."""
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it reads the steps beyond as well")
    if window != Window(1) and not any(padding.past for _, padding in data.padding):
        roles.check_streamed(node)
    roles.bind(node, data, 0 if at else 1, "batch")
    steps = (roles.windowed(roles.bind(node, data, at, "time"), window),)
    return (*data.dims[:at], steps, *data.dims[at + 1 :])


def placed(node: Node, data: Data, roles: Roles) -> Data:
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
