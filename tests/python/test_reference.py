"""The reference against a second, scalar transcription of the equations, and its properties.

Tolerance: with u = 1.1e-16, sums of at most about 20 terms of order 1 are off by less than 20 u
each; a few activations and at most 7 steps, 3 levels and 2 layers of a recurrence that hardly
amplifies leave a few 1e-15. 1e-13 of the largest value present is room to spare and far below
any wrong equation.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scalar_transcription import scalar_run
from strategies import (
    BOUNDED,
    VARIANT_IDS,
    VARIANTS,
    Case,
    cases,
    first_state,
    grouped,
    make_linear,
    make_recurrent,
    make_spec,
    map_state,
    poison_padding,
    random_input,
    random_state,
    recurrents,
    specs,
    zero_state,
)

from rnn_native.reference import run, sigmoid
from rnn_native.spec import ACTIVATIONS, DIRECTIONS, Linear, ModelSpec


def assert_close(got: Any, want: Any) -> None:
    if isinstance(want, tuple):
        assert isinstance(got, tuple)
        for a, b in zip(got, want, strict=True):
            assert_close(a, b)
        return
    assert got.dtype == np.float64
    scale = max(1.0, float(np.abs(want).max(initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * scale, strict=True)


def chain(*layers: Any) -> ModelSpec:
    return ModelSpec(layers)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_every_cell_and_option_equals_the_scalar_equations(cell, options, bias, direction):
    rng = np.random.default_rng(1)
    extra = {"num_layers": 2, "bias": bias, "direction": direction}
    spec = make_spec(rng, cell, 3, 4, **options, **extra)
    case = Case(spec, random_input(spec, 6, 3, rng), random_state(spec, 3, rng), [6, 2, 4])
    assert_close(run(case.spec, case.x, case.state, case.lengths), scalar_run(case))


@given(cases(specs(scales=True, convs=True)))
def test_any_model_equals_the_scalar_equations(case):
    assert_close(run(case.spec, case.x, case.state, case.lengths), scalar_run(case))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_equals_the_scalar_equations(activation):
    rng = np.random.default_rng(2)
    spec = chain(make_linear(rng, 3, 5, activation=activation))
    case = Case(spec, random_input(spec, 4, 2, rng), None, [4, 1])
    assert_close(run(case.spec, case.x, lengths=case.lengths), scalar_run(case))


# Time, rows, directions and stacks


@given(st.data())
def test_chunks_and_steps_equal_the_whole(data):
    forward = recurrents(directions=["forward"]).map(chain)
    case = data.draw(cases(forward, min_time=1, with_lengths=True))
    cuts = data.draw(st.lists(st.integers(0, case.time)), label="cuts")
    for edges in ([0, *sorted(cuts), case.time], range(case.time + 1)):
        state, parts = case.state, []
        for start, stop in pairwise(edges):
            left = [min(max(n - start, 0), stop - start) for n in case.lengths]
            y, state = run(case.spec, case.x[start:stop], state, left)
            parts.append(y)
        whole = run(case.spec, case.x, case.state, case.lengths)
        assert_close((np.concatenate(parts), state), whole)


@given(cases(with_lengths=True))
def test_lengths_equal_every_row_alone_at_its_length(case):
    y, final = run(case.spec, case.x, case.state, case.lengths)
    for b, length in enumerate(case.lengths):
        row = np.s_[b : b + 1]
        state = None if case.state is None else map_state(lambda a, row=row: a[:, row], case.state)
        alone = run(case.spec, case.x[:length, row], state)
        own = y[:length, row] if case.spec.return_sequences else y[row]
        assert_close((own, map_state(lambda a, row=row: a[:, row], final)), alone)
        assert not case.spec.return_sequences or not y[length:, b].any()


@given(cases(with_lengths=False))
def test_full_lengths_equal_no_lengths(case):
    full = run(case.spec, case.x, case.state, [case.time] * case.batch)
    np.testing.assert_equal(full, run(case.spec, case.x, case.state))


def begun(case):
    """The state that a case begins with, stated or the model's own."""
    return first_state(case.spec, case.batch) if case.state is None else case.state


def flipped(x: np.ndarray, lengths: list[int]) -> np.ndarray:
    """Each row's valid steps in the opposite order, its padding where it was."""
    y = x.copy()
    for b, n in enumerate(lengths):
        y[:n, b] = x[:n, b][::-1]
    return y


