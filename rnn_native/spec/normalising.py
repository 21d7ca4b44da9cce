"""Layers that take a mean from features and divide by a deviation: what all of them have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .layer import Float64, Layer, float64
from .weights import Array, as_weight, brief, expect


class Normalising(Layer):
    """``weight`` and ``bias``, each an array or None, of as many numbers as its first key says."""

    trains = False
    if TYPE_CHECKING:  # fields of each class
        features: int
        weight: Array | None
        bias: Array | None

    def check_weights(self, count: int) -> None:
        """Weight and bias become arrays; ``ShapeError`` for others than [count]."""
        for name in ("weight", "bias"):
            if (given := getattr(self, name)) is not None:
                where = f"{type(self).__name__} {name}"
                object.__setattr__(self, name, expect(where, as_weight(where, given), (count,)))

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def input_size(self) -> int:
        return self.features

    @property
    def output_size(self) -> int:
        return self.features

    @property
    def fan_in(self) -> None:
        return None

    @property
    def arrays(self) -> Mapping[str, Array]:
        given = {"weight": self.weight, "bias": self.bias}
        return {name: array for name, array in given.items() if array is not None}

    @property
    def line(self) -> dict[str, Any]:
        return {
            key.name: getattr(self, key.name) is not None
            if key.name in ("weight", "bias")
            else getattr(self, key.name)
            for key in self.keys
        }

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        for name in ("weight", "bias"):
            if values[name]:
                yield name, (values[cls.keys[0].name],)

    def scaled(self, y: Float64) -> Float64:
        """What is normalised times the weight, and the bias added."""
        if self.weight is not None:
            y = y * float64(self.weight)
        if self.bias is not None:
            y = y + float64(self.bias)
        return y
