"""The last step of whatever has steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layer import Float64, Layer, Ran, State
from ..weights import Array


@dataclass(frozen=True)
class Last(Layer):
    """y [batch, features] is x at each row's last valid step: PyTorch's ``x[:, -1]``, batch first,
    of rows without padding.

    Of a bidirectional layer that is both directions *at* the last step: in the reverse one its
    first step, which has seen nothing else. What its reverse direction comes to, after step 0, is
    the Recurrent's own ``return_sequences=False``, PyTorch's ``h_n``; of a forward layer both are
    the same numbers.

    Its state is ``x`` [1, batch, features], the last step so far, zeros before the first one, which
    is what a row without steps gives. In a stream each step is the last one so far.
    """

    kind = "last"
    needs_steps = True
    gives_steps = False
    alone = "the last step alone"
    trains = False
    input_size = None
    output_size = None

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {}

    @property
    def options(self) -> dict[str, Any]:
        return {}

    @property
    def line(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Last:
        cls.check_arrays(values, arrays)
        return cls()

    @property
    def state_names(self) -> tuple[str, ...]:
        return ("x",)

    def state_shapes(self, features: int) -> tuple[tuple[int, int], ...]:
        return ((1, features),)

    def first_state(self, batch: int, features: int) -> State:
        return (np.zeros((1, batch, features)),)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        steps = np.concatenate([state[0], x])
        y = steps[np.sum(valid, axis=0), np.arange(x.shape[1])]
        return Ran((y,), (y[None],))
