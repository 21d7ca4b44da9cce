"""Sequences and their targets as callers give them, checked: [batch, time, features]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError
from ..warn import warn
from . import strangers
from .inputs import Table, as_array, as_inputs, expect_finite, expect_steps
from .label_lists import of_one_kind
from .outputs import Output


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
    is_flat: bool
    """Whether y came without the axis of its one feature."""
    table: Table
    weights: NDArray[np.float64] | None = None
    """How much a target counts, over the leading axes of y; None: once."""

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
        weights = None if self.weights is None else self.weights[chosen]
        return replace(
            self, x=self.x[chosen], lengths=self.lengths[chosen], y=self.y[chosen], weights=weights
        )

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
    weights: NDArray[np.float64] | None

    @property
    def total(self) -> float:
        """What counts in all: how many places, or the sum of their weights."""
        if self.weights is None:
            return int(self.counts.sum())
        return float(self.weights[self.counts].sum())

    def targets(self, of_sequences: bool) -> Targets:
        """At every step; or those of the sequences themselves, as they are at the last one."""
        if not of_sequences:
            return Targets(self.y, self.counts, self.weights)
        weights = None if self.weights is None else self.weights[0]
        return Targets(self.y[0], np.asarray(self.counts.any(axis=0)), weights)


class Targets(NamedTuple):
    """What outputs are compared with; y [..., rows, ...] where ``counts`` [..., rows] is True."""

    y: NDArray[Any]
    counts: NDArray[np.bool_]
    weights: NDArray[np.float64] | None


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
    weights = rows.weights
    if weights is not None:
        weights = weights[:, :time].T if rows.per_step else np.broadcast_to(weights, counts.shape)
    return Batch(x, rows.lengths, y, counts, weights)


def as_sequences(
    x: ArrayLike,
    y: ArrayLike | None,
    lengths: ArrayLike | None,
    features: int | None,
    output: Output,
    dtype: np.dtype[Any],
    table: Table,
) -> Sequences:
    """X and y checked against each other and against what the model gives; y as it came, but with
    an axis for its one feature where a vector was expected.

    Also that x is finite where it counts: a NaN would come back as a loss that says nothing of
    where it is from. What is padding may be anything.
    """
    if y is None:
        raise ShapeError("y: this model requires y to be passed, but the target y is None")
    inputs, steps, found = as_inputs(x, lengths, features, dtype, table)
    if len(inputs) == 0:
        raise ShapeError("X: expected at least one sequence, got none")
    targets, own = as_array("y", y if output.target_rank else of_one_kind("y", y))
    shape = targets.shape
    is_flat = output.is_flat(targets)
    if is_flat:
        targets = targets[..., None]
    if output.target_rank == 0 and targets.ndim == 2 and shape[1] == 1 != inputs.shape[1]:
        warn(
            "A column-vector y was passed when a 1d array was expected: give y.ravel()",
            strangers.conversion_warning(),
        )
        targets = targets[:, 0]
    per_step = output.is_per_step(targets)
    if per_step and _is_one_hot(targets, output) and targets.shape == inputs.shape[:2]:
        warn(
            "y has one 1 in each row, and is taken for a class 0 or 1 of each step; where it is "
            "one-hot, give y.argmax(axis=1)"
        )
    if not per_step:
        expect_steps(steps, inputs.shape[1])
    leading = inputs.shape[: 2 if per_step else 1]
    if targets.shape[: len(leading)] != leading:
        hint = _hint(targets, inputs, output)
        raise ShapeError(f"y: expected it to begin with shape {leading}, got {shape}{hint}")
    if own is not None and not np.array_equal(own, steps):
        raise ShapeError("y: expected arrays as long as those of X")
    return Sequences(inputs, steps, targets, per_step, is_flat, found)


def _hint(y: NDArray[Any], x: NDArray[Any], output: Output) -> str:
    """What may have been meant by a y that does not fit."""
    if len(y) == len(x) and _is_one_hot(y, output):
        return ", which is one-hot: give the classes, y.argmax(axis=1)"
    if y.shape[:2] == (x.shape[0], x.shape[2]):
        return "; where X is (batch, features, time), give X.transpose(0, 2, 1)"
    return ""


def _is_one_hot(y: NDArray[Any], output: Output) -> bool:
    """Whether labels [batch, n], n at least 2, are a 1 in each row and 0 otherwise."""
    if output.target_rank or y.ndim != 2 or y.shape[1] < 2 or len(y) < 2:
        return False
    if y.dtype.kind not in "biuf":
        return False
    ones, zeros = (y == 1).sum(axis=1), (y == 0).sum(axis=1)
    several = np.count_nonzero((y == 1).any(axis=0)) > 1
    return bool(several and ((ones == 1) & (zeros == y.shape[1] - 1)).all())


def as_targets(sequences: Sequences, output: Output, seen: bool = True) -> Sequences:
    """The same with y as the loss takes it, finite where it counts; ``seen``: with no class that
    training did not have, of which a loss says nothing."""
    y = output.targets(sequences.y, sequences.counts)
    expect_finite("y", y, sequences.counts)
    if seen:
        output.expect_seen(y, sequences.y)
    return replace(sequences, y=y)
