"""Merge: the two halves of the features made one, to the bit, anywhere in a chain but first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check

import rnn_native as rn
from rnn_native.layers import MERGE_MODES
from rnn_native.spec import Embedding, Linear, Merge, ModelSpec

modes = pytest.mark.parametrize("mode", MERGE_MODES)


def merged(mode: str, a: Any, b: Any) -> Any:
    """In the arrays' own type, in the order that Merge states."""
    half = a.dtype.type(0.5)
    return {"sum": a + b, "mul": a * b, "ave": (a + b) * half}[mode]


@modes
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_mode_is_its_formula_to_the_bit(mode: str, dtype: str) -> None:
    """Whatever the width: on both sides of a vector, and in one step as in many."""
    rng = np.random.default_rng(61)
    for size in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33):
        table = rng.standard_normal((11, 2 * size)).astype(dtype)
        spec = ModelSpec((Embedding(table), Merge(mode, size)))
        model = rn.Model(spec, dtype=dtype)
        x = rng.integers(0, 11, (5, 3))
        y, state = model(x, lengths=[5, 0, 3])
        want = merged(mode, table[x][..., :size], table[x][..., size:])
        want[:, 1] = want[3:, 2] = 0
        assert_same_bits(y, want)
        assert state == ()
        stream = model.stream(batch=3)
        assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x])[:, 0], want[:, 0])


@modes
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0, 3e38])
def test_infinity_nan_and_overflow_pass_as_in_numpy(mode: str, value: float) -> None:
    table = np.array([[value, 1.0, value, 0.0], [0.0, value, value, -value]], np.float32)
    model = rn.Model(ModelSpec((Embedding(table), Merge(mode, 2))))
    with np.errstate(all="ignore"):
        want = merged(mode, table[:, :2], table[:, 2:])
    np.testing.assert_array_equal(model(np.array([[0, 1]]))[0][0], want)


@modes
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_it_stands_behind_every_kind_of_layer(mode: str, dtype: str, direction: str) -> None:
    rng = np.random.default_rng(62)
    first = strategies.make_recurrent(rng, "lstm", 5, 12, direction=direction)
    second = strategies.make_recurrent(rng, "gru", first.output_size // 2, 8, direction=direction)
    linear = strategies.make_linear(rng, second.output_size // 2, 6)
    half = Merge(mode, first.output_size // 2)
    spec = ModelSpec(
        (first, half, second, Merge(mode, second.output_size // 2), linear, Merge(mode, 3))
    )
    x = strategies.random_input(spec, 7, 3, rng)
    check(spec, x, None, [7, 0, 4], dtype=dtype)
    if direction == "forward":
        model = rn.Model(spec, dtype=dtype, matmul="packed")
        y, _ = model(x)
        stream = model.stream(batch=3)
        assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x]), y)


@modes
def test_any_number_of_threads_gives_the_same_bits(mode: str) -> None:
    """Rows, directions and stages of a wavefront are divided; see test_teams, test_wavefront."""
    rng = np.random.default_rng(63)
    for direction, hidden, time, batch in (
        ("bidirectional", 263, 9, 1),
        ("bidirectional", 40, 30, 33),
        ("forward", 44, 601, 1),
    ):
        stack = strategies.make_recurrent(rng, "gru", 9, hidden, direction=direction, num_layers=2)
        merge = Merge(mode, stack.output_size // 2)
        layers = (
            stack,
            merge,
            strategies.make_recurrent(rng, "gru", merge.size, 36),
            Merge(mode, 18),
        )
        model = rn.Model(ModelSpec(layers), matmul="packed")
        x = strategies.random_input(model.spec, time, batch, rng)
        y, _ = model(x, num_threads=1)
        for threads in (2, 3):
            assert_same_bits(model(x, num_threads=threads)[0], y)


def test_it_has_no_parameters_and_comes_back_in_the_spec() -> None:
    linear = Linear(np.ones((4, 3), np.float32))
    model = rn.Model(ModelSpec((linear, Merge("mul", 2))))
    assert model.num_parameters == 12
    assert model.output_size == 2
    assert model.spec.layers[1] == Merge("mul", 2)
    assert repr(model).startswith("Model(linear, merge; [time, batch, 3] -> [time, batch, 2]")


def test_what_is_none_is_refused_by_name() -> None:
    with pytest.raises(rn.OptionError, match=r"Merge mode: .*sum, mul, ave; got 'concat'"):
        Merge("concat", 2)
    for size in (0, -1, 2**24 + 1, 1.0, True):
        with pytest.raises(rn.OptionError, match="Merge size"):
            Merge("sum", size)  # type: ignore[arg-type]
    with pytest.raises(rn.UnsupportedError, match="layer 0: a Merge cannot be first"):
        ModelSpec((Merge("sum", 2),))
    linear = Linear(np.ones((5, 3)))
    with pytest.raises(rn.ShapeError, match=r"layer 1 \(Merge\): expected an input of 4 features"):
        ModelSpec((linear, Merge("sum", 2)))
    with pytest.raises(rn.UnsupportedError, match="layer 1 is a Merge"):
        rn.train.Network(ModelSpec((Linear(np.ones((4, 3))), Merge("sum", 2))))
