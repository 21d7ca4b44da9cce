"""From an input to an output, some steps at a time: the same bits as all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import RnnError, ShapeError, UnsupportedError
from ..masking import Pieces
from ..model import Model
from ..spec import ModelSpec
from .inputs import Input
from .outputs import Form, Output

_NUMBERS: Final = 2**20  # of x and y together in one piece: some megabytes


def steps_of_a_piece(
    spec: ModelSpec, batch: int, wanted: int | None, have_ends: bool
) -> int | None:
    """How many steps to run at once; None: all, since a layer looks ahead, or since rows that
    ``have_ends`` of their own are at different steps of a stride behind them.

    ``UnsupportedError`` where a number is wanted all the same.
    """
    ahead = spec.looks_ahead
    if not ahead and have_ends and spec.is_paced:
        ahead = "rows with lengths of their own do not go on together behind a layer with a stride"
    if ahead:
        if wanted is not None:
            raise UnsupportedError(f"--chunk: the whole sequence is needed: {ahead}")
        return None
    return wanted or max(1, _NUMBERS // max(1, batch * _numbers_of_a_step(spec)))


def whole_bytes(model: Model, spec: ModelSpec, source: Input) -> int | None:
    """Bytes of x and y as a whole; None where only the end tells."""
    if source.time is None:
        return None
    return source.time * source.batch * _numbers_of_a_step(spec) * model.dtype.itemsize


def form_of(
    model: Model, spec: ModelSpec, source: Input, batch_first: bool, state: Any = None
) -> Form:
    """What the output of :func:`run` from that state looks like. That of a last state alone has no
    time: a row of it stands where a step would, [batch, features] in any file."""
    whole = spec.return_sequences
    (output,) = spec.outputs.values()
    steps = None if source.time is None else spec.steps(output, source.time, state)
    return Form(
        time=steps if whole else source.batch,
        batch=source.batch if whole else 1,
        features=spec.output_size,
        dtype=model.dtype,
        batch_first=batch_first and whole,
        flat=source.flat or not whole,
    )


def _numbers_of_a_step(spec: ModelSpec) -> int:
    return (1 if spec.takes_indices else spec.input_size) + spec.output_size


def run(
    model: Model,
    spec: ModelSpec,
    source: Input,
    output: Output,
    steps: int | None,
    state: Any = None,
    lengths: NDArray[Any] | None = None,
    advance: Callable[[int], object] = lambda steps: None,
) -> Any:
    """Run all of ``source`` in pieces of ``steps`` into ``output``; returns the final state.

    ``lengths`` count from the beginning, as in a call; without them those that a ``mask_value``
    tells. A model that gives its last state alone gives it once, after the last piece: a row that
    has ended by then carries it on. ``advance`` is told of every piece. Raises what a call of the
    model raises; the message tells the place in the file.
    """
    if lengths is not None:
        _check_lengths(lengths, source.batch, source.time)
    masked = None
    if lengths is None and spec.mask_value is not None:
        masked = Pieces(source.batch, spec.mask_value, spec.takes_indices)
    done = 0
    for x in source.pieces(steps):
        left, where = None, source.name
        try:
            if lengths is not None:
                left = np.clip(lengths - done, 0, len(x))
            elif masked is not None:
                left = masked.lengths_of(x)
            where += f": counted from step {done}" if done else ""
            y, state = model(x, state, left)
        except RnnError as error:
            raise type(error)(f"{where}: {error}") from error
        if spec.return_sequences:
            output.write(y)
        done += len(x)
        advance(len(x))
    if not spec.return_sequences:
        output.write(y[:, None])
    if lengths is not None and source.time is None:
        _check_lengths(lengths, source.batch, done)
    return state


def _check_lengths(lengths: NDArray[Any], batch: int, time: int | None) -> None:
    if lengths.dtype.kind not in "iu" or lengths.shape != (batch,):
        raise ShapeError(
            f"lengths: expected {batch} integers, one a row; got {lengths.dtype} {lengths.shape}"
        )
    wrong = (lengths < 0) | (lengths > (np.inf if time is None else time))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ShapeError(
            f"lengths: row {row}: expected 0 to {'all' if time is None else time} steps, "
            f"got {lengths[row]}"
        )
