"""What is asked of sequences: how y is read, and that it can be, before anything is learnt.

y that are words or booleans are classes. Numbers are classes, too, where all are whole, at most
``MOST`` of them different, and each there twice on average; else they are to be guessed. Without y
the next step is asked. ``kind`` says otherwise.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, OptionError, ShapeError
from .reading import Sequences

KINDS: Final = ("classification", "regression", "next-step")
MOST: Final = 50


class Asked(NamedTuple):
    """``y``: columns of classes [sequences] or [sequences, time], or numbers with an axis more;
    None for the next step. ``classes``: their names, of classes alone. ``either``: y are whole
    numbers, which both kinds can read."""

    kind: str
    y: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    either: bool = False

    @property
    def about(self) -> str:
        """How y was read."""
        if self.y is None:
            return "the next step is asked"
        is_class = self.kind == "classification"
        of = "step" if self.y.ndim == (2 if is_class else 3) else "sequence"
        if is_class:
            names = self.classes if len(self.classes) < 9 else (*self.classes[:8], "...")
            found = f"{len(self.classes)} classes ({', '.join(names)}), one of each {of}"
            other = "; --kind regression reads numbers"
        else:
            size = self.y.shape[-1]
            found = f"{'a number' if size == 1 else f'{size} numbers'} of each {of}"
            other = "; --kind classification reads classes"
        return f"y is read as {found}{other if self.either else ''}"


def asked_of(read: Sequences, kind: str | None = None) -> Asked:
    """``kind`` is one of ``KINDS``, None for what y looks like.

    Raises ``ShapeError``, ``DTypeError`` or ``OptionError`` for what cannot be learnt so.
    """
    y = read.y
    if kind not in (None, *KINDS):
        raise OptionError(f"kind: expected one of {', '.join(KINDS)}; got {kind!r}")
    if y is None or kind == "next-step":
        if kind not in (None, "next-step"):
            raise OptionError(f"--kind {kind}: expected y with it, got none")
        _check_next_step(read)
        return Asked("next-step")
    if len(read.x) == 1:
        raise ShapeError(
            "y: expected several sequences with it, got one; without y the next step of one long "
            "series is asked"
        )
    steps = read.x.shape[1]
    if y.ndim > 1 and y.shape[1] == 1:
        y = y[:, 0] if y.ndim < 3 or steps == 1 else y
    per_step = y.ndim > 1 and y.shape[1] == steps > 1
    counts = read.steps if per_step else np.ones(len(y), np.bool_)
    if y.dtype.kind not in "fiubU":
        raise DTypeError(f"y: expected numbers or words, got {y.dtype}")
    if y.size == 0:
        raise ShapeError(f"y: expected something of each sequence, got shape {y.shape}")
    if kind == "regression":
        y = _as_numbers(y)
    _check_finite(y, counts)
    if kind is None:
        kind = _looks_like(y[counts])
    either = y.dtype.kind in "iu" or (y.dtype.kind == "f" and _are_whole(y[counts]))
    if kind == "classification":
        return _classes(y, counts, steps)._replace(either=either)
    return _to_guess(y, counts, per_step, steps)._replace(either=either)


def _check_next_step(read: Sequences) -> None:
    lengths = np.full(len(read.x), read.x.shape[1]) if read.lengths is None else read.lengths
    short = np.flatnonzero(lengths < 2)
    if len(short):
        raise ShapeError(
            f"sequence {short[0]}: expected at least 2 steps where the next one is asked, got 1"
        )


def _as_numbers(y: NDArray[Any]) -> NDArray[Any]:
    try:
        return y.astype(np.float64)
    except ValueError as error:
        raise DTypeError(f"y: expected numbers with --kind regression: {error}") from None


def _check_finite(y: NDArray[Any], counts: NDArray[np.bool_]) -> None:
    if y.dtype.kind == "f" and not np.isfinite(y[counts]).all():
        rows = counts & ~np.isfinite(y).reshape(*counts.shape, -1).all(axis=-1)
        raise ShapeError(
            f"y{np.argwhere(rows)[0].tolist()}: NaN or infinite: leave out such sequences"
        )


def _looks_like(values: NDArray[Any]) -> str:
    if values.dtype.kind in "Ub":
        return "classification"
    if not _are_whole(values):
        return "regression"
    different = len(np.unique(values))
    few = different <= MOST and 2 * different <= values.size
    return "classification" if few else "regression"


def _are_whole(values: NDArray[Any]) -> bool:
    return bool((values == np.round(values)).all())


def _classes(y: NDArray[Any], counts: NDArray[np.bool_], steps: int) -> Asked:
    if y.shape != counts.shape:
        is_one_hot = y.dtype.kind in "fiub" and _one_hot(y)
        hint = ", which is one-hot: give y.argmax(axis=-1)" if is_one_hot else ""
        raise ShapeError(
            f"y: expected classes of sequences ({len(y)},) or of steps ({len(y)}, {steps}), got "
            f"{y.shape}{hint}; --kind regression reads numbers"
        )
    values = y[counts]
    if values.dtype.kind == "f" and not _are_whole(values):
        broken = values[values != np.round(values)][0]
        raise ShapeError(
            f"y: expected classes with --kind classification, got {broken}, which is a fraction"
        )
    names, columns = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise ShapeError(f"y: expected at least two classes, got one: {names[0]}")
    if len(names) == values.size:
        raise ShapeError(f"y: expected classes, got {len(names)} that are all different")
    found = np.zeros(y.shape, np.int64)
    found[counts] = columns.reshape(-1)
    texts = (f"{name:g}" if names.dtype.kind == "f" else str(name) for name in names)
    return Asked("classification", found, tuple(texts))


def _one_hot(y: NDArray[Any]) -> bool:
    """Whether the last axis has a single 1 and is 0 otherwise."""
    flat = y.reshape(-1, y.shape[-1])
    return bool((((flat == 1).sum(axis=1) == 1) & ((flat != 0).sum(axis=1) == 1)).all())


def _to_guess(y: NDArray[Any], counts: NDArray[np.bool_], per_step: bool, steps: int) -> Asked:
    if y.ndim == counts.ndim:
        y = y[..., None]
    if y.ndim != counts.ndim + 1:
        raise ShapeError(
            f"y: expected numbers of sequences ({len(y)},) or ({len(y)}, numbers), or of steps "
            f"({len(y)}, {steps}) or ({len(y)}, {steps}, numbers); got {y.shape}"
        )
    found = y.astype(np.float64)
    found[~counts] = 0
    return Asked("regression", found)
