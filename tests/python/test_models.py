"""RNNModel, GRUModel, LSTMModel: they learn, predict, keep what they learnt, and refuse clearly."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import rnn_native as rn
from rnn_native.models import GRUModel, LSTMModel, RNNModel, pad
from rnn_native.models.model import SequenceModel
from rnn_native.train import SGD

MODELS: tuple[type[SequenceModel], ...] = (RNNModel, GRUModel, LSTMModel)
CELLS = ("standard", "article")
BATCH, TIME, INPUT, CLASSES = 24, 7, 3, 4


def sequences(seed: int = 0) -> tuple[Any, Any, Any]:
    """Ragged sequences, and which of their features has the largest sum: learnt in no time."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, TIME + 1, BATCH)
    x = rng.normal(size=(BATCH, TIME, INPUT)).astype(np.float32)
    x[np.arange(TIME) >= lengths[:, None]] = np.nan
    return x, np.nansum(x, axis=1).argmax(axis=1), lengths


def targets(output: str, per_step: bool, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    places = (BATCH, TIME) if per_step else (BATCH,)
    if output == "softmax":
        return rng.integers(CLASSES, size=places)
    if output == "sigmoid":
        return rng.integers(2, size=(*places, CLASSES))
    return rng.normal(size=(*places, CLASSES))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", MODELS)
def test_it_learns(make: type[SequenceModel], cell: str) -> None:
    """What it is to see in 24 sequences it can learn by heart: from a loss of log 3 down."""
    x, y, lengths = sequences()
    model = make(INPUT, 24, 3, cell=cell)
    model.fit(x, y, lengths=lengths, epochs=150, batch_size=8, learning_rate=0.02, seed=1)
    assert model.history_["loss"][0] > 0.7
    assert model.history_["loss"][-1] < 0.3
    assert model.score(x, y, lengths) > 0.85
    assert model.loss(x, y, lengths) < 0.3


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", MODELS)
def test_predictions_are_those_of_the_reference(
    make: type[SequenceModel], cell: str, output: str, per_step: bool
) -> None:
    x, _, lengths = sequences()
    y = targets(output, per_step)
    model = make(INPUT, 5, CLASSES, cell=cell, output=output, num_layers=2, dtype="float64")
    model.fit(x, y, lengths=lengths, epochs=2)
    expected, _ = rn.reference.run(model.spec_, x.swapaxes(0, 1).astype(float), lengths=lengths)
    expected = expected.swapaxes(0, 1)
    if not per_step:
        expected = expected[np.arange(BATCH), lengths - 1]
    given = model.predict(x, lengths)
    if output == "identity":
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)
        with pytest.raises(rn.OptionError, match="predict_proba"):
            model.predict_proba(x, lengths)
        return
    np.testing.assert_allclose(model.predict_proba(x, lengths), expected, rtol=0, atol=1e-12)
    valid = (np.arange(TIME) < lengths[:, None]) if per_step else np.ones(BATCH, bool)
    chosen = expected.argmax(-1) if output == "softmax" else (expected >= 0.5).astype(int)
    assert np.array_equal(given[valid], chosen[valid])
    assert not given[~valid].any()
    right = (chosen == y)[valid].mean()
    assert model.score(x, y, lengths) == pytest.approx(right, rel=1e-15)


def test_the_loss_is_that_of_the_reference() -> None:
    x, _, lengths = sequences()
    y = targets("softmax", per_step=True)
    model = GRUModel(INPUT, 5, CLASSES, dtype="float64").fit(x, y, lengths=lengths, epochs=1)
    p, _ = rn.reference.run(model.spec_, x.swapaxes(0, 1).astype(float), lengths=lengths)
    terms = [-math.log(p[t, b, y[b, t]]) for b in range(BATCH) for t in range(lengths[b])]
    assert model.loss(x, y, lengths) == pytest.approx(sum(terms) / len(terms), rel=1e-11)


