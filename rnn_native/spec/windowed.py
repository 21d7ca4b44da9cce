"""Layers with a window over time: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .layer import Float64, Layer, Ran, State
from .window import Window, places

Over = Callable[[Float64, NDArray[np.bool_]], Float64]


class Windowed(Layer):
    """A layer that makes each step of several of its input's, found by its ``window``.

    Its state, where it can run as its input comes, are the steps that later windows reach back to,
    ``x`` [steps, batch, features], and ``phase`` [1, batch, 1], how many positions before the next
    step the next window begins, unless that is always the same.
    """

    trains = False

    @property
    def needs_steps(self) -> bool:
        return True

    @property
    @abstractmethod
    def window(self) -> Window: ...

    @property
    def padding_value(self) -> float:
        """What is read where there is no step."""
        return 0.0

    @property
    def state_names(self) -> tuple[str, ...]:
        if not self.window.is_causal:
            return ()
        names = ("x", "phase")
        there = (self.window.kept > 0, not self.window.is_steady)
        return tuple(name for name, is_there in zip(names, there, strict=True) if is_there)

    def state_shapes(self, features: int) -> tuple[tuple[int, int], ...]:
        shapes = {"x": (self.window.kept, features), "phase": (1, 1)}
        return tuple(shapes[name] for name in self.state_names)

    def first_state(self, batch: int, features: int) -> State:
        first = {
            "x": np.full((self.window.kept, batch, features), self.padding_value),
            "phase": np.full((1, batch, 1), float(self.window.before)),
        }
        return tuple(first[name] for name in self.state_names)

    def phase_of(self, state: State) -> int:
        """Where the windows of a state begin: see ``Window``."""
        return self.window.phase_of(state)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        return self.run_windows(inputs, state, valid, self.over)

    def run_windows(
        self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_], over: Over
    ) -> Ran:
        """The same, with ``over`` in the place of its own."""
        (x,) = inputs
        w, phase = self.window, self.phase_of(state)
        time, batch = x.shape[:2]
        lengths = np.sum(valid, axis=0)
        before = state[0] if w.kept else np.empty((0, *x.shape[1:]))
        at = places(w, w.steps(time, phase), phase)
        steps = np.concatenate([before, x])
        taps = np.full((*at.shape, *x.shape[1:]), self.padding_value)
        real = np.zeros((*at.shape, batch), dtype=bool)
        for row in range(batch):
            end = time if w.is_causal else lengths[row]
            read = self.read(at, end)
            there = (read >= -w.kept) & (read < end)
            taps[there, row] = steps[read[there] + w.kept, row]
            real[:, :, row] = there
        ends = [steps[n : n + w.kept, row] for row, n in enumerate(lengths)]
        states = {
            "x": np.stack(ends, axis=1) if ends else before,
            "phase": np.asarray(w.moved(phase, lengths), float).reshape(1, batch, 1),
        }
        return Ran((over(taps, real),), tuple(states[name] for name in self.state_names))

    def read(self, at: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Which of a row's ``count`` steps stand at these places; where there are none of these, it
        is padding."""
        return at

    @abstractmethod
    def over(self, taps: Float64, real: NDArray[np.bool_]) -> Float64:
        """The equations: what is made of each window, [made, batch, features] of ``taps`` [made,
        extent, batch, features], those of which are padding that are not ``real`` [made, extent,
        batch]."""
