"""The compiled core equals float64 ``reference.run``: every cell, option, dtype, layout, path.

float32 within the bound derived in bounds.py; float64 within 1e-12 of the largest magnitude, or
of 1 where that is less: some 10^4 roundoffs, for sums of at most a few hundred terms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from agreement import (
    DTYPES,
    LAYOUTS,
    arrays_of,
    assert_agrees,
    assert_same_bits,
    check,
    map_state,
    matmuls,
    recast,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import VARIANT_IDS, VARIANTS, Case

import rnn_native as rn
from rnn_native.spec import DIRECTIONS, ModelSpec

variants = pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)

# Around the widths of SIMD registers, where kernels have tails.
HIDDEN = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 63, 64, 65, 70)
INPUTS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)
BATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17)


def fitting(options: dict[str, Any], hidden: int) -> dict[str, Any] | None:
    """The options as far as this hidden_size allows: a projection is narrower than it."""
    return None if options.get("proj_size", 0) >= hidden else options


@dtypes
@given(data=st.data())
def test_any_model_and_call(dtype: str, data: st.DataObject) -> None:
    spec = strategies.specs(dtype=dtype, scales=True, convs=True)
    case: Case = data.draw(strategies.cases(spec, dtype=dtype))
    layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))]
    state_layout = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))]
    check(
        case.spec,
        layout(case.x),
        map_state(state_layout, case.state),
        case.lengths,
        dtype=dtype,
        batch_first=data.draw(st.booleans()),
        matmul=data.draw(st.sampled_from(matmuls())),
        num_threads=data.draw(st.sampled_from([None, 1, 2])),
    )


@dtypes
@given(case=strategies.cases(strategies.specs(dtype=np.float64), dtype=np.float64))
def test_weights_of_the_other_precision(dtype: str, case: Case) -> None:
    """float64 weights in a float32 model are rounded once; float32 ones widen exactly."""
    rounded = recast(case.spec, "float32")
    if dtype == "float64":
        check(rounded, case.x, case.state, case.lengths, dtype=dtype)
        return
    model = rn.Model(case.spec, dtype="float32")
    y, final = model(case.x, case.state, case.lengths)
    assert_agrees(rounded, case.x, case.state, case.lengths, y, final, "float32")


@variants
@dtypes
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_layout(cell: str, options: dict[str, Any], dtype: str, direction: str) -> None:
    """Including 7 features and 3 rows: more than a vector of float64, less than one of float32."""
    rng = np.random.default_rng(21)
    spec = strategies.make_spec(rng, cell, 7, 5, direction=direction, **options)
    x = strategies.random_input(spec, 4, 3, rng, dtype=dtype)
    state = strategies.random_state(spec, 3, rng, dtype=dtype)
    for lay_out in LAYOUTS.values():
        for batch_first in (False, True):
            check(
                spec,
                lay_out(x),
                map_state(lay_out, state),
                [4, 2, 0],
                dtype=dtype,
                batch_first=batch_first,
            )


@variants
@dtypes
@pytest.mark.parametrize("hidden", HIDDEN)
def test_hidden_sizes(cell: str, options: dict[str, Any], dtype: str, hidden: int) -> None:
    """Inputs and batches change along, so that all of both meet some hidden size."""
    fits = fitting(options, hidden)
    if fits is None:
        return
    k = HIDDEN.index(hidden) + 5 * VARIANTS.index((cell, options))
    rng = np.random.default_rng(22)
    batch = BATCHES[k % len(BATCHES)]
    spec = strategies.make_spec(rng, cell, INPUTS[k % len(INPUTS)], hidden, **fits)
    x = strategies.random_input(spec, 3, batch, rng)
    state = strategies.random_state(spec, batch, rng)
    for matmul in matmuls():
        check(spec, x, state, dtype=dtype, matmul=matmul)


@variants
@dtypes
def test_input_sizes(cell: str, options: dict[str, Any], dtype: str) -> None:
    rng = np.random.default_rng(23)
    for size in range(1, 34):
        spec = strategies.make_spec(rng, cell, size, 5, **options)
        check(spec, strategies.random_input(spec, 2, 2, rng), dtype=dtype, matmul="packed")


@variants
@dtypes
def test_batch_sizes(cell: str, options: dict[str, Any], dtype: str) -> None:
    rng = np.random.default_rng(24)
    spec = strategies.make_spec(rng, cell, 6, 19, **options)
    for batch in range(1, 18):
        x = strategies.random_input(spec, 2, batch, rng)
        for threads in (1, 2):
            check(spec, x, dtype=dtype, matmul="packed", num_threads=threads)


@dtypes
def test_projection_sizes(dtype: str) -> None:
    rng = np.random.default_rng(25)
    for size in range(1, 33):
        spec = strategies.make_spec(rng, "lstm", 3, 33, proj_size=size, num_layers=2)
        x = strategies.random_input(spec, 2, 3, rng)
        check(spec, x, strategies.random_state(spec, 3, rng), dtype=dtype, matmul="packed")


@dtypes
@pytest.mark.parametrize("activation", rn.spec.ACTIVATIONS)
def test_linear_sizes(dtype: str, activation: str) -> None:
    rng = np.random.default_rng(26)
    for size in range(1, 34):
        spec = ModelSpec((strategies.make_linear(rng, 34 - size, size, activation=activation),))
        x = strategies.random_input(spec, 2, 1 + size % 9, rng)
        check(spec, x, dtype=dtype, matmul="packed")


@variants
@dtypes
@pytest.mark.parametrize("time", [31, 64, 65, 300])
def test_long_sequences(cell: str, options: dict[str, Any], dtype: str, time: int) -> None:
    """Longer than any chunk of time; weights so small that errors fade."""
    rng = np.random.default_rng(27)
    gain = strategies.fading(cell, options)
    layer = strategies.make_recurrent(
        rng, cell, 3, 6, gain=gain, direction="bidirectional", num_layers=2, **options
    )
    spec = ModelSpec((layer,))
    x = strategies.random_input(spec, time, 3, rng)
    state = strategies.random_state(spec, 3, rng)
    check(spec, x, state, [time, time - 1, time // 2], dtype=dtype, matmul="packed")


@variants
@pytest.mark.parametrize("shape", [(6, 1, 24, 150), (5, 40, 100, 72), (70, 9, 33, 40)])
@pytest.mark.parametrize("threads", [1, 2])
def test_large_enough_for_threads(
    cell: str, options: dict[str, Any], shape: tuple[int, int, int, int], threads: int
) -> None:
    time, batch, inputs, hidden = shape
    rng = np.random.default_rng(28)
    gain = strategies.fading(cell, options)
    layer = strategies.make_recurrent(
        rng, cell, inputs, hidden, gain=gain, direction="bidirectional", **options
    )
    spec = ModelSpec((layer,))
    x = strategies.random_input(spec, time, batch, rng)
    lengths = rng.integers(0, time + 1, batch)
    for matmul in matmuls():
        check(spec, x, None, lengths, matmul=matmul, num_threads=threads)


@variants
@dtypes
@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e-6, 30.0, 1e4, 1e30])
def test_tiny_and_saturating_inputs(
    cell: str, options: dict[str, Any], dtype: str, scale: float
) -> None:
    """One step, from denormal inputs to gates that are fully open or shut."""
    rng = np.random.default_rng(29)
    spec = strategies.make_spec(rng, cell, 5, 11, **options)
    x = (strategies.random_input(spec, 1, 3, rng) * scale).astype(dtype)
    check(spec, x, dtype=dtype)
    state = map_state(
        lambda a: (a * scale).astype(dtype), strategies.random_state(spec, 3, rng, dtype=dtype)
    )
    check(spec, strategies.random_input(spec, 1, 3, rng), state, dtype=dtype)


@variants
@dtypes
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("matmul", matmuls())
def test_nan_and_infinity_arise_where_they_do_in_the_reference(
    cell: str, options: dict[str, Any], dtype: str, value: float, matmul: str
) -> None:
    """One value at one step of one row; the weights have no zero, so 0 * inf never decides."""
    rng = np.random.default_rng(30)
    spec = strategies.make_spec(rng, cell, 5, 9, num_layers=2, **options)
    x = strategies.random_input(spec, 4, 3, rng, dtype=dtype)
    x[2, 1, 3] = value
    y, final = rn.Model(spec, dtype=dtype, matmul=matmul)(x)
    want, want_final = rn.reference.run(spec, x)
    for got, expected in zip([y, *arrays_of(final)], [want, *arrays_of(want_final)], strict=True):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
        np.testing.assert_array_equal(np.isposinf(got), np.isposinf(expected))
        np.testing.assert_array_equal(np.isneginf(got), np.isneginf(expected))
    clean = [0, 2]  # the other rows know nothing of it
    assert np.all(np.isfinite(y[:, clean]))


@given(strategies.cases(max_time=4))
def test_inputs_are_left_alone_and_results_are_the_callers(case: Case) -> None:
    model = rn.Model(case.spec)
    before = [case.x.copy(), *(a.copy() for a in arrays_of(case.state))]
    y, final = model(case.x, case.state, case.lengths)
    for a, b in zip(before, [case.x, *arrays_of(case.state)], strict=True):
        assert_same_bits(a, b)
    kept = [y.copy(), *(a.copy() for a in arrays_of(final))]
    given_arrays = [case.x, *arrays_of(case.state)]
    for a in [y, *arrays_of(final)]:
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in given_arrays)
    model(case.x, final, case.lengths)
    for a, b in zip(kept, [y, *arrays_of(final)], strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("threads", [1, 2])
def test_denormals_of_the_caller_survive_a_call(threads: int) -> None:
    """Flush-to-zero is the core's own affair: it ends with the call."""
    rng = np.random.default_rng(31)
    spec = strategies.make_spec(rng, "gru", 8, 64)
    model = rn.Model(spec, matmul="packed", num_threads=threads)
    model(strategies.random_input(spec, 10, 32, rng))
    model.stream().step(strategies.random_input(spec, 1, 1, rng)[0])
    least = np.full(64, 1e-40, np.float32)
    assert np.all(least * np.float32(1) > 0)
    assert np.all(least + least > least)
