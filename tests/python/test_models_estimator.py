"""In scikit-learn's habits: what constructor and data say, weights, fits in several calls."""

from __future__ import annotations

import pickle
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import models
from rnn_native.models import GRUModel, LSTMModel, RNNModel
from rnn_native.models.fitting import Epoch
from rnn_native.train import SGD

RNG = np.random.default_rng(0)
ROWS, TIME = 24, 6
X = RNG.normal(size=(ROWS, TIME, 3)).astype(np.float32)
Y = X.sum(axis=1).argmax(axis=1)

OPTIONS: dict[str, Any] = {
    "learning_rate": 1e-2, "epochs": 3, "batch_size": 5, "optimizer": partial(SGD, momentum=0.5),
    "schedule": "cosine", "max_norm": 1e-2, "recurrent_init": "orthogonal", "forget_bias": 2.0,
    "seed": 7, "validation_split": 0.25, "class_weight": {0: 5.0},
}  # fmt: skip


@pytest.mark.parametrize("name", [*OPTIONS, "all"])
def test_what_fit_is_told_the_constructor_may_be_told(name: str) -> None:
    told = OPTIONS if name == "all" else {name: OPTIONS[name]}
    plain = {"hidden_units": 5, "epochs": 2, "learning_rate": 1e-3, "batch_size": 8}
    by_fit = LSTMModel(**plain).fit(X, Y, **told)
    of_own = LSTMModel(**{**plain, **told}).fit(X, Y)
    undone = LSTMModel(**{**plain, **told})
    for option in told:
        default = getattr(LSTMModel(**plain), option)
        undone.fit(X, Y, **{**{o: getattr(LSTMModel(**plain), o) for o in told}, option: default})
    untold = LSTMModel(**plain).fit(X, Y)
    keys = ("loss", "grad_norm", "learning_rate")
    assert [of_own.history_[key] for key in keys] == [by_fit.history_[key] for key in keys]
    assert of_own.history_["loss"] != untold.history_["loss"]
    assert undone.history_["loss"] == untold.history_["loss"]


def test_sizes_are_those_of_the_data(tmp_path: Path) -> None:
    for y, output, classes in (
        (Y, "softmax", 3), (RNG.normal(size=(ROWS, 4)), "identity", 4),
        (RNG.integers(2, size=(ROWS, TIME, 2)), "sigmoid", 2),
    ):  # fmt: skip
        model = GRUModel(hidden_units=5, output=output).fit(X, y, epochs=1)
        assert (model.spec_.input_size, model.spec_.output_size) == (3, classes)
        assert (model.input_dim, model.output_dim, model.n_features_in_) == (None, None, 3)
        given = GRUModel(3, 5, classes, output=output).fit(X, y, epochs=1)
        assert given.history_["loss"] == model.history_["loss"]
        model.save(tmp_path / "m.safetensors")
        again = GRUModel.load(tmp_path / "m.safetensors")
        assert again.get_params() == model.get_params()
        assert np.array_equal(again.predict(X), model.predict(X))
        wider = np.concatenate([X, X], axis=2)
        again.fit(wider, y, epochs=1)  # beginning anew, with other data
        assert again.n_features_in_ == 6


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("per_step", [False, True])
def test_one_target_needs_no_axis(output: str, per_step: bool, tmp_path: Path) -> None:
    y = RNG.integers(2, size=(ROWS, TIME) if per_step else ROWS)
    flat = GRUModel(hidden_units=5, output_dim=1, output=output).fit(X, y, epochs=2)
    wide = GRUModel(hidden_units=5, output=output).fit(X, y[..., None], epochs=2)
    flat.save(tmp_path / "m.safetensors")
    for model in (flat, GRUModel.load(tmp_path / "m.safetensors")):
        assert np.array_equal(model.predict(X), wide.predict(X)[..., 0])
        assert model.predict(X).shape == y.shape
        assert model.score(X, y) == model.score(X, y[..., None]) == wide.score(X, y[..., None])
        if output == "sigmoid":
            assert np.array_equal(model.predict_proba(X), wide.predict_proba(X)[..., 0])


