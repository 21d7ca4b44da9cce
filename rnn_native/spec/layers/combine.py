"""Several values, one element with those in its place, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError
from ..keys import MAX_SIZE, Key, one_of
from ..layer import Float64, Layer, Ran, State, Value
from ..window import form_of, paces_text

_ELEMENTS: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        "add": np.add,
        "mul": np.multiply,
        "sub": np.subtract,
        "div": np.divide,
        "max": np.maximum,
        "min": np.minimum,
    }
)
COMBINE_MODES: Final = (*_ELEMENTS, "concat")
_OF_TWO: Final = ("sub", "div")
_READ_BY_A_NODE: Final = 8  # of the core: RNNAT_NODE_INPUTS


@dataclass(frozen=True)
class Combine(Layer):
    """Several values in a graph: ``Add``, ``Mul``, ``Sub``, ``Div``, ``Max``, ``Min`` and
    ``Concat`` make one.

    Without weights or state, every step by itself. ``"add"`` is a + b + ..., ``"mul"`` a * b * ...,
    ``"sub"`` a - b, ``"div"`` a / b, ``"max"`` and ``"min"`` the largest and the least, NaN where
    one is, of values with equal features, from left to right, so that the numbers of a float type
    are defined to the bit; ``"concat"`` puts the features of all side by side. Either
    all of them have an axis of time, or none.
    """

    mode: str

    kind = "combine"
    keys = (Key("mode", "word"),)
    trains = False
    arity = (2, 2**16)

    def __post_init__(self) -> None:
        one_of("Combine mode", self.mode, COMBINE_MODES)

    def nodes_reading(self, count: int) -> int:
        return 1 + max(0, -(-(count - _READ_BY_A_NODE) // (_READ_BY_A_NODE - 1)))

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        where = f"{where} (Combine {self.mode})"
        most = 2 if self.mode in _OF_TWO else self.arity[1]
        if not 2 <= len(inputs) <= most:
            wanted = "two inputs" if most == 2 else "two inputs or more"
            raise ShapeError(f"{where}: expected {wanted}, got {len(inputs)}")
        for value in inputs:
            if value.indices:
                raise ShapeError(
                    f"{where}: expected inputs of features, {value.name} is of indices"
                )
        first = inputs[0]
        for value in inputs[1:]:
            if bool(value.last) != bool(first.last):
                steps, none = (first, value) if value.last else (value, first)
                raise ShapeError(
                    f"{where}: expected inputs that all have steps, or none: {steps.name} has "
                    f"them, {none.last}; an rn.Expand before it gives that at every step"
                )
            if not value.last and form_of(value.paces) != form_of(first.paces):
                raise ShapeError(
                    f"{where}: expected inputs of equal steps, {first.name} has "
                    f"{paces_text(first.paces)}, {value.name} {paces_text(value.paces)}"
                )
            if self.mode != "concat" and value.features != first.features:
                raise ShapeError(
                    f"{where}: expected inputs of equal features, {first.name} gives "
                    f"{first.features}, {value.name} gives {value.features}"
                )
        features = first.features
        if self.mode == "concat":
            features = sum(value.features for value in inputs)
        if features > MAX_SIZE:
            raise ShapeError(f"{where}: expected at most {MAX_SIZE} features, got {features}")
        paced = inputs[self.paced_by(inputs)]
        static = all(value.static for value in inputs)
        return (Value(name, features, last=paced.last, paces=paced.paces, static=static),)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        if self.mode == "concat":
            return Ran((np.concatenate(list(inputs), axis=-1),))
        return Ran((reduce(_ELEMENTS[self.mode], inputs),))


def Concat() -> Combine:  # noqa: N802
    """The features of two or more values side by side: see :class:`Combine`."""
    return Combine("concat")


def Add() -> Combine:  # noqa: N802
    """a + b + ... of two or more values with equal features: see :class:`Combine`."""
    return Combine("add")


def Mul() -> Combine:  # noqa: N802
    """a * b * ... of two or more values with equal features: see :class:`Combine`."""
    return Combine("mul")


def Sub() -> Combine:  # noqa: N802
    """a - b of two values with equal features: see :class:`Combine`."""
    return Combine("sub")


def Div() -> Combine:  # noqa: N802
    """a / b of two values with equal features: see :class:`Combine`."""
    return Combine("div")


def Max() -> Combine:  # noqa: N802
    """The largest of two or more values with equal features: see :class:`Combine`."""
    return Combine("max")


def Min() -> Combine:  # noqa: N802
    """The least of two or more values with equal features: see :class:`Combine`."""
    return Combine("min")
