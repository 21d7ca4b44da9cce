"""A column of a batch as what a model takes: sequences, an array a row, or lengths.

A column is an array [rows, ...], or an object array or a list with something for each row: arrays,
lists, nested as they come out of a Parquet file. What pyarrow has is read in ``arrow``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_array
from ..errors import DTypeError, RnnError, ShapeError
from ..spec.wiring import Input
from . import arrow

Array = NDArray[Any]


@dataclass(frozen=True)
class Sequences:
    """The rows of an input, each [steps, *step]; ``dense``: all of them as one array, where the
    column was one."""

    column: str
    rows: Sequence[Array]
    lengths: NDArray[np.int64]
    step: tuple[int, ...]
    dense: Array | None

    def padded(self, rows: NDArray[np.intp], steps: int, fill: float) -> Array:
        """[rows, steps, ...] of those rows; of a dense column in place where they lie side by
        side, and with what lies past a row's length."""
        if self.dense is not None:
            first = int(rows[0]) if len(rows) else 0
            together = np.array_equal(rows, np.arange(first, first + len(rows)))
            return self.dense[slice(first, first + len(rows)) if together else rows, :steps]
        each = [self.rows[row] for row in rows]
        types = {row.dtype for row in each if len(row)}
        dtype = np.result_type(*types) if types else _type_of_none(self.step)
        padded: Array = np.full((len(each), steps, *self.step), fill, dtype)
        for place, row in enumerate(each):
            padded[place, : len(row)] = row
        return padded


def sequences(column: str, values: Any, one: Input, lengths: Array | None) -> Sequences:
    """The sequences of an input with time, cut to ``lengths`` where these are given.

    A row is [steps, features] or its numbers one after another, of indices [steps]. ``ShapeError``
    and ``DTypeError`` name the column, and the row.
    """
    step = () if one.indices else (one.features,)
    dense = _plain(column, values)
    if dense is not None:
        dense = _dense(column, dense, step)
    rows = _rows(column, values, step) if dense is None else list(dense)
    have = np.fromiter(map(len, rows), np.int64, len(rows))
    if lengths is not None:
        _check_lengths(column, lengths, have)
        have = lengths
        if dense is None:
            rows = [row[:count] for row, count in zip(rows, have, strict=True)]
    return Sequences(column, rows, have, step, dense)


def fixed(column: str, values: Any, shape: tuple[int, ...]) -> Array:
    """[rows, *shape] of a column with an array of that shape, or its numbers, in each row."""
    array = _plain(column, values)
    if array is None:
        rows = arrow.rows(column, values) if arrow.is_column(values) else values
        each = [_array(column, number, row, shape) for number, row in enumerate(rows)]
        for number, row in enumerate(each):
            if row.size != math.prod(shape):
                raise _unexpected(column, shape, row.shape, number)
        none = np.zeros((0, *shape), _type_of_none(shape))
        array = np.stack([row.reshape(shape) for row in each]) if each else none
    if math.prod(array.shape[1:]) != math.prod(shape):
        raise _unexpected(column, shape, array.shape[1:])
    return array.reshape(len(array), *shape)


