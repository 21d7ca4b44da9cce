"""The inputs on which a reduced model is compared and its integers are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array
from ..errors import OptionError, RnnError
from ..masking import lengths_of
from ..spec import ModelSpec
from ..states import flatten, state_counts, state_names, unflatten


@dataclass(frozen=True)
class Batch:
    """One call: its x, the lengths of its rows, the arrays of its state, and what messages call
    it."""

    where: str
    x: Any
    lengths: NDArray[Any] | None
    state: Sequence[NDArray[Any]] | None
    time: int
    rows: int
    batch_first: bool

    def run(self, spec: ModelSpec, call: Callable[..., Any]) -> Any:
        """What a call of a model of ``spec``, or of its trace, gives; errors say which input they
        are of."""
        try:
            return call(self.x, _state(spec, self.state), lengths=self.lengths)
        except RnnError as error:
            raise type(error)(f"{self.where}: {error}") from error

    def without_padding(self, spec: ModelSpec) -> Iterator[tuple[Any, Any, Any]]:
        """x, time first, the state and the lengths, of the rows of each length by themselves."""
        given = self.x if isinstance(self.x, Mapping) else dict.fromkeys(spec.inputs, self.x)
        lengths = np.full(self.rows, self.time) if self.lengths is None else self.lengths
        for length in np.unique(lengths[lengths > 0]):
            rows = np.flatnonzero(lengths == length)
            x = {}
            for name, one in spec.inputs.items():
                array = as_array(name, given[name])
                if one.time:
                    array = np.swapaxes(array, 0, 1) if self.batch_first else array
                    x[name] = array[:length, rows]
                else:
                    x[name] = array[rows]
            state = None if self.state is None else [array[:, rows] for array in self.state]
            yield x if len(x) > 1 else x.popitem()[1], _state(spec, state), lengths[rows]

    def numbers(self, spec: ModelSpec, value: str) -> int:
        """How many numbers of a value there are, padding left out."""
        features = spec.value(value).features
        if spec.value(value).last:
            return self.rows * features
        lengths = np.full(self.rows, self.time) if self.lengths is None else self.lengths
        return int(np.sum(self.steps(spec, value, np.asarray(lengths, np.int64)))) * features

    def steps(self, spec: ModelSpec, value: str, steps: Any) -> Any:
        """How many a value has of so many steps of x, a number or an array of them."""
        if self.state is None:
            return spec.steps(value, steps)
        names = [name for name, node in spec.nodes.items() if node.layer.state_names]
        return spec.steps(value, steps, unflatten(state_counts(spec), self.state, names))


def _state(spec: ModelSpec, arrays: Sequence[NDArray[Any]] | None) -> Any:
    """In the form in which a model of ``spec`` takes it."""
    return None if arrays is None else unflatten(state_counts(spec), arrays, state_names(spec))


def batches(
    spec: ModelSpec, calibration: Any, lengths: Any, state: Any, batch_first: bool
) -> tuple[Batch, ...]:
    """Those of one array, a dict of them by the names of inputs, or a list of either.

    ``OptionError`` for a list of nothing, or of lengths or states that are not as many.
    """
    if not isinstance(calibration, (list, tuple)):
        return (_batch(spec, "calibration", calibration, lengths, state, batch_first),)
    if not calibration:
        raise OptionError("calibration: expected an array, a dict of arrays or a list of either")
    each = zip(
        calibration,
        _each("lengths", lengths, len(calibration)),
        _each("state", state, len(calibration)),
        strict=True,
    )
    return tuple(
        _batch(spec, f"calibration[{index}]", *one, batch_first) for index, one in enumerate(each)
    )


def _each(name: str, given: Any, count: int) -> Sequence[Any]:
    """One for each input of a list."""
    if given is None:
        return [None] * count
    if not isinstance(given, (list, tuple)) or len(given) != count:
        what = "the lengths of the rows" if name == "lengths" else "the state"
        raise OptionError(
            f"{name}: expected a list of {count}, each None or {what} of one of calibration"
        )
    return given


def _batch(
    spec: ModelSpec, where: str, x: Any, lengths: ArrayLike | None, state: Any, batch_first: bool
) -> Batch:
    first = x
    if isinstance(x, Mapping):
        if set(x) != set(spec.inputs):
            expected, came = (", ".join(map(repr, names)) for names in (spec.inputs, x))
            raise OptionError(
                f"{where}: expected a dict of {expected}, got {came or 'an empty one'}"
            )
        first = x[next(name for name, one in spec.inputs.items() if one.time)]
        x = first if len(x) == 1 else x
    shape = as_array(where, first).shape
    if len(shape) < 2 or 0 in shape[:2]:
        raise OptionError(f"{where}: expected some steps of some rows, got {shape}")
    rows, time = shape[:2] if batch_first else shape[1::-1]
    if lengths is None and spec.mask_value is not None:
        lengths = lengths_of(first, spec.mask_value, spec.takes_indices, batch_first)
    elif lengths is not None:
        lengths = as_array(f"{where}: lengths", lengths)
    arrays = None
    if state is not None:
        flat = flatten(state_counts(spec), state, state_names(spec))
        arrays = [as_array(f"{where}: state", array) for array in flat]
    return Batch(where, x, lengths, arrays, time, rows, batch_first)
