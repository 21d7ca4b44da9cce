"""A ReLU with a slope of each feature's own below 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..featurewise import Featurewise
from ..layer import Float64, Ran, State, float64
from ..weights import Array, as_weight


@dataclass(frozen=True, eq=False)
class PReLU(Featurewise):
    """y = x where x >= 0, else x * slope, of each feature of each step; ``slope`` [features]."""

    slope: Array

    kind = "prelu"
    names = ("slope",)

    def __post_init__(self) -> None:
        slope = as_weight("PReLU slope", self.slope)
        if slope.ndim != 1 or 0 in slope.shape:
            raise ShapeError(
                f"PReLU slope: expected shape (features,), at least 1, got {slope.shape}"
            )
        object.__setattr__(self, "slope", slope)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((np.where(x < 0, x * float64(self.slope), x),))
