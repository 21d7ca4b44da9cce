"""The features' two halves, merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..keys import Key, one_of, size
from ..layer import Float64, Layer, Ran, State
from ..weights import Array

MERGE_MODES: Final = ("sum", "mul", "ave")
"""Of a Merge: those of ``keras.layers.Bidirectional(merge_mode=...)`` besides ``"concat"``."""


@dataclass(frozen=True)
class Merge(Layer):
    """One half of the features with the other: of 2 * size features a, b it makes size.

    Without weights or state, every step by itself. ``"sum"`` is a + b, ``"mul"`` a * b, ``"ave"``
    (a + b) * 0.5, in this order, so that the numbers of a float type are defined to the bit. a are
    the first ``size`` features, in a bidirectional layer those of the forward direction.
    """

    mode: str
    size: int

    kind = "merge"
    keys = (Key("features", "natural"), Key("mode", "word"))
    can_be_first = False
    trains = False

    def __post_init__(self) -> None:
        one_of("Merge mode", self.mode, MERGE_MODES)
        object.__setattr__(self, "size", size("Merge size", self.size, 1))

    @property
    def input_size(self) -> int:
        return 2 * self.size

    @property
    def output_size(self) -> int:
        return self.size

    @property
    def options(self) -> dict[str, Any]:
        return {"mode": self.mode, "size": self.size}

    @property
    def line(self) -> dict[str, Any]:
        return {"features": self.size, "mode": self.mode}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Merge:
        cls.check_arrays(values, arrays)
        return cls(values["mode"], values["features"])

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        a, b = x[..., : self.size], x[..., self.size :]
        if self.mode == "mul":
            return Ran((a * b,))
        return Ran((a + b if self.mode == "sum" else (a + b) * 0.5,))
