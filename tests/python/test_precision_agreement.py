"""Products of rounded operands, int8 weights and ``compute``, are the reference's."""

from __future__ import annotations

from typing import Any

import bounds
import numpy as np
import pytest
import sweeps
from agreement import check
from hypothesis import given
from hypothesis import strategies as st
from precision_sweep import agree, options_here
from strategies import Case, cases, make_conv, make_linear, make_spec, specs

import rnn_native as rn
from rnn_native import _core
from rnn_native.spec import ModelSpec

EVERY: tuple[dict[str, Any], ...] = ({"weight_dtype": "int8"}, {"compute": "bfloat16"})
each_option = pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            options,
            id=next(iter(options.values())),
            marks=pytest.mark.skipif(
                options not in options_here(), reason="no products of bfloat16 here"
            ),
        )
        for options in EVERY
    ],
)
U = 2.0**-24


@pytest.mark.parametrize("isa", rn.show_config(mode="dicts")["isas_available"])
def test_every_cell_is_the_reference_on_every_instruction_set(isa: str) -> None:
    assert "int8" in sweeps.passes("precision_sweep.py", isa)


@each_option
@given(case=cases(specs(scales=True, convs=True)), which=st.integers(0, 31))
def test_every_model_is_the_reference(options: dict[str, Any], case: Case, which: int) -> None:
    """Whatever is around the products, and whichever layers are kept."""
    keep = [name for i, name in enumerate(case.spec.reducible) if which >> i & 1]
    spec = case.spec.having(keep=keep)
    check(spec, case.x, case.state, case.lengths, **options)
    if case.lengths is None:
        agree(spec, options, case.x, case.state)


@each_option
@given(seed=st.integers(0, 2**32 - 1))
def test_convolutions_over_time_are_the_reference(options: dict[str, Any], seed: int) -> None:
    """x is exact: both round the same rows of taps to the same numbers. What is left is rounding,
    of a sum of K products, the bias and scales no more than gamma(K + 6) of the terms' magnitudes,
    which int8 makes no more than a tenth larger, and the 4 units in the last place of an activation
    with slopes of at most 1."""
    rng = np.random.default_rng(seed)
    some = ("identity", "tanh", "relu")
    layer = make_conv(rng, int(rng.choice([4, 6, 12])), time=True, streams=False, activations=some)
    spec = ModelSpec((layer,))
    x = rng.standard_normal((7, 3, layer.input_size)).astype(np.float32)
    got, _ = rn.Model(spec, **options)(x)
    want, _ = rn.reference.run(spec, x, **options)
    arrays = {name: np.abs(array) for name, array in layer.arrays.items()}
    plain = layer.make(arrays, layer.options | {"activation": "identity"})
    size = 1.1 * rn.reference.run(ModelSpec((plain,)), np.abs(x))[0]
    n = layer.weight.shape[1] + 6
    assert np.all(np.abs(got - want) <= 1.01 * n * U * size + 8 * U * np.abs(want) + 2.0**-120)


def test_rows_that_are_no_numbers_are_that_and_no_others() -> None:
    rng = np.random.default_rng(0)
    spec = make_spec(rng, "gru", 5, 16, out_features=3)
    x = rng.standard_normal((4, 5, 5)).astype(np.float32)
    model = rn.Model(spec, weight_dtype="int8")
    want = model(x)[0]
    x[1, 1, 2], x[2, 3, 0], x[0, 4] = np.nan, np.inf, 2.0**-101
    got = model(x)[0]
    assert np.isnan(got[1:, 1]).all()
    assert np.isnan(got[2:, 3]).all()
    np.testing.assert_array_equal(got[:, [0, 2]], want[:, [0, 2]])
    np.testing.assert_array_equal(got[0, [1]], want[0, [1]])
    x[0, 4] = 0
    np.testing.assert_array_equal(model(x)[0][:, 4], got[:, 4])
    reference, _ = rn.reference.run(spec, x, weight_dtype="int8")
    np.testing.assert_array_equal(np.isnan(reference), np.isnan(got))


@pytest.mark.parametrize("exponent", [-99, -60, -20, 0, 20, 60, 100])
def test_rows_of_any_size_are_scaled(exponent: int) -> None:
    """A power of two moves neither integers nor bits."""
    rng = np.random.default_rng(0)
    spec = ModelSpec((make_linear(rng, 40, 7, bias=False),))
    x = rng.standard_normal((3, 2, 40)).astype(np.float32)
    x[..., 0] = 3.0
    model = rn.Model(spec, weight_dtype="int8")
    want = np.ldexp(model(x)[0], exponent)
    np.testing.assert_array_equal(model(np.ldexp(x, exponent))[0], want)
    check(spec, np.ldexp(x, exponent), weight_dtype="int8")


def test_the_weights_of_a_model_are_the_references() -> None:
    """What int8 does to activations is small beside what it does to weights, and not nothing."""
    rng = np.random.default_rng(1)
    spec = make_spec(rng, "lstm", 20, 64, out_features=4)
    x = rng.standard_normal((30, 2, 20)).astype(np.float32)
    y, _ = rn.Model(spec, weight_dtype="int8")(x)
    rounded = rn.reference.run(spec, x, weight_dtype="int8")[0]
    stored = rn.reference.run(rn.reference.stored(spec, "int8"), x)[0]
    exact = rn.reference.run(spec, x)[0]
    size = np.abs(exact).max()
    assert np.abs(y - rounded).max() < np.abs(stored - rounded).max() / 2
    assert np.abs(y - exact).max() < 0.05 * size
    assert bounds.flatten(rn.Model(rn.reference.stored(spec, "int8"))(x))[0].shape == y.shape


def test_compute_is_refused_where_the_cpu_has_none() -> None:
    spec = make_spec(np.random.default_rng(0))
    if _core.has_bf16_dot():
        assert rn.Model(spec, compute="bfloat16").weight_dtype == "bfloat16"
        return
    with pytest.raises(rn.UnsupportedError, match="AVX512_BF16"):
        rn.Model(spec, compute="bfloat16")
    x = np.zeros((2, 1, 3))
    assert rn.reference.run(spec, x, compute="bfloat16")[0].shape == (2, 1, 4)