def test_score_of_numbers_is_r_squared() -> None:
    x, _, lengths = sequences()
    y = targets("identity", per_step=False)
    model = RNNModel(INPUT, 5, CLASSES, output="identity").fit(x, y, lengths=lengths)
    missed = ((y - model.predict(x, lengths)) ** 2).sum()
    around = ((y - y.mean(axis=0)) ** 2).sum()
    assert model.score(x, y, lengths) == pytest.approx(1 - missed / around, rel=1e-12)


def test_unknown_classes_do_not_count() -> None:
    x, _, lengths = sequences()
    y = targets("softmax", per_step=True)
    unknown = np.random.default_rng(2).random(y.shape) < 0.5
    fits = []
    for fill in (-1, 0):
        labels = np.where(unknown, fill, y)
        model = GRUModel(INPUT, 5, CLASSES, unknown=-1)
        fits.append(model.fit(x, labels, lengths=lengths, epochs=2))
    assert fits[0].history_["loss"] != fits[1].history_["loss"]
    known = (np.arange(TIME) < lengths[:, None]) & ~unknown
    right = (fits[0].predict(x, lengths) == y)[known].mean()
    assert fits[0].score(x, np.where(unknown, -1, y), lengths) == pytest.approx(right, rel=1e-15)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", MODELS)
def test_what_is_saved_comes_back(make: type[SequenceModel], cell: str, tmp_path: Path) -> None:
    x, y, lengths = sequences()
    model = make(INPUT, 5, 3, cell=cell).fit(x, y, lengths=lengths, epochs=1)
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = make.load(path)
    assert again.get_params() == model.get_params()
    assert np.array_equal(again.predict_proba(x, lengths), model.predict_proba(x, lengths))
    assert again.score(x, y, lengths) == model.score(x, y, lengths)

    plain = rn.load(path, batch_first=True)  # any reader of our files takes it
    y_plain, _ = plain(x, lengths=lengths)
    rows = np.arange(BATCH)
    assert np.array_equal(y_plain[rows, lengths - 1], model.predict_proba(x, lengths))
    with pytest.raises(rn.FormatError, match=f"found a {make.__name__}"):
        next(other for other in MODELS if other is not make).load(path)


def test_loading_refuses_what_is_no_model_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    rn.GRU(3, 4).model.save(path)
    with pytest.raises(rn.FormatError, match="not a saved GRUModel"):
        GRUModel.load(path)
    path.write_bytes(b"torn")
    with pytest.raises(rn.FormatError):
        GRUModel.load(path)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", MODELS)
