"""The steps that windows over time make."""

from __future__ import annotations

from ...spec.window import Window
from .graph import Node
from .roles import Roles
from .values import Data, Dim


def timed(node: Node, data: Data, at: int, window: Window, roles: Roles) -> tuple[Dim, ...]:
    """The dimensions, with the steps that a window makes of those of dimension ``at``."""
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it reads the steps beyond as well")
    if window != Window(1) and not any(padding.past for _, padding in data.padding):
        roles.check_streamed(node)
    roles.bind(node, data, 0 if at else 1, "batch")
    steps = (roles.windowed(roles.bind(node, data, at, "time"), window),)
    return (*data.dims[:at], steps, *data.dims[at + 1 :])
