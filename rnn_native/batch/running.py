"""Rows of a batch through a model, those of nearly the same length at once, and back in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, RnnError, ShapeError
from ..masking import lengths_of
from ..states import flatten, unflatten
from .collected import Collected, Each, Last, Whole
from .columns import Sequences
from .groups import grouped
from .sources import Ready
from .tables import New

Array = NDArray[Any]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Given:
    """What a model is called with: of each input with time its sequences, of the others and of the
    state arrays [rows, ...]. ``cut``: a column has stated the lengths."""

    sequences: Sequence[tuple[str, Sequences]]
    static: Mapping[str, Array]
    state: Mapping[str, Array]
    cut: bool

    @property
    def first(self) -> Sequences:
        return self.sequences[0][1]


@dataclass(frozen=True)
class Wanted:
    """Which outputs, and which arrays of the state behind the last step. ``last``: of outputs with
    time only that at each sequence's last step."""

    outputs: tuple[str, ...]
    states: tuple[str, ...]
    last: bool


class Run:
    """One batch."""

    def __init__(self, ready: Ready, given: Given, wanted: Wanted, num_threads: int) -> None:
        self._model, self._signature = ready.model, ready.signature
        self._given, self._threads = given, num_threads
        self._lengths, self._last = given.first.lengths, wanted.last
        rows, dtype = len(self._lengths), ready.model.dtype
        self._outputs = {name: self._collected(name) for name in wanted.outputs}
        shapes = self._signature.states
        self._states = {name: Whole(rows, shapes[name], dtype) for name in wanted.states}

    def _collected(self, name: str) -> Collected:
        rows, dtype, dense = len(self._lengths), self._model.dtype, self._given.first.dense
        one = self._signature.outputs[name]
        if one.time and self._last:
            return Last(rows, (one.features,), dtype)
        if not one.time:
            return Whole(rows, (one.features,), dtype)
        if dense is None:
            return Each(rows, one.features, dtype)
        steps = self._steps(name, np.array([dense.shape[1]]))
        return Whole(rows, (int(steps[0]), one.features), dtype)

    def _steps(self, output: str, lengths: Array) -> Array:
        """How many steps an output has of rows of those lengths."""
        made = self._model.output_steps(lengths)
        found: Array = made[output] if isinstance(made, dict) else made
        return found

    def results(self) -> tuple[dict[str, New], dict[str, New]]:
        """Each output, and each array of the state [rows, ...], by its name."""
        inputs, outputs = self._signature.inputs, self._signature.outputs
        numbers = sum(1 if one.indices else one.features for one in inputs.values())
        for rows in grouped(self._lengths, numbers + sum(o.features for o in outputs.values())):
            try:
                self._run(rows)
            except (ShapeError, DTypeError) as error:
                raise self._blamed(rows, error) from error
        states: dict[str, New] = {name: one.result() for name, one in self._states.items()}
        return {name: one.result() for name, one in self._outputs.items()}, states

    def _blamed(self, rows: Rows, error: RnnError) -> RnnError:
        """The error of the first row that has one by itself, with its number."""
        where = f"column {self._given.first.column!r}"
        for row in np.sort(rows):
            try:
                self._run(np.array([row]))
            except RnnError as own:
                return type(own)(f"{where}, row {row}: {own}")
        return type(error)(f"{where}: {error}")

    def _run(self, rows: Rows) -> None:
        given, signature, model = self._given, self._signature, self._model
        have = self._lengths[rows]
        steps = int(have.max(initial=0))
        mask = None if given.cut else signature.mask_value
        x = {name: array[rows] for name, array in given.static.items()}
        for name, column in given.sequences:
            x[name] = column.padded(rows, steps, 0.0 if mask is None else mask)
        count: NDArray[Any] = have
        if mask is not None:
            (name,) = x
            masked = lengths_of(x[name], mask, signature.inputs[name].indices, batch_first=True)
            count = have if masked is None else masked
        y, state = model(
            self._turned(x) if len(x) > 1 else next(iter(self._turned(x).values())),
            self._initial(rows),
            None if (count == steps).all() else count,
            self._threads,
        )
        outputs = y if len(signature.outputs) > 1 else dict.fromkeys(signature.outputs, y)
        for name, collected in self._outputs.items():
            array = outputs[name]
            if signature.outputs[name].time and not model.batch_first:
                array = np.swapaxes(array, 0, 1)
            collected.put(rows, array, self._steps(name, count if self._last else have))
        if self._states:
            arrays = flatten(signature.counts, state, signature.nodes)
            named = dict(zip(signature.states, arrays, strict=True))
            for name, whole in self._states.items():
                whole.put(rows, np.swapaxes(named[name], 0, 1), have)

    def _turned(self, x: Mapping[str, Array]) -> dict[str, Array]:
        """With time first, where the model is so."""
        timed = {name for name, one in self._signature.inputs.items() if one.time}
        turn = timed if not self._model.batch_first else set()
        return {name: np.swapaxes(a, 0, 1) if name in turn else a for name, a in x.items()}

    def _initial(self, rows: Rows) -> Any:
        signature, state = self._signature, self._given.state
        if not state:
            return None
        arrays = [np.swapaxes(state[name][rows], 0, 1) for name in signature.states]
        return unflatten(signature.counts, arrays, signature.nodes)