def test_the_articles_call_goes_step_by_step(make: type[SequenceModel], cell: str) -> None:
    x, y, _ = sequences()
    x = np.nan_to_num(x)
    model = make(INPUT, 5, 3, cell=cell, num_layers=2).fit(x, y, epochs=1)
    hidden = model.initialize_hidden_state(BATCH)
    whole, last = model(x)
    for t in range(TIME):
        output, hidden = model(x[:, t], hidden)
        assert np.array_equal(output, whole[:, t])
    pairs = zip(np.atleast_2d(hidden), np.atleast_2d(last), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    np.testing.assert_allclose(output.sum(axis=1), 1, rtol=0, atol=1e-6)  # 3 roundings of 2^-24


def test_its_state_is_the_cells() -> None:
    names = {
        ("RNNModel", "standard"): 1, ("GRUModel", "standard"): 1, ("LSTMModel", "standard"): 2,
        ("RNNModel", "article"): 1, ("GRUModel", "article"): 2, ("LSTMModel", "article"): 4,
    }  # fmt: skip
    for make in MODELS:
        for cell in CELLS:
            state = make(3, 5, 2, cell=cell, num_layers=2).initialize_hidden_state(7)
            parts = state if isinstance(state, tuple) else (state,)
            assert len(parts) == names[make.__name__, cell]
            assert all(part.shape == (2, 7, 5) and not part.any() for part in parts)


def test_the_articles_rnn_sees_its_input_at_the_output() -> None:
    """o_t = softmax(W_ho h_t + W_xo x_t + b_o), with nothing behind it."""
    x, y, lengths = sequences()
    model = RNNModel(INPUT, 5, 3, cell="article").fit(x, y, lengths=lengths, epochs=1)
    (layer,) = model.spec_.layers
    assert isinstance(layer, rn.Recurrent)
    assert (layer.nonlinearity, layer.output_nonlinearity) == ("sigmoid", "softmax")
    assert layer.arrays["weight_xo"].any()


def test_parameters_in_scikit_learns_habits() -> None:
    model = LSTMModel(8, hidden_units=16, cell="article")
    assert model.get_params().items() >= {
        "input_dim": 8, "hidden_units": 16, "output_dim": None, "cell": "article", "num_layers": 1,
        "output": "softmax", "dropout": 0.0, "dtype": "float32", "unknown": None,
        "learning_rate": 1e-3, "epochs": 10, "batch_size": 32, "optimizer": "adam", "seed": 0,
    }.items()  # fmt: skip
    assert repr(model) == "LSTMModel(input_dim=8, hidden_units=16, cell='article')"
    assert model.set_params(hidden_units=4, output="identity") is model
    assert (model.hidden_units, model.output) == (4, "identity")
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    with pytest.raises(rn.OptionError, match="unknown parameter units"):
        model.set_params(units=3)
    untold = RNNModel()
    assert (untold.input_dim, untold.hidden_units, untold.output_dim) == (None, 128, None)
    spec = untold.initial_network().spec  # where there is no data yet
    assert (spec.input_size, spec.output_size) == (100, 10)
    assert untold.initialize_hidden_state(3).shape == (1, 3, 128)


def test_scikit_learn_takes_it() -> None:
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")
    x, y, _ = sequences()
    x = np.nan_to_num(x)
    model = GRUModel(INPUT, 4, 3)
    copy = base.clone(model.fit(x, y, epochs=1))
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "model_")
    assert base.is_classifier(model)
    assert base.is_regressor(GRUModel(output="identity"))
    search = selection.GridSearchCV(model, {"hidden_units": [3, 6]}, cv=2).fit(x, y)
    assert search.best_params_["hidden_units"] in (3, 6)


def test_the_same_seed_gives_the_same_bits_on_any_threads() -> None:
    x, y, lengths = sequences()

    def fit(seed: int, threads: int) -> dict[str, Any]:
        model = GRUModel(INPUT, 9, 3, num_layers=2, dropout=0.3)
        model.fit(x, y, lengths=lengths, epochs=3, seed=seed, num_threads=threads)
        return model.history_

    one, two, other = fit(0, 1), fit(0, 2), fit(1, 1)
    assert one["loss"] == two["loss"]
    assert one["grad_norm"] == two["grad_norm"]
    assert one["loss"] != other["loss"]


