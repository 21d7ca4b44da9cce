"""The models' arguments: NumPy's numbers are numbers, and what was learnt outlives set_params."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.models import GRUModel, LSTMModel

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 5, 3)).astype(np.float32), RNG.integers(2, size=8)


def test_numpys_numbers_are_numbers(tmp_path: Path) -> None:
    """Everywhere: they end in the JSON of a checkpoint and of a saved model."""
    sizes = [np.int64(3), np.int32(4), np.uint8(2)]
    numpys = LSTMModel(*sizes, num_layers=np.int64(2), dropout=np.float64(0.25), dtype=np.float32)
    plain = LSTMModel(3, 4, 2, num_layers=2, dropout=0.25)
    numpys.fit(
        X, Y, epochs=np.int64(2), batch_size=np.int64(4), seed=np.int64(3),
        learning_rate=np.float32(0.5), max_norm=np.float32(0.5), forget_bias=np.float32(1.5),
        patience=np.int64(2), validation=np.float32(0.25), checkpoint=tmp_path / "numpys",
    )  # fmt: skip
    plain.fit(
        X, Y, epochs=2, batch_size=4, seed=3, learning_rate=0.5, max_norm=0.5, forget_bias=1.5,
        patience=2, validation=0.25, checkpoint=tmp_path / "plain",
    )  # fmt: skip
    assert numpys.history_["loss"] == plain.history_["loss"]
    numpys.save(tmp_path / "model.safetensors")
    again = LSTMModel.load(tmp_path / "model.safetensors")
    assert again.get_params() == plain.get_params()
    assert np.array_equal(again.predict_proba(X), plain.predict_proba(X))
    # The same fit in both spellings: each goes on from the other's checkpoint.
    plain.fit(
        X, Y, epochs=2, batch_size=4, seed=3, learning_rate=0.5, max_norm=0.5, forget_bias=1.5,
        patience=2, validation=0.25, checkpoint=tmp_path / "numpys",
    )  # fmt: skip


CHANGED: dict[str, Any] = {
    "input_dim": 7, "hidden_units": 6, "output_dim": 5, "cell": "article", "num_layers": 2,
    "output": "identity", "dropout": 0.5, "dtype": "float64", "unknown": 0, "classes": [1, 2],
    "bidirectional": True, "pooling": "max", "learning_rate": 1.0, "epochs": 7, "seed": 5,
}  # fmt: skip


@pytest.mark.parametrize("names", [*([name] for name in CHANGED), list(CHANGED)], ids=str)
def test_what_was_learnt_outlives_set_params(names: list[str], tmp_path: Path) -> None:
    model = GRUModel(3, 4, 2).fit(X, Y, epochs=1)

    def told(of: GRUModel) -> list[Any]:
        state = of.initialize_hidden_state(2)
        return [
            of.predict(X), of.predict_proba(X), of.score(X, Y), of.loss(X, Y), state,
            of(X[:2], state)[0],
        ]  # fmt: skip

    before, parameters = told(model), model.get_params()
    model.set_params(**{name: CHANGED[name] for name in names})
    model.save(tmp_path / "model.safetensors")
    again = GRUModel.load(tmp_path / "model.safetensors")
    assert again.get_params() == parameters
    for after in (told(model), told(again)):
        for a, b in zip(after, before, strict=True):
            assert np.array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


def test_the_next_fit_has_the_parameters_that_were_set() -> None:
    model = GRUModel(3, 4, 2).fit(X, Y, epochs=1)
    model.set_params(hidden_units=6, output="identity", dtype="float64")
    model.fit(X, np.eye(2)[Y], epochs=1)
    assert model.initialize_hidden_state(2).shape == (1, 2, 6)
    assert model.predict(X).dtype == np.float64
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("watched", [False, True])
def test_what_is_not_finite_is_refused_where_it_counts(value: float, watched: bool) -> None:
    """1e300 is not finite in float32, in which the model computes; y is kept in float64."""
    lengths = np.full(8, 4)
    x, y = X.astype(np.float64), RNG.normal(size=(8, 5, 2))
    x[3, 4], y[3, 4] = value, value  # padding may be anything
    model = GRUModel(3, 4, 2, output="identity")

    def fit(x: Any, y: Any, lengths: Any = lengths) -> None:
        validation = (x, y, lengths) if watched else None
        if watched:
            x, y = np.zeros((8, 5, 3)), np.zeros(y.shape)
        model.fit(x, y, lengths=lengths, epochs=1, validation=validation)

    with np.errstate(over="ignore"):  # where float64's 1e300 becomes float32
        fit(x, y)
        bad = x.copy()
        bad[2, 3, 1] = value
        with pytest.raises(rn.ShapeError, match=r"^X\[2, 3, 1\]: expected a finite float32"):
            fit(bad, y)
        if np.isfinite(value):
            return
        bad = y.copy()
        bad[2, 3, 1] = value
        with pytest.raises(rn.ShapeError, match=r"^y\[2, 3, 1\]: expected a finite"):
            fit(x, bad)
        with pytest.raises(rn.ShapeError, match=r"^y\[3, 0\]: expected a finite"):
            fit(x, y[:, 4])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_probability_is_finite(value: float) -> None:
    with pytest.raises(rn.ShapeError, match=r"^y.*: expected"):
        GRUModel(3, 4, 1, output="sigmoid").fit(X, np.full((8, 1), value))


def fit(**options: Any) -> GRUModel:
    own = {name: options.pop(name) for name in CHANGED if name in options}
    return GRUModel(**{"input_dim": 3, "hidden_units": 4, "output_dim": 2, **own}).fit(
        X, Y, **options
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input_dim", "3"), ("hidden_units", 4.5), ("hidden_units", True), ("output_dim", 0),
        ("num_layers", 1.0), ("dropout", "a"), ("dropout", float("nan")), ("seed", -1),
        ("seed", 0.5), ("epochs", "a"), ("batch_size", None), ("learning_rate", "a"),
        ("learning_rate", float("inf")), ("max_norm", "a"), ("max_norm", 0), ("forget_bias", "a"),
        ("patience", 1.5), ("checkpoint", "no such folder/file"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(name: str, value: Any) -> None:
    with pytest.raises(rn.OptionError, match=f"^{name}: expected"):
        fit(**{name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5])
@pytest.mark.parametrize("update", [0, 3])
def test_a_schedule_without_a_rate_is_refused_at_its_update(value: float, update: int) -> None:
    """Of 4 updates in each epoch, so that the last of one is asked for when it comes."""
    with pytest.raises(rn.OptionError, match=f"^schedule: update {update}: expected .*{value}"):
        fit(batch_size=2, epochs=1, schedule=lambda n: value if n == update else 1.0)
    fit(
        batch_size=2, epochs=1, schedule=lambda n: value if n == 4 else np.array(0.5)
    )  # never asked for
