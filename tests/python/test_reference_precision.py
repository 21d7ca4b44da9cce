"""The reference of reduced weights and products: what is rounded, how, and what is not.

Kernels are held to it by ``test_int8_agreement.py`` and ``test_compute_agreement.py``; here its
own roundings are, and the bound of ``bounds_rounded.py``, by a machine in NumPy's float32.
"""

from __future__ import annotations

import doctest
from typing import Any

import bounds
import ml_dtypes
import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import VARIANT_IDS, VARIANTS, Case, cases, make_conv, make_spec, specs

import rnn_native as rn
from rnn_native import reference
from rnn_native.formats import metadata
from rnn_native.spec import DIRECTIONS, Linear, ModelSpec, rounding
from rnn_native.spec import stored as stored_module
from rnn_native.spec.integers import int8_rows
from rnn_native.spec.layers.conv import Conv
from rnn_native.weight_types import WEIGHT_DTYPES

F32 = NDArray[np.float32]
OPTIONS: tuple[dict[str, Any], ...] = (
    {"weight_dtype": "float16"},
    {"weight_dtype": "bfloat16"},
    {"weight_dtype": "int8"},
    {"compute": "bfloat16"},
)
IDS = ["float16", "bfloat16", "int8", "compute"]
ROUNDED = OPTIONS[2:]
"""Those that round what weights multiply."""


def of(*layers: Any) -> ModelSpec:
    return ModelSpec(layers)


# Roundings


def test_bfloat16_is_that_of_another_library() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 200_000, dtype=np.uint32)
    ties = (bits & np.uint32(0xFFFF0000)) | np.uint32(0x8000)  # half-way between two
    for some in (bits, ties):
        x = some.view(np.float32)
        x = x[~np.isnan(x)]
        want = x.astype(ml_dtypes.bfloat16).astype(np.float64)
        np.testing.assert_array_equal(rounding.bfloat16(x), want)


def test_bfloat16_rounds_doubles_once() -> None:
    above = 1 + 2.0**-8 + 2.0**-40  # a float32 of it is half-way, and would go down
    assert rounding.bfloat16(np.array(above)) == 1 + 2.0**-7


def test_what_is_multiplied_in_bfloat16_has_no_denormals() -> None:
    x = np.array([2.0**-126, np.nextafter(2.0**-126, 0), -(2.0**-127)])
    assert rounding.bfloat16_operand(x).tolist() == [2.0**-126, 0.0, 0.0]
    assert rounding.bfloat16_weight(x)[2] == -(2.0**-127)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=9))
def test_int8_operands_are_those_of_one_number_at_a_time(row: list[float]) -> None:
    one = np.float32
    largest = max((abs(one(v)) for v in row), default=one(0))
    got = rounding.int8_operand(np.array([row]))[0].tolist()
    if largest < 2.0**-100:
        assert got == [0.0] * len(row)
        return
    inverse, scale = one(127) / largest, largest / one(127)
    assert got == [round(float(one(v) * inverse)) * float(scale) for v in row]


