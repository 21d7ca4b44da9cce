"""rn.batch.Predictor: what it is given wrongly is named, with the column and the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.batch import Predictor

GOOD = np.zeros((2, 4), np.float32)


def model() -> rn.Model:
    return rn.LSTM(4, 5).model


def masked_object(value: Any) -> Any:
    rows = np.empty(2, object)
    rows[:] = [GOOD, value]
    return rows


BAD_ROWS: dict[str, tuple[Any, type[Exception], str]] = {
    "None": (None, rn.ShapeError, r"expected a sequence of numbers, got None"),
    "NaN": (float("nan"), rn.ShapeError, r"expected a sequence of numbers, got nan"),
    "features": (np.zeros((3, 5)), rn.ShapeError, r"expected \[steps, 4\].*got shape \[3, 5\]"),
    "flat": ([1.0] * 6, rn.ShapeError, r"n times 4; got shape \[6\]"),
    "deep": (np.zeros((1, 2, 4)), rn.ShapeError, r"got shape \[1, 2, 4\]"),
    "text": (["a"] * 4, rn.DTypeError, r"expected numbers, got <U1"),
    "uneven": ([[1.0] * 4, [1.0] * 3], rn.ShapeError, r"expected an array, got list"),
    "None inside": ([[1.0, None, 1.0, 1.0]], rn.DTypeError, r"got None among them"),
    "scalar": (3.0, rn.ShapeError, r"got shape \[\]"),
    "complex": (np.zeros((2, 4), complex), rn.DTypeError, r"expected numbers, got complex128"),
}


@pytest.mark.parametrize("bad", BAD_ROWS)
def test_a_wrong_row_is_named(bad: str) -> None:
    value, error, message = BAD_ROWS[bad]
    with pytest.raises(error, match=rf"^column 'f', row 1: .*{message}"):
        Predictor(model(), inputs="f")({"f": masked_object(value)})


def test_what_the_model_refuses_is_named_by_the_row_that_came() -> None:
    indices = rn.Model([rn.Embedding(np.zeros((9, 4))), rn.GRU(4, 5).spec])
    rows = [np.array([1, 2, 3]), np.array([1]), np.array([4, 9])]
    with pytest.raises(rn.ShapeError, match=r"^column 'x', row 2: .*9"):
        Predictor(indices)({"x": rows})
    with pytest.raises(rn.DTypeError, match=r"^column 'x', row 0: "):
        Predictor(indices)({"x": [np.array([1.5])]})


def test_no_last_step_of_no_steps() -> None:
    with pytest.raises(rn.ShapeError, match=r"^column 'x', row 1: expected a step or more"):
        Predictor(model(), last=True)({"x": [GOOD, GOOD[:0], GOOD]})
    pooled = rn.Model([rn.GRU(4, 5).spec, rn.AvgPool(2)])
    with pytest.raises(rn.ShapeError, match=r"^column 'x', row 1: expected a step or more"):
        Predictor(pooled, last=True)({"x": [GOOD, GOOD[:1]]})


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 3], rn.ShapeError, "row 1: expected a length of 0 to its 2 steps; got 3"),
        ([-1, 1], rn.ShapeError, "row 0: expected a length of 0 to its 2 steps; got -1"),
        ([1.0, 1.0], rn.DTypeError, "column 'n': expected an integer in each row"),
        ([[1], [1]], rn.DTypeError, "column 'n': expected an integer in each row"),
    ],
)
def test_wrong_lengths(lengths: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Predictor(model(), lengths="n")({"x": [GOOD, GOOD], "n": lengths})


CALLS: dict[str, tuple[dict[str, Any], Any, type[Exception], str]] = {
    "no column": ({}, {"f": [GOOD]}, rn.OptionError, "expected a column 'x'; got 'f'"),
    "other rows": ({}, {"x": [GOOD], "id": [1, 2]}, rn.ShapeError, "equally many rows"),
    "no batch": ({}, [GOOD], rn.DTypeError, "expected a batch: .*; got list"),
    "twice": ({"outputs": "id"}, {"x": [GOOD], "id": [1]}, rn.OptionError, "'id' would be there"),
    "input": (
        {"inputs": {"z": "x"}},
        {"x": [GOOD]},
        rn.OptionError,
        "has 'x'; got columns for 'z'",
    ),
    "output": (
        {"outputs": {"z": "y"}},
        {"x": [GOOD]},
        rn.OptionError,
        "has 'y'; got columns for 'z'",
    ),
    "state": ({"initial_state": {"h": "h"}}, {"x": [GOOD]}, rn.OptionError, "expected columns for"),
    "final": ({"final_state": {"z": "h"}}, {"x": [GOOD]}, rn.OptionError, "has 'h', 'c'; got 'z'"),
    "kept": ({"keep_columns": ["z"]}, {"x": [GOOD]}, rn.OptionError, "got 'z'"),
    "no lengths": ({"lengths": "n"}, {"x": [GOOD]}, rn.OptionError, "expected a column 'n'"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_is_named(call: str) -> None:
    options, batch, error, message = CALLS[call]
    with pytest.raises(error, match=message):
        Predictor(model(), **options)(batch)


def test_two_inputs_of_other_steps() -> None:
    nodes: Any = {"sum": (rn.Concat(), ("a", "b"))}
    nodes["gru"] = (rn.GRU(8, 5).spec, ("sum",))
    spec = rn.ModelSpec(nodes=nodes, inputs={"a": 4, "b": 4}, outputs=("gru",))
    with pytest.raises(rn.ShapeError, match="column 'b', row 1: expected 2 steps, as column 'a'"):
        Predictor(rn.Model(spec))({"a": [GOOD, GOOD], "b": [GOOD, GOOD[:1]]})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), rn.DTypeError, "expected the path of a model file, an rn.Model.*; got int"),
        ((model(), 3), rn.OptionError, "inputs: expected a column's name"),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Predictor(*arguments)


def test_options_of_a_file_beside_a_model() -> None:
    with pytest.raises(rn.OptionError, match="dtype: of a file alone"):
        Predictor(model(), dtype="float64")
    with pytest.raises(rn.OptionError, match="last: expected True or False"):
        Predictor(model(), last="yes")  # type: ignore[arg-type]


def test_what_load_refuses_is_told_by_the_first_call(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    predictor = Predictor(path)
    with pytest.raises(FileNotFoundError):
        predictor({"x": [GOOD]})
    model().save(path)
    assert len(predictor({"x": [GOOD]})["y"]) == 1  # it is there now
    with pytest.raises(rn.OptionError, match="unknown option nonsense"):
        Predictor(path, nonsense=1)({"x": [GOOD]})  # type: ignore[call-arg]
    with pytest.raises(rn.OptionError, match="options that a worker can be sent"):
        Predictor(path, dtype=lambda: None)  # type: ignore[arg-type]


def test_a_state_is_not_taken_where_rows_have_steps_of_their_own() -> None:
    pooled = rn.Model([rn.GRU(4, 5).spec, rn.AvgPool(2)])
    names = dict.fromkeys(Predictor(pooled)._loaded().signature.states, "h")
    for option in "initial_state", "final_state":
        with pytest.raises(rn.UnsupportedError, match="final_state: this model has strides"):
            Predictor(pooled, **{option: names})({"x": [GOOD], "h": [GOOD]})
