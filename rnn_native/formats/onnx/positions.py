"""What a recurrent operator runs over: time, time at each position of a step, or the positions.

Its X has a dimension of steps, one of rows and one of features. Axes of the features of a step
among the rows are positions, each a sequence of its own; as the steps they are what it runs along,
whatever the rows are. So is a single step of what has no time, where the model has one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Node
from .layout import arranged
from .placing import claimed, with_fixed_sizes
from .roles import Roles
from .values import Data, Dim, live, show, size_of


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
    data = claimed(with_fixed_sizes(data, roles), 2, roles)
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
