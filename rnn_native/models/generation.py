"""Sequences that predict themselves: targets that are the next step, and what a model goes on with.

A model that learnt them has its own outputs for inputs: numbers as they are, classes one-hot in the
order of ``classes_``, yes-or-no features as 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError
from ..model import Model
from ..train.checks import not_negative, whole
from .inputs import pad, plain
from .label_lists import of_one_kind
from .labels import Label
from .outputs import Output, Softmax

Array = NDArray[Any]


class NextStep(NamedTuple):
    """Arguments for ``fit``: X and y, padded, and their lengths; and of labels all classes, for the
    constructor."""

    X: Array
    y: Array
    lengths: NDArray[np.int64]
    classes: list[Label] | None


def next_step(sequences: Any, *, labels: bool = False, window: int | None = None) -> NextStep:
    """What every step but the last is to predict: the one after it.

    Parameters
    ----------
    sequences
        Numbers: one sequence [time], several [batch, time] or [batch, time, features], or a list
        of arrays [time] or [time, features]. Labels: a string, whose characters they are, one
        sequence [time], several [batch, time], or a list of strings or sequences.
    labels
        Whether they are labels, which X has one-hot.
    window
        The most steps of a row: longer sequences are cut, and each step is predicted once. None:
        whole sequences.

    Raises
    ------
    ShapeError
        A sequence has less than two steps.
    """
    listed = _of_labels(sequences) if labels else _rows(sequences)
    listed = of_one_kind("sequences", listed) if labels else listed
    rows = [plain("sequences", row) for row in listed]
    length = None if window is None else whole("window", window, 1)
    pieces = []
    for index, row in enumerate(rows):
        if row.ndim == 0 or len(row) < 2:
            raise ShapeError(f"sequences[{index}]: expected at least 2 steps, got {row.tolist()!r}")
        size = len(row) if length is None else length
        pieces += [row[first : first + size + 1] for first in range(0, len(row) - 1, size)]
    y, lengths = pad([piece[1:] for piece in pieces])
    if not labels:
        x, _ = pad([piece[:-1] for piece in pieces])
        if x.ndim == 2:
            x, y = x[:, :, None], y[:, :, None]
        return NextStep(x, y, lengths, None)
    head = Softmax(None).learnt_from(np.concatenate(rows), np.ones(sum(map(len, rows)), bool), None)
    x, _ = pad([one_hot(head, piece[:-1]) for piece in pieces])
    return NextStep(x, y, lengths, head.classes)


def _rows(sequences: Any) -> Sequence[Any]:
    if isinstance(sequences, (list, tuple)) and len(sequences) and np.ndim(sequences[0]) > 0:
        return sequences
    array = plain("sequences", sequences)
    return [array] if array.ndim == 1 else list(array)


def _of_labels(sequences: Any) -> Sequence[Any]:
    if isinstance(sequences, str):
        return [list(sequences)]
    if isinstance(sequences, (list, tuple)) and all(isinstance(row, str) for row in sequences):
        return [list(row) for row in sequences]
    return _rows(sequences)


def one_hot(head: Output, labels: Array) -> Array:
    """[..., classes] in float32; ``ShapeError`` where a label is none of the classes."""
    columns = head.targets(labels, np.ones(labels.shape, np.bool_))
    head.expect_seen(columns, labels, "prompt")
    return np.asarray(np.eye(head.size or 0, dtype=np.float32)[columns])


def generate(
    model: Model, head: Output, prompt: Any, steps: int, temperature: float | None, seed: int
) -> Any:
    """What :meth:`rnn_native.models.model.SequenceModel.generate` gives, of its model, whose
    outputs are those of steps, batch first and activated."""
    steps, seed = whole("steps", steps, 0), whole("seed", seed, 0)
    warmth = _temperature(head, temperature)
    is_text = isinstance(prompt, str)
    prompt = list(prompt) if is_text else prompt
    given = plain("prompt", prompt if head.target_rank else of_one_kind("prompt", prompt))
    x, is_single = _prompt(head, given)
    batch, features = len(x), x.shape[2]
    # Each row draws numbers of its own, so that it is the same in any company.
    draws = [np.random.default_rng([seed, row]) for row in range(batch)]
    chosen = np.zeros((batch, steps, *(() if head.target_rank == 0 else (features,))))
    y, state = model(x.astype(model.dtype))
    for step in range(steps):
        chosen[:, step] = _choose(head, y[:, -1].astype(np.float64), warmth, draws)
        fed = chosen[:, step]
        if head.target_rank == 0:
            fed = np.eye(features)[fed.astype(np.int64)]
        y, state = model(fed[:, None].astype(model.dtype), state)
    if head.target_rank == 0:
        labels = head.named(chosen.astype(np.int64))
        if is_text:
            return "".join(labels[0].tolist())
        return labels[0] if is_single else labels
    made = chosen.astype(model.dtype if head.activation == "identity" else np.int64)
    made = made[0] if is_single else made
    return made[..., 0] if features == 1 and given.ndim < 3 else made


def _temperature(head: Output, temperature: float | None) -> float:
    if head.activation == "identity":
        if temperature is not None:
            raise OptionError("temperature: expected None, as numbers are not drawn")
        return 0.0
    return 1.0 if temperature is None else not_negative("temperature", temperature)


def _prompt(head: Output, given: Array) -> tuple[Array, bool]:
    """[batch, time, features] as the model takes it, and whether it was one sequence alone."""
    if head.target_rank == 0:
        if given.ndim not in (1, 2) or given.shape[-1] == 0:
            raise ShapeError(
                f"prompt: expected labels [time] or [batch, time], at least one, got {given.shape}"
            )
        is_single = given.ndim == 1
        return one_hot(head, given[None] if is_single else given), is_single
    if given.dtype.kind not in "fiub":
        raise ShapeError(f"prompt: expected real numbers, got {given.dtype}")
    is_single = given.ndim == 1 or (given.ndim == 2 and head.size != 1)
    x = given[None] if is_single else given
    x = x[:, :, None] if x.ndim == 2 else x
    if x.ndim != 3 or x.shape[1] == 0 or x.shape[2] != head.size:
        raise ShapeError(
            f"prompt: expected (time, {head.size}) or (batch, time, {head.size}), at least one "
            f"step, got {given.shape}"
        )
    if not np.isfinite(x).all():
        raise ShapeError("prompt: expected finite numbers, got NaN or infinity")
    return x, is_single


def _choose(head: Output, p: Array, temperature: float, draws: list[np.random.Generator]) -> Array:
    """Of the outputs [batch, features] of a step: the columns of classes, or what is fed back."""
    if temperature == 0:
        return np.asarray(head.predict(p))
    with np.errstate(divide="ignore"):
        if head.target_rank == 1:
            odds = (np.log1p(-p) - np.log(p)) / temperature
            u = np.stack([draw.random(p.shape[1]) for draw in draws])
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(u * (1 + np.exp(odds)) < 1).astype(np.int64)
        log = np.log(p) / temperature
    weights = np.exp(log - log.max(axis=1, keepdims=True))
    shares = np.cumsum(weights, axis=1)
    u = np.array([draw.random() for draw in draws]) * shares[:, -1]
    return np.asarray(np.minimum((shares <= u[:, None]).sum(axis=1), p.shape[1] - 1))