def test_rows_of_operands_are_apart() -> None:
    x = np.array([[1.0, 0.5], [np.nan, 1.0], [1.0, -np.inf], [2.0**-101, -(2.0**-110)], [0, 0]])
    got = rounding.int8_operand(x)
    assert np.isnan(got[1:3]).all()
    assert got[3:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert got[0, 0] == 127 * float(np.float32(1) / np.float32(127))
    np.testing.assert_array_equal(got[:1], rounding.int8_operand(x[:1]))
    assert rounding.int8_operand(np.zeros((3, 0))).shape == (3, 0)


@given(cases(), st.sampled_from(ROUNDED))
def test_a_row_that_is_no_number_leaves_the_others(case: Case, options: dict[str, Any]) -> None:
    if case.spec.takes_indices or case.batch < 2 or not case.time:
        return
    poisoned = case.x.copy()
    poisoned[:, 0] = np.nan
    got, want = (
        reference.run(case.spec, x, case.state, case.lengths, **options)[0]
        for x in (poisoned, case.x)
    )
    others = strategies.some_rows(case.spec, got, slice(1, None))
    np.testing.assert_array_equal(others, strategies.some_rows(case.spec, want, slice(1, None)))


# Weights


@given(specs(scales=True, convs=True), st.sampled_from(WEIGHT_DTYPES))
def test_stored_weights_are_those_of_a_model(spec: ModelSpec, name: str) -> None:
    got = metadata.to_arrays(reference.stored(spec, name))
    want = metadata.to_arrays(rn.Model(spec, weight_dtype=name).spec)
    assert list(got) == list(want)
    for key, array in got.items():
        assert_same_bits(array, want[key])


def test_int8_weights_have_a_scale_a_row() -> None:
    rng = np.random.default_rng(0)
    layer = strategies.make_linear(rng, 40, 7)
    (got,) = reference.stored(of(layer), "int8").layers
    assert isinstance(got, Linear)
    for row, made in zip(layer.weight, got.weight, strict=True):
        step = np.abs(row).max() / 127
        assert 0 < np.abs(row - made).max() <= step * 0.5000001
        assert len(np.unique(made)) > 20
    assert_same_bits(got.bias, layer.bias)
    again = reference.stored(of(got), "int8").layers[0].arrays["weight"]
    assert_same_bits(again, got.weight)


def test_what_is_no_matrix_is_not_rounded() -> None:
    rng = np.random.default_rng(0)
    spec = make_spec(rng, "lstm", 3, 6, peephole=True, initial_state=True, out_features=2)
    depthwise = Conv(rng.standard_normal((4, 3)), None, in_channels=4, groups=4, kernel_time=3)
    whole = of(depthwise, strategies.make_scale(rng, 4))
    for options in OPTIONS:
        name = options.get("weight_dtype", "bfloat16")
        for before, after in zip(spec.layers, reference.stored(spec, name).layers, strict=True):
            for key, array in after.arrays.items():
                is_matrix = key in before.packed()
                assert np.array_equal(array, before.arrays[key]) != is_matrix, key
        x = rng.standard_normal((5, 2, 4))
        np.testing.assert_array_equal(
            reference.run(whole, x, **options)[0], reference.run(whole, x)[0]
        )


@pytest.mark.parametrize(
    ("name", "value"), [("float16", 65520.0), ("bfloat16", 3.4e38), ("int8", np.nan)]
)
def test_a_weight_that_a_type_has_not_is_named(name: str, value: float) -> None:
    weight = np.ones((2, 3), np.float32)
    weight[1, 2] = value
    message = rf"weight_dtype='{name}': 1\.weight has .*{name} has not"
    with pytest.raises(rn.UnsupportedError, match=message):
        reference.stored(of(Linear(np.ones((3, 3))), Linear(weight)), name)
    with pytest.raises(rn.UnsupportedError, match="int8 has not"):
        reference.stored(of(Linear(np.full((1, 1), 1e39))), "int8")


# Which products


def test_every_option_changes_every_matrix_alone() -> None:
    """Rounding one node's products moves the output, whichever node it is, and each option by other
    numbers."""
    rng = np.random.default_rng(3)
    spec = make_spec(rng, "gru", 5, 6, num_recurrents=2, out_features=3)
    spec = of(strategies.make_linear(rng, 4, 5), *spec.layers)
    x = rng.standard_normal((6, 2, 4))
    exact = reference.run(spec, x)[0]
    for node in spec.nodes:
        alone = spec.having(keep=[name for name in spec.nodes if name != node])
        made = [reference.run(alone, x, **options)[0] for options in OPTIONS]
        for y in made:
            assert 0 < np.abs(y - exact).max() < 0.1
        assert len({y.tobytes() for y in made}) == len(OPTIONS)


@given(cases(specs(convs=True)), st.sampled_from(OPTIONS))
def test_kept_layers_are_exact(case: Case, options: dict[str, Any]) -> None:
    whole = case.spec.having(keep=case.spec.reducible)
    assert whole.reducible == ()
    got = reference.run(whole, case.x, case.state, case.lengths, **options)
    want = reference.run(case.spec, case.x, case.state, case.lengths)
    for a, b in zip(bounds.flatten(got), bounds.flatten(want), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_every_matrix_of_a_cell_is_multiplied_by_the_given_product(
    cell: str, options: dict[str, Any]
) -> None:
    """One step multiplies each row of each matrix once."""
    rng = np.random.default_rng(5)
    spec = make_spec(rng, cell, 3, 5, num_layers=2, direction="bidirectional", **options)
    (layer,) = spec.layers
    rows: list[bytes] = []

    def dot(x: Any, weight: Any) -> Any:
        rows.extend(row.tobytes() for row in weight)
        return x @ weight.T

    valid = np.ones((1, 2), np.bool_)
    layer.run((rng.standard_normal((1, 2, 3)),), layer.first_state(2, 3), valid, dot)
    matrices = [layer.arrays[name].astype(np.float64) for name in layer.packed()]
    assert sorted(rows) == sorted(row.tobytes() for matrix in matrices for row in matrix)


@given(st.integers(0, 2**32 - 1))
def test_a_group_of_a_convolution_is_a_row_of_its_own(seed: int) -> None:
    """Each position, and each group in it, is one product with its own largest magnitude."""
    rng = np.random.default_rng(seed)
    layer = make_conv(rng, int(rng.choice([4, 6, 8, 12])))
    if not layer.takes_weight_dtype:
        return
    x = rng.standard_normal((2, 2, layer.input_size))
    got = reference.run(of(layer), x, weight_dtype="int8")[0]
    (stored,) = reference.stored(of(layer), "int8").layers
    assert isinstance(stored, Conv)
    want = stored.run((x,), (), np.ones((2, 2), bool), lambda r, w: rounding.int8_operand(r) @ w.T)
    np.testing.assert_array_equal(got, want.outputs[0])
    bound, _ = bounds.run(of(layer), x.astype(np.float32), weight_dtype="int8")
    got = reference.run(of(layer), x.astype(np.float32), weight_dtype="int8")[0]
    np.testing.assert_allclose(got, bound.value, rtol=0, atol=1e-12)


# The bound


@given(cases(specs(scales=True, convs=True)), st.sampled_from(OPTIONS))
def test_values_of_the_bound_are_those_of_the_reference(
    case: Case, options: dict[str, Any]
) -> None:
    y, final = reference.run(case.spec, case.x, case.state, case.lengths, **options)
    bound, bound_final = bounds.run(case.spec, case.x, case.state, case.lengths, **options)
    for a, b in zip([y, *bounds.flatten(final)], [bound, *bound_final], strict=True):
        scale = max(1.0, float(np.max(np.abs(a), initial=0)))
        np.testing.assert_allclose(b.value, a, rtol=0, atol=1e-12 * scale)
        assert np.all(np.isfinite(b.each))
        assert np.all(b.each >= 0)


def int8_product(x: F32, weight: F32, scales: bool = True) -> F32:
    """As a kernel makes it: integers summed, and float32 afterwards."""
    integers, own = int8_rows(weight)
    largest = np.abs(x).max(axis=-1, keepdims=True)
    if not scales:
        largest = np.full_like(largest, largest.max())
    q = np.rint(x * (np.float32(127) / largest)).astype(np.int64)
    sums = (q @ integers.T.astype(np.int64)).astype(np.float32)
    return sums * (largest / np.float32(127) * own)


def bfloat16_product(x: F32, weight: F32) -> F32:
    a, b = (v.astype(ml_dtypes.bfloat16).astype(np.float32) for v in (x, weight))
    return a @ b.T


def machine_step(spec: ModelSpec, x: F32, state: Any, product: Any) -> list[F32]:
    """One step of a Recurrent in float32, with these products: its new states."""
    (layer,) = spec.recurrents
    w = {name.removesuffix("_l0"): array for name, array in layer.arrays.items()}
    for bias in ("bias_ih", "bias_hh"):
        w.setdefault(bias, np.zeros(len(w["weight_ih"]), np.float32))
    parts = state if isinstance(state, tuple) else (state,)
    inside = layer.definition.step(
        layer,
        layer.functions(0),
        w,
        x[0],
        tuple(part[0] for part in parts),
        product,  # type: ignore[arg-type]
    )
    return [inside[name].astype(np.float32) for name in layer.state_names]


def excess_of(spec: ModelSpec, product: Any, options: dict[str, Any]) -> float:
    """How many times its bound such a machine is off, in steps from states of its own."""
    rng = np.random.default_rng(7)
    state, worst = strategies.random_state(spec, 3, rng), 0.0
    stored = reference.stored(spec, options.get("weight_dtype", "bfloat16"))
    for _ in range(20):
        x = strategies.random_input(spec, 1, 3, rng)
        _, allowed = bounds.run(spec, x, state, **options)
        made = machine_step(stored, x, state, product)
        pairs = zip(made, allowed, strict=True)
        worst = max([worst, *(bounds.excess(got[None], bound) for got, bound in pairs)])
        state = tuple(part[None] for part in made) if len(made) > 1 else made[0][None]
    return worst


MACHINES = [v for v in VARIANTS if not v[1].get("output_layer")]
MACHINE_IDS = [i for v, i in zip(VARIANTS, VARIANT_IDS, strict=True) if v in MACHINES]


@pytest.mark.parametrize(("cell", "options"), MACHINES, ids=MACHINE_IDS)
@pytest.mark.parametrize("precision", ROUNDED, ids=IDS[2:])
def test_a_machine_in_float32_is_within_the_bound_of_each_step(
    precision: dict[str, Any], cell: str, options: dict[str, Any]
) -> None:
    spec = make_spec(np.random.default_rng(1), cell, 20, 30, **options)
    product = int8_product if "weight_dtype" in precision else bfloat16_product
    assert 0 < excess_of(spec, product, precision) <= 1


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_what_is_easily_made_wrong_is_outside_of_the_bound(cell: str) -> None:
    spec = make_spec(np.random.default_rng(1), cell, 20, 30)

    def exact(x: F32, weight: F32) -> F32:
        return x @ weight.T

    def cut_off(x: F32, weight: F32) -> F32:
        """bfloat16 as the upper half of a float32."""
        high = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        return high @ weight.T

    def one_scale(x: F32, weight: F32) -> F32:
        return int8_product(x, weight, scales=False)

    def short(x: F32, weight: F32) -> F32:
        """128 steps in the place of 127."""
        return int8_product(x, weight) * np.float32(127 / 128)

    int8, compute = ROUNDED
    for wrong, options in (
        (exact, int8), (one_scale, int8), (short, int8), (bfloat16_product, int8),
        (exact, compute), (cut_off, compute), (int8_product, compute),
    ):  # fmt: skip
        assert excess_of(spec, wrong, options) > 10, wrong.__name__


def test_a_number_at_a_border_may_be_the_next_integer() -> None:
    """Of an operand that has an error, one within it of a border is a step more or less, one that
    is not is the same."""
    weight = np.eye(3, dtype=np.float32)
    spec = of(Linear(np.eye(3)), Linear(weight))  # the first one rounds: an error of some u
    x = np.float32([[[127.0, 10.5, 10.4]]])
    kept = spec.having(keep=["0"])
    bound, _ = bounds.run(kept, x, weight_dtype="int8")
    assert bound.each[0, 0, 1] >= 1
    assert bound.each[0, 0, 2] < 1e-4


# Options


def test_what_does_not_go_together_is_refused() -> None:
    spec, x = make_spec(np.random.default_rng(0)), np.zeros((1, 1, 3))
    for run in (reference.run, reference.trace):
        with pytest.raises(
            rn.OptionError, match=r"weight_dtype: expected None .* int8; got 'int4'"
        ):
            run(spec, x, weight_dtype="int4")
        with pytest.raises(rn.OptionError, match=r"compute: expected None .* bfloat16; got 'int8'"):
            run(spec, x, compute="int8")
        with pytest.raises(
            rn.UnsupportedError, match=r"compute='bfloat16': expected .* got 'int8'"
        ):
            run(spec, x, weight_dtype="int8", compute="bfloat16")
    same = [
        reference.run(spec, x + 0.3, weight_dtype=name)[0]
        for name in ("float16", np.float16, np.dtype(np.float16))
    ]
    assert np.array_equal(same[0], same[1])
    assert np.array_equal(same[0], same[2])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_trace_is_that_of_the_run(direction: str) -> None:
    rng = np.random.default_rng(0)
    spec = make_spec(rng, "gru", 3, 5, direction=direction)
    x = rng.standard_normal((4, 2, 3))
    for options in OPTIONS:
        y, _ = reference.run(spec, x, **options)
        traced = reference.trace(spec, x, **options)
        h = [traced[f"h_l0{suffix}"] for suffix in spec.recurrents[0].suffixes]
        np.testing.assert_array_equal(np.concatenate(h, axis=-1), y)


@pytest.mark.parametrize("module", [reference, rounding, stored_module], ids=lambda m: m.__name__)
def test_examples_are_true(module: Any) -> None:
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed
