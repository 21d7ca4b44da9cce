"""Lengths that the input itself tells: steps that equal a mask value are padding.

Keras's ``Masking(mask_value)`` in front of a chain, or ``Embedding(mask_zero=True)``; a
``ModelSpec`` with ``mask_value`` has what they do. A step is masked where all its features equal
the value, compared in the type that x came in; of indices, where the index does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activations import finite
from .arrays import as_array
from .errors import OptionError, ShapeError


def as_mask_value(value: object, num_embeddings: int | None) -> float | None:
    """A usable ``mask_value`` of a chain that takes features or, where the number of embeddings
    is stated, indices; raises ``OptionError``."""
    if value is None:
        return None
    mask = finite("ModelSpec mask_value", value)
    if num_embeddings is not None and not (mask.is_integer() and 0 <= mask < num_embeddings):
        raise OptionError(
            f"ModelSpec mask_value: expected an index from 0 to {num_embeddings - 1}, got {value!r}"
        )
    return mask


def shown(mask_value: float) -> str:
    """The value in a message, every digit of it: an index, too, can have many."""
    return repr(mask_value).removesuffix(".0")


def lengths_of(
    x: ArrayLike,
    mask_value: float,
    takes_indices: bool,
    batch_first: bool = False,
    first: int = 0,
) -> NDArray[np.int32] | None:
    """How many steps of each row of x [time, batch, features] or [time, batch] come before its
    masked ones, [batch]; None where none is masked, or x is no such array.

    Raises ``ShapeError`` where a masked step comes before one that is not; it counts steps from
    ``first``, the number of the first one in x.
    """
    steps = masked_steps(x, mask_value, takes_indices)
    if steps.ndim != 2 or not steps.any():
        return None
    steps = steps.T if batch_first else steps
    lengths: NDArray[np.int32] = (len(steps) - np.argmin(steps[::-1], axis=0)).astype(np.int32)
    lengths[steps.all(axis=0)] = 0
    early = np.argwhere(steps.T & (np.arange(len(steps)) < lengths[:, None]))
    if len(early):
        row, step = early[0]
        what = _what(mask_value, takes_indices)
        raise _early(row, first + step, first + lengths[row] - 1, what)
    return lengths


class Pieces:
    """The lengths of one x that comes in pieces, as of the whole: padding goes on to the end."""

    def __init__(self, batch: int, mask_value: float, takes_indices: bool) -> None:
        self._mask_value, self._takes_indices = mask_value, takes_indices
        self._lengths = np.zeros(batch, np.int64)  # of what came so far, of ``_done`` steps
        self._done = 0

    def lengths_of(self, x: NDArray[Any]) -> NDArray[np.int32]:
        """How many steps of each row of the next piece, [time, batch, ...], count.

        ``ShapeError`` as of :func:`lengths_of`, also for a row that had ended before.
        """
        found = lengths_of(x, self._mask_value, self._takes_indices, first=self._done)
        lengths = np.full(self._lengths.shape, len(x), np.int32) if found is None else found
        again = (self._lengths < self._done) & (lengths > 0)
        if again.any():
            row = int(np.argmax(again))
            what = _what(self._mask_value, self._takes_indices)
            raise _early(row, self._lengths[row], self._done + lengths[row] - 1, what)
        self._lengths += lengths
        self._done += len(x)
        return lengths


def masked_steps(x: ArrayLike, mask_value: float, takes_indices: bool) -> NDArray[np.bool_]:
    """Which steps are masked: of the shape of x, without the features."""
    none: NDArray[np.bool_] = np.zeros(0, np.bool_)
    try:
        array = as_array("x", x)
    except ValueError:  # ragged: refused elsewhere, as is every other kind of number
        return none
    if array.dtype.kind not in "fiu" or array.ndim == 0:
        return none
    if str(getattr(x, "dtype", "")).endswith("bfloat16"):  # which as_array has widened
        mask_value = _in_bfloat16(mask_value)
    with np.errstate(over="ignore"):  # a value past the type of x is infinity in it
        masked: NDArray[np.bool_] = array == mask_value
    return masked if takes_indices else np.all(masked, axis=-1)


def _in_bfloat16(value: float) -> float:
    """Rounded to the nearest bfloat16, of two the even one: the upper half of a float32."""
    with np.errstate(over="ignore"):
        bits = int(np.float32(value).view(np.uint32))
    if bits & 0x7FFFFFFF <= 0x7F800000:  # NaN has no neighbours
        bits += 0x7FFF + (bits >> 16 & 1)
    return float(np.uint32(bits & 0xFFFF0000).view(np.float32))


def refuse_masked(x: ArrayLike, mask_value: float, takes_indices: bool, where: str = "") -> None:
    """``ShapeError`` where one row of a single step, x [batch, features] or [batch], is masked;
    ``where``: what messages call the row, in the place of its number."""
    masked = masked_steps(x, mask_value, takes_indices)
    if masked.any():
        row = where or f"x: row {int(np.argmax(masked))}"
        raise ShapeError(
            f"{row} is masked ({_what(mask_value, takes_indices)}); "
            "masked steps are padding behind a row's end, and a stream has none"
        )


def _early(row: int, step: int, later: int, what: str) -> ShapeError:
    return ShapeError(
        f"x: row {row}, step {step} is masked ({what}) but comes before step {later}, which is "
        "not; masked steps have to be a row's last"
    )


def _what(mask_value: float, takes_indices: bool) -> str:
    return f"{'its index' if takes_indices else 'every feature'} is {shown(mask_value)}"