@given(cases(recurrents(directions=["reverse"]).map(chain), with_lengths=True))
def test_reverse_is_forward_on_flipped_time(case):
    (layer,) = case.spec.layers
    arrays = {name.removesuffix("_reverse"): array for name, array in layer.arrays.items()}
    forward = chain(layer.make(arrays, layer.options | {"direction": "forward"}))
    y, state = run(forward, flipped(case.x, case.lengths), case.state, case.lengths)
    reverse = run(case.spec, case.x, case.state, case.lengths)
    assert_close(reverse, (flipped(y, case.lengths), state))


@given(
    cases(recurrents(directions=["bidirectional"], max_layers=1, output_layers=False).map(chain))
)
def test_bidirectional_is_both_directions_side_by_side(case):
    (layer,) = case.spec.layers
    y, state = run(case.spec, case.x, case.state, case.lengths)
    for d, direction in enumerate(["forward", "reverse"]):
        weights = {n: a for n, a in layer.weights.items() if n.endswith("_reverse") == bool(d)}
        options = {"direction": direction, "weights": weights, "initial_state": None}
        if layer.activations is not None:
            options["activations"] = layer.activations_of(d)
        one = chain(replace(layer, **options))
        initial = map_state(lambda a, d=d: a[[d]], begun(case))
        features = np.s_[d * layer.state_size : (d + 1) * layer.state_size]
        want = run(one, case.x, initial, case.lengths)
        assert_close((y[..., features], map_state(lambda a, d=d: a[[d]], state)), want)


@given(cases(recurrents(output_layers=False).map(chain)))
def test_a_stack_is_each_layer_fed_to_the_next(case):
    (layer,) = case.spec.layers
    y, states, directions = case.x, [], layer.num_directions
    for level in range(layer.num_layers):
        weights = {
            name.replace(f"_l{level}", "_l0"): array
            for name, array in layer.weights.items()
            if f"_l{level}" in name
        }
        width = layer.output_size if level else layer.input_size
        options = {"input_size": width, "num_layers": 1, "initial_state": None}
        one = chain(replace(layer, weights=weights, **options))
        rows = np.s_[level * directions : (level + 1) * directions]
        initial = map_state(lambda a, r=rows: a[r], begun(case))
        y, state = run(one, y, initial, case.lengths)
        states.append(grouped(one, state)[0])
    stacked = tuple(np.concatenate(parts) for parts in zip(*states, strict=True))
    got_y, got_state = run(case.spec, case.x, case.state, case.lengths)
    assert_close((got_y, grouped(case.spec, got_state)[0]), (y, stacked))


# Nothing to do, and what must not be touched


@given(cases())
def test_no_steps_returns_the_initial_state(case):
    initial = map_state(lambda a: a.astype(np.float64), begun(case))
    for x, lengths in ((case.x[:0], None), (case.x[:0], [0] * case.batch)):
        y, state = run(case.spec, x, case.state, lengths)
        steps = (0,) if case.spec.return_sequences else ()
        assert y.shape == (*steps, case.batch, case.spec.output_size)
        np.testing.assert_equal(state, initial)
    last = y
    y, state = run(case.spec, case.x, case.state, [0] * case.batch)
    if case.spec.return_sequences:
        assert y.shape == (case.time, case.batch, case.spec.output_size)
        assert not y.any()
    else:  # what the initial state gives
        np.testing.assert_equal(y, last)
    np.testing.assert_equal(state, initial)


@given(cases())
def test_inputs_are_neither_changed_nor_aliased(case):
    x = case.x.astype(np.int64 if case.spec.takes_indices else np.float64)
    state = map_state(lambda a: a.astype(np.float64), begun(case))
    before = x.copy(), map_state(np.copy, state)
    y, final = run(case.spec, x, state, case.lengths)
    y[...] = 7
    map_state(lambda a: a.fill(7), final)
    np.testing.assert_equal((x, state), before)


def test_a_model_without_recurrence_has_an_empty_state():
    spec = chain(make_linear(np.random.default_rng(0), 3, 2))
    x = np.ones((2, 1, 3))
    for state in (None, (), []):
        assert run(spec, x, state)[1] == ()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8", np.longdouble])
def test_any_real_float_type_and_layout_gives_the_same_float64(dtype):
    rng = np.random.default_rng(3)
    spec = make_spec(rng, "gru")
    x = rng.integers(-8, 8, (4, 2, 3)) / 4.0  # exact in every one of the types
    want = run(spec, x)
    got = run(spec, x.astype(dtype))
    np.testing.assert_equal(got, want)
    assert got[0].dtype == got[1].dtype == np.float64
    np.testing.assert_equal(run(spec, np.asfortranarray(x)), want)
    np.testing.assert_equal(run(spec, x.tolist()), want)


