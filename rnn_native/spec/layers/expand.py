"""What has no time, at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..layer import Float64, Layer, Ran, State, Value


@dataclass(frozen=True)
class Expand(Layer):
    """A value without time, [batch, features], at every step: [time, batch, features].

    In a graph it reads that value alone, and gives it the steps of the model's inputs, or a second
    value as well, whose steps it then has: PyTorch's ``a.expand_as(b)``, Keras's ``RepeatVector``,
    ONNX's ``Expand``. Of an input without time it runs step by step; of a last state or a Reduce,
    which are there behind the last step alone, no stream does. Without weights or state.
    """

    kind = "expand"
    trains = False
    arity = (1, 2)
    input_size = None
    output_size = None

    def paced_by(self, reads: Sequence[Value]) -> int:
        return len(reads) - 1 or -1

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        where = f"{where} (Expand)"
        if not 1 <= len(inputs) <= 2:
            raise ShapeError(
                f"{where}: expected a value without time and, where it has not the steps of the "
                f"model's inputs, one that has them; got {len(inputs)} inputs"
            )
        for value in inputs:
            if value.indices:
                raise ShapeError(
                    f"{where}: expected inputs of features, {value.name} is of indices"
                )
        x, like = inputs[0], inputs[-1]
        if not x.last:
            raise ShapeError(f"{where}: expected a value without time first, {x.name} has steps")
        if len(inputs) == 1:
            return (Value(name, x.features),)
        if like.last:
            raise ShapeError(f"{where}: expected a second input of steps, {like.last}")
        return (Value(name, x.features, paces=like.paces),)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        return Ran((np.repeat(inputs[0][None], len(valid), axis=0),))
