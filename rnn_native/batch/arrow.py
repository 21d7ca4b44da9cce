"""pyarrow's columns: lists of numbers as arrays, and arrays as lists of numbers.

pyarrow is not imported: it is there if somebody has given a column of its.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, ShapeError, UnsupportedError

Array = NDArray[Any]

_MOST: Final = 2**31 - 1  # what the offsets of a list count


def loaded() -> Any:
    """The module ``pyarrow``; None where nobody has imported it."""
    module = sys.modules.get("pyarrow")
    return module if hasattr(module, "RecordBatch") else None


def is_column(values: Any) -> bool:
    pa = loaded()
    return pa is not None and isinstance(values, (pa.Array, pa.ChunkedArray))


def is_list(values: Any) -> bool:
    """Whether each row of a column is a list, or an array of a fixed shape."""
    pa = loaded()
    kind = values.type
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or isinstance(kind, pa.FixedShapeTensorType)
    )


def rows(column: str, values: Any) -> list[Array]:
    """What each row of a column of lists holds: numbers [n] or, of lists of lists, which all have
    as many, [n, features]. They are views of one array.

    ``ShapeError`` for a row that is null, ``DTypeError`` for lists of what is no number.
    """
    array = _one(values)
    pa = loaded()
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise ShapeError(
            f"column {column!r}, row {row}: expected a sequence of numbers, got null; drop or fill "
            "such rows first"
        )
    if isinstance(array, pa.FixedShapeTensorArray):
        return list(array.to_numpy_ndarray())
    inside, ends = array.flatten(), _ends(array)
    if is_list(inside):
        flat = _steps(column, inside, ends)
    else:
        flat = numbers(column, inside)
    return [flat[begin:end] for begin, end in itertools.pairwise(ends)]


def numbers(column: str, array: Any) -> Array:
    """An array of numbers; ``DTypeError`` for a null among them, and for what is none."""
    array = _one(array)
    pa = loaded()
    if len(array) == 0 and pa.types.is_null(array.type):
        return np.zeros(0)
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        raise DTypeError(f"column {column!r}: expected numbers, got {array.type} of pyarrow")
    if array.null_count:
        raise DTypeError(f"column {column!r}: expected numbers, got null among them")
    found: Array = array.to_numpy(zero_copy_only=False)
    return found


def nested_lists(each: Sequence[Array], step: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """A column of lists: of rows [n, features] lists of lists, of rows [n] lists of numbers."""
    pa = loaded()
    joined = np.concatenate([np.zeros((0, *step), dtype), *each])
    if joined.size > _MOST:
        raise UnsupportedError(
            f"a batch with {joined.size} numbers in one column: pyarrow's lists have at most "
            f"{_MOST}; give smaller batches"
        )
    column = pa.array(joined.reshape(-1))
    if step:
        column = _lists(column, np.full(len(joined), step[0]))
    return _lists(column, np.fromiter(map(len, each), np.int64, len(each)))


def _lists(values: Any, counts: Array) -> Any:
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    pa = loaded()
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _one(values: Any) -> Any:
    """A column in pieces as one."""
    pa = loaded()
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # of extension types, in older versions
            values = pa.concat_arrays(values.chunks)
    return values


def _ends(array: Any) -> list[int]:
    """Where each list begins in what ``flatten`` gives, and where the last one ends."""
    import pyarrow.compute as pc

    counts = pc.list_value_length(array).to_numpy(zero_copy_only=False)
    return [0, *np.cumsum(counts, dtype=np.int64).tolist()]


def _steps(column: str, lists: Any, ends: Sequence[int]) -> Array:
    """[steps, features] of lists of numbers that all have as many; ``ends`` are those of rows."""
    import pyarrow.compute as pc

    if lists.null_count:
        raise DTypeError(f"column {column!r}: expected steps of numbers, got null among them")
    if is_list(lists.flatten()):
        raise DTypeError(f"column {column!r}: expected lists of lists of numbers, got deeper ones")
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    if len(counts) == 0:
        return np.zeros((0, 0), numbers(column, lists.flatten()).dtype)
    wrong = np.flatnonzero(counts != counts[0])
    if len(wrong):
        row = int(np.searchsorted(ends, wrong[0], side="right")) - 1
        raise ShapeError(
            f"column {column!r}, row {row}: expected {counts[0]} features in each step, as in the "
            f"first one; got {counts[wrong[0]]}"
        )
    return numbers(column, lists.flatten()).reshape(len(counts), -1)
