"""All steps of a row as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..keys import Key, one_of
from ..layer import Float64, Layer, Ran, State

REDUCE_MODES: Final = ("mean", "sum", "max", "first", "last")


@dataclass(frozen=True)
class Reduce(Layer):
    """The steps of each row as one, [batch, features]: of each feature the ``"mean"``, ``"sum"`` or
    largest (``"max"``) of all, or the ``"first"`` or ``"last"`` step; padding does not count.

    Behind it there is no time. In a stream y is, after each step, what it is of the steps so far,
    and what that takes is its state: the sum, the largest, the first or the last step [1, batch,
    features] and, for a mean and the first, ``count`` [1, batch, 1], how many steps there were.
    Sums are added step by step, so that calls in pieces give the bits of one; float32 counts up to
    2^24. Of no step at all a mean is NaN, a sum, first and last are 0, and the largest is minus
    infinity. Without weights; in a chain it cannot be first.
    """

    mode: str

    kind = "reduce"
    keys = (Key("mode", "word"),)
    trains = False
    gives_steps = False
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        one_of("Reduce mode", self.mode, REDUCE_MODES)

    @property
    def needs_steps(self) -> bool:
        return True

    def last_of(self, name: str) -> str:
        return f"{name} makes one of all steps (Reduce {self.mode})"

    @property
    def state_names(self) -> tuple[str, ...]:
        names = {"mean": ("sum", "count"), "first": ("first", "count")}
        return names.get(self.mode, (self.mode,))

    @property
    def state_rows(self) -> int:
        return 1

    def state_shapes(self, features: int) -> tuple[tuple[int, int], ...]:
        return ((1, features), (1, 1))[: len(self.state_names)]

    def first_state(self, batch: int, features: int) -> State:
        start = -np.inf if self.mode == "max" else 0.0
        count = (np.zeros((1, batch, 1)),)
        return (np.full((1, batch, features), start), *count)[: len(self.state_names)]

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        there = valid[..., None]
        value = state[0][0]
        if self.mode == "max":
            steps = np.concatenate([value[None], np.where(there, x, -np.inf)])
            value = np.max(steps, axis=0)
            return Ran((value,), (value[None],))
        if self.mode in ("mean", "sum"):
            value = value + np.sum(np.where(there, x, 0.0), axis=0)
            if self.mode == "sum":
                return Ran((value,), (value[None],))
            count = state[1] + np.sum(valid, axis=0)[None, :, None]
            return Ran((value / count[0],), (value[None], count))
        lengths = np.sum(valid, axis=0)
        rows = np.arange(len(lengths))
        if self.mode == "last":
            steps = np.concatenate([value[None], x])
            value = steps[lengths, rows]
            return Ran((value,), (value[None],))
        takes = (lengths > 0) & (state[1][0, :, 0] == 0)
        if len(x):
            value = np.where(takes[:, None], x[0], value)
        return Ran((value,), (value[None], state[1] + lengths[None, :, None]))


def Last() -> Reduce:  # noqa: N802
    """Each row's last valid step, PyTorch's ``y[:, -1]``, batch first, of rows without padding.

    Of a bidirectional layer that is both directions *at* the last step: in the reverse one its
    first step, which has seen nothing else. What its reverse direction comes to, after step 0, is
    the Recurrent's own ``return_sequences=False``, PyTorch's ``h_n``; of a forward layer both are
    the same numbers. See :class:`Reduce`.
    """
    return Reduce("last")