# Every option counts


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        ("rnn", {"nonlinearity": "relu"}),
        ("rnn", {"nonlinearity": "sigmoid"}),
        ("gru", {"reset_after": False}),
    ],
)
def test_an_option_without_arrays_changes_the_output(cell, option):
    rng = np.random.default_rng(4)
    base = make_recurrent(rng, cell, 3, 4)
    x = rng.standard_normal((5, 2, 3))
    changed = run(chain(replace(base, **option)), x)[0]
    assert np.abs(changed - run(chain(base), x)[0]).max() > 1e-3


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_every_single_weight_array_changes_the_output(cell, options):
    rng = np.random.default_rng(5)
    extra = {"num_layers": 2, "direction": "bidirectional"}
    base = make_recurrent(rng, cell, 3, 4, **options, **extra)
    x, state = rng.standard_normal((5, 2, 3)), random_state(chain(base), 2, rng)
    want = run(chain(base), x, state)[0]
    for name, array in base.arrays.items():
        other = replace(base, weights={**base.arrays, name: array + np.float32(0.5)})
        assert np.abs(run(chain(other), x, state)[0] - want).max() > 1e-4, name


@pytest.mark.parametrize(("cell", "options"), [("lstm", {}), ("gru", {"gate_recurrent": True})])
def test_every_state_array_changes_the_output(cell, options):
    rng = np.random.default_rng(6)
    spec = make_spec(rng, cell, num_recurrents=2, out_features=2, **options)
    x = random_input(spec, 3, 2, rng)
    state = zero_state(spec, 2)
    want = run(spec, x, state)[0]
    for layer in range(2):
        for part in range(2):
            other = map_state(np.copy, state)
            other[layer][part][...] = 0.5
            assert np.abs(run(spec, x, other)[0] - want).max() > 1e-4


# NaN, infinity and large values


@given(cases(with_lengths=True).filter(lambda case: not case.spec.takes_indices))
def test_padding_is_never_looked_at(case):
    poisoned = poison_padding(case.x, case.lengths)
    got = run(case.spec, poisoned, case.state, case.lengths)
    np.testing.assert_equal(got, run(case.spec, case.x, case.state, case.lengths))
    assert np.isfinite(got[0]).all()


def test_padding_of_indices_is_never_looked_at():
    spec = make_spec(np.random.default_rng(7), num_embeddings=5)
    want = run(spec, [[1, 4], [2, 0], [3, 0]], lengths=[3, 1])
    np.testing.assert_equal(run(spec, [[1, 4], [2, -1], [3, 99]], lengths=[3, 1]), want)


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_nan_reaches_everything_after_it_and_no_other_row(cell, options):
    rng = np.random.default_rng(8)
    spec = make_spec(rng, cell, **options)
    x = random_input(spec, 5, 3, rng)
    clean = run(spec, x)[0]
    x[2, 1, 0] = np.nan
    y = run(spec, x)[0]
    assert np.isnan(y[2:, 1]).all()
    y[2:, 1] = clean[2:, 1]
    assert_close(y, clean)


@pytest.mark.parametrize("value", [1e4, 1e300, np.inf])
@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_huge_inputs_saturate_without_warnings(cell, options, value):
    spec = make_spec(np.random.default_rng(9), cell, 1, 3, **options)
    x = np.array([value, -value]).reshape(1, 2, 1)
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        y = run(spec, x)[0]
    bounded = {a.name for a in spec.recurrents[0].activations_of(0)} <= {*BOUNDED}
    # An unbounded candidate that is infinite, times a gate that is shut, is no number.
    assert not np.isnan(y).any() or not (bounded or cell == "rnn")
    if bounded:
        assert np.abs(y).max() <= 2.0  # at most one, or proj_size's row of 3 weights below 0.58


def test_sigmoid_is_exact_at_both_ends_and_never_warns():
    x = np.array([-np.inf, -800.0, -700.0, -40.0, 0.0, 40.0, 800.0, np.inf, np.nan])
    want = [0.0, 0.0, math.exp(-700.0), math.exp(-40.0), 0.5, 1.0, 1.0, 1.0, np.nan]
    with warnings.catch_warnings(), np.errstate(over="warn", invalid="warn"):
        warnings.simplefilter("error")
        np.testing.assert_allclose(sigmoid(x), want, rtol=1e-15)


def test_softmax_is_a_distribution_however_large_its_input():
    rng = np.random.default_rng(10)
    x = 1e4 * rng.standard_normal((4, 2, 3))
    p = run(chain(Linear(np.eye(3), activation="softmax")), x)[0]
    log_p = run(chain(Linear(np.eye(3), activation="log_softmax")), x)[0]
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-15)
    # p is exp of differences near 1e4, each rounded to 1e4 u: relative errors of 1e-12.
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-11, atol=1e-300)