def test_lists_of_sequences_are_taken_as_they_are() -> None:
    lengths = RNG.integers(1, TIME + 1, ROWS)
    ragged = [x[:length].tolist() for x, length in zip(X, lengths, strict=True)]
    objects = np.empty(ROWS, dtype=object)
    objects[:] = [np.array(row) for row in ragged]
    names = np.where(RNG.random((ROWS, TIME)) < 0.5, "no", "yes")
    for y, own in ((Y, Y), (names, [row[:n] for row, n in zip(names, lengths, strict=True)])):
        padded = GRUModel(hidden_units=5).fit(X, y, lengths=lengths, epochs=1)
        for given in (ragged, tuple(ragged), objects):
            model = GRUModel(hidden_units=5).fit(given, own, epochs=1, validation=(given, own))
            assert model.history_["loss"] == padded.history_["loss"]
            assert model.score(given, own) == padded.score(X, y, lengths)
            longest = X[:, : lengths.max()]
            expected = padded.predict_proba(longest, lengths)
            assert np.array_equal(model.predict_proba(given), expected)
    with pytest.raises(rn.ShapeError, match="y: expected arrays as long as those of X"):
        GRUModel().fit(ragged, [names[0]] * (ROWS - 1) + [names[0, :-1]])


def test_two_axes_are_sequences_of_one_feature() -> None:
    table = X[:, :, 0]
    model = GRUModel(hidden_units=5).fit(table, Y, epochs=1)
    other = GRUModel(hidden_units=5).fit(table[:, :, None], Y, epochs=1)
    assert model.history_["loss"] == other.history_["loss"]
    assert (model.n_features_in_, other.n_features_in_) == (TIME, 1)
    assert np.array_equal(model.predict_proba(table), other.predict_proba(table))
    short = model.predict(table[:, :3, None])  # sequences of any length
    assert np.array_equal(short, model.predict(table[:, :3], np.full(ROWS, 3)))
    assert np.array_equal(short, other.predict(table[:, :3]))
    with pytest.raises(rn.ShapeError, match=r"3 features, but GRUModel is expecting 6 .*None\]"):
        model.predict(table[:, :3])


@pytest.mark.parametrize("output", ["softmax", "identity", "sigmoid"])
@pytest.mark.parametrize("per_step", [False, True])
def test_a_whole_weight_is_a_repeated_row(output: str, per_step: bool) -> None:
    """In one batch, in float64: the sums of about a hundred terms, each rounded to 2^-53 of
    itself, of two updates differ by some 1e-14 of what they are."""
    places = (ROWS, TIME) if per_step else (ROWS,)
    y = RNG.integers(2, size=places if output == "softmax" else (*places, 2))
    times = RNG.integers(0, 4, ROWS)
    rows = np.repeat(np.arange(ROWS), times)
    model = partial(
        GRUModel, hidden_units=5, output=output, dtype="float64", batch_size=100, epochs=2,
        optimizer="sgd",
    )  # fmt: skip
    weighted = model().fit(X, y, sample_weight=times)
    repeated = model().fit(X[rows], y[rows])
    for key in ("loss", "grad_norm"):
        assert weighted.history_[key] == pytest.approx(repeated.history_[key], rel=1e-11)
    np.testing.assert_allclose(
        weighted._run(X, None), repeated._run(X, None), rtol=1e-10, atol=1e-12
    )
    score = repeated.score(X[rows], y[rows])
    assert weighted.score(X, y, sample_weight=times) == pytest.approx(score, rel=1e-9)
    if per_step:
        steps = np.repeat(times[:, None], TIME, axis=1)
        assert model().fit(X, y, sample_weight=steps).history_["loss"] == weighted.history_["loss"]


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1]])
def test_a_class_weight_is_a_weight_of_its_targets(labels: list[Any]) -> None:
    y = np.where(np.arange(ROWS) % 4, labels[1], labels[0])
    balanced = np.where(y == labels[0], ROWS / (2 * 6), ROWS / (2 * 18))
    mapped = np.where(y == labels[0], 3.0, 1.0)
    for class_weight, weights in (("balanced", balanced), ({labels[0]: 3.0}, mapped)):
        by_class = GRUModel(hidden_units=5, class_weight=class_weight).fit(X, y, epochs=2)
        by_row = GRUModel(hidden_units=5).fit(X, y, sample_weight=weights, epochs=2)
        assert by_class.history_["loss"] == by_row.history_["loss"]
        both = GRUModel(hidden_units=5, class_weight=class_weight)
        both.fit(X, y, sample_weight=weights, epochs=2)
        squared = GRUModel(hidden_units=5).fit(X, y, sample_weight=weights**2, epochs=2)
        # The weights are rounded once more or less.
        assert both.history_["loss"] == pytest.approx(squared.history_["loss"], rel=1e-5)


@pytest.mark.parametrize("make", [RNNModel, GRUModel, LSTMModel])
def test_so_many_partial_fits_are_one_fit_bit_for_bit(make: Any) -> None:
    options: dict[str, Any] = {"hidden_units": 5, "num_layers": 2, "dropout": 0.25, "batch_size": 5}
    whole = make(epochs=4, **options).fit(X, Y)
    parts = make(**options)
    for _ in range(4):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, Y, classes=[0, 1, 2])))
    assert np.array_equal(parts.predict_proba(X), whole.predict_proba(X))
    for key in ("loss", "grad_norm", "learning_rate"):
        assert parts.history_[key] == whole.history_[key]
    two = make(epochs=2, **options).fit(X, Y).partial_fit(X, Y).partial_fit(X, Y)
    assert np.array_equal(two.predict_proba(X), whole.predict_proba(X))


