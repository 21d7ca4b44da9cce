"""A Predictor's batches of pyarrow and pandas: rows have the bits of a dict of arrays, types do not
depend on what is in the rows, and what Parquet makes of them comes back the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rnn_native as rn
from rnn_native.batch import Predictor

FEATURES = 4
LISTS = pa.list_(pa.list_(pa.float32()))
MODEL = rn.LSTM(FEATURES, 3).model


def rows_of(lengths: Any = (5, 0, 9, 3, 41)) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((n, FEATURES), dtype=np.float32) for n in lengths]


def expected(rows: Any) -> list[Any]:
    return [y.tolist() for y in Predictor(MODEL)({"x": rows})["y"]]


def nested(rows: Any, of_type: pa.DataType = LISTS) -> pa.Array:
    return pa.array([row.tolist() for row in rows], of_type)


def flat(rows: Any) -> pa.Array:
    return pa.array([row.reshape(-1) for row in rows], pa.list_(pa.float32()))


FORMS: dict[str, Any] = {
    "lists of lists": nested,
    "lists of fixed lists": lambda rows: nested(rows, pa.list_(pa.list_(pa.float32(), FEATURES))),
    "large lists": lambda rows: nested(rows, pa.large_list(pa.large_list(pa.float32()))),
    "numbers": flat,
    "float64": lambda rows: nested(rows, pa.list_(pa.list_(pa.float64()))),
    "a part of a longer column": lambda rows: nested([*rows[:2], *rows, rows[0]])[2:-1],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["Table", "RecordBatch", "pieces", "DataFrame"])
def test_lists_are_sequences(form: str, kind: str) -> None:
    rows = rows_of()
    column = FORMS[form](rows)
    names, arrays = ["id", "x"], [pa.array(range(len(rows))), column]
    batch: Any = pa.RecordBatch.from_arrays(arrays, names)
    if kind == "Table":
        batch = pa.table(arrays, names)
    elif kind == "pieces":
        batch = pa.table([pa.chunked_array([a[:2], a[2:2], a[2:]]) for a in arrays], names)
    elif kind == "DataFrame":
        batch = pa.table(arrays, names).to_pandas(types_mapper=pd.ArrowDtype).set_index("id")
    result = Predictor(MODEL)(batch)
    assert type(result) is type(batch)
    if kind == "DataFrame":
        assert result.index.tolist() == list(range(len(rows)))
        result = pa.Table.from_pandas(result)
    assert result.schema.field("y").type == LISTS
    assert result.column("y").to_pylist() == expected(rows)


def test_a_frame_of_objects_as_pandas_reads_parquet(tmp_path: Path) -> None:
    rows = rows_of()
    pq.write_table(pa.table({"id": range(len(rows)), "x": nested(rows)}), tmp_path / "x.parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert frame["x"].dtype == object
    Predictor(MODEL)(frame).to_parquet(tmp_path / "y.parquet")
    found = pq.read_table(tmp_path / "y.parquet")
    assert found["y"].to_pylist() == expected(rows)
    assert found.column_names == ["id", "y"]


@pytest.mark.parametrize("frame", [False, True])
def test_types_are_those_without_rows(frame: bool) -> None:
    """Of outputs at every step, at the last, and of states."""
    for options in ({}, {"last": True}, {"final_state": {"h": "h", "c": "c"}}):
        predictor = Predictor(MODEL, **options)
        batches = [pa.table({"x": nested(rows)}) for rows in ([], rows_of((3,)), rows_of((2, 5)))]
        if frame:
            frames = [batch.to_pandas(types_mapper=pd.ArrowDtype) for batch in batches]
            assert len({str(predictor(each).dtypes.tolist()) for each in frames}) == 1
        else:
            assert len({str(predictor(each).schema) for each in batches}) == 1


def test_outputs_without_time_are_lists_of_numbers_and_states_lists_of_lists() -> None:
    rows = rows_of((3, 5))
    predictor = Predictor(MODEL, last=True, final_state={"h": "h"})
    result, plain = predictor(pa.table({"x": nested(rows)})), predictor({"x": rows})
    assert result.schema.types == [pa.list_(pa.float32()), LISTS]
    assert result["y"].to_pylist() == plain["y"].tolist()
    assert result["h"].to_pylist() == plain["h"].tolist()


def test_lengths_states_and_inputs_without_time_are_columns_too() -> None:
    rows = rows_of((4, 6))
    h, c = np.random.default_rng(1).standard_normal((2, 2, 1, 3), dtype=np.float32)
    predictor = Predictor(MODEL, lengths="n", initial_state={"h": "h", "c": "c"})
    batch = {"x": rows, "n": np.array([3, 6]), "h": h, "c": c}
    lists = {"x": nested(rows), "n": [3, 6], "h": h.tolist(), "c": c.tolist()}
    wanted = [y.tolist() for y in predictor(batch)["y"]]
    assert predictor(pa.table(lists))["y"].to_pylist() == wanted


BAD: dict[str, tuple[Any, str]] = {
    "null": ([[[1.0] * 4], None], "column 'x', row 1: expected a sequence of numbers, got null"),
    "null step": ([[[1.0] * 4], [None]], "column 'x': expected steps of numbers, got null"),
    "null number": ([[[1.0] * 4], [[1.0, None, 1.0, 1.0]]], "column 'x': .*got null among them"),
    "uneven": ([[[1.0] * 4], [[1.0] * 4, [1.0] * 3]], "column 'x', row 1: expected 4 features"),
    "features": ([[[1.0] * 5], [[1.0] * 5]], r"column 'x', row 0: expected \[steps, 4\]"),
    "text": ([["a"] * 4], "column 'x': expected numbers, got string of pyarrow"),
    "deeper": ([[[[1.0] * 4]]], "column 'x': expected lists of lists of numbers, got deeper ones"),
    "numbers": ([1.0, 2.0], r"column 'x': expected \[steps, 4\] in a row"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_sequence_is_named(bad: str) -> None:
    values, message = BAD[bad]
    with pytest.raises(rn.RnnError, match=message):
        Predictor(MODEL)(pa.table({"x": pa.array(values)}))
