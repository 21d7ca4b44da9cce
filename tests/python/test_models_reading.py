"""Two directions, and pooling: where a sequence's own target is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.models import GRUModel, LSTMModel, RNNModel
from rnn_native.models.model import SequenceModel
from rnn_native.models.reading import make_reading
from rnn_native.train import Network, cross_entropy

RNG = np.random.default_rng(0)
ROWS, TIME, FEATURES, CLASSES = 20, 6, 3, 3
X = RNG.normal(size=(ROWS, TIME, FEATURES))
LENGTHS = RNG.integers(1, TIME + 1, ROWS)
Y = RNG.integers(CLASSES, size=ROWS)
MODELS: tuple[type[SequenceModel], ...] = (RNNModel, GRUModel, LSTMModel)

CASES = [
    (make, cell, pooling, both)
    for make in MODELS
    for cell in ("standard", "article")
    for pooling in ("last", "mean", "max")
    for both in (False, True)
    if not (make is RNNModel and cell == "article" and both and pooling == "last")
]


def fitted(make: Any, cell: str, pooling: str, both: bool, **options: Any) -> SequenceModel:
    given = {"hidden_units": 4, "num_layers": 2, "dtype": "float64", "epochs": 2, **options}
    model: SequenceModel = make(cell=cell, pooling=pooling, bidirectional=both, **given)
    return model.fit(X, Y, lengths=LENGTHS)


def softmax(logits: Any) -> Any:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def by_the_reference(model: SequenceModel, pooling: str, both: bool) -> Any:
    y, _ = rn.reference.run(model.spec_, X.swapaxes(0, 1), lengths=LENGTHS)
    rows = np.arange(ROWS)
    if pooling == "last":
        return y if both else y[LENGTHS - 1, rows]
    pool = np.mean if pooling == "mean" else np.max
    return softmax(np.stack([pool(y[:n, row], axis=0) for row, n in enumerate(LENGTHS)]))


@pytest.mark.parametrize(("make", "cell", "pooling", "both"), CASES)
def test_predictions_are_those_of_the_reference(
    make: Any, cell: str, pooling: str, both: bool, tmp_path: Path
) -> None:
    model = fitted(make, cell, pooling, both)
    given = model.predict_proba(X, LENGTHS)
    expected = by_the_reference(model, pooling, both)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)
    terms = -np.log(expected[np.arange(ROWS), Y])
    assert model.loss(X, Y, LENGTHS) == pytest.approx(terms.mean(), rel=1e-11)

    padded = np.concatenate([X, np.ones((ROWS, 40, FEATURES))], axis=1)
    assert np.array_equal(model.predict_proba(padded, LENGTHS), given)
    alone = model.predict_proba(X[3:4], LENGTHS[3:4])
    assert np.array_equal(alone[0], given[3])

    model.save(tmp_path / "m.safetensors")
    again = make.load(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict_proba(X, LENGTHS), given)
    if both and pooling == "last":  # whole in the file, for any reader
        plain = rn.load(tmp_path / "m.safetensors", batch_first=True, dtype="float64")
        assert np.array_equal(plain(X, lengths=LENGTHS)[0], given)


@pytest.mark.parametrize(("make", "cell", "pooling", "both"), CASES)
def test_the_gradient_is_the_central_difference(
    make: Any, cell: str, pooling: str, both: bool
) -> None:
    model = make(FEATURES, 4, CLASSES, cell=cell, dtype="float64", bidirectional=both, num_layers=2)
    net = model.initial_network(seed=3)
    reading = make_reading(pooling, both, False, not (make is RNNModel and cell == "article"))
    x = X.swapaxes(0, 1)
    steps = (np.arange(TIME)[:, None] == LENGTHS - 1) if not reading.is_pooled else None
    y = Y if reading.is_pooled else np.broadcast_to(Y, (TIME, ROWS))

    def loss(of: Network) -> tuple[float, Any]:
        outputs, state, tape = of.forward(x, lengths=LENGTHS)
        answers, back = reading.learning(of, outputs, state, LENGTHS)
        value, d = cross_entropy(answers, y, mask=steps)
        dy, dstate, besides = back(d)
        gradients = of.backward(tape, dy, dstate).weights
        return value, {name: g + besides.get(name, 0.0) for name, g in gradients.items()}

    _, gradients = loss(net)
    step = 1e-5
    for name, weight in net.weights.items():
        along = np.random.default_rng(1).normal(size=weight.shape)
        values = []
        for sign in (1, -1):
            weight += sign * step * along
            net.update()
            values.append(loss(net)[0])
            weight -= sign * step * along
        net.update()
        difference = (values[0] - values[1]) / (2 * step)
        # Losses near 1 are rounded to 1e-16 a few hundred times, over 2e-5; the third derivative
        # along so many normal numbers, times 1e-10, is at most some hundred times that.
        assert (gradients[name] * along).sum() == pytest.approx(difference, rel=1e-6, abs=2e-8)


def test_the_validation_is_that_of_the_model() -> None:
    for make, cell, pooling, both in CASES:
        model = make(
            hidden_units=4, cell=cell, pooling=pooling, bidirectional=both, dtype="float64"
        )
        model.fit(X, Y, lengths=LENGTHS, epochs=1, validation=(X, Y, LENGTHS))
        # Two orders of the same sums in float64.
        loss = model.loss(X, Y, LENGTHS)
        assert model.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-11)
        assert model.history_["val_score"][-1] == model.score(X, Y, LENGTHS)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_what_stands_at_the_beginning_is_learnt(pooling: str) -> None:
    x = RNG.normal(size=(60, 30, 2)).astype(np.float32)
    y = np.where(x[:, 0, 0] > 0, "up", "down")
    model = GRUModel(hidden_units=8, bidirectional=True, pooling=pooling, learning_rate=0.03)
    assert model.fit(x, y, epochs=40, batch_size=20).score(x, y) > 0.9


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_parts_and_checkpoints_are_one_fit(pooling: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"batch_size": 6, "dtype": "float32", "dropout": 0.25}
    whole = fitted(LSTMModel, "standard", pooling, True, epochs=3, **options)
    parts = LSTMModel(
        hidden_units=4, num_layers=2, pooling=pooling, bidirectional=True, **options
    )  # fmt: skip
    for _ in range(3):
        parts.partial_fit(X, Y, lengths=LENGTHS)
    resumed = LSTMModel(**parts.get_params())
    for epochs in (1, 3):
        resumed.fit(X, Y, lengths=LENGTHS, epochs=epochs, checkpoint=tmp_path / "c")
    threads = fitted(LSTMModel, "standard", pooling, True, epochs=3, num_threads=2, **options)
    for other in (parts, resumed, threads):
        assert other.history_["loss"] == whole.history_["loss"]
        assert np.array_equal(other.predict_proba(X, LENGTHS), whole.predict_proba(X, LENGTHS))


def test_steps_are_answered_at_their_steps() -> None:
    y = RNG.integers(CLASSES, size=(ROWS, TIME))
    model = GRUModel(hidden_units=4, bidirectional=True, dtype="float64", epochs=1)
    model.fit(X, y, lengths=LENGTHS)
    expected, _ = rn.reference.run(model.spec_, X.swapaxes(0, 1), lengths=LENGTHS)
    given = model.predict_proba(X, LENGTHS)
    np.testing.assert_allclose(given, expected.swapaxes(0, 1), rtol=0, atol=1e-12)
    assert model.initialize_hidden_state(2).shape == (2, 2, 4)
    with pytest.raises(rn.OptionError, match="pooling: expected 'last' where y has a target for"):
        GRUModel(pooling="mean").fit(X, y)
    with pytest.raises(rn.OptionError, match="bidirectional: expected False for a call"):
        model(X)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(rn.OptionError, match="pooling: expected one of last, mean, max"):
        GRUModel(pooling="sum").fit(X, Y)
    with pytest.raises(rn.OptionError, match="pooling: expected 'mean' or 'max' for the article"):
        RNNModel(cell="article", bidirectional=True).fit(X, Y)
    with pytest.raises(rn.OptionError, match="bidirectional: expected True or False"):
        GRUModel(bidirectional=2).fit(X, Y)


def test_a_callback_that_ended_a_fit_has_ended_it_for_its_checkpoint(tmp_path: Path) -> None:
    def stop(epoch: Any) -> bool:
        return bool(epoch.number == 1)

    model = GRUModel(hidden_units=4, epochs=5, callbacks=[stop])
    for _ in range(2):
        model.fit(X, Y, checkpoint=tmp_path / "c")
        assert len(model.history_["loss"]) == 2


def test_a_pooled_models_call_gives_activated_steps() -> None:
    model = GRUModel(hidden_units=4, pooling="mean", epochs=1).fit(X, Y)
    y, _ = model(X)
    # Softmax of float32: sums of 3 roundings of 2^-24.
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=0, atol=1e-6)
