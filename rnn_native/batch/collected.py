"""What groups of rows have given, put together in the order of the batch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .tables import New, Ragged

Array = NDArray[Any]


class Collected(Protocol):
    """Of one output; ``result`` once every row has been put."""

    def put(self, rows: NDArray[np.intp], array: Array, steps: Array) -> None:
        """What some rows have given, [rows, ...], and how many steps each of them has."""

    def result(self) -> New: ...


class Whole:
    """One array [rows, *shape]; what a group has not given of it is 0."""

    def __init__(self, rows: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._array: Array = np.zeros((rows, *shape), dtype)

    def put(self, rows: NDArray[np.intp], array: Array, steps: Array) -> None:
        self._array[rows, : array.shape[1]] = array

    def result(self) -> Array:
        return self._array


class Last(Whole):
    """[rows, features] of the last step of each row, of which ``ShapeError`` asks for one."""

    def put(self, rows: NDArray[np.intp], array: Array, steps: Array) -> None:
        if not steps.all():
            raise ShapeError("expected a step or more, where the last one is asked for; got none")
        super().put(rows, array[np.arange(len(rows)), steps - 1], steps)


class Each:
    """An array [steps, features] for each row."""

    def __init__(self, rows: int, features: int, dtype: np.dtype[Any]) -> None:
        self._rows: list[Array] = [np.zeros((0, features), dtype)] * rows
        self._features, self._dtype = features, dtype

    def put(self, rows: NDArray[np.intp], array: Array, steps: Array) -> None:
        for row, y, count in zip(rows.tolist(), array, steps.tolist(), strict=True):
            self._rows[row] = y[:count].copy()

    def result(self) -> Ragged:
        return Ragged(self._rows, (self._features,), self._dtype)