def test_classes_that_come_later_are_told_first(tmp_path: Path) -> None:
    names = np.array(["a", "b", "c"])[Y]
    model = GRUModel(hidden_units=5).partial_fit(
        X[names < "c"], names[names < "c"], ["c", "b", "a"]
    )
    assert model.classes_.tolist() == ["a", "b", "c"]
    model.partial_fit(X, names)
    with pytest.raises(rn.ShapeError, match="expected one of the classes 'a', 'b', 'c'; got 'd'"):
        model.partial_fit(X[:1], ["d"])
    with pytest.raises(rn.OptionError, match="classes: expected those of the first call"):
        model.partial_fit(X, names, ["a", "b"])
    model.save(tmp_path / "m.safetensors")
    again = GRUModel.load(tmp_path / "m.safetensors").partial_fit(X, names)
    assert len(again.history_["loss"]) == 1
    assert again.classes_.tolist() == ["a", "b", "c"]


def test_a_warm_start_goes_on_where_the_fit_before_ended() -> None:
    model = GRUModel(hidden_units=5, warm_start=True, optimizer="sgd", batch_size=ROWS)
    model.fit(X, Y, epochs=3)
    before = model.history_["loss"]
    model.fit(X, Y, epochs=2)
    # SGD without momentum remembers nothing, and one batch has one order in which to add up.
    straight = GRUModel(hidden_units=5, optimizer="sgd", batch_size=ROWS).fit(X, Y, epochs=5)
    assert [*before, *model.history_["loss"]] == pytest.approx(straight.history_["loss"], rel=1e-5)
    assert model.history_["loss"][0] < before[-1]
    for changed in ({"hidden_units": 6}, {"cell": "article"}):
        with pytest.raises(rn.OptionError, match="warm_start: expected the sizes and cell"):
            GRUModel(hidden_units=5, warm_start=True).fit(X, Y).set_params(**changed).fit(X, Y)
    with pytest.raises(rn.OptionError, match="warm_start: expected the classes"):
        model.fit(X, Y + 1)
    for learn in (model.fit, model.partial_fit):
        with pytest.raises(rn.ShapeError, match="y: expected as many axes as that of the training"):
            learn(X, np.tile(Y[:, None], (1, TIME)))


def test_callbacks_are_told_of_every_epoch_and_may_end_it() -> None:
    seen: list[Epoch] = []

    def last(epoch: Epoch) -> bool:
        assert epoch.spec.num_parameters > 0
        return epoch.history["loss"][-1] < 0 or epoch.number == 2

    model = GRUModel(hidden_units=5, callbacks=[last, seen.append], epochs=9).fit(X, Y)
    assert [epoch.number for epoch in seen] == [0, 1, 2]
    assert len(model.history_["loss"]) == 3
    assert seen[0].epochs == 9
    assert model.history_["loss"] == GRUModel(hidden_units=5).fit(X, Y, epochs=3).history_["loss"]


@pytest.mark.parametrize("progress", [True, "lines"])
def test_a_line_for_each_epoch_without_tqdm(
    progress: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if progress is True:
        for name in ("tqdm", "tqdm.auto"):
            monkeypatch.setitem(sys.modules, name, None)
    model = GRUModel(hidden_units=5, progress=progress).fit(X, Y, epochs=2, validation_split=0.25)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"epoch 2/2  loss {model.history_['loss'][1]:.4g}  val_loss ")


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_the_names_say_what_is_learnt(kind: str, tmp_path: Path) -> None:
    of_classes, of_numbers, both = (
        getattr(models, kind + name) for name in ("Classifier", "Regressor", "Model")
    )
    for make, output in ((of_classes, "softmax"), (of_numbers, "identity")):
        named = make(hidden_units=5, epochs=2).fit(X, Y)
        plain = both(hidden_units=5, epochs=2, output=output).fit(X, Y)
        assert named.output == output
        assert named.get_params() == plain.get_params()
        assert repr(named) == f"{make.__name__}(hidden_units=5, epochs=2)"
        assert np.array_equal(named.predict(X), plain.predict(X))
        assert isinstance(named, both)
        named.save(tmp_path / "m.safetensors")
        assert np.array_equal(make.load(tmp_path / "m.safetensors").predict(X), plain.predict(X))
