"""Forecasts, and data of a user's own: what is read, how it is split, what simple means reach."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli
from rnn_native.comparison import own_data, reading
from rnn_native.comparison.forecasting import autoregression, windows
from rnn_native.comparison.task import Data, Splits
from rnn_native.comparison.tasks import tunes
from rnn_native.comparison.workers import Workshop

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


def test_a_series_that_leaves_what_was_learnt_from_is_told() -> None:
    """Of which no cell learns anything: the last value again is far ahead."""
    noise = np.random.default_rng(0).normal(size=(1, 400, 2))
    trend = noise + np.arange(400)[:, None] * [0, 0.1]
    for series, told in ((noise, False), (trend, True), (np.diff(trend, axis=1), False)):
        about = own_data.make_task("t", source(series), "tiny").about
        assert ("np.diff" in about) == told


def test_few_steps_and_few_long_sequences_are_learnt(tmp_path: Path) -> None:
    """One step, two of which one is asked, and gradients over no more than the test data has."""
    rng = np.random.default_rng(0)
    lengths = np.array([9, 2, 2, 3, 2, 2, 3, 2, 2, 2, 2, 9])
    cases: dict[str, dict[str, Any]] = {
        "one": {"X": rng.normal(size=(12, 1, 2)), "y": rng.normal(size=(12, 1, 2))},
        "two": {"X": rng.normal(size=(12, 2, 2))},
        "ragged": {"X": rng.normal(size=(12, 9, 2)), "lengths": np.sort(lengths)[::-1]},
        "steps": {"X": rng.normal(size=(12, 9, 2)), "lengths": lengths,
                  "y": rng.integers(0, 2, (12, 9))},
    }  # fmt: skip
    options = ["compare", "--tiny", "--cells=gru", f"--out={tmp_path / 'out'}"]
    for name, arrays in cases.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        options.append(f"--data={tmp_path / name}.npz")
    assert cli.main(options) == 0


def test_references_are_what_they_say() -> None:
    labels = np.array([0] * 6 + [1] * 4)
    data = Data(np.zeros((10, 2, 1), np.float32), labels)
    assert own_data._commonest(Splits(data, data, data)) == {"the commonest class": 0.6}
    numbers = Data(data.x, np.arange(10.0)[:, None])
    found = own_data._mean_as_reference(Splits(numbers, numbers, numbers))
    assert found["the mean"] == pytest.approx(np.var(np.arange(10)))


@pytest.mark.parametrize("kind", ["next-step", "regression", "classification"])
def test_padding_counts_in_no_reference(tmp_path: Path, kind: str) -> None:
    """What simple predictors reach is the same whatever stands past the lengths, and however much
    of it there is."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 8, 30)
    x = rng.normal(4, 2, size=(30, 7, 2))
    y = {"next-step": None, "regression": rng.normal(3, 2, size=(30, 7)),
         "classification": rng.integers(0, 3, (30, 7))}[kind]  # fmt: skip
    found = []
    for extra, padding in ((0, 0), (0, 1), (9, 2)):

        def padded(array: Any, extra: int = extra, padding: int = padding) -> Any:
            wide = np.pad(array, [(0, 0), (0, extra), *[(0, 0)] * (array.ndim - 2)])
            wide[np.arange(7 + extra) >= lengths[:, None]] = padding
            return wide

        given = reading.checked("t", padded(x), None if y is None else padded(y), lengths)
        read = partial(reading.Sequences, given.x, given.y, given.lengths)
        task = own_data.make_task("t", read, "tiny")
        assert task.variant == own_data._VARIANTS[kind]
        assert task.references is not None
        splits = task.load(tmp_path)
        found.append(task.references(splits))
    assert found[0] == found[1]
    assert found[2] == pytest.approx(found[0], rel=1e-12)  # other orders of the same sums
    if kind == "next-step":
        test = splits.test
        assert test.lengths is not None
        rows = zip(test.x, test.y, test.lengths, strict=True)
        missed = np.concatenate([(x[:n] - y[:n]).ravel() for x, y, n in rows])
        assert found[2]["the last value again"] == pytest.approx(np.mean(missed**2))


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
    assert "| My Data, classes ↑ " in (out / "comparison.md").read_text()
    assert "the commonest class" in (out / "comparison.md").read_text()


def test_how_y_is_read_is_said_and_can_be_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a line and on the page."""
    path, out = tmp_path / "a.npz", tmp_path / "out"
    np.savez(path, X=np.random.default_rng(0).normal(size=(20, 5, 1)), y=np.arange(20) % 3)
    options = ["compare", "--tiny", "--cells=gru", f"--data={path}", f"--out={out}"]
    assert cli.main(options) == 0
    said = "20 sequences of 5 steps with 1 feature: y is read as 3 classes (0, 1, 2)"
    assert said in capsys.readouterr().out
    assert said in (out / "comparison.md").read_text()
    assert cli.main([*options, "--kind=regression"]) == 0
    assert "a-numbers: " in capsys.readouterr().out


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    """It is there, but not with the versions of others that it needs."""

    def load(_: Path) -> Splits:
        raise ImportError("Numba needs NumPy 2.3 or less")

    task = own_data.make_task("t", source(np.random.default_rng(0).normal(size=(9, 4, 1))), "tiny")
    shop = Workshop(tmp_path, "tiny", 1)
    with pytest.raises(rn.UnsupportedError, match=r"t: .* NumPy 2\.3 or less; --tasks leaves it"):
        shop.load(replace(task, load=load))


def test_names_that_meet_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "a.npz", X=np.zeros((5, 3, 1)))
    given = [f"--data={tmp_path / folder / 'a.npz'}" for folder in ("one", "two")]
    assert cli.main(["compare", "--tiny", *given, "--out", str(tmp_path / "out")]) == 2
    assert "a: expected names of data that no other task has" in capsys.readouterr().err
    assert cli.main(["compare", "--tiny", "--target", "y", "--out", str(tmp_path / "out")]) == 2
    assert "expected --csv FILE" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT as a terminal does")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_is_one_line_and_the_same_command_goes_on(tmp_path: Path, jobs: int) -> None:
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(3000, 60, 2)))
    out = tmp_path / "out"
    command = [sys.executable, "-P", "-m", "rnn_native.cli", "compare", "--quick", "--seeds=0",
               "--cells=gru,lstm", f"--jobs={jobs}", f"--data={tmp_path / 'a.npz'}",
               f"--out={out}"]  # fmt: skip
    with subprocess.Popen(
        command, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A shell has what it runs in the background ignore Ctrl-C, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        deadline = monotonic() + 120
        while not list((out / "runs").glob("*.checkpoint")) and monotonic() < deadline:
            sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # all of them, as a terminal's Ctrl-C
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    lines = [line for line in errors.splitlines() if "note:" not in line]
    assert lines == ["rnn-native compare: stopped; the same command goes on from there"]
    assert list((out / "runs").glob("*.checkpoint"))


def test_other_files_are_refused_by_what_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("")
    assert cli.main(["compare", "--tiny", "--data", str(path), "--out", str(tmp_path)]) == 2
    assert "expected an .npz, a .csv or a folder" in capsys.readouterr().err
