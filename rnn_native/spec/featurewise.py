"""Layers with numbers for each feature, which make as many features as they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from .keys import Key
from .layer import Layer
from .weights import Array, brief


class Featurewise(Layer):
    """Its arrays, ``names``, are its attributes, each [features]; its line says how many."""

    names: ClassVar[tuple[str, ...]]

    keys = (Key("features", "natural"),)
    trains = False

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def input_size(self) -> int:
        return len(self.arrays[self.names[0]])

    @property
    def output_size(self) -> int:
        return self.input_size

    @property
    def fan_in(self) -> None:
        return None

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {name: getattr(self, name) for name in self.names}

    @property
    def options(self) -> dict[str, Any]:
        return {}

    @property
    def line(self) -> dict[str, Any]:
        return {"features": self.input_size}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        cls.check_arrays(values, arrays)
        return cls(**arrays)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        for name in cls.names:
            yield name, (values["features"],)
