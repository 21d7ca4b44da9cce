"""scikit-learn's own checks of an estimator, all of them; and its searches and pipelines."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest

from rnn_native.models import GRUClassifier, GRUModel, LSTMModel, LSTMRegressor, RNNModel

checks = pytest.importorskip("sklearn.utils.estimator_checks")
if "xfail_strict" not in signature(checks.parametrize_with_checks).parameters:
    pytest.skip("an older scikit-learn", allow_module_level=True)

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "asks for 1e-7; float32 adds weighted and repeated rows up in another order"
    ),
    "check_regressor_multioutput": "asks for float64; what a model predicts has its own dtype",
}
"""What cannot hold in float32, and why: docs/models.md lists the same. In float64 all hold."""

SMALL: dict[str, Any] = {"hidden_units": 12, "learning_rate": 0.03, "epochs": 30}
ESTIMATORS = [
    GRUModel(**SMALL),
    GRUModel(),
    LSTMRegressor(bidirectional=True, **SMALL),
    GRUClassifier(bidirectional=True, pooling="mean", **SMALL),
    LSTMModel(output="identity", dtype="float64", **SMALL),
    RNNModel(cell="article", dtype="float64", **SMALL),
]


def expected(estimator: Any) -> dict[str, str]:
    return EXPECTED if estimator.dtype == "float32" else {}


@checks.parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected, xfail_strict=True)
def test_scikit_learns_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


RNG = np.random.default_rng(0)
X = RNG.normal(size=(36, 5, 2)).astype(np.float32)
Y = np.where(X.sum(axis=(1, 2)) > 0, "up", "down")


def test_a_grid_search_over_a_pipeline() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    grid = {
        "model__learning_rate": [1e-3, 3e-2],
        "model__hidden_units": [4, 6],
        "model__cell": ["standard", "article"],
    }
    for first, x in (
        (preprocessing.FunctionTransformer(lambda x: x / 2), X),
        (preprocessing.StandardScaler(), X[:, :, 0]),
    ):
        steps = pipeline.Pipeline([("first", first), ("model", GRUModel(epochs=6, batch_size=8))])
        search = selection.GridSearchCV(steps, grid, cv=2).fit(x, Y)
        assert len(search.cv_results_["params"]) == 8
        assert set(search.predict(x)) <= {"down", "up"}
        best = search.best_estimator_["model"]
        chosen = {name.removeprefix("model__"): v for name, v in search.best_params_.items()}
        assert best.get_params().items() >= chosen.items()
        scores = search.cv_results_["mean_test_score"]
        assert search.best_score_ == scores.max() > scores.min()


def test_a_search_takes_lists_of_sequences_as_they_are() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    ragged = [x[:length] for x, length in zip(X, RNG.integers(1, 6, len(X)), strict=True)]
    search = selection.GridSearchCV(GRUModel(epochs=2), {"hidden_units": [3, 5]}, cv=2)
    assert search.fit(ragged, Y).predict(ragged).shape == Y.shape
    fold = selection.StratifiedKFold(2).split(ragged, Y)
    scores = []
    for learnt, watched in fold:
        model = GRUModel(epochs=2, hidden_units=3).fit([ragged[i] for i in learnt], Y[learnt])
        scores.append(model.score([ragged[i] for i in watched], Y[watched]))
    assert search.cv_results_["mean_test_score"][0] == np.mean(scores)


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc", "neg_log_loss", "f1_macro"])
def test_its_scorers_take_what_it_predicts(scoring: str) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    model = GRUModel(hidden_units=6, learning_rate=0.03, epochs=10)
    scores = selection.cross_val_score(
        model, X, (Y == "up").astype(int), scoring=scoring, cv=3, error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_who_catches_its_notfittederror_catches_ours() -> None:
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.raises(exceptions.NotFittedError, match="GRUModel: not trained yet"):
        GRUModel().predict(X)
