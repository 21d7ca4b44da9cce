"""Where a model begins and ends: what its inputs and outputs have to be."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UnsupportedError
from .assembling import statics_of
from .layout import arranged
from .values import Axis, Data, live, show


def check_inputs(sources: Sequence[Data]) -> None:
    """Each has a time, a batch and features, some may have no time; or none has a time."""
    for source in sources:
        axes = live([axis for dim in source.dims for axis in dim])
        if sum(not _feature(axis) for axis in axes) > 2:
            raise UnsupportedError(
                f"input {source.source!r} {show(source.dims)}: expected time, batch and features"
            )
    static = statics_of({source.source: source for source in sources})
    for source in sources:
        axes = live([axis for dim in source.dims for axis in dim if axis not in source.features])
        if source.source in static and any(axis.role != "batch" for axis in axes):
            raise UnsupportedError(
                f"input {source.source!r} {show(source.dims)} has fewer axes than others: expected "
                "the batch and features of one without time"
            )
    ranks = {source.source: _rank(source) for source in sources if source.source not in static}
    few, many = (which(ranks, key=lambda name: ranks[name]) for which in (min, max))
    if ranks[few] != ranks[many]:
        raise UnsupportedError(
            f"input {few!r} has fewer axes than {many!r}: expected time and batch, or of what has "
            "no time the batch alone"
        )


def in_order(end: Data) -> Data:
    """An output with its features in the order that their axes have in the file."""
    axes = live([axis for dim in end.dims for axis in dim])
    order = tuple(axis for axis in axes if axis in end.features)
    node = end.step and end.step.node
    return arranged(node, end, order) if node and order else end


def check_output(end: Data) -> None:
    """The features are whole."""
    axes = [axis for dim in end.dims for axis in dim]
    missing = [axis for axis in live(end.features) if axis not in axes]
    if missing:
        raise UnsupportedError(
            f"the output is {show(end.dims)}: expected all features {show([end.features])}"
        )


def _rank(source: Data) -> int:
    """How many dimensions it has beside those of its features, of which one may be of size 1."""
    of_features = sum(any(axis in source.features for axis in dim) for dim in source.dims)
    return len(source.dims) - (of_features or len(source.dims) > 2)


def _feature(axis: Axis) -> bool:
    return axis.role == "features"
