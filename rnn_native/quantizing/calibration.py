"""The inputs on which a reduced model is compared, and how many of a value's numbers they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array
from ..errors import OptionError, RnnError
from ..masking import lengths_of
from ..spec import ModelSpec


@dataclass(frozen=True)
class Batch:
    """One call: its x, the lengths of its rows, and what messages call it."""

    where: str
    x: Any
    lengths: NDArray[Any] | None
    time: int
    rows: int
    batch_first: bool

    def run(self, call: Callable[..., Any]) -> Any:
        """What a call of a model, or of its trace, gives; errors say which input they are of."""
        try:
            return call(self.x, lengths=self.lengths)
        except RnnError as error:
            raise type(error)(f"{self.where}: {error}") from error

    def numbers(self, spec: ModelSpec, value: str) -> int:
        """How many numbers of a value there are, padding left out."""
        features = spec.value(value).features
        if spec.value(value).last:
            return self.rows * features
        lengths = np.full(self.rows, self.time) if self.lengths is None else self.lengths
        return int(np.sum(spec.steps(value, np.asarray(lengths, np.int64)))) * features


def batches(
    spec: ModelSpec, calibration: Any, lengths: Any, batch_first: bool
) -> tuple[Batch, ...]:
    """Those of one array, a dict of them by the names of inputs, or a list of either.

    ``OptionError`` for a list of nothing, or of lengths that are not as many.
    """
    if not isinstance(calibration, (list, tuple)):
        return (_batch(spec, "calibration", calibration, lengths, batch_first),)
    if not calibration:
        raise OptionError("calibration: expected an array, a dict of arrays or a list of either")
    each: Sequence[Any] = [None] * len(calibration) if lengths is None else lengths
    if not isinstance(each, (list, tuple)) or len(each) != len(calibration):
        raise OptionError(
            f"lengths: expected a list of {len(calibration)}, each None or the lengths of the rows "
            "of one of calibration"
        )
    return tuple(
        _batch(spec, f"calibration[{index}]", x, its, batch_first)
        for index, (x, its) in enumerate(zip(calibration, each, strict=True))
    )


def _batch(
    spec: ModelSpec, where: str, x: Any, lengths: ArrayLike | None, batch_first: bool
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
    return Batch(where, x, lengths, time, rows, batch_first)