def lengths_of(column: str, values: Any) -> NDArray[np.int64]:
    """Lengths [rows] of a column of integers."""
    where = f"column {column!r}"
    array = arrow.numbers(column, values) if arrow.is_column(values) else as_array(where, values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise DTypeError(
            f"{where}: expected an integer in each row, how many steps it has; "
            f"got {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)


def check_same_lengths(all_sequences: Sequence[Sequences]) -> None:
    """``ShapeError`` where two inputs have other steps in the same row."""
    first, *others = all_sequences
    for other in others:
        wrong = np.flatnonzero(first.lengths != other.lengths)
        if len(wrong):
            row = int(wrong[0])
            raise ShapeError(
                f"column {other.column!r}, row {row}: expected {first.lengths[row]} steps, as "
                f"column {first.column!r} has; got {other.lengths[row]}"
            )


def _plain(column: str, values: Any) -> Array | None:
    """``values`` where they are an array of numbers, all rows alike."""
    if arrow.is_column(values):
        return None if arrow.is_list(values) else arrow.numbers(column, values)
    if isinstance(values, (list, tuple)):
        return None
    array = as_array(f"column {column!r}", values)
    if array.dtype.kind == "O" or array.shape == (0,):  # of no rows it has no other axes to look at
        return None
    return _of_numbers(f"column {column!r}", array)


def _type_of_none(step: tuple[int, ...]) -> np.dtype[Any]:
    """Of features, or of indices, where there is nothing that has a type."""
    return np.dtype(np.float32 if step else np.int64)


def _of_numbers(where: str, array: Array) -> Array:
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{where}: expected numbers, got {array.dtype}")
    return array


def _dense(column: str, array: Array, step: tuple[int, ...]) -> Array:
    """[rows, steps, *step]."""
    if array.ndim == 2 + len(step) and array.shape[2:] == step:
        return array
    features = math.prod(step)
    if array.ndim == 2 and array.shape[1] % features == 0:
        return array.reshape(len(array), array.shape[1] // features, *step)
    raise _unexpected(column, ("steps", *step), array.shape[1:])


def _rows(column: str, values: Any, step: tuple[int, ...]) -> list[Array]:
    if arrow.is_column(values):
        values = arrow.rows(column, values)
    rows = []
    features = math.prod(step)
    for number, value in enumerate(values):
        row = _array(column, number, value, step)
        if row.shape[:1] == (0,):
            row = row.reshape(0, *step)
        elif row.ndim != 1 + len(step) or row.shape[1:] != step:
            if row.ndim != 1 or row.size % features:
                raise _unexpected(column, ("steps", *step), row.shape, number)
            row = row.reshape(row.size // features, *step)
        rows.append(row)
    return rows


def _array(column: str, number: int, value: Any, shape: tuple[int, ...]) -> Array:
    """What a row holds as an array of numbers."""
    where = f"column {column!r}, row {number}"
    if _is_missing(value):
        raise ShapeError(
            f"{where}: expected a sequence of numbers, got {value!r}; drop or fill such rows first"
        )
    try:
        array = as_array(where, value)
        if array.dtype.kind == "O":  # of arrays, or with None
            array = _nested(where, array, shape)
    except RnnError as error:
        if str(error).startswith(where):
            raise
        raise type(error)(f"{where}: {error}") from error
    return _of_numbers(where, array)


def _nested(where: str, value: Array, shape: tuple[int, ...]) -> Array:
    """An array of arrays as one."""
    if len(value) == 0:
        return np.zeros((0, *shape))
    parts = [as_array(where, part) for part in value]
    shapes = {part.shape for part in parts}
    if any(part.dtype.kind == "O" and part.ndim for part in parts):
        parts = [_nested(where, part, ()) for part in parts]
        shapes = {part.shape for part in parts}
    if any(part.dtype.kind == "O" for part in parts):
        raise DTypeError(f"{where}: expected numbers, got {_odd(parts)!r} among them")
    if len(shapes) > 1:
        raise ShapeError(f"{where}: expected steps of equally many features; got {sorted(shapes)}")
    return np.stack(parts)


def _odd(parts: Sequence[Array]) -> Any:
    return next(part for part in parts if part.dtype.kind == "O").item()


def _is_missing(value: Any) -> bool:
    """None, NaN in the place of a sequence, and pandas' own NA."""
    return (
        value is None
        or (isinstance(value, float) and value != value)
        or type(value).__name__ == "NAType"
    )


def _check_lengths(column: str, lengths: Array, have: Array) -> None:
    if len(lengths) != len(have):
        raise ShapeError(f"column {column!r}: {len(have)} rows, but {len(lengths)} lengths")
    wrong = np.flatnonzero((lengths < 0) | (lengths > have))
    if len(wrong):
        row = int(wrong[0])
        raise ShapeError(
            f"column {column!r}, row {row}: expected a length of 0 to its {have[row]} steps; "
            f"got {lengths[row]}"
        )


def _unexpected(
    column: str, shape: Sequence[int | str], came: tuple[int, ...], row: int | None = None
) -> ShapeError:
    where = f"column {column!r}" + ("" if row is None else f", row {row}")
    axes = ", ".join(map(str, shape))
    flat = f", or its numbers one after another, n times {shape[-1]}" if len(shape) > 1 else ""
    return ShapeError(f"{where}: expected [{axes}] in a row{flat}; got shape {list(came)}")
