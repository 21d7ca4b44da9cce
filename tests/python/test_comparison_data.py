"""Forecasts, and data of a user's own: what is read, how it is split, what simple means reach."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli
from rnn_native.comparison import own_data, reading
from rnn_native.comparison.forecasting import autoregression, windows
from rnn_native.comparison.task import Data, Splits
from rnn_native.comparison.tasks import tunes


def write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


# Forecasting


def test_windows_ask_for_the_next_step_and_never_cross_a_bound() -> None:
    series = np.arange(200.0)[:, None]
    splits = windows(series, 10, stride=3)
    scale = series[:120].std()
    ends = [(0, 120), (120, 160), (160, 200)]
    for data, (first, last) in zip(splits, ends, strict=True):
        np.testing.assert_allclose(data.y[:, :-1], data.x[:, 1:], rtol=1e-5, atol=1e-5)
        back = data.y * scale + series[:120].mean()
        assert back.min() > first
        assert back.max() < last - 1 + 1e-9
        assert data.x.shape[1:] == (10, 1)
    known = np.concatenate([splits.train.x[0], splits.train.x[-1]])
    assert abs(known).max() < 2  # scaled by what is learnt from: a uniform's end is at 1.73
    with pytest.raises(rn.ShapeError, match="at least 52 steps for windows of 10, got 40"):
        windows(series[:40], 10)


def test_the_linear_forecast_finds_a_linear_law() -> None:
    """A sine obeys x(t+1) = 2 cos(0.3) x(t) - x(t-1), which two steps tell exactly."""
    splits = windows(np.sin(np.arange(400) * 0.3)[:, None], 20)
    found = autoregression(splits, 3)
    # The first step of a window sees one, so that it may err; 18 of 20 are told to rounding.
    lost = float(np.mean(splits.test.y[:, :2] ** 2)) * 2 / 20
    assert found["linear in 3 steps"] < 2 * lost
    assert found["the last value again"] == pytest.approx(
        float(np.mean((splits.test.x - splits.test.y) ** 2))
    )


def test_letters_by_counting_are_entropies() -> None:
    codes = np.array([[0, 1, 0, 1, 0, 1]] * 4)
    data = Data(np.zeros((4, 6, len(tunes.LETTERS)), np.float32), codes)
    found = tunes.by_counting(Splits(data, data, data))
    n, letters = codes.size, len(tunes.LETTERS)
    single = -np.log2((n / 2 + 1) / (n + letters))
    assert found["each letter as often as it comes"] == pytest.approx(single)
    one, other = -np.log2((12 + 1) / (12 + letters)), -np.log2((8 + 1) / (8 + letters))
    assert found["by the letter before"] == pytest.approx((single + 3 * one + 2 * other) / 6)


def test_pieces_show_the_letter_before() -> None:
    text = ("ABcd" * 60)[: 2 * tunes.LENGTH + 7]
    data = tunes.pieces(text)
    assert data.y.shape == (2, tunes.LENGTH)
    assert "".join(tunes.LETTERS[code] for code in data.y.ravel()) == text[: 2 * tunes.LENGTH]
    assert not data.x[:, 0].any()
    assert np.array_equal(data.x[:, 1:].argmax(-1), data.y[:, :-1])


# Own data


def test_a_csv_is_a_row_for_each_step(tmp_path: Path) -> None:
    rows = [["p", 1, 2, "cat"], ["q", 5, 6, "dog"], ["p", 3, 4, "cat"]]
    path = write_csv(tmp_path / "own.csv", ["who", "a", "b", "kind"], rows)
    read = reading.read_csv(path, target="kind", sequence="who")
    assert read.lengths is not None
    assert read.y is not None
    assert read.x.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert read.lengths.tolist() == [2, 1]
    assert read.y.tolist() == ["cat", "dog"]
    only = reading.read_csv(path, columns=["b"], target="kind", sequence="who")
    assert only.x[..., 0].tolist() == [[2, 4], [6, 0]]
    series = reading.read_csv(path, columns=["a", "b"])
    assert series.x.tolist() == [[[1, 2], [5, 6], [3, 4]]]
    assert series.y is None


def test_a_fraction_is_a_number_and_a_whole_one_a_class(tmp_path: Path) -> None:
    def target(*values: str) -> Any:
        rows = [[str(i), "1", value] for i, value in enumerate(values)]
        path = write_csv(tmp_path / "own.csv", ["who", "a", "y"], rows)
        return reading.read_csv(path, target="y", sequence="who").y

    assert target("1.5", "-2.0", "3.0e1").tolist() == [1.5, -2.0, 30.0]
    assert target("1", "2", "1").tolist() == ["1", "2", "1"]
    assert target("1.5", "two").tolist() == ["1.5", "two"]
    assert target("0", "1.5").tolist() == [0.0, 1.5]


def test_a_sequence_has_one_target(tmp_path: Path) -> None:
    rows = [["p", 1, "cat"], ["p", 2, "dog"]]
    path = write_csv(tmp_path / "own.csv", ["who", "a", "kind"], rows)
    with pytest.raises(rn.OptionError, match="the same in all rows"):
        reading.read_csv(path, target="kind", sequence="who")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "kind"}, "--sequence NAME"),
        ({"columns": ["z"]}, "no column 'z'; there are who, a, kind"),
        ({"columns": ["kind"]}, "--columns leaves others out"),
        ({}, "could not convert string to float"),
    ],
    ids=["target alone", "no such column", "words", "all columns"],
)
def test_what_a_csv_lacks_is_said(tmp_path: Path, options: Any, message: str) -> None:
    path = write_csv(tmp_path / "own.csv", ["who", "a", "kind"], [["p", 1, "cat"]])
    with pytest.raises(rn.RnnError, match=message):
        reading.read_csv(path, **options)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros(3)}, "expected an array X, got z"),
        ({"X": np.array(["a"])}, "expected numbers"),
        ({"X": np.zeros((0, 3, 1))}, r"\[sequences, time, features\]"),
        ({"X": np.zeros((4, 3, 1)), "y": np.zeros(3)}, "y: expected 4"),
        ({"X": np.full((4, 3, 1), np.nan)}, "NaN"),
        ({"X": np.zeros((4, 3, 1)), "lengths": np.zeros(3, int)}, "lengths: expected"),
    ],
    ids=["no X", "words", "empty", "y", "NaN", "lengths"],
)
def test_what_an_npz_lacks_is_said(tmp_path: Path, arrays: Any, message: str) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(rn.RnnError, match=message):
        reading.read_npz(tmp_path / "own.npz")


def source(x: Any, y: Any = None, lengths: Any = None, split: int | None = None) -> Any:
    given = reading.Sequences(np.asarray(x, np.float64), y, lengths, split)
    return partial(reading.Sequences, given.x, given.y, given.lengths, given.split)


def test_the_kind_of_task_follows_from_y() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6, 2))
    words = np.array(["a", "b", "c", "a"] * 5)
    kinds = {
        "classes": own_data.make_task("t", source(x, words), "tiny"),
        "numbers": own_data.make_task("t", source(x, np.arange(20.0)), "tiny"),
        "next step": own_data.make_task("t", source(x), "tiny"),
    }
    for variant, task in kinds.items():
        assert task.variant == variant
    sizes = [(task.output, task.output_dim) for task in kinds.values()]
    assert sizes == [("softmax", 3), ("identity", 1), ("identity", 2)]
    with pytest.raises(rn.ShapeError, match="two classes"):
        own_data.make_task("t", source(x, np.zeros(20, int)), "tiny")


def test_parts_are_apart_and_scaled_by_what_is_learnt_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, size=(50, 6, 2))
    x[:, :, 1] = 7  # constant: stays, and becomes 0
    lengths = rng.integers(3, 7, 50)
    labels = np.arange(50) % 2
    splits = own_data.make_task("t", source(x, labels, lengths), "tiny").load(tmp_path)
    rows = [row.tobytes() for data in splits for row in data.x]
    assert len(rows) == len(set(rows)) == 50
    assert splits.train.lengths is not None
    counts = np.arange(6) < splits.train.lengths[:, None]
    known = splits.train.x[counts]
    # float32 of numbers around 1: the mean of 140 of them is off by less than 1e-5.
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(known.std(axis=0), [1, 0], atol=1e-5)


def test_an_archive_keeps_its_own_test_data(tmp_path: Path) -> None:
    x = np.arange(20.0)[:, None, None] + np.zeros((20, 3, 1))
    task = own_data.make_task("t", source(x, np.arange(20) % 2, split=12), "tiny")
    splits = task.load(tmp_path)
    assert [len(data.x) for data in splits] == [10, 2, 8]
    assert np.array_equal(splits.test.y, np.arange(12, 20) % 2)


def test_the_next_step_of_ragged_sequences(tmp_path: Path) -> None:
    x = np.arange(10 * 4.0).reshape(10, 4, 1)
    task = own_data.make_task("t", source(x, lengths=np.full(10, 4)), "tiny")
    for data in task.load(tmp_path):
        assert data.x.shape[1] == 3
        np.testing.assert_allclose(data.y[:, :-1], data.x[:, 1:], rtol=1e-6)
        assert data.lengths is not None
        assert data.lengths.tolist() == [3] * len(data.x)


def test_numbers_are_scaled_as_features_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3, 1))
    task = own_data.make_task("t", source(x, np.arange(40) * 1000.5 + 7), "tiny")
    known = task.load(tmp_path).train.y
    np.testing.assert_allclose([known.mean(), known.std()], [0, 1], atol=1e-12)


def test_one_long_series_with_y_is_refused() -> None:
    with pytest.raises(rn.ShapeError, match="several sequences"):
        own_data.make_task("t", source(np.zeros((1, 400, 1)), np.zeros(1)), "tiny")


def test_references_are_what_they_say() -> None:
    labels = np.array([0] * 6 + [1] * 4)
    data = Data(np.zeros((10, 2, 1), np.float32), labels)
    assert own_data._commonest(Splits(data, data, data)) == {"the commonest class": 0.6}
    numbers = Data(data.x, np.arange(10.0)[:, None])
    found = own_data._mean_as_reference(Splits(numbers, numbers, numbers))
    assert found["the mean"] == pytest.approx(np.var(np.arange(10)))


def test_the_command_takes_data_of_ones_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6, 2)).astype("float32")
    np.savez(tmp_path / "My Data.npz", X=x, y=np.where(x[:, -1, 0] > 0, "yes", "no"))
    out = tmp_path / "out"
    options = ["--tiny", "--cells", "rnn,gru", "--data", str(tmp_path / "My Data.npz")]
    assert cli.main(["compare", *options, "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    (task,) = results["tasks"]  # and none of the built-in ones
    assert (task["name"], task["title"]) == ("my-data-classes", "My Data")
    assert "| My Data, classes ↑ |" in (out / "comparison.md").read_text()
    assert "the commonest class" in (out / "comparison.md").read_text()


def test_names_that_meet_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "a.npz", X=np.zeros((5, 3, 1)))
    given = [f"--data={tmp_path / folder / 'a.npz'}" for folder in ("one", "two")]
    assert cli.main(["compare", "--tiny", *given, "--out", str(tmp_path / "out")]) == 2
    assert "a: expected names of data that no other task has" in capsys.readouterr().err
    assert cli.main(["compare", "--tiny", "--target", "y", "--out", str(tmp_path / "out")]) == 2
    assert "expected --csv FILE" in capsys.readouterr().err


def test_other_files_are_refused_by_what_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("")
    assert cli.main(["compare", "--tiny", "--data", str(path), "--out", str(tmp_path)]) == 2
    assert "expected an .npz, a .csv or a folder" in capsys.readouterr().err
