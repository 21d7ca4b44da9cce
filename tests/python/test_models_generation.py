"""Targets that are the next step, and what a model that learnt them goes on with."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.models import (
    GRUClassifier,
    GRUModel,
    GRURegressor,
    LSTMModel,
    LSTMRegressor,
    RNNModel,
    next_step,
)  # fmt: skip

RNG = np.random.default_rng(0)
TEXTS = ["hello world", "low roller", "whole", "lo"]
MODELS = (RNNModel, GRUModel, LSTMModel)


def of_texts(make: Any, **options: Any) -> Any:
    x, y, lengths, classes = next_step(TEXTS, labels=True)
    return make(hidden_units=8, classes=classes, **options).fit(x, y, lengths=lengths)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(2, 12), min_size=1, max_size=4),
    window=st.none() | st.integers(1, 13),
    labels=st.booleans(),
)
def test_every_step_but_the_first_is_predicted_once(
    lengths: list[int], window: int | None, labels: bool
) -> None:
    total = iter(range(1, 100))
    rows = [[next(total) for _ in range(length)] for length in lengths]
    step = next_step([np.array(row) for row in rows], labels=labels, window=window)
    pairs = []
    for x, y, n in zip(step.X, step.y, step.lengths.tolist(), strict=True):
        assert window is None or n <= window
        before = np.array(step.classes)[x[:n].argmax(axis=1)] if labels else x[:n, 0]
        pairs += zip(before.tolist(), (y[:n] if labels else y[:n, 0]).tolist(), strict=True)
        assert not x[n:].any()
    assert pairs == [pair for row in rows for pair in pairwise(row)]
    if labels:
        assert step.classes == sorted({label for row in rows for label in row})


def test_sequences_come_in_many_forms() -> None:
    assert next_step("abca", labels=True).y.tolist() == [["b", "c", "a"]]
    assert next_step(["ab", "cab"], labels=True).y.tolist() == [["b", ""], ["a", "b"]]
    words = np.array(["the", "cat", "sat"])
    assert next_step(words, labels=True).y.tolist() == [["cat", "sat"]]
    assert next_step([5, 7, 5], labels=True).classes == [5, 7]
    numbers = RNG.normal(size=(3, 6, 2))
    for sequences, y in (
        (numbers, numbers[:, 1:]), (list(numbers), numbers[:, 1:]),
        (numbers[:, :, 0], numbers[:, 1:, :1]), (numbers[0, :, 0], numbers[:1, 1:, :1]),
        (numbers[0, :, 0].tolist(), numbers[:1, 1:, :1]),
    ):  # fmt: skip
        assert np.array_equal(next_step(sequences).y, y)
        assert next_step(sequences).classes is None
    for wrong in ("a", ["ab", "c"], np.zeros((3, 1)), []):
        with pytest.raises(rn.ShapeError, match="at least"):
            next_step(wrong, labels=not isinstance(wrong, np.ndarray))


@pytest.mark.parametrize("cell", ["standard", "article"])
@pytest.mark.parametrize("make", MODELS)
def test_what_is_generated_is_what_is_predicted_of_all_before(make: Any, cell: str) -> None:
    """Bit for bit, though it goes on from a state: one call and calls in pieces are equal."""
    model = of_texts(make, cell=cell, epochs=3)
    text = "hel"
    for _ in range(6):
        columns = [model.classes_.tolist().index(letter) for letter in text]
        text += model.predict(np.eye(len(model.classes_))[columns][None])[0, -1]
    assert model.generate("hel", 6, temperature=0) == text[3:]

    series = RNG.normal(size=(4, 9, 2))
    x, y, _, _ = next_step(series)
    numbers = make(hidden_units=6, cell=cell, output="identity", num_layers=2).fit(x, y)
    so_far = series.astype(np.float32)
    for _ in range(5):
        so_far = np.concatenate([so_far, numbers.predict(so_far)[:, -1:]], axis=1)
    assert np.array_equal(numbers.generate(series, 5), so_far[:, 9:])
    assert np.array_equal(numbers.generate(series[2], 5), so_far[2, 9:])


def test_one_feature_needs_no_axis_of_its_own() -> None:
    series = RNG.normal(size=(4, 9))
    x, y, _, _ = next_step(series)
    for target, model in ((y, GRURegressor()), (y[:, :, 0], GRURegressor(output_dim=1))):
        model.set_params(hidden_units=5, epochs=1).fit(x, target)
        made = model.generate(series[:, :, None], 3)
        assert made.shape == (4, 3, 1)
        assert np.array_equal(model.generate(series, 3), made[:, :, 0])
        assert np.array_equal(model.generate(series[1], 3), made[1, :, 0])


def test_classes_are_drawn_as_their_probabilities_say() -> None:
    """Of n draws a share is off by more than 5 sqrt(p (1 - p) / n) once in two million times."""
    model = of_texts(GRUModel, epochs=1)
    number = 4000
    prompt = np.array([list("lo")] * number)
    columns = [model.classes_.tolist().index(letter) for letter in "lo"]
    p = model.predict_proba(np.eye(len(model.classes_))[columns][None])[0, -1].astype(float)
    for temperature in (None, 1.0, 0.5, 2.0):
        drawn = model.generate(prompt, 1, temperature=temperature, seed=3)[:, 0]
        expected = p ** (1 / (temperature or 1))
        for label, share in zip(model.classes_, expected / expected.sum(), strict=True):
            sigma = math.sqrt(share * (1 - share) / number)
            assert abs((drawn == label).mean() - share) < 5 * sigma


def test_features_are_drawn_as_their_probabilities_say() -> None:
    x, y, _, _ = next_step(RNG.integers(2, size=(6, 8, 3)))
    model = GRUModel(hidden_units=5, output="sigmoid", epochs=1).fit(x, y)
    number = 4000
    prompt = np.repeat(x[:1], number, axis=0)
    p = model.predict_proba(x[:1])[0, -1].astype(float)
    for temperature in (1.0, 0.25):
        drawn = model.generate(prompt, 1, temperature=temperature)[:, 0]
        assert set(np.unique(drawn)) == {0, 1}
        yes, no = p ** (1 / temperature), (1 - p) ** (1 / temperature)
        share = yes / (yes + no)
        assert (
            np.abs(drawn.mean(axis=0) - share) < 5 * np.sqrt(share * (1 - share) / number)
        ).all()
    greedy = model.generate(x, 2, temperature=0)
    assert np.array_equal(greedy[:, 0], model.predict(x)[:, -1])


def test_a_seed_gives_a_row_whatever_stands_beside_it(tmp_path: Path) -> None:
    model = of_texts(LSTMModel, epochs=2)
    both = model.generate(np.array([list("lo"), list("wh")]), 12, seed=5)
    assert "".join(both[0]) == model.generate("lo", 12, seed=5)
    assert model.generate("lo", 12, seed=5) != model.generate("lo", 12, seed=6)
    model.save(tmp_path / "m.safetensors")
    again = LSTMModel.load(tmp_path / "m.safetensors")
    assert again.generate("lo", 12, seed=5) == model.generate("lo", 12, seed=5)
    assert model.generate("lo", 0) == ""


def test_it_learns_to_go_on() -> None:
    x, y, lengths, classes = next_step("abcd" * 12, labels=True, window=16)
    model = GRUClassifier(hidden_units=16, epochs=60, learning_rate=0.03, classes=classes)
    assert model.fit(x, y, lengths=lengths).generate("ab", 8, temperature=0) == "cdabcdab"

    wave = np.sin(np.arange(200) * 2 * np.pi / 20)
    x, y, lengths, _ = next_step(wave, window=40)
    wavy = LSTMRegressor(hidden_units=24, epochs=300, learning_rate=0.01, batch_size=5, seed=1)
    made = wavy.fit(x, y, lengths=lengths).generate(wave[:60], 20)
    assert np.abs(made - wave[60:80]).max() < 0.3  # of a wave of amplitude 1


def test_classes_are_there_before_they_are_seen(tmp_path: Path) -> None:
    x = RNG.normal(size=(8, 4, 2))
    y = np.array(["b", "d"] * 4)
    model = GRUModel(hidden_units=4, classes=["d", "c", "b", "a"], epochs=1)
    model.fit(x, y, validation=(x, np.array(["c"] * 8)))
    assert model.classes_.tolist() == ["a", "b", "c", "d"]
    assert model.predict_proba(x).shape == (8, 4)
    model.save(tmp_path / "m.safetensors")
    again = GRUModel.load(tmp_path / "m.safetensors")
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.predict(x), model.predict(x))
    with pytest.raises(rn.ShapeError, match="expected one of the classes 'a', 'b', 'c'; got 'd'"):
        GRUModel(classes=["a", "b", "c"]).fit(x, y)
    for wrong in ("abc", [], 3, [["a"], ["b"]]):
        with pytest.raises(rn.OptionError, match="classes: expected None or a list of labels"):
            GRUModel(classes=wrong).fit(x, y)
    with pytest.raises(rn.DTypeError, match="one kind"):
        GRUModel(classes=["a", 1]).fit(x, y)
    with pytest.raises(rn.OptionError, match="in a softmax alone"):
        GRURegressor(classes=[1]).fit(x, np.zeros(8))


def test_what_cannot_go_on_is_refused() -> None:
    letters = of_texts(GRUModel, epochs=1)
    with pytest.raises(rn.ShapeError, match=r"prompt\[0, 1\]: expected one of .*got 'X'"):
        letters.generate("hX", 3)
    with pytest.raises(rn.ShapeError, match="prompt: expected labels"):
        letters.generate("", 3)
    for options in ({"temperature": -1}, {"seed": -1}):
        with pytest.raises(rn.OptionError, match=next(iter(options))):
            letters.generate("h", 3, **options)
    x = RNG.normal(size=(8, 4, 2))
    numbers = GRURegressor(hidden_units=4, epochs=1).fit(x, x)
    with pytest.raises(rn.OptionError, match="temperature: expected None"):
        numbers.generate(x, 3, temperature=1)
    with pytest.raises(rn.ShapeError, match=r"prompt: expected \(time, 2\) or"):
        numbers.generate(x[:, :, :1], 3)
    with pytest.raises(rn.ShapeError, match="NaN"):
        numbers.generate(x * np.nan, 3)
    of_sequences = GRURegressor(hidden_units=4, epochs=1).fit(x, x[:, 0])
    of_both = GRURegressor(hidden_units=4, epochs=1, bidirectional=True).fit(x, x)
    for model in (of_sequences, of_both):
        with pytest.raises(rn.OptionError, match="generate: expected a model of one direction"):
            model.generate(x, 3)
    with pytest.raises(rn.OptionError, match="generate: expected as many features in as out"):
        GRURegressor(hidden_units=4, epochs=1).fit(x, x[:, :, :1]).generate(x, 3)
    with pytest.raises(rn.NotFittedError):
        GRUModel().generate("a", 3)
