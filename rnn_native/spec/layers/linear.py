"""A product with a matrix, and an activation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...activations import ACTIVATIONS, FUNCTIONS
from ...errors import ShapeError
from ..keys import Key, one_of
from ..layer import Float64, Ran, State, float64
from ..multiplying import Multiplying
from ..products import Dot, exact
from ..weights import Array, as_weight, brief, expect


@dataclass(frozen=True, eq=False)
class Linear(Multiplying):
    """y = activation(x weight^T + bias); ``weight`` [out, in], ``bias`` [out] or None.

    ``softmax`` and ``log_softmax`` run over the features of one step.
    """

    weight: Array
    bias: Array | None = None
    activation: str = "identity"

    kind = "linear"
    activation_key = "activation"
    keys = (
        Key("in_features", "natural"),
        Key("out_features", "natural"),
        Key("bias", "flag"),
        Key("activation", "word"),
    )

    def __post_init__(self) -> None:
        weight = as_weight("Linear weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                f"Linear weight: expected shape (out, in), both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)
        if self.bias is not None:
            bias = as_weight("Linear bias", self.bias)
            object.__setattr__(self, "bias", expect("Linear bias", bias, (weight.shape[0],)))
        one_of("Linear activation", self.activation, ACTIVATIONS)

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def input_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight} if self.bias is None else {
            "weight": self.weight, "bias": self.bias
        }  # fmt: skip

    @property
    def options(self) -> dict[str, Any]:
        return {"activation": self.activation}

    @property
    def line(self) -> dict[str, Any]:
        sizes = {"in_features": self.input_size, "out_features": self.output_size}
        return {**sizes, "bias": self.bias is not None, "activation": self.activation}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Linear:
        cls.check_arrays(values, arrays)
        return cls(activation=values["activation"], **arrays)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "weight", (values["out_features"], values["in_features"])
        if values["bias"]:
            yield "bias", (values["out_features"],)

    def run(
        self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_], dot: Dot = exact
    ) -> Ran:
        (x,) = inputs
        y = dot(x, float64(self.weight))
        if self.bias is not None:
            y = y + float64(self.bias)
        return Ran((FUNCTIONS[self.activation](y),))
