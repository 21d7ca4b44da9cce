"""Layers that multiply by matrices: what they have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .layer import Float64, Layer, Ran, State
from .products import Dot, exact


class Multiplying(Layer):
    """A layer whose equations are given the product they multiply with."""

    @abstractmethod
    def run(
        self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_], dot: Dot = exact
    ) -> Ran:
        """As of ``Layer``; every product with a matrix of its arrays is ``dot(x, W)``."""