CHANGES: dict[str, dict[str, Any]] = {
    "batch_size": {"batch_size": 5},
    "optimizer": {"optimizer": "sgd"},
    "own optimizer": {"optimizer": partial(SGD, momentum=0.9)},
    "learning_rate": {"learning_rate": 1e-2},
    "cosine": {"schedule": "cosine"},
    "own schedule": {"schedule": lambda update: 0.5},
    "max_norm": {"max_norm": 1e-3},
    "recurrent_init": {"recurrent_init": "orthogonal"},
    "forget_bias": {"forget_bias": 2.0},
    "validation": {"validation": 0.25},
    "lengths": {"lengths": None},
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_option_of_fit_has_an_effect(name: str) -> None:
    x, y, lengths = sequences()
    options: dict[str, Any] = {"lengths": lengths, "epochs": 2, "batch_size": 8}
    x = np.nan_to_num(x)
    plain = LSTMModel(INPUT, 5, 3).fit(x, y, **options)
    changed = LSTMModel(INPUT, 5, 3).fit(x, y, **{**options, **CHANGES[name]})
    assert plain.history_["loss"] != changed.history_["loss"]
    assert ("val_loss" in changed.history_) == (name == "validation")


def test_dropout_acts_while_learning_only() -> None:
    x, y, lengths = sequences()
    fits = [
        GRUModel(INPUT, 5, 3, num_layers=2, dropout=dropout).fit(x, y, lengths=lengths, epochs=1)
        for dropout in (0.0, 0.5)
    ]
    assert fits[0].history_["loss"] != fits[1].history_["loss"]
    first, again = (fits[1].predict_proba(x, lengths) for _ in range(2))
    assert np.array_equal(first, again)


def test_patience_ends_early_and_keeps_the_best() -> None:
    x, y, lengths = sequences()
    watched = sequences(seed=9)
    # Learning by heart at a high rate: the validation loss soon rises.
    model = LSTMModel(INPUT, 24, 3)
    model.fit(
        x, y, lengths=lengths, validation=watched, epochs=200, batch_size=4, learning_rate=0.03,
        patience=5,
    )  # fmt: skip
    losses = model.history_["val_loss"]
    assert len(losses) < 200
    assert model.best_epoch_ == int(np.argmin(losses)) == len(losses) - 1 - 5
    # The kernels that predict and those that learn round differently: float32, a few hundred sums.
    assert model.loss(*watched) == pytest.approx(losses[model.best_epoch_], rel=1e-4)
    assert losses[-1] > 1.001 * losses[model.best_epoch_]


def test_history_has_a_value_for_each_epoch() -> None:
    x, y, lengths = sequences()
    model = RNNModel(INPUT, 4, 3)
    model.fit(x, y, lengths=lengths, epochs=3, schedule="cosine", validation=(x, y, lengths))
    assert set(model.history_) == {
        "loss", "grad_norm", "learning_rate", "seconds", "val_loss", "val_score",
    }  # fmt: skip
    assert {len(values) for values in model.history_.values()} == {3}
    rates = [1e-3 * (1 + math.cos(math.pi * epoch / 3)) / 2 for epoch in range(3)]
    assert model.history_["learning_rate"] == pytest.approx(rates, rel=1e-12)


def test_a_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    x, y, lengths = sequences()
    RNNModel(INPUT, 4, 3).fit(x, y, lengths=lengths, epochs=2)
    assert capsys.readouterr().err == ""
    RNNModel(INPUT, 4, 3).fit(x, y, lengths=lengths, epochs=2, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_padding_of_ragged_sequences() -> None:
    x, lengths = pad([np.ones((2, 3), np.float32), np.full((0, 3), 2.0, np.float32)])
    assert (x.shape, x.dtype, lengths.tolist()) == ((2, 2, 3), np.float32, [2, 0])
    assert x.tolist() == [[[1, 1, 1], [1, 1, 1]], [[0, 0, 0], [0, 0, 0]]]
    labels, _ = pad([[1, 2], [3]])
    assert labels.tolist() == [[1, 2], [3, 0]]
    for wrong in ([], [np.ones((2, 3)), np.ones((2, 4))], [1, 2]):
        with pytest.raises(rn.ShapeError, match="pad: "):
            pad(wrong)


def test_what_diverges_says_so() -> None:
    x, y, _ = sequences()
    x = np.nan_to_num(x)
    model = RNNModel(INPUT, 4, 3, output="identity")
    with pytest.raises(rn.DivergenceError, match=r"fit: .* at "):
        model.fit(
            x, np.eye(3)[y], epochs=50, optimizer="sgd", learning_rate=1e30, max_norm=None
        )  # fmt: skip
    with pytest.raises(rn.NotFittedError):
        model.predict(x)


X, Y, LENGTHS = np.zeros((2, 4, 3), np.float32), np.array([0, 1]), [4, 2]
Fit = Callable[[], Any]
REFUSED: dict[str, tuple[Fit, type[Exception], str]] = {
    "rank": (lambda: GRUModel(3).fit(X[0], Y), rn.ShapeError, "X: expected shape"),
    "features": (lambda: GRUModel(4).fit(X, Y), rn.ShapeError, r"\(batch, time, 4\)"),
    "complex": (lambda: GRUModel(3).fit(X + 1j, Y), rn.DTypeError, "X: expected real"),
    "ragged": (lambda: GRUModel(3).fit([X[0], X[1, :2, :2]], Y), rn.ShapeError, "pad"),
    "lengths of lists": (lambda: GRUModel(3).fit([X[0], X[1, :2]], Y, lengths=[4, 2]),
                         rn.ShapeError, "lengths: expected None"),
    "order": (lambda: GRUModel(3).fit(X.swapaxes(1, 2), Y), rn.ShapeError,
              r"got \(2, 3, 4\), which looks like .* give X.transpose\(0, 2, 1\)"),
    "order of y": (lambda: GRUModel().fit(X.swapaxes(1, 2), np.zeros((2, 4), int)), rn.ShapeError,
                   r"y: .*\(2, 3\), got \(2, 4\); .* give X.transpose\(0, 2, 1\)"),
    "one-hot": (lambda: GRUModel(3).fit(X, np.eye(2)), rn.ShapeError, r"y.argmax\(axis=1\)"),
    "one-hot of three": (lambda: GRUModel().fit(X, np.eye(3)[:2]), rn.ShapeError,
                         r"got \(2, 3\), which is one-hot: .*y.argmax\(axis=1\)"),
    "one-hot of steps": (lambda: GRUModel().fit(X, np.zeros((2, 4, 3))), rn.ShapeError,
                         r"\(2, 4, 3\); classes, not one-hot: y.argmax\(axis=-1\)"),
    "none at all": (lambda: GRUModel().fit([], []), rn.ShapeError, "at least one sequence"),
    "missing": (lambda: GRUModel().fit(X, np.array(["a", None], object)), rn.DTypeError,
                "NoneType, str; .*unknown= names"),
    "one axis": (lambda: GRUModel().fit(X[0, :, 0], Y), rn.ShapeError, "Reshape your data"),
    "no y": (lambda: GRUModel().fit(X, None), rn.ShapeError, "y: .*None"),
    "sparse": (lambda: GRUModel().fit(sparse.csr_array(X[0]), Y), rn.DTypeError, "X.toarray"),
    "nan": (lambda: GRUModel().fit(X * np.nan, Y), rn.ShapeError, r"X\[0, 0, 0\]: .*NaN, which"),
    "empty": (lambda: GRUModel(3).fit(X[:0], Y[:0]), rn.ShapeError, "at least one sequence"),
    "rows": (lambda: GRUModel(3).fit(X, Y[:1]), rn.ShapeError, "y: expected it to begin"),
    "classes": (lambda: GRUModel(3, 4, 1).fit(X, Y), rn.ShapeError, "output_dim=1 .*got 2: 0, 1;"),
    "numbers": (lambda: GRUModel(3).fit(X, Y + 0.5), rn.ShapeError, "continuous.*identity"),
    "no class": (lambda: GRUModel(3).fit(X, [1.0, np.nan]), rn.ShapeError, r"y\[1\]: .* nan"),
    "complex y": (lambda: GRUModel(3).fit(X, Y * 1j), rn.DTypeError, "classes as integers"),
    "kinds": (lambda: GRUModel(3).fit(X, np.array([1, "a"], object)), rn.DTypeError, "int, str"),
    "unknown": (lambda: GRUModel(3, unknown=[0]).fit(X, Y), rn.OptionError, "unknown: expected"),
    "no classes": (lambda: GRUModel(3, output="identity", unknown=-1).fit(X, Y), rn.OptionError,
                   "unknown: expected None"),
    "y rank": (lambda: GRUModel(3).fit(X, Y[:, None, None]), rn.ShapeError, r"\(batch, time\)"),
    "length 0": (lambda: GRUModel(3).fit(X, Y, lengths=[4, 0]), rn.ShapeError, r"expected 1..4"),
    "length 5": (lambda: GRUModel(3).fit(X, Y, lengths=[5, 1]), rn.ShapeError, r"lengths\[0\]"),
    "lengths": (lambda: GRUModel(3).fit(X, Y, lengths=[4.0, 1]), rn.DTypeError, "lengths"),
    "probability": (lambda: GRUModel(3, 4, 1, output="sigmoid").fit(X, [[0], [2]]),
                    rn.ShapeError, "0 to 1"),
    "targets": (lambda: GRUModel(3, 4, 2, output="identity").fit(X, [[0], [2]]),
                rn.ShapeError, "expected 2 features"),
    "cell": (lambda: GRUModel(3, cell="new").fit(X, Y), rn.OptionError, "standard, article"),
    "output": (lambda: GRUModel(3, output="new").fit(X, Y), rn.OptionError, "softmax"),
    "dtype": (lambda: GRUModel(3, dtype="int8").fit(X, Y), rn.OptionError, "dtype"),
    "dropout": (lambda: GRUModel(3, num_layers=2, dropout=1).fit(X, Y), rn.OptionError, "dropout"),
    "one layer": (lambda: GRUModel(3, dropout=0.5).fit(X, Y), rn.OptionError, "between layers"),
    "units": (lambda: GRUModel(3, 0).fit(X, Y), rn.OptionError, "hidden_units"),
    "weight": (lambda: GRUModel(3).fit(X, Y, sample_weight=[1, -1]), rn.ShapeError,
               r"sample_weight\[1\]: "),
    "weights": (lambda: GRUModel(3).fit(X, Y, sample_weight=[1]), rn.ShapeError, r"shape \(2,\)"),
    "no weight": (lambda: GRUModel(3).fit(X, Y, sample_weight=[0, 0]), rn.ShapeError, "zero"),
    "class weight": (lambda: GRUModel(3, class_weight={7: 1}).fit(X, Y), rn.OptionError, "0, 1"),
    "class weights": (lambda: GRUModel(3, class_weight=2).fit(X, Y), rn.OptionError, "balanced"),
    "weights of numbers": (
        lambda: GRUModel(3, output="identity", class_weight="balanced").fit(X, Y), rn.OptionError,
        "class_weight: expected None"),
    "callbacks": (lambda: GRUModel(3, callbacks=3).fit(X, Y), rn.OptionError, "callbacks"),
    "progress": (lambda: GRUModel(3, progress="loud").fit(X, Y), rn.OptionError, "'lines'"),
    "split": (lambda: GRUModel(3, validation_split=1).fit(X, Y), rn.OptionError,
              "validation_split"),
    "cosine": (lambda: GRUModel(3, schedule="cosine").partial_fit(X, Y), rn.OptionError,
               "partial_fit"),
    "epochs": (lambda: GRUModel(3).fit(X, Y, epochs=0), rn.OptionError, "epochs"),
    "batch_size": (lambda: GRUModel(3).fit(X, Y, batch_size=2.0), rn.OptionError, "batch_size"),
    "optimizer": (lambda: GRUModel(3).fit(X, Y, optimizer="best"), rn.OptionError, "adam, sgd"),
    "schedule": (lambda: GRUModel(3).fit(X, Y, schedule="best"), rn.OptionError, "cosine"),
    "rate": (lambda: GRUModel(3).fit(X, Y, learning_rate=-1), rn.OptionError, "learning_rate"),
    "norm": (lambda: GRUModel(3).fit(X, Y, max_norm=0), rn.OptionError, "max_norm"),
    "forget_bias": (lambda: GRUModel(3).fit(X, Y, forget_bias=1), rn.OptionError, "forget_bias"),
    "patience": (lambda: GRUModel(3).fit(X, Y, patience=3), rn.OptionError, "validation"),
    "share": (lambda: GRUModel(3).fit(X, Y, validation=1.5), rn.OptionError, "share"),
    "no rows": (lambda: GRUModel(3).fit(X, Y, validation=0.1), rn.OptionError, "share"),
    "validation": (lambda: GRUModel(3).fit(X, Y, validation=(X,)), rn.OptionError, "validation"),
    "its axes": (lambda: GRUModel(3).fit(X, Y, validation=(X, np.zeros((2, 4), int))),
                 rn.ShapeError, "as many axes"),
    "predict": (lambda: GRUModel(3).predict(X), rn.NotFittedError, "not trained"),
    "score": (lambda: GRUModel(3).score(X, Y), rn.NotFittedError, "not trained"),
    "call": (lambda: GRUModel(3)(X), rn.NotFittedError, "not trained"),
    "save": (lambda: GRUModel(3).save("model.safetensors"), rn.NotFittedError, "not trained"),
    "state": (lambda: GRUModel(3).initialize_hidden_state(0), rn.OptionError, "batch"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named(name: str) -> None:
    call, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        call()
