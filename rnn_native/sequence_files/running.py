"""From an input to an output, some steps at a time: the same bits as all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import RnnError, ShapeError, UnsupportedError
from ..model import Model
from ..spec import ModelSpec
from .inputs import Input
from .outputs import Output

_NUMBERS: Final = 2**20  # of x and y together in one piece: some megabytes


def steps_of_a_piece(model: Model, spec: ModelSpec, batch: int, wanted: int | None) -> int | None:
    """How many steps to run at once; None: all, since a layer runs backwards.

    ``UnsupportedError`` where a number is wanted all the same.
    """
    if not model.streamable:
        if wanted is not None:
            raise UnsupportedError(
                "--chunk: a model with a reverse or bidirectional layer needs the whole sequence"
            )
        return None
    return wanted or max(1, _NUMBERS // max(1, batch * _numbers_of_a_step(spec)))


def whole_bytes(model: Model, spec: ModelSpec, source: Input) -> int | None:
    """Bytes of x and y as a whole; None where only the end tells."""
    if source.time is None:
        return None
    return source.time * source.batch * _numbers_of_a_step(spec) * model.dtype.itemsize


def _numbers_of_a_step(spec: ModelSpec) -> int:
    return (1 if spec.takes_indices else spec.input_size) + spec.output_size


def run(
    model: Model,
    source: Input,
    output: Output,
    steps: int | None,
    state: Any = None,
    lengths: NDArray[Any] | None = None,
    advance: Callable[[int], object] = lambda steps: None,
) -> Any:
    """Run all of ``source`` in pieces of ``steps`` into ``output``; returns the final state.

    ``lengths`` count from the beginning, as in a call. ``advance`` is told of every piece. Raises
    what a call of the model raises; the message tells the place in the file.
    """
    if lengths is not None:
        _check_lengths(lengths, source.batch, source.time)
    done = 0
    for x in source.pieces(steps):
        left = None if lengths is None else np.clip(lengths - done, 0, len(x))
        try:
            y, state = model(x, state, left)
        except RnnError as error:
            where = f": counted from step {done}" if done else ""
            raise type(error)(f"{source.name}{where}: {error}") from error
        if y.shape[:2] != (len(x), source.batch):
            raise UnsupportedError(
                f"{source.name}: expected the model to give [time, batch, features], one output a "
                f"step; got shape {y.shape} of {len(x)} steps, {source.batch} rows"
            )
        output.write(y)
        done += len(x)
        advance(len(x))
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
