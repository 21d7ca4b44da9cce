"""Sequences and their targets as callers give them, checked: [batch, time, features]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DTypeError, ShapeError
from .outputs import Output


def pad(sequences: Sequence[ArrayLike]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sequences of different lengths, each [time, features] or [time], side by side.

    Returns [batch, longest time, features] or [batch, longest time], filled up with zeros on the
    right, and the lengths [batch].
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
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


@dataclass(frozen=True)
class Sequences:
    """Sequences with what is to be learnt of them.

    ``x`` [batch, time, features]; ``lengths`` [batch]; ``y`` [batch, ...] with one target for each
    sequence, or [batch, time, ...] with one for each step (``per_step``).
    """

    x: NDArray[Any]
    lengths: NDArray[np.int64]
    y: NDArray[Any]
    per_step: bool

    def __len__(self) -> int:
        return len(self.x)

    @property
    def steps(self) -> NDArray[np.bool_]:
        """Which steps are not padding, [batch, time]."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which targets are not padding, over the leading axes of y."""
        return self.steps if self.per_step else np.ones(len(self), np.bool_)

    def rows(self, chosen: NDArray[np.int64]) -> Sequences:
        return Sequences(self.x[chosen], self.lengths[chosen], self.y[chosen], self.per_step)

    def batches(self, size: int, order: NDArray[np.int64] | None = None) -> Iterator[Batch]:
        """All rows, ``size`` at once, in this order (None: as they stand)."""
        order = np.arange(len(self)) if order is None else order
        for first in range(0, len(order), size):
            yield _batch(self.rows(order[first : first + size]))


@dataclass(frozen=True)
class Batch:
    """Some rows, time first and no longer than the longest of them needs.

    ``x`` [time, rows, features]; ``y`` [time, rows, ...] with a target at every step, of which
    those count where ``counts`` [time, rows] is True.
    """

    x: NDArray[Any]
    lengths: NDArray[np.int64]
    y: NDArray[Any]
    counts: NDArray[np.bool_]


def _batch(rows: Sequences) -> Batch:
    time = max(int(rows.lengths.max()), 1)
    x = np.ascontiguousarray(rows.x[:, :time].swapaxes(0, 1))
    steps = np.arange(time)[:, None]
    if rows.per_step:
        y = np.ascontiguousarray(rows.y[:, :time].swapaxes(0, 1))
        counts = steps < rows.lengths
    else:
        y = np.broadcast_to(rows.y, (time, *rows.y.shape))
        counts = steps == rows.lengths - 1  # the last valid step answers for the sequence
    if y.dtype.kind in "iu":
        counts = counts & (y >= 0)  # -1: nobody knows, as scikit-learn has it
    return Batch(x, rows.lengths, y, counts)


def as_inputs(
    x: ArrayLike, lengths: ArrayLike | None, features: int, dtype: np.dtype[Any], least: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """x [batch, time, features] in the model's dtype, and lengths [batch], each at least ``least``.

    Raises ``ShapeError`` or ``DTypeError`` with what was expected.
    """
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError("X: expected one array; rn.models.pad makes it of ragged rows") from error
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"X: expected real numbers, got {array.dtype}")
    if array.ndim != 3 or array.shape[2] != features:
        raise ShapeError(f"X: expected shape (batch, time, {features}), got {array.shape}")
    batch, time = array.shape[:2]
    steps = np.full(batch, time) if lengths is None else np.asarray(lengths)
    if steps.dtype.kind not in "iu":
        raise DTypeError(f"lengths: expected integers, got {steps.dtype}")
    if steps.shape != (batch,):
        raise ShapeError(f"lengths: expected shape ({batch},), got {steps.shape}")
    for row, length in enumerate(steps.tolist()):
        if not least <= length <= time:
            raise ShapeError(f"lengths[{row}]: expected {least}..{time}, got {length}")
    return array.astype(dtype, copy=False), steps.astype(np.int64)


def as_sequences(
    x: ArrayLike,
    y: ArrayLike,
    lengths: ArrayLike | None,
    features: int,
    output: Output,
    dtype: np.dtype[Any],
) -> Sequences:
    """X and y checked against each other and against what the model gives; y as it came.

    Also that x is finite where it counts: a NaN would come back as a loss that says nothing of
    where it is from. What is padding may be anything.
    """
    targets = np.asarray(y)
    per_step = output.is_per_step(targets)
    inputs, steps = as_inputs(x, lengths, features, dtype, 0 if per_step else 1)
    if len(inputs) == 0:
        raise ShapeError("X: expected at least one sequence, got none")
    sequences = Sequences(inputs, steps, targets, per_step)
    leading = inputs.shape[: 2 if per_step else 1]
    if targets.shape[: len(leading)] != leading:
        raise ShapeError(f"y: expected it to begin with shape {leading}, got {targets.shape}")
    _expect_finite("X", inputs, sequences.steps)
    return sequences


def as_targets(sequences: Sequences, output: Output, seen: bool = True) -> Sequences:
    """The same with y as the loss takes it, finite where it counts; ``seen``: with no class that
    training did not have, of which a loss says nothing."""
    y = output.targets(sequences.y, sequences.counts)
    _expect_finite("y", y, sequences.counts)
    if seen:
        output.expect_seen(y, sequences.y)
    return replace(sequences, y=y)


def _expect_finite(name: str, array: NDArray[Any], counts: NDArray[np.bool_]) -> None:
    """``counts`` over the leading axes of the array."""
    wrong = ~np.isfinite(array)
    wrong &= counts.reshape(counts.shape + (1,) * (array.ndim - counts.ndim))
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ShapeError(
            f"{name}{list(place)}: expected a finite {array.dtype} number, got {array[place]}"
        )
