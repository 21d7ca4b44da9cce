"""A window over time: which steps of its input a layer makes each of its own steps of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError

if TYPE_CHECKING:
    from fractions import Fraction

MOST: Final = 2**20
"""The largest number of a window; the core's RNNAT_WINDOW_MAX."""
_LARGE: Final = 2**40
"""What no number of a form is far above; the core's more_steps_than_used."""
MOST_PACES: Final = 64
"""Windows behind each other that change the number of steps; RNNAT_MOST_PACES."""


@dataclass(frozen=True)
class Window:
    """Step j is made of ``extent`` positions of the input, from ``j * stride - before`` on; each
    step of it stands at ``repeat`` positions, one behind the other.

    What lies before the first step or behind the last is padding. Where the first window begins
    another number of positions before the steps than ``before``, since a state says so, that is the
    ``phase``.
    ``whole``: its first step may be made of the last one of the input.
    """

    extent: int
    stride: int = 1
    repeat: int = 1
    before: int = 0
    after: int = 0
    whole: bool = False

    def steps(self, read: Any, phase: Any = None) -> Any:
        """How many steps are made of so many: an integer, or an array of them."""
        phase = self.before if phase is None else phase
        last = read * self.repeat + phase + self.after - self.extent
        made = np.maximum(np.floor_divide(last, self.stride) + 1, 0)
        made = np.where(np.equal(read, 0), 0, made)
        return made if np.ndim(made) else int(made)

    def phase_of(self, state: Sequence[NDArray[Any]]) -> int:
        """The phase that a state says, its last array where it has one; ``ShapeError`` where rows
        differ or none can be there."""
        if self.is_steady or not self.is_causal or not state or not state[-1].size:
            return self.before
        phases = np.unique(state[-1])
        most = self.before if self.before >= self.extent else self.extent - 1
        least = min(self.extent - self.stride, self.before)
        if len(phases) != 1 or phases[0] % 1 or not least <= phases[0] <= most:
            raise ShapeError(
                f"state phase: expected one number from {least} to {most} in all rows, got "
                f"{phases.tolist()}: run rows with different ones apart"
            )
        return int(phases[0])

    def moved(self, phase: Any, read: Any) -> Any:
        """The phase behind so many steps."""
        return phase + read * self.repeat - self.steps(read, phase) * self.stride

    @property
    def is_causal(self) -> bool:
        """Whether it can run as its input comes: it looks at no step behind its own."""
        return self.after == 0 and not self.whole

    @property
    def is_steady(self) -> bool:
        """Whether the phase is the same at every step."""
        return self.repeat % self.stride == 0 and self.before == self.extent - 1

    @property
    def keeps_pace(self) -> bool:
        """Whether there is a step for each step of the input."""
        return self.stride == self.repeat == 1 and self.before + self.after == self.extent - 1

    @property
    def kept(self) -> int:
        """Steps that later windows may still need: what is state."""
        return (self.extent - 2 + self.repeat) // self.repeat if self.is_causal else 0

    @property
    def has_state(self) -> bool:
        """Whether there is something to keep from call to call."""
        return self.is_causal and (self.kept > 0 or not self.is_steady)

    @property
    def latency(self) -> int:
        """Steps of the input behind its own that a step waits for; below 0: it is there before."""
        return -(-(self.extent - 1 - self.before) // self.repeat)


Paces = tuple[Window, ...]
"""Those windows before a value that change the number of steps, the first one first."""


def steps_of(paces: Sequence[Window], steps: Any, phases: Sequence[Any] = ()) -> Any:
    """How many steps a value has behind so many of the model's inputs."""
    for index, window in enumerate(paces):
        steps = window.steps(steps, phases[index] if phases else None)
    return steps


def steps_behind(changing: Sequence[tuple[str, Window]], steps: Any, state: Any = None) -> Any:
    """The same of windows and the nodes that have them, from a state on, a dict by their names,
    which says where the first windows begin."""
    for name, window in changing:
        phase = None
        if state is not None and window.has_state:
            arrays = state[name]
            phase = window.phase_of(arrays if isinstance(arrays, tuple) else (arrays,))
        steps = window.steps(steps, phase)
    return steps


def most_steps_of(paces: Sequence[Window], steps: int) -> int:
    """The most steps of a value that any ``steps`` steps of the inputs bring."""
    for w in paces:
        steps = (steps * w.repeat + w.before + w.after) // w.stride + 1
    return steps


def rate_of(paces: Sequence[Window]) -> tuple[Fraction, int]:
    """Steps for each step of the inputs, and how many of these, at most, a step waits for."""
    from fractions import Fraction  # which takes as long to import as half of this package

    rate, latency = Fraction(1), 0
    for window in paces:
        latency += ceil(window.latency / rate)
        rate *= Fraction(window.repeat, window.stride)
    return rate, max(latency, 0)


def _evened(paces: Sequence[Window], first: int) -> int:
    """How many windows from ``first`` on give together as many steps as they read, however many
    these are, as padding and a convolution do; 0: none."""
    more = 0
    for index in range(first, len(paces)):
        w = paces[index]
        more += w.before + w.after - w.extent + 1
        if w.stride > 1 or w.repeat > 1 or more < 0:
            return 0
        if more == 0:
            return index + 1 - first
    return 0


def without_evened(paces: Sequence[Window]) -> Paces:
    """Those that are left where windows go that give together as many steps as they read."""
    left: list[Window] = []
    first = 0
    while first < len(paces):
        even = _evened(paces, first)
        left += [] if even else [paces[first]]
        first += even or 1
    return tuple(left)


def form_of(paces: Sequence[Window]) -> tuple[Any, ...]:
    """(repeat, stride, offset, where): equal for values that always have as many steps as each
    other. They have ``(steps * repeat + offset) // stride + 1``; past a window for which that is
    not so, ``where``, it begins anew."""
    repeat, stride, offset, where = 1, 1, -1, -1
    paces = without_evened(paces)
    for index, w in enumerate(paces):
        beyond = w.before + w.after - w.extent
        large = max(repeat, stride, abs(offset)) > _LARGE
        if beyond >= 0 or large or (w.repeat > 1 and stride > 1):
            repeat, stride, offset = w.repeat, w.stride, beyond
            same = [(v.stride, v.repeat, v.before + v.after - v.extent) for v in paces[:index]]
            where = (index, *same)  # type: ignore[assignment]
        elif w.repeat == 1:
            stride, offset = stride * w.stride, offset + stride * (1 + beyond)
        else:
            repeat, offset = repeat * w.repeat, (offset + 1) * w.repeat + beyond
            stride = w.stride
    return repeat, stride, offset, where


def paces_text(paces: Sequence[Window]) -> str:
    """How many steps a value has, for messages: of 100 of the inputs, and how it comes to them."""
    rate, _ = rate_of(paces)
    return f"{steps_of(paces, 100)} steps for 100 of the model's input ({rate} for each)"


def places(window: Window, made: int, phase: int) -> NDArray[np.int64]:
    """The steps of the input, from the call's first on, that each of ``made`` steps is made of,
    [made, extent]; those before it are below 0."""
    first = np.arange(made)[:, None] * window.stride - phase
    return (first + np.arange(window.extent)) // window.repeat
