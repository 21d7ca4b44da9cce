"""Rows of a matrix in the place of indices."""

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
class Embedding(Layer):
    """Looks up rows of ``weight`` [num_embeddings, embedding_dim]; its input is integers."""

    weight: Array

    kind = "embedding"
    keys = (Key("num_embeddings", "natural"), Key("embedding_dim", "natural"))
    takes_indices = True

    def __post_init__(self) -> None:
        weight = as_weight("Embedding weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                "Embedding weight: expected shape (num_embeddings, embedding_dim), "
                f"both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def num_embeddings(self) -> int:
        return int(self.weight.shape[0])

    @property
    def input_size(self) -> int:
        return self.num_embeddings

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def fan_in(self) -> None:
        return None

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight}

    @property
    def options(self) -> dict[str, Any]:
        return {}

    @property
    def line(self) -> dict[str, Any]:
        return {"num_embeddings": self.num_embeddings, "embedding_dim": self.output_size}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Embedding:
        cls.check_arrays(values, arrays)
        return cls(**arrays)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "weight", (values["num_embeddings"], values["embedding_dim"])

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((float64(self.weight)[x],))
