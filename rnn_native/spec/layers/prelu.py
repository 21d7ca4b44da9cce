"""A ReLU with a slope of each feature's own below 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..keys import Key
from ..layer import Float64, Layer, Ran, State, float64
from ..weights import Array, as_weight, brief


@dataclass(frozen=True, eq=False)
class PReLU(Layer):
    """y = x where x >= 0, else x * slope, of each feature of each step; ``slope`` [features]."""

    slope: Array

    kind = "prelu"
    keys = (Key("features", "natural"),)
    trains = False

    def __post_init__(self) -> None:
        slope = as_weight("PReLU slope", self.slope)
        if slope.ndim != 1 or 0 in slope.shape:
            raise ShapeError(
                f"PReLU slope: expected shape (features,), at least 1, got {slope.shape}"
            )
        object.__setattr__(self, "slope", slope)

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def input_size(self) -> int:
        return int(self.slope.shape[0])

    @property
    def output_size(self) -> int:
        return self.input_size

    @property
    def fan_in(self) -> None:
        return None

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"slope": self.slope}

    @property
    def options(self) -> dict[str, Any]:
        return {}

    @property
    def line(self) -> dict[str, Any]:
        return {"features": self.input_size}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> PReLU:
        cls.check_arrays(values, arrays)
        return cls(**arrays)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "slope", (values["features"],)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((np.where(x < 0, x * float64(self.slope), x),))
