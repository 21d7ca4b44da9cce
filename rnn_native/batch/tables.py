"""Batches of each kind that engines give: dicts of columns, pandas' DataFrames, and what pyarrow
calls a table or a record batch. What comes back is of the same kind.

pandas and pyarrow are not imported: they are there if somebody has given such a batch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, ShapeError, UnsupportedError
from . import arrow

Array = NDArray[Any]


@dataclass(frozen=True)
class Ragged:
    """A new column: an array [steps, *step] for each row."""

    rows: Sequence[Array]
    step: tuple[int, ...]
    dtype: np.dtype[Any]


New = Array | Ragged


@dataclass(frozen=True)
class Batch:
    """What came: the names of its columns, one of them by its name, and how the result is put
    together of names that stay and columns that are new."""

    names: tuple[str, ...]
    column: Callable[[str], Any]
    result: Callable[[Sequence[str], Mapping[str, New]], Any]


def batch_of(came: Any) -> Batch:
    """``DTypeError`` for what is no batch, ``ShapeError`` for columns of other lengths."""
    if isinstance(came, Mapping):
        return _of_dict(came)
    pandas, pa = sys.modules.get("pandas"), arrow.loaded()
    if pandas is not None and isinstance(came, getattr(pandas, "DataFrame", ())):
        return _of_frame(came)
    if pa is not None and isinstance(came, (pa.Table, pa.RecordBatch)):
        return _of_arrow(came)
    raise DTypeError(
        "Predictor: expected a batch: a dict of columns, a pandas.DataFrame, a pyarrow.Table or "
        f"RecordBatch; got {type(came).__name__}"
    )


def _of_dict(came: Mapping[str, Any]) -> Batch:
    counts = {name: len(column) for name, column in came.items()}
    if len(set(counts.values())) > 1:
        raise ShapeError(f"batch: expected columns of equally many rows, got {counts}")

    def result(kept: Sequence[str], new: Mapping[str, New]) -> dict[str, Any]:
        columns = {name: came[name] for name in kept}
        return columns | {name: _objects(column) for name, column in new.items()}

    return Batch(tuple(came), came.__getitem__, result)


def _objects(column: New) -> Array:
    """Sequences as an object array of arrays."""
    if not isinstance(column, Ragged):
        return column
    objects = np.empty(len(column.rows), object)
    for number, row in enumerate(column.rows):
        objects[number] = row
    return objects


def _of_frame(came: Any) -> Batch:
    def column(name: str) -> Any:
        series = came[name]
        if hasattr(series.array, "__arrow_array__") and arrow.loaded() is not None:
            inside = series.array.__arrow_array__()
            if arrow.is_list(inside):
                return inside
        return series.to_numpy()

    def result(kept: Sequence[str], new: Mapping[str, New]) -> Any:
        if arrow.loaded() is None:
            raise UnsupportedError(
                "a DataFrame takes sequences as pyarrow's lists, and pyarrow is not imported: "
                "import it, or give a dict of columns"
            )
        pandas = sys.modules["pandas"]
        columns = {
            name: pandas.Series(pandas.arrays.ArrowExtensionArray(_lists(values)), came.index)
            for name, values in new.items()
        }
        return came[list(kept)].assign(**columns)

    return Batch(tuple(came.columns), column, result)


def _of_arrow(came: Any) -> Batch:
    def result(kept: Sequence[str], new: Mapping[str, New]) -> Any:
        pa = arrow.loaded()
        columns = {name: _lists(values) for name, values in new.items()}
        fields = [came.schema.field(name) for name in kept]
        fields += [pa.field(name, values.type) for name, values in columns.items()]
        arrays = [*(came.column(name) for name in kept), *columns.values()]
        schema = pa.schema(fields)
        return type(came).from_arrays(arrays, schema=schema)

    return Batch(tuple(came.schema.names), came.column, result)


def _lists(column: New) -> Any:
    """Each row as a list, and each step of it, or each array in it, as one inside."""
    if isinstance(column, Ragged):
        return arrow.nested_lists(column.rows, column.step, column.dtype)
    return arrow.nested_lists(list(column), column.shape[2:], column.dtype)
