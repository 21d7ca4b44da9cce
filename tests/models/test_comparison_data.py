"""The comparison's data sets out of other packages: what is in them, and that all of it runs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from rnn_native import cli
from rnn_native.comparison.tasks import FAMILIES, chorales, missing, sunspots, tunes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_piano_roll_has_what_sounds_at_each_quarter() -> None:
    stream = pytest.importorskip("music21.stream")
    note = pytest.importorskip("music21.note")
    chord = pytest.importorskip("music21.chord")
    top, bass = stream.Part(), stream.Part()
    top.insert(0, note.Note("C4", quarterLength=1.5))  # sounds at 0 and 1
    top.insert(1.5, note.Note("D4", quarterLength=0.5))  # between two quarters: at none
    top.insert(2, note.Note("E4", quarterLength=1))
    bass.insert(0, note.Rest(quarterLength=1))
    bass.insert(1, chord.Chord(["A0", "C8"], quarterLength=2))  # the lowest and the highest key
    roll = chorales.piano_roll(stream.Score([top, bass]))
    assert roll.shape == (3, 88)
    sounding = [(np.flatnonzero(step) + chorales.LOWEST).tolist() for step in roll]
    assert sounding == [[60], [21, 60, 108], [21, 64, 108]]


def test_chorales_are_in_four_parts_and_apart(folder: Path) -> None:
    pytest.importorskip("music21")
    (task,) = chorales.tasks("tiny")
    splits = task.load(folder)
    assert [len(data.x) for data in splits] == [6, 2, 2]
    for data in splits:
        assert data.lengths is not None
        for x, y, length in zip(data.x, data.y, data.lengths, strict=True):
            assert np.array_equal(x[1:length], y[: length - 1])  # a step sees the one before
            assert not x[0].any()
            assert not y[length:].any()
            assert 3 < y[:length].sum(axis=1).mean() <= 4.5  # four voices, some on the same key
    rolls = [y.tobytes() for data in splits for y in data.y]
    assert len(set(rolls)) == len(rolls)
    again = task.load(folder)  # from the cache
    assert all(np.array_equal(a.x, b.x) for a, b in zip(splits, again, strict=True))


def test_japanese_vowels_come_in_their_own_split(folder: Path) -> None:
    pytest.importorskip("aeon")
    (task,) = FAMILIES["vowels"].tasks("full")
    train, validation, test = task.load(folder)
    assert [len(data.x) for data in (train, validation, test)] == [216, 54, 370]
    for data in (train, validation, test):
        assert data.lengths is not None
        assert 7 <= data.lengths.min() <= data.lengths.max() <= 29
        assert set(data.y.tolist()) == set(range(9))
        assert np.abs(data.x).max() < 10
        past = np.arange(data.x.shape[1]) >= data.lengths[:, None]
        assert not data.x[past].any()
        assert data.x[~past].any(axis=-1).all()


def test_digits_are_the_same_by_rows_and_by_pixels(folder: Path) -> None:
    pytest.importorskip("sklearn")
    rows, pixels = (task.load(folder) for task in FAMILIES["digits"].tasks("full"))
    assert sum(len(data.x) for data in rows) == 1797
    for one, other in zip(rows, pixels, strict=True):
        assert np.array_equal(one.x.reshape(-1, 64, 1), other.x)
        assert np.array_equal(one.y, other.y)
        assert 0 <= one.x.min() < one.x.max() <= 1


def test_sunspots_are_the_years_since_1700(folder: Path) -> None:
    pytest.importorskip("statsmodels")
    years = sunspots.read()
    assert len(years) == 309
    assert years[:4].tolist() == [5, 11, 16, 23]
    (task,) = sunspots.tasks("full")
    splits = task.load(folder)
    assert all(data.x.shape[1:] == (sunspots.STEPS, 1) for data in splits)
    assert task.references is not None
    found = task.references(splits)
    # Yule (1927) found what is linear in the years before to be worth more than the last year.
    assert found["linear in 9 steps"] < found["the last value again"]


def test_tunes_are_letters_that_have_numbers(folder: Path) -> None:
    pytest.importorskip("music21")
    known = tunes.read()
    assert len(known) > 1000
    assert set("".join(known)) <= set(tunes.LETTERS)
    assert all("K:" in tune for tune in known[:50])
    (task,) = tunes.tasks("full")
    splits = task.load(folder)
    assert task.references is not None
    found = task.references(splits)
    assert 0 < found["by the letter before"] < found["each letter as often as it comes"] < 7


def test_all_of_them_run(tmp_path: Path) -> None:
    families = [name for name in FAMILIES if FAMILIES[name].NEEDS and not missing(FAMILIES[name])]
    if not families:
        pytest.skip("none of scikit-learn, music21, aeon and statsmodels is installed")
    options = ["--tiny", "--tasks", ",".join(families), "--out", str(tmp_path)]
    assert cli.main(["compare", *options]) == 0
    with (tmp_path / "comparison.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "run"]
    assert len(rows) == 6 * len(families)
    assert all(np.isfinite(float(row["result"])) for row in rows)
