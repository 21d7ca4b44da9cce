"""Softmax: of blocks of the features of a step, and of all steps of each feature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec, Softmax, SoftmaxOverTime

RNG = np.random.default_rng(31)


def over_time(features: int) -> ModelSpec:
    return ModelSpec(nodes={"s": (SoftmaxOverTime(), ("x",))}, inputs={"x": features}, outputs="s")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", [1, 2, 6, 12])
@pytest.mark.parametrize("log", [False, True])
def test_of_blocks_of_features(log: bool, groups: int, dtype: str) -> None:
    """To the bit what a Linear's activation is of each block; in calls, streams and threads."""
    linear = strategies.make_linear(RNG, 5, 12, dtype=dtype)
    spec = ModelSpec((linear, Softmax(groups, log)))
    x = (3 * RNG.standard_normal((40, 3, 5))).astype(dtype)
    lengths = [40, 0, 7]
    check(spec, x, None, lengths, dtype=dtype)
    model = rn.Model(spec, dtype=dtype)
    y, _ = model(x)
    size, name = 12 // groups, "log_softmax" if log else "softmax"
    for first in range(0, 12, size):
        rows = slice(first, first + size)
        own = rn.Linear(linear.weight[rows], linear.bias[rows], name)
        assert_same_bits(rn.Model([own], dtype=dtype)(x)[0], y[..., rows])
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=3)
    assert_same_bits(np.stack([stream.step(step).copy() for step in x]), y)
    assert not model(x, lengths=lengths)[0][7:, 2].any()


def test_a_view_puts_another_axis_there() -> None:
    """Of [3, 4] features over the three."""
    spec = ModelSpec(
        (
            rn.Linear(np.eye(12, dtype="f4")),
            rn.Transpose(3, 4),
            Softmax(4),
            rn.Transpose(4, 3),
        )
    )
    x = RNG.standard_normal((5, 2, 12), dtype=np.float32)
    e = np.exp(x.reshape(5, 2, 3, 4))
    want = (e / e.sum(axis=2, keepdims=True)).reshape(x.shape)
    np.testing.assert_allclose(rn.Model(spec)(x)[0], want, rtol=0, atol=1e-6)


def test_behind_a_last_state_and_in_files(tmp_path: Path) -> None:
    gru = strategies.make_recurrent(RNG, "gru", 3, 6, return_sequences=False)
    spec = ModelSpec((gru, rn.LogSoftmax(3)))
    x = RNG.standard_normal((7, 2, 3), dtype=np.float32)
    y, _ = rn.Model(spec)(x)
    np.testing.assert_allclose(np.exp(y).reshape(2, 3, 2).sum(-1), 1, rtol=0, atol=1e-6)
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"softmax.{suffix}"
        formats.write(spec, path)
        assert formats.read(path).layers[1] == Softmax(3, True)
        formats.write(over_time(3), path)
        assert repr(formats.read(path)) == repr(over_time(3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", [1, 3, 17])
def test_over_all_steps_of_a_row(features: int, dtype: str) -> None:
    """Of more steps than a chunk has; exp is within 2 ULP, so each weight is within 2 + 1 of its
    own and, of the sum, as much, of weights of at most 1, x - max rounded before."""
    x = (4 * RNG.standard_normal((700, 4, features))).astype(dtype)
    lengths = [700, 0, 1, 33]
    model = rn.Model(over_time(features), dtype=dtype)
    poisoned = strategies.poison_padding(x, lengths)
    y, _ = model(poisoned, lengths=lengths, num_threads=1)
    want, _ = rn.reference.run(model.spec, poisoned, lengths=lengths)
    spread = np.ptp(x.astype("f8"), axis=0).max()
    bound = (2 * spread + 8) * np.finfo(dtype).eps * np.abs(want) + np.finfo(dtype).tiny
    assert (np.abs(y - want) <= bound).all()
    for threads in (2, 3):
        assert_same_bits(model(poisoned, lengths=lengths, num_threads=threads)[0], y)
    assert_same_bits(model(x[:33, 3:])[0][:, 0], y[:33, 3])
    for row, length in enumerate(lengths):
        assert not y[length:, row].any()
    assert (y[0, 2] == 1).all()


def test_what_is_no_number_stays_in_its_feature() -> None:
    x = np.zeros((4, 1, 4), np.float32)
    x[1, 0] = [np.nan, np.inf, -np.inf, 0]
    y, _ = rn.Model(over_time(4))(x)
    assert np.isnan(y[1, 0, :2]).all()
    np.testing.assert_allclose(y[:, 0, 2], [1 / 3, 0, 1 / 3, 1 / 3], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(y[:, 0, 3], 0.25)
    want, _ = rn.reference.run(over_time(4), x)
    np.testing.assert_array_equal(np.isnan(want), np.isnan(y))


def test_wrong_numbers_are_named_and_a_stream_refuses() -> None:
    linear = strategies.make_linear(RNG, 3, 4)
    with pytest.raises(rn.ShapeError, match=r"\(Softmax\): groups: .*of 4 features, got 3"):
        ModelSpec((linear, Softmax(3)))
    with pytest.raises(rn.OptionError, match="Softmax groups: expected 1 to"):
        Softmax(0)
    with pytest.raises(rn.OptionError, match="Softmax log: expected True or False"):
        Softmax(1, 1)
    message = "layer 1, a softmax over all steps, needs whole sequences"
    with pytest.raises(rn.UnsupportedError, match=message):
        rn.Model([linear, SoftmaxOverTime()]).stream(batch=1)
    gru = strategies.make_recurrent(RNG, "gru", 3, 4, return_sequences=False)
    with pytest.raises(rn.ShapeError, match="expected an input of steps"):
        ModelSpec((gru, SoftmaxOverTime()))
