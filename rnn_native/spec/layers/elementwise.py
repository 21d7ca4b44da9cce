"""A function of each feature by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...activations import Activation
from ...errors import FormatError
from ..keys import Key
from ..layer import Float64, Layer, Ran, State
from ..weights import Array


@dataclass(frozen=True)
class Elementwise(Layer):
    """y = f(x), of each feature of each step, and of any number of them.

    ``function`` is one of the names of :class:`Activation`, with its equation, and ``alpha`` and
    ``beta`` are its constants: ``Elementwise("leaky_relu", 0.2)``. Without weights or state. In a
    chain it cannot be first, since it does not say how many features come.

    Raises
    ------
    OptionError
        What ``Activation(function, alpha, beta)`` raises.
    """

    function: str
    alpha: float | None = None
    beta: float | None = None

    kind = "elementwise"
    keys = (Key("function", "activations"),)
    trains = False
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        f = Activation(self.function, self.alpha, self.beta)
        object.__setattr__(self, "alpha", f.alpha)
        object.__setattr__(self, "beta", f.beta)

    @property
    def as_activation(self) -> Activation:
        """The function with its constants."""
        return Activation(self.function, self.alpha, self.beta)

    @property
    def options(self) -> dict[str, Any]:
        return {"function": self.function, "alpha": self.alpha, "beta": self.beta}

    @property
    def line(self) -> dict[str, Any]:
        return {"function": (self.as_activation,)}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Elementwise:
        cls.check_arrays(values, arrays)
        f, *more = values["function"]
        if more:
            raise FormatError(f"function: expected one, got {1 + len(more)}")
        return cls(f.name, f.alpha, f.beta)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((self.as_activation.function(x),))
