"""Each feature times a number, plus another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..featurewise import Featurewise
from ..layer import Float64, Ran, State, float64
from ..weights import Array, as_weight, expect


@dataclass(frozen=True, eq=False)
class Scale(Featurewise):
    """y = x * scale + shift, of each feature of each step; ``scale`` and ``shift`` [features].

    What a batch normalisation is once it has learnt: :meth:`normalizing`. The product is rounded,
    and so is the sum.
    """

    scale: Array
    shift: Array

    kind = "scale"
    names = ("scale", "shift")

    def __post_init__(self) -> None:
        scale = as_weight("Scale scale", self.scale)
        if scale.ndim != 1 or 0 in scale.shape:
            raise ShapeError(
                f"Scale scale: expected shape (features,), at least 1, got {scale.shape}"
            )
        object.__setattr__(self, "scale", scale)
        shift = expect("Scale shift", as_weight("Scale shift", self.shift), scale.shape)
        object.__setattr__(self, "shift", shift)

    @classmethod
    def normalizing(
        cls, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float
    ) -> Scale:
        """y = gamma (x - mean) / sqrt(variance + epsilon) + beta: both numbers of each feature in
        float64. Raises ``ShapeError`` where a variance plus epsilon is not above 0."""
        spread = float64(variance) + epsilon
        if not np.all(spread > 0):
            raise ShapeError(
                f"Scale variance + epsilon: expected above 0, got {np.min(spread)} of feature "
                f"{int(np.argmin(spread))}"
            )
        scale = float64(gamma) / np.sqrt(spread)
        shift = float64(beta) - float64(mean) * scale
        return cls(scale, shift)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((x * float64(self.scale) + float64(self.shift),))
