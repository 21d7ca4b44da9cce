"""Merge: the two directions of a bidirectional layer made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .cells import one_of, size

MODES: Final = ("sum", "mul", "ave")
"""Of a Merge: those of ``keras.layers.Bidirectional(merge_mode=...)`` besides ``"concat"``."""


@dataclass(frozen=True)
class Merge:
    """One half of the features with the other: of 2 * size features a, b it makes size.

    Without weights or state, every step by itself. ``"sum"`` is a + b, ``"mul"`` a * b, ``"ave"``
    (a + b) * 0.5, in this order, so that the numbers of a float type are defined to the bit. a are
    the first ``size`` features, in a bidirectional layer those of the forward direction.
    """

    mode: str
    size: int

    def __post_init__(self) -> None:
        one_of("Merge mode", self.mode, MODES)
        object.__setattr__(self, "size", size("Merge size", self.size, 1))

    @property
    def input_size(self) -> int:
        return 2 * self.size

    @property
    def output_size(self) -> int:
        return self.size

    @property
    def arrays(self) -> Mapping[str, NDArray[np.floating[Any]]]:
        return {}
