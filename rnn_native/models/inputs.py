"""X as callers give it, made [batch, time, features] and lengths [batch]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array as plain_array
from ..errors import DTypeError, ShapeError


class DataError(DTypeError, ValueError):
    """A DTypeError that is found, too, by who expects scikit-learn's ValueError for wrong data."""


def plain(name: str, given: Any) -> NDArray[Any]:
    """As :func:`rnn_native.arrays.as_array`, whose refusals are a ``DataError``."""
    try:
        return plain_array(name, given)
    except DTypeError as error:
        raise DataError(str(error)) from None


def pad(sequences: Sequence[ArrayLike]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sequences of different lengths, each [time, features] or [time], side by side.

    Returns [batch, longest time, features] or [batch, longest time], filled up with zeros on the
    right, and the lengths [batch].
    """
    arrays = [plain(f"pad: sequence {i}", sequence) for i, sequence in enumerate(sequences)]
    if not arrays:
        raise ShapeError("pad: expected at least one sequence, got none")
    for index, array in enumerate(arrays):
        if array.ndim == 0 or array.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(
                f"pad: sequence {index}: expected shape (time, "
                f"{', '.join(map(str, arrays[0].shape[1:]))}) as the first, got {array.shape}"
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    shape = (len(arrays), int(lengths.max()), *arrays[0].shape[1:])
    padded = np.zeros(shape, dtype=np.result_type(*arrays))
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


def as_array(name: str, given: Any) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """One array of what may be a list of arrays of different lengths; then their lengths, too."""
    if hasattr(given, "tocsr"):
        raise DataError(f"{name}: sparse matrices are not supported; give {name}.toarray()")
    rows = given if isinstance(given, (list, tuple)) else plain(name, given)
    listed = not isinstance(rows, np.ndarray) or (rows.dtype.kind == "O" and rows.ndim == 1)
    if listed and len(rows):
        try:
            arrays = [plain(name, row) for row in rows]
        except DataError:
            raise
        except ValueError as error:
            raise ShapeError(f"{name}: expected arrays of numbers: {error}") from error
        nested = isinstance(rows, np.ndarray) and arrays[0].ndim > 0
        if nested or len({array.shape[:1] for array in arrays}) > 1:
            return pad(arrays)
    return plain(name, rows), None


@dataclass(frozen=True)
class Table:
    """Of a model ``name`` that was fitted to X [batch, time] without lengths, as scikit-learn has
    X: how many columns all have to have."""

    name: str
    columns: int | None = None

    def check(self, columns: int) -> None:
        if self.columns not in (None, columns):
            raise ShapeError(
                f"X has {columns} features, but {self.name} is expecting {self.columns} features "
                "as input. Sequences of other lengths are X[:, :, None], or have lengths="
            )


def as_inputs(
    x: ArrayLike,
    lengths: ArrayLike | None,
    features: int | None,
    dtype: np.dtype[Any],
    table: Table,
) -> tuple[NDArray[Any], NDArray[np.int64], Table]:
    """x [batch, time, features] in the model's dtype, lengths [batch], and what X was as a table.

    x [batch, time] has one feature; arrays of different lengths in a list are padded. Raises
    ``ShapeError`` or ``DTypeError`` with what was expected.
    """
    array, own = as_array("X", x)
    columns = array.shape[1] if array.ndim == 2 and own is None and lengths is None else None
    if columns is not None:
        table.check(columns)
    if own is not None and lengths is not None:
        raise ShapeError("lengths: expected None, as X is a list whose arrays have lengths")
    array = _shaped(_real(array), features)
    batch, time = array.shape[:2]
    given = own if own is not None else lengths
    steps = np.full(batch, time) if given is None else plain("lengths", given)
    if steps.dtype.kind not in "iu":
        raise DataError(f"lengths: expected integers, got {steps.dtype}")
    if steps.shape != (batch,):
        raise ShapeError(f"lengths: expected shape ({batch},), got {steps.shape}")
    expect_steps(steps, time, 0)
    with np.errstate(over="ignore"):  # what that makes infinite is refused where it counts
        inputs = array.astype(dtype, copy=False)
    expect_finite("X", inputs, np.arange(time) < steps[:, None], array)
    return inputs, steps.astype(np.int64), Table(table.name, columns)


def expect_steps(lengths: NDArray[Any], time: int, least: int = 1) -> None:
    """``ShapeError`` where a length is not ``least`` to ``time``."""
    for row, length in enumerate(lengths.tolist()):
        if not least <= length <= time:
            raise ShapeError(f"lengths[{row}]: expected {least}..{time}, got {length}")


def _real(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "O":
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"X: expected real numbers: {error}") from error
    if array.dtype.kind == "c":
        raise DataError(f"X: expected real numbers, got {array.dtype}. Complex data not supported")
    if array.dtype.kind not in "fiub":
        raise DataError(f"X: expected real numbers, got {array.dtype}")
    return array


def _shaped(array: NDArray[Any], features: int | None) -> NDArray[Any]:
    shape = array.shape
    if array.ndim == 2 and features in (None, 1):
        array = array[:, :, None]
    wanted = "features" if features is None else features
    if shape == (0,):
        raise ShapeError("X: expected at least one sequence, got none")
    if array.ndim == 1:
        raise ShapeError(
            f"X: expected shape (batch, time, {wanted}), got {shape}. Reshape your data: one "
            "sequence of one feature is X[None, :, None]"
        )
    if array.ndim != 3 or features not in (None, array.shape[2]):
        hint = ""
        if array.ndim == 3 and array.shape[1] == features:
            hint = ", which looks like (batch, features, time): give X.transpose(0, 2, 1)"
        raise ShapeError(f"X: expected shape (batch, time, {wanted}), got {shape}{hint}")
    if len(array) and 0 in array.shape[1:] and (features is None or array.ndim > len(shape)):
        raise ShapeError(f"X: 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    return array


def expect_finite(
    name: str, array: NDArray[Any], counts: NDArray[np.bool_], given: NDArray[Any] | None = None
) -> None:
    """``ShapeError`` where a number that counts is none; ``counts`` over the leading axes of the
    array, ``given`` what it was made of."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # one pass, where nothing is wrong
            return
    wrong = ~np.isfinite(array)
    wrong &= counts.reshape(counts.shape + (1,) * (array.ndim - counts.ndim))
    if not wrong.any():
        return
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    value = float((array if given is None else given)[place])
    what = "NaN, which stands for a missing value" if value != value else str(value)
    if np.isfinite(value):
        what += f", which is inf in {array.dtype}"
    raise ShapeError(f"{name}{list(place)}: expected a finite {array.dtype} number, got {what}")
