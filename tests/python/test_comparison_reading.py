"""Sequences in files of a user's own: what they hold, and what is refused by name and place."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import cli
from rnn_native.comparison import reading, targets
from rnn_native.comparison.csv_reading import read_csv

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 2))


def write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def test_a_csv_is_a_row_for_each_step(tmp_path: Path) -> None:
    rows = [["p", 1, 2, "cat"], ["q", 5, 6, "dog"], ["p", 3, 4, "cat"]]
    path = write_csv(tmp_path / "own.csv", ["who", "a", "b", "kind"], rows)
    read = read_csv(path, target="kind", sequence="who")
    assert read.lengths is not None
    assert read.y is not None
    assert read.x.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert read.lengths.tolist() == [2, 1]
    assert read.y.tolist() == ["cat", "dog"]
    only = read_csv(path, columns=["b"], target="kind", sequence="who")
    assert only.x[..., 0].tolist() == [[2, 4], [6, 0]]
    series = read_csv(path, columns=["a", "b"])
    assert series.x.tolist() == [[[1, 2], [5, 6], [3, 4]]]
    assert series.y is None


def test_targets_of_a_csv_are_numbers_where_all_are(tmp_path: Path) -> None:
    def target(*values: str) -> Any:
        rows = [[str(i), "1", value] for i, value in enumerate(values)]
        path = write_csv(tmp_path / "own.csv", ["who", "a", "y"], rows)
        return read_csv(path, target="y", sequence="who").y

    assert target("1.5", "-2.0", "3.0e1").tolist() == [1.5, -2.0, 30.0]
    assert target("1", "2", "1").tolist() == [1.0, 2.0, 1.0]
    assert target("1.5", "two").tolist() == ["1.5", "two"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "empty file"),
        ("\n\n", {}, "empty file"),
        ("a,b\n", {}, "rows and columns"),
        ("who,a\np,1,2\n", {}, "line 2: expected 2 cells.* got 3"),
        ("who,a\n\np,1\np\n", {}, "line 4: expected 2 cells.* got 1"),
        ("a,a\n1,2\n", {}, "line 1: the column 'a' is there twice"),
        ("who,a,k\np,1,cat\n", {"target": "k"}, "--sequence NAME"),
        ("who,a,k\np,1,cat\n", {"columns": ["z"]}, "no column 'z'; there are who, a, k"),
        ("who,a,k\np,1,cat\n", {"columns": ["k"]}, "--columns leaves others out"),
        ("a,b\n1,2\n\n3,x\n", {}, "line 4, column 'b': expected a number, got 'x'"),
        ("a,b\n1,nan\n", {}, "step 0: a number is NaN"),
        (
            "who,a,k\np,1,2\n",
            {"columns": ["a", "k"], "target": "k", "sequence": "who"},
            "--columns: 'k' is what --target names",
        ),
        (
            "who,a,k\np,1,2\n",
            {"columns": ["a", "who"], "target": "k", "sequence": "who"},
            "--columns: 'who' is what --sequence names",
        ),
        ("who,a\np,1\n", {"columns": ["a", "a"]}, "'a' is there twice"),
        ("who,a\np,1\n", {"target": "who", "sequence": "who"}, "expected two columns"),
        (
            "who,a,k\np,1,cat\np,2,dog\n",
            {"target": "k", "sequence": "who"},
            "line 3: .*the same in all rows",
        ),
        ("who,a,k\np,1,\n", {"target": "k", "sequence": "who"}, "line 2: .*an empty cell"),
        ('a,b\n1,"2\n', {}, "not a .csv"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said(
    tmp_path: Path, text: str, options: Any, message: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(rn.RnnError, match=message) as raised:
        read_csv(path, **options)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32", "cp037"])
def test_a_csv_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text("höhe,b\n1,2\n", encoding=encoding)
    with pytest.raises(rn.FormatError, match=r"expected text in UTF-8|not a \.csv"):
        read_csv(path)
    path.write_text("höhe,b\n1,2\n", encoding="utf-8-sig")
    assert read_csv(path, columns=["höhe"]).x.tolist() == [[[1]]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.zeros(3)}, "expected an array X, got z"),
        ({"X": np.array(["a"])}, "expected numbers"),
        ({"X": np.zeros((0, 3, 1))}, r"\[sequences, time, features\]"),
        ({"X": X, "y": np.zeros(3)}, "y: expected 20"),
        ({"X": X, "y": np.zeros(())}, "y: expected 20"),
        ({"X": X, "labels": np.array(["a", "b"])}, "got also labels"),
        ({"X": X, "x": X}, "expected one of X and x, got both"),
        ({"X": np.full((4, 3, 1), np.nan)}, "sequence 0, step 0: a number is NaN"),
        ({"X": X, "lengths": np.zeros(3, int)}, r"lengths: expected \(20,\)"),
        ({"X": X, "lengths": np.full(20, 6.0)}, "lengths: expected integers"),
        ({"X": X, "lengths": np.arange(20) % 7}, r"lengths\[0\]: expected 1 to 6.*got 0"),
        ({"X": X, "lengths": np.r_[np.full(19, 6), -1]}, r"lengths\[19\]: .*got -1"),
        ({"X": X, "lengths": np.full(20, 7)}, r"lengths\[0\]: .*got 7"),
    ],
)
def test_what_is_wrong_with_an_npz_is_said(tmp_path: Path, arrays: Any, message: str) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(rn.RnnError, match=message) as raised:
        reading.read_npz(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "one array", "objects", "folder"])
def test_what_is_no_npz_is_an_error_of_one_line(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, X=X)
    whole = path.read_bytes()
    if kind == "one array":
        with path.open("wb") as file:
            np.save(file, X)
    elif kind == "objects":
        np.savez(path, X=np.array([[1.0], "a", None], object))
    else:
        path.write_bytes({"text": b"no", "empty": b"", "cut": whole[:-60]}.get(kind, b""))
    if kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "a_TRAIN.ts").write_text("no")
        (path / "a_TEST.ts").write_text("no")
        pytest.importorskip("aeon.datasets", exc_type=ImportError)
    assert cli.main(["compare", "--tiny", f"--data={path}", f"--out={tmp_path / 'out'}"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "note:" not in line]
    assert str(path) in line


# What is asked


def asked(y: Any, kind: str | None = None, lengths: Any = None, x: Any = X) -> targets.Asked:
    given = None if y is None else np.asarray(y)
    return targets.asked_of(reading.checked("t", np.asarray(x), given, lengths), kind)


@pytest.mark.parametrize(
    ("y", "kind", "classes"),
    [
        (["a", "b"] * 10, "classification", ("a", "b")),
        ([True, False] * 10, "classification", ("False", "True")),
        ([0, 1] * 10, "classification", ("0", "1")),
        ([0.0, 1.0] * 10, "classification", ("0", "1")),
        ([-1.0, 7.0] * 10, "classification", ("-1", "7")),
        (np.arange(20) // 2, "classification", tuple(map(str, range(10)))),
        (np.arange(20), "regression", ()),
        (np.arange(20.0), "regression", ()),
        ([0.5, 1.0] * 10, "regression", ()),
        (None, "next-step", ()),
    ],
)
def test_what_y_looks_like(y: Any, kind: str, classes: tuple[str, ...]) -> None:
    """Words and booleans are classes, and whole numbers of any type that repeat."""
    found = asked(y)
    assert (found.kind, found.classes) == (kind, classes)
    can_be_either = y is not None and np.asarray(y).dtype.kind in "if" and 0.5 not in y
    assert ("--kind" in found.about) == can_be_either


def test_many_whole_numbers_are_no_classes() -> None:
    x = np.zeros((400, 2, 1))
    assert asked(np.arange(400) % targets.MOST, x=x).kind == "classification"
    assert asked(np.arange(400) % (targets.MOST + 1), x=x).kind == "regression"


def test_kind_says_otherwise() -> None:
    zeros_and_ones = np.array([0, 1] * 10)
    forced = asked(zeros_and_ones, "regression")
    assert forced.y is not None
    assert forced.y.tolist() == zeros_and_ones[:, None].tolist()
    assert asked(np.repeat(np.arange(19), 2)[:20], "classification").kind == "classification"
    assert asked(zeros_and_ones, "next-step").y is None
    assert asked(["1.5", "2"] * 10, "regression").kind == "regression"


@pytest.mark.parametrize(
    ("shape", "per_step", "numbers"),
    [((20,), False, 1), ((20, 1), False, 1), ((20, 3), False, 3), ((20, 6), True, 1),
     ((20, 6, 1), True, 1), ((20, 6, 2), True, 2)],
)  # fmt: skip
def test_numbers_of_sequences_and_of_steps(
    shape: tuple[int, ...], per_step: bool, numbers: int
) -> None:
    y = asked(RNG.normal(size=shape)).y
    assert y is not None
    assert y.shape == ((20, 6, numbers) if per_step else (20, numbers))


def test_what_is_padding_is_no_class() -> None:
    y = np.full((20, 6), -1)
    y[:, 0], y[:, 1] = 3, np.arange(20) % 2
    found = asked(y, lengths=np.full(20, 2))
    assert found.classes == ("0", "1", "3")
    assert found.y is not None
    assert found.y.min() == 0


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (np.eye(4)[np.arange(20) % 4], None, r"expected classes .*one-hot.*argmax\(axis=-1\)"),
        (np.eye(4, dtype=int)[np.arange(20) % 4], None, "one-hot"),
        (np.eye(4)[np.arange(120) % 4].reshape(20, 6, 4), None, "one-hot"),
        ([["a", "b"]] * 20, None, "expected classes"),
        (np.zeros(20, int), None, "at least two classes, got one: 0"),
        (np.arange(20), "classification", "all different"),
        ([0.5, 0.25] * 10, "classification", "got 0.5, which is a fraction"),
        (["a", "b"] * 10, "regression", "expected numbers with --kind regression"),
        ([0.5, np.nan] * 10, None, r"y\[1\]: NaN"),
        (np.ones(20, complex), "regression", "expected numbers or words"),
        (RNG.normal(size=(20, 2, 2, 2)), None, "expected numbers of sequences"),
        (np.zeros((20, 0)), None, "got shape"),
        (None, "classification", "expected y with it"),
    ],
)
def test_what_cannot_be_learnt_is_said_before(y: Any, kind: str | None, message: str) -> None:
    with pytest.raises(rn.RnnError, match=message):
        asked(y, kind)


def test_a_next_step_needs_two_steps() -> None:
    with pytest.raises(rn.ShapeError, match="sequence 0: expected at least 2 steps"):
        asked(None, x=X[:, :1])
    lengths = np.full(20, 6)
    lengths[7] = 1
    with pytest.raises(rn.ShapeError, match="sequence 7: expected at least 2 steps"):
        asked(None, lengths=lengths)
    with pytest.raises(rn.ShapeError, match="several sequences"):
        asked([0.5], x=np.zeros((1, 400, 1)))
