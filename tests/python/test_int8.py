"""int8 weights: which integers and scales, which files, which numbers of x, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import int8_sweep
import numpy as np
import pytest
import strategies
import sweeps
from agreement import assert_same_bits, assert_same_state
from strategies import VARIANTS

import rnn_native as rn
from rnn_native.spec.integers import LEAST, int8_rows

CONFIG = rn.show_config(mode="dicts")
KINDS = pytest.mark.parametrize("kind", int8_sweep.KINDS, ids=lambda kind: kind.__name__)


def test_integers_and_results_are_the_same_on_every_instruction_set() -> None:
    hashes = {sweeps.passes("int8_sweep.py", isa) for isa in CONFIG["isas_available"]}
    assert len(hashes) == 1


@pytest.mark.skipif(
    "avx512_amx" not in CONFIG["isas_available"], reason="this machine lacks avx512_amx"
)
def test_recurrent_layers_have_the_same_bits_with_amx_and_without() -> None:
    assert sweeps.passes("amx_sweep.py", "avx512") == sweeps.passes("amx_sweep.py", "avx512_amx")


def rows_of(kind: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return kind(np.random.default_rng(5), 40, 37)


@pytest.mark.parametrize("kind", [int8_sweep.grid_rows, int8_sweep.divisible_rows])
def test_multiples_of_a_number_are_kept_as_they_are(kind: Any) -> None:
    rows = rows_of(kind)
    assert_same_bits(int8_sweep.stored(rows), rows)


def test_a_common_divisor_is_in_the_scale() -> None:
    """Where a float32 is that scale times the divisor; of other scales it may be none."""
    rng = np.random.default_rng(9)
    whole = rng.integers(-5, 6, (23, 37))
    whole[:, 0] = 1
    divisors, least = rng.integers(2, 26, (23, 1)), 2.0 ** rng.integers(-90, 90, (23, 1))
    rows = (whole * divisors * least).astype(np.float32)
    integers, scales = int8_rows(rows)
    assert np.array_equal(integers, whole)
    assert np.array_equal(scales[:, None], divisors * least)
    assert_same_bits(int8_sweep.stored(rows), rows)


@KINDS
def test_a_weight_moves_by_half_a_step_of_its_row_at_most(kind: Any) -> None:
    """Of a row that counts, a step is its largest weight / 127, each rounded to float32."""
    rows = rows_of(kind)
    largest = np.abs(rows).max(axis=1, keepdims=True).astype(np.float64)
    kept = int8_sweep.stored(rows).astype(np.float64)
    counts = largest[:, 0] >= LEAST
    moved = np.abs(kept - rows)[counts]
    assert (moved <= largest[counts] * (0.5 / 127 + 2.0**-23)).all()
    assert not kept[~counts].any()


@pytest.mark.parametrize(("cell", "options"), VARIANTS[::3], ids=str)
def test_every_matrix_is_what_python_stores(cell: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(6)
    spec = strategies.make_spec(rng, cell, 5, 9, num_layers=2, out_features=3, **options)
    model = rn.Model(spec, weight_dtype="int8")
    expected = rn.reference.stored(spec, "int8")
    for layer, other in zip(model.spec.layers, expected.layers, strict=True):
        for name, array in layer.arrays.items():
            assert_same_bits(array, other.arrays[name].astype(np.float32))


def test_saved_as_floats_and_packed_again_gives_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    spec = strategies.make_spec(rng, "lstm", 6, 33, num_layers=2, out_features=4)
    model = rn.Model(spec, weight_dtype="int8")
    x = rng.standard_normal((9, 3, 6), np.float32)
    y, state = model(x)
    for suffix in ("npz", "safetensors", "onnx"):
        path = tmp_path / f"floats.{suffix}"
        rn.Model(model.spec).save(path)
        assert rn.load(path).weight_dtype is None
        again = rn.load(path, weight_dtype=np.int8)
        assert again.weight_dtype == "int8"
        after, final = again(x)
        assert_same_bits(after, y)
        assert_same_state(final, state)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    spec = strategies.make_spec(np.random.default_rng(0), "gru", 3, 4)
    arrays = {name: array.copy() for name, array in spec.layers[0].arrays.items()}
    arrays["bias_ih_l0"][0] = value  # stays as it is
    rn.Model([rn.Recurrent("gru", 3, 4, weights=arrays)], weight_dtype="int8")
    arrays["weight_hh_l0"][1, 2] = value
    with pytest.raises(rn.UnsupportedError, match=r"'int8': 0\.weight_hh_l0: expected finite"):
        rn.Model([rn.Recurrent("gru", 3, 4, weights=arrays)], weight_dtype="int8")


def test_rows_that_a_sum_has_no_room_for_are_refused_by_name() -> None:
    most = np.ones((1, 1 << 17), np.float32)
    model = rn.Model([rn.Linear(weight=most)], weight_dtype="int8")
    assert model(most[None])[0].item() == pytest.approx(1 << 17, rel=2.0**-20)
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight: .*at most 131072 .*got 131073"):
        rn.Model([rn.Linear(weight=np.ones((1, (1 << 17) + 1)))], weight_dtype="int8")


def test_float64_and_a_blas_are_refused_by_name() -> None:
    with pytest.raises(rn.UnsupportedError, match=r"'int8'.*dtype='float32'.*'float64'"):
        rn.LSTM(2, 3, dtype="float64", weight_dtype="int8")
    with pytest.raises(rn.RnnError, match=r"'int8'.*matmul='packed'|BLAS"):
        rn.LSTM(2, 3, matmul="blas", weight_dtype="int8")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [1, 2, 5, 9])
def test_a_row_of_x_that_is_not_finite_is_nan_and_no_other(batch: int, value: float) -> None:
    rng = np.random.default_rng(8)
    model = rn.Model([strategies.make_linear(rng, 19, 35)], weight_dtype="int8")
    x = rng.standard_normal((1, batch, 19), np.float32)
    for row in range(batch):
        wrong = x.copy()
        wrong[0, row, rng.integers(19)] = value
        y, expected = model(wrong)[0], model(x)[0]
        assert np.isnan(y[0, row]).all()
        others = np.arange(batch) != row
        assert_same_bits(y[0, others], expected[0, others])


@pytest.mark.parametrize("batch", [1, 2, 5, 9])
def test_a_row_of_x_below_the_least_counts_as_zeros(batch: int) -> None:
    weight = np.full((35, 19), 2.0**90, np.float32)
    model = rn.Model([rn.Linear(weight=weight, bias=np.zeros(35))], weight_dtype="int8")
    x = np.ones((1, batch, 19), np.float32)
    least = np.float32(LEAST)
    for row in range(batch):
        x[0, row] = np.nextafter(least, np.float32(0))
        y, _ = model(x)
        assert not y[0, row].any()
        assert y[0, np.arange(batch) != row].all()
        x[0, row] = least
        assert model(x)[0][0, row] == pytest.approx(19 * 2.0**-10, rel=2.0**-20)
