"""rn.batch.Predictor: rows of a batch have the bits that the model gives each of them alone, in the
order they came, whatever form the batch has.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from hypothesis import given

import rnn_native as rn
from rnn_native.batch import Predictor

LENGTHS = (5, 0, 9, 3, 3, 41, 1)
FEATURES = 4


def chain(batch_first: bool = False, **options: Any) -> rn.Model:
    rng = np.random.default_rng(3)
    lstm = rn.LSTM(FEATURES, 6, bidirectional=True).spec
    linear = rn.Linear(rng.standard_normal((3, 12)), rng.standard_normal(3))
    return rn.Model([lstm, linear], batch_first, **options)


def rows_of(lengths: Any = LENGTHS, features: int = FEATURES) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((n, features), dtype=np.float32) for n in lengths]


def alone(model: rn.Model, row: Any) -> Any:
    """y [steps, features] of one sequence."""
    axis = 0 if model.batch_first else 1
    y, _ = model(np.expand_dims(row, axis))
    return np.take(y, 0, axis)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_each_row_is_the_model_alone(batch_first: bool, num_threads: int) -> None:
    model, rows = chain(batch_first), rows_of()
    predictor = Predictor(model, inputs="f", num_threads=num_threads)
    result = predictor({"id": list("abcdefg"), "f": rows})
    assert list(result) == ["id", "y"]
    assert result["id"] == list("abcdefg")
    assert result["y"].dtype == object
    for row, y in zip(rows, result["y"], strict=True):
        assert_same_bits(y, alone(model, row))


def flat(row: Any) -> Any:
    return row.reshape(-1)


def lists(row: Any) -> Any:
    return row.tolist()


def objects(row: Any) -> Any:
    """As a list of lists in Parquet comes out of pandas."""
    steps = np.empty(len(row), object)
    steps[:] = list(row)
    return steps


@pytest.mark.parametrize("form", [flat, lists, objects, list])
@pytest.mark.parametrize("column", [list, objects])
def test_a_row_may_be_nested_or_its_numbers(form: Any, column: Any) -> None:
    model, rows = chain(), rows_of()
    came = [form(row) for row in rows]
    whole = np.empty(len(came), object)
    for number, row in enumerate(came):
        whole[number] = row
    result = Predictor(model)({"x": came if column is list else whole})
    for row, y in zip(rows, result["y"], strict=True):
        assert_same_bits(y, alone(model, row))


@pytest.mark.parametrize("shape", [(7, 5, FEATURES), (7, 5 * FEATURES)])
def test_sequences_in_one_array_give_one_array(shape: tuple[int, ...]) -> None:
    model = chain()
    x = np.random.default_rng(1).standard_normal((7, 5, FEATURES), dtype=np.float32)
    result = Predictor(model)({"x": x.reshape(shape)})
    assert_same_bits(result["y"], np.swapaxes(model(np.swapaxes(x, 0, 1))[0], 0, 1))


def test_lengths_of_a_column_cut_rows() -> None:
    model, rows = chain(), rows_of((9, 9, 9))
    lengths, x = np.array([4, 0, 9]), np.stack(rows)
    x[0, 4:] = np.nan
    dense = Predictor(model, lengths="n")({"x": x, "n": lengths})["y"]
    ragged = Predictor(model, lengths="n")({"x": list(x), "n": lengths})["y"]
    for row, n, y, each in zip(rows, lengths, dense, ragged, strict=True):
        assert_same_bits(each, alone(model, row[:n]))
        assert_same_bits(y[:n], each)
        assert not y[n:].any()


def test_the_last_step_alone() -> None:
    model, rows = chain(), rows_of((5, 9, 3))
    result = Predictor(model, last=True)({"x": rows})
    assert result["y"].shape == (3, 3)
    for row, y in zip(rows, result["y"], strict=True):
        assert_same_bits(y, alone(model, row)[-1])


def test_outputs_without_time_are_one_array() -> None:
    model = rn.GRU(FEATURES, 5, return_sequences=False).model
    rows = rows_of()
    result = Predictor(model)({"x": rows})
    assert result["y"].shape == (len(rows), 5)
    for row, y in zip(rows, result["y"], strict=True):
        assert_same_bits(y, model(row[:, None])[0][0])


def test_indices_and_masks() -> None:
    """Rows of indices; masked steps inside a row are padding, as in a call."""
    rng = np.random.default_rng(2)
    table = rn.Embedding(rng.standard_normal((9, FEATURES)))
    model = rn.Model(rn.ModelSpec([table, rn.GRU(FEATURES, 5).spec], mask_value=0))
    rows = [np.array(row) for row in ([3, 1], [5, 0, 0], [8, 8, 8, 2, 1], [0])]
    for last in False, True:
        whole = rows[:3] if last else rows
        result = Predictor(model, last=last)({"x": whole})["y"]
        for row, y in zip(whole, result, strict=True):
            valid = np.count_nonzero(row) - 1
            wanted = model(row[:, None])[0][:, 0]
            assert_same_bits(y, wanted[valid] if last else wanted)


def test_states_go_on() -> None:
    model, rows = rn.LSTM(FEATURES, 5, num_layers=2).model, rows_of((6, 8, 7))
    states = {"h": "h", "c": "c"}
    first = Predictor(model, final_state=states)({"x": [row[:4] for row in rows]})
    assert first["h"].shape == (3, 2, 5)
    went_on = Predictor(model, initial_state=states, final_state=states)(
        {"x": [row[4:] for row in rows], "h": first["h"], "c": list(first["c"])}
    )
    assert list(went_on) == ["y", "h", "c"]
    for number, row in enumerate(rows):
        y, (h, c) = model(row[:, None])
        assert_same_bits(np.concatenate([first["y"][number], went_on["y"][number]]), y[:, 0])
        assert_same_bits(went_on["h"][number], h[:, 0])
        assert_same_bits(went_on["c"][number], c[:, 0])


def graph() -> rn.Model:
    """Two inputs, one without time, and two outputs, one of half as many steps."""
    rng = np.random.default_rng(4)
    nodes = {
        "wide": (rn.Expand(), ("who", "x")),
        "both": (rn.Concat(), ("x", "wide")),
        "gru": (rn.GRU(FEATURES + 2, 5).spec, ("both",)),
        "half": (rn.AvgPool(2), ("gru",)),
        "head": (rn.Linear(rng.standard_normal((2, 5))), ("gru.last",)),
    }
    inputs = {"x": FEATURES, "who": rn.Static(2)}
    spec = rn.ModelSpec(nodes=nodes, inputs=inputs, outputs=("half", "head"))
    return rn.Model(spec)


def test_several_inputs_and_outputs() -> None:
    model, rows = graph(), rows_of()
    who = np.random.default_rng(5).standard_normal((len(rows), 2), dtype=np.float32)
    predictor = Predictor(model, {"x": "f", "who": "w"}, {"half": "a", "head": "b"})
    for column in who, list(who), who.tolist():
        result = predictor({"f": rows, "w": column})
        assert list(result) == ["a", "b"]
        for number, row in enumerate(rows):
            y, _ = model({"x": row[:, None], "who": who[number : number + 1]})
            assert_same_bits(result["a"][number], y["half"][:, 0])
            assert_same_bits(result["b"][number], y["head"][0])
    only = Predictor(model, {"x": "f", "who": "w"}, {"head": "b"})({"f": rows, "w": who})
    assert_same_bits(only["b"], result["b"])
    assert list(only) == ["b"]


@given(strategies.specs(), strategies.seeds())
def test_any_model_gives_each_row_what_it_gives_alone(spec: rn.ModelSpec, seed: int) -> None:
    model = rn.Model(spec)
    rng = np.random.default_rng(seed)
    rows = []
    for steps in rng.integers(1, 12, 6):
        if spec.takes_indices:
            rows.append(rng.integers(0, spec.input_size, steps))
        else:
            rows.append(rng.standard_normal((steps, spec.input_size), dtype=np.float32))
    result = Predictor(model)({"x": rows})["y"]
    for row, y in zip(rows, result, strict=True):
        wanted, _ = model(row[:, None])
        assert_same_bits(y, wanted[:, 0] if spec.return_sequences else wanted[0])


@pytest.mark.parametrize("model", [chain(), graph(), rn.GRU(FEATURES, 5).model])
def test_no_rows_give_the_same_columns(model: rn.Model) -> None:
    who = {"who": np.zeros((0, 2), np.float32)} if "who" in model.inputs else {}
    for x in [], np.zeros((0, 4, FEATURES), np.float32), np.zeros(0, object), np.zeros(0):
        result = Predictor(model)({"id": np.zeros(0, np.int32), "x": x, **who})
        assert list(result) == ["id", *model.outputs]
        assert result["id"].dtype == np.int32
        assert all(len(column) == 0 for column in result.values())
        if np.ndim(x) == 3:
            assert result[model.outputs[0]].dtype == np.float32


def test_sequences_of_nothing_are_sequences() -> None:
    """Lists of no numbers say nothing of their type."""
    indices = rn.Model([rn.Embedding(np.ones((9, FEATURES))), rn.GRU(FEATURES, 5).spec])
    for model in chain(), indices:
        width = model.output_size
        result = Predictor(model)({"x": [[], []]})["y"]
        assert [y.shape for y in result] == [(0, width)] * 2
        assert len(Predictor(model)({"x": []})["y"]) == 0


@pytest.mark.parametrize("weights", [None, "int8", "bfloat16"])
def test_a_copy_in_another_process_is_the_same_model(weights: str | None) -> None:
    model, rows = chain(weight_dtype=weights), rows_of()
    predictor = pickle.loads(pickle.dumps(Predictor(model)))
    assert predictor.model.weight_dtype == weights
    for row, y in zip(rows, predictor({"x": rows})["y"], strict=True):
        assert_same_bits(y, alone(model, row))


def test_a_file_is_loaded_once_in_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.npz"
    chain().save(path)
    monkeypatch.chdir(tmp_path)
    first = Predictor("model.npz")
    monkeypatch.chdir("/")
    copies = [pickle.loads(pickle.dumps(first)), copy.deepcopy(first), Predictor(path)]
    assert all(each.model is first.model for each in copies)
    assert Predictor(path, dtype="float64").model is not first.model
    replacement = rn.GRU(FEATURES, 2).model
    replacement.save(path)
    assert Predictor(path).model.output_size == 2
    assert first.model.output_size == 3  # a Predictor keeps what it has


def test_which_columns_stay() -> None:
    batch = {"id": [1], "x": rows_of((2,)), "note": ["n"]}
    kept = {
        option: list(Predictor(chain(), keep_columns=option)(batch))
        for option in (True, False, ("note",), ("x", "id"))
    }
    assert kept == {
        True: ["id", "note", "y"],
        False: ["y"],
        ("note",): ["note", "y"],
        ("x", "id"): ["x", "id", "y"],
    }


def test_a_result_shares_no_memory_with_the_batch_or_other_rows() -> None:
    result = Predictor(chain())({"x": rows_of()})["y"]
    assert all(y.base is None for y in result)
