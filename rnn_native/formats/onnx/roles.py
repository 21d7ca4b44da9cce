"""Which axes and inputs of a graph have which role, as found so far while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...errors import UnsupportedError
from ...spec.window import MOST_PACES, Paces, Window, form_of
from .graph import Node
from .values import Axis, Data, Dim, StateIn, live, show


class _Steps(NamedTuple):
    """The axis of the steps that windows behind each other make of those of the ``first`` one."""

    first: Axis
    axis: Axis
    paces: Paces = ()
    form: tuple[Any, ...] = form_of(())


@dataclass
class Roles:
    """Which axis is the time and which the batch, which inputs are states (parts of which, and
    whose) and lengths, whether there are windows over time and what they have made of which axis,
    and which axes are the features of an input that a window moves over. ``framed`` is that of the
    graph; ``streamed`` says that it has caches of past frames."""

    axes: dict[str, Axis] = field(default_factory=dict)
    states: dict[str, list[tuple[StateIn, str]]] = field(default_factory=dict)
    lengths: str | None = None
    made: list[_Steps] = field(default_factory=list)
    has_windows: bool = False
    placed: dict[str, Dim] = field(default_factory=dict)
    recurrent_nodes: int = 0
    framed: bool = False
    streamed: bool = False
    guess: int = 0
    guesses: int = 1

    def as_placed(self, data: Data) -> Data:
        """An input with the features that are known of it."""
        known = self.placed.get(data.source) if data.step is None else None
        return data if known is None else replace(data, features=known)

    def guessed(self, axes: Sequence[Axis]) -> Axis | None:
        """Which of these is the time, where nothing says it: the last one, at the first guess, and
        at the last guess none."""
        self.guesses = max(self.guesses, len(axes) + 1)
        return axes[-1 - self.guess] if self.guess < len(axes) else None

    def check_streamed(self, node: Node) -> None:
        """Refuses what takes several steps of a call and none of before, where each call goes on
        with what the one before has left."""
        if self.streamed:
            raise node.unsupported(
                "takes the steps of a call alone, beside caches of past frames: of a sequence "
                "these would be all steps"
            )

    def bind(self, node: Node, data: Data, position: int, role: str) -> Axis:
        """The axis of dimension ``position``, which from here on has that role."""
        dim = data.dims[position]
        known = self.axes.get(role)
        candidates = live(dim)
        for axis in dim:
            if axis.is_made and axis.role == role and live(dim) in ((), (axis,)):
                return axis
        if len(candidates) == 1:
            axis = candidates[0]
        elif candidates:
            raise self._wrong(node, data, position, role)
        elif known is not None and known.size == 1:
            axis = known
        else:
            axis = next((a for a in dim if a.role in (None, role)), Axis(role, 1))
        if known is not None and not known.join(axis):
            raise self._wrong(node, data, position, role)
        axis.become(role)
        self.axes[role] = axis
        return axis

    def windowed(self, time: Axis, window: Window) -> Axis:
        """The axis of the steps that layers with this window make of those: one that has as many
        steps, however many there are, or another one."""
        self.has_windows = True
        before = next((one for one in self.made if one.axis == time), _Steps(time, time))
        paces = (*before.paces, window)
        if len(paces) > MOST_PACES:
            raise UnsupportedError(
                f"at most {MOST_PACES} layers behind each other can change the number of steps"
            )
        form = form_of(paces)
        for one in (_Steps(before.first, before.first), *self.made):
            if one.first == before.first and one.form == form:
                return one.axis
        steps = None if time.size is None else window.steps(time.size)
        axis = Axis("time", steps, "time")
        self.made.append(_Steps(before.first, axis, paces, form))
        return axis

    @staticmethod
    def _wrong(node: Node, data: Data, position: int, role: str) -> UnsupportedError:
        return node.unsupported(
            f"dimension {position} of its input {show(data.dims)} should be the {role} axis"
        )
