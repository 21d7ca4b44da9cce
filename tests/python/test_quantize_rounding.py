"""``rn.quantize`` with calibration data: which int8 weights it chooses, and that they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import int8_sweep
import numpy as np
import pytest
from agreement import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_calls import poison_padding
from strategies import VARIANT_IDS, VARIANTS, make_linear, make_recurrent, make_spec
from test_quantize import assert_is, difference, graph, graph_input

import rnn_native as rn
from rnn_native.quantizing.calibration import batches
from rnn_native.quantizing.operands import Operands
from rnn_native.reference import run_with
from rnn_native.spec import Layer, ModelSpec
from rnn_native.spec.integers import LEAST, dequantised, int8_rows
from rnn_native.spec.products import exact
from rnn_native.spec.rounding import int8_operand, int8_weight

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 6, 16, num_recurrents=2, out_features=3)


def steps(time: int, rows: int, features: int, seed: int = 1) -> NDArray[np.float32]:
    """Features that go along with each other, as those of real inputs do."""
    rng = np.random.default_rng(seed)
    few = rng.standard_normal((time, rows, max(1, features // 4)))
    mixed = few @ rng.standard_normal((few.shape[2], features))
    noise = rng.standard_normal((time, rows, features))
    return (mixed + 0.1 * noise).astype(np.float32)


X = steps(40, 5, 6)


def matrices(spec: ModelSpec) -> Iterator[tuple[str, NDArray[Any]]]:
    for node in spec.reducible:
        layer = spec.nodes[node].layer
        for name in layer.packed():
            yield f"{node}.{name}", layer.arrays[name]


def squared_error(spec: ModelSpec, other: ModelSpec, x: Any) -> float:
    """Of all products of ``other``, int8 as the core makes them, where what they multiply is that
    of ``spec``."""
    weights: list[Any] = []

    def kept(x: Any, weight: Any) -> Any:
        weights.append(weight.copy())
        return exact(x, weight)

    run_with(kept, spec, x)
    total, own = 0.0, iter(weights)

    def compared(x: Any, weight: Any) -> Any:
        y = exact(x, next(own))
        nonlocal total
        total += float(np.sum((exact(int8_operand(x), weight) - y) ** 2))
        return y

    run_with(compared, other, x)
    return total


KINDS: dict[str, tuple[Layer, ...]] = {
    "linear": (make_linear(RNG, 12, 7),),
    "conv": (rn.Conv1d(RNG.standard_normal((8, 12, 3)) / 6, activation="relu"),),
    "grouped": (rn.Conv1d(RNG.standard_normal((8, 6, 3)) / 4, groups=2),),
    "stacked": (make_recurrent(RNG, "gru", 12, 10, num_layers=2, direction="bidirectional"),),
    "projected": (make_recurrent(RNG, "lstm", 12, 10, proj_size=6),),
    "output": (make_recurrent(RNG, "rnn", 12, 10, output_layer=5),),
    "positions": (make_recurrent(RNG, "gru", 12, 10, positions=3, along="positions"),),
    "no bias": (make_recurrent(RNG, "lstm", 12, 10, bias=False),),
}
VARIED = {
    name: (make_recurrent(RNG, cell, 12, 10, **options),)
    for name, (cell, options) in zip(VARIANT_IDS, VARIANTS, strict=True)
}


@pytest.mark.parametrize("layers", [*KINDS.values(), *VARIED.values()], ids=[*KINDS, *VARIED])
def test_products_are_nearer_than_with_weights_each_by_itself(layers: tuple[Layer, ...]) -> None:
    """On the data, where features go along with each other: of most layers 0.6 of the squared error
    is left, of three positions, each with a part of the features, 0.9."""
    spec, x = ModelSpec(layers), steps(60, 8, layers[0].features_taken or 0)
    nearest, chosen = (
        rn.quantize(spec, "int8", x, rounding=rounding).model.spec
        for rounding in ("nearest", "gptq")
    )
    before, after = (squared_error(spec, each, x) for each in (nearest, chosen))
    assert 0 < after < 0.95 * before
    for node in spec.reducible:  # each alone
        one = spec.having({node: chosen.nodes[node].layer})
        other = spec.having({node: nearest.nodes[node].layer})
        assert squared_error(spec, one, x) <= squared_error(spec, other, x)


@pytest.mark.parametrize("layers", [*KINDS.values(), *VARIED.values()], ids=[*KINDS, *VARIED])
def test_every_row_of_every_matrix_is_seen_to_multiply(layers: tuple[Layer, ...]) -> None:
    spec = ModelSpec(layers)
    operands = Operands(spec)
    for batch in batches(spec, steps(3, 2, layers[0].features_taken or 0), None, None, False):
        operands.read(batch)
    seen = {name: np.zeros(len(matrix), int) for name, matrix in matrices(spec)}
    for block in operands.blocks():
        seen[f"{block.node}.{block.matrix}"][block.rows] += 1
    assert all((count == 1).all() for count in seen.values())


def test_sums_are_those_of_what_is_multiplied() -> None:
    """Of a linear layer x itself; batches and lengths add up, padding is in no sum."""
    spec = ModelSpec((make_linear(RNG, 6, 4),))
    rows = [X[:n, i] for i, n in enumerate([40, 7, 0, 7, 1])] + [X[:9, 0]]
    x = np.concatenate(rows).astype(np.float64)
    rounded = int8_operand(x)
    poisoned = poison_padding(X, [40, 7, 0, 7, 1])
    operands = Operands(spec)
    for batch in batches(spec, [poisoned, X[:9, :1]], [[40, 7, 0, 7, 1], None], None, False):
        operands.read(batch)
    (block,) = operands.blocks()
    assert (block.node, block.matrix, block.rows) == ("0", "weight", slice(0, 4))
    np.testing.assert_allclose(block.sums.rounded, rounded.T @ rounded, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(block.sums.missing, rounded.T @ (x - rounded), rtol=0, atol=1e-12)


def test_gates_that_multiply_the_same_are_rounded_together() -> None:
    spec = ModelSpec((make_recurrent(RNG, "gru", 6, 4, reset_after=False),))
    operands = Operands(spec)
    for batch in batches(spec, X, None, None, False):
        operands.read(batch)
    found = [(block.matrix, block.rows.start, block.rows.stop) for block in operands.blocks()]
    assert found == [("weight_hh_l0", 0, 8), ("weight_hh_l0", 8, 12), ("weight_ih_l0", 0, 12)]


# What is chosen is what runs


@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 127),
    columns=st.integers(1, 40),
    exponent=st.integers(-100, 120),
)
def test_integers_and_a_step_are_found_again(
    seed: int, most: int, columns: int, exponent: int
) -> None:
    """Whatever the largest integer of a row is: the weights are the same to the bit, as multiples
    of that step or of a larger one."""
    rng = np.random.default_rng(seed)
    integers = rng.integers(-most, most + 1, (5, columns)).astype(np.int8)
    scales = (rng.uniform(1, 2, 5) * 2.0**exponent).astype(np.float32)
    assert (scales >= LEAST).all()
    rows = dequantised(integers, scales)
    assert_same_bits(int8_weight(rows), rows)
    found, own = int8_rows(rows)
    assert (np.abs(found.astype(int)) <= np.abs(integers.astype(int))).all()
    assert_same_bits(dequantised(found, own), rows)
    assert_same_bits(int8_sweep.stored(rows), rows)  # packed, by the core


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "onnx"])
def test_what_was_chosen_is_packed_saved_and_loaded_as_it_is(suffix: str, tmp_path: Path) -> None:
    made = rn.quantize(SPEC, "int8", X).model
    chosen = {name: int8_rows(matrix) for name, matrix in matrices(made.spec)}
    assert any((np.abs(q).max(axis=1) < 127).any() for q, _ in chosen.values())
    made.save(tmp_path / f"it.{suffix}")
    again = rn.load(tmp_path / f"it.{suffix}", weight_dtype="int8")
    for name, matrix in matrices(again.spec):
        integers, scales = chosen[name]
        assert_same_bits(matrix, dequantised(integers, scales))
        for one, other in zip(int8_rows(matrix), chosen[name], strict=True):
            assert np.array_equal(one, other)
    assert_same_bits(again(X)[0], made(X)[0])


def test_a_model_of_integers_keeps_them() -> None:
    for rounding in ("nearest", "gptq"):
        once = rn.quantize(SPEC, "int8", X, rounding=rounding).model
        twice = rn.quantize(once, "int8", steps(30, 4, 6, seed=9)).model
        for (_, one), (_, other) in zip(matrices(once.spec), matrices(twice.spec), strict=True):
            assert_same_bits(one, other)
        assert_same_bits(once(X)[0], twice(X)[0])


def test_the_same_data_choose_the_same() -> None:
    one, other = (rn.quantize(SPEC, "int8", X).model.spec for _ in range(2))
    for (_, a), (_, b) in zip(matrices(one), matrices(other), strict=True):
        assert_same_bits(a, b)


def test_layers_that_are_kept_and_all_but_matrices_stay_as_they_are() -> None:
    made = rn.quantize(SPEC, "int8", X, keep=["1"]).model.spec
    for name, node in SPEC.nodes.items():
        for key, array in node.layer.arrays.items():
            same = np.array_equal(made.nodes[name].layer.arrays[key], array)
            assert same == (name == "1" or key not in node.layer.packed())


# Data


def test_what_the_data_say_nothing_of_is_rounded_plainly() -> None:
    """Zero rows stay zero, and a matrix that only multiplies zeros is as without data."""
    weight = RNG.standard_normal((5, 12))
    weight[2] = 0
    weight[3] = 2.0**-110
    spec = ModelSpec((rn.Linear(weight),))
    made = rn.quantize(spec, "int8", steps(30, 4, 12)).model.spec.layers[0].arrays["weight"]
    assert not made[2:4].any()
    assert (made != int8_weight(weight)).any()
    none = rn.quantize(spec, "int8", np.zeros((4, 2, 12))).model.spec.layers[0].arrays["weight"]
    assert_same_bits(none, int8_weight(weight))


def test_features_that_are_never_there_are_rounded_plainly() -> None:
    """They take part in no product, so that nothing is made up for by them."""
    x = steps(50, 4, 12)
    x[..., [3, 7]] = 0
    weight = RNG.standard_normal((6, 12))
    weight[:, 0] = 4  # the largest of each row
    made = rn.quantize([rn.Linear(weight)], "int8", x).model.spec.layers[0].arrays["weight"]
    _, scales = int8_rows(made)
    error = np.abs(made - weight)[:, [3, 7]]
    assert (error <= scales[:, None] * (0.5 + 1e-6)).all()


@pytest.mark.parametrize("scale", [1e-27, 1e36])
def test_the_size_of_the_weights_does_not_matter(scale: float) -> None:
    weight, x = RNG.standard_normal((6, 12)), steps(50, 4, 12)
    weight /= np.abs(weight).max()
    for factor in (1.0, scale):
        spec = ModelSpec((rn.Linear(weight * factor),))
        nearest, chosen = (
            rn.quantize(spec, "int8", x, rounding=rounding).model.spec
            for rounding in ("nearest", "gptq")
        )
        assert squared_error(spec, chosen, x) < 0.8 * squared_error(spec, nearest, x)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    weight = RNG.standard_normal((3, 6))
    weight[1, 2] = value
    with pytest.raises(rn.UnsupportedError, match=r"'int8': 0\.weight: expected finite"):
        rn.quantize([rn.Linear(weight)], "int8", X)


def test_padding_chooses_nothing() -> None:
    lengths = [40, 13, 1, 0, 7]
    made = [
        rn.quantize(SPEC, "int8", x, lengths=lengths).model.spec
        for x in (X, poison_padding(X, lengths))
    ]
    for (_, a), (_, b) in zip(*map(matrices, made), strict=True):
        assert_same_bits(a, b)


def test_batch_first_is_the_same_data() -> None:
    turned = rn.quantize(SPEC, "int8", np.swapaxes(X, 0, 1), batch_first=True).model.spec
    for (_, a), (_, b) in zip(
        matrices(turned), matrices(rn.quantize(SPEC, "int8", X).model.spec), strict=True
    ):
        assert_same_bits(a, b)


def test_graphs_with_inputs_without_time() -> None:
    spec, x = graph(), [graph_input(), graph_input(12, 2)]
    nearest, chosen = (
        rn.quantize(spec, "int8", x, lengths=[[31, 9, 4], None], rounding=rounding).model.spec
        for rounding in ("nearest", "gptq")
    )
    before, after = (
        sum(squared_error(spec, each, one) for one in ({**x[1]}, {**x[0]}))
        for each in (nearest, chosen)
    )
    assert after < before


# The state that a call begins with


@pytest.mark.parametrize(("cell", "count"), [("gru", 1), ("lstm", 1), ("lstm", 2)])
def test_a_call_may_begin_with_a_state(cell: str, count: int) -> None:
    spec = make_spec(np.random.default_rng(3), cell, 6, 16, num_recurrents=count, out_features=3)
    _, state = rn.Model(spec)(steps(9, 5, 6, seed=4))
    made = rn.quantize(spec, "int8", X, state=state)
    assert_is(made.outputs["y"], difference(rn.Model(spec)(X, state)[0], made.model(X, state)[0]))
    listed = rn.quantize(spec, "int8", [X], state=[state])
    none = rn.quantize(spec, "int8", X)
    pairs = zip(*(matrices(each.model.spec) for each in (made, listed, none)), strict=True)
    changed = False
    for (_, a), (_, b), (_, c) in pairs:
        assert_same_bits(a, b)
        changed |= not np.array_equal(a, c)
    assert changed
    before, after = (each.trace(X, state) for each in (rn.Model(spec), made.model))
    for name, drift in made.drift.items():
        first = difference(before[name][:2], after[name][:2])
        assert drift.relative[0] == pytest.approx(first.relative, rel=1e-9)


def test_a_graph_begins_with_the_states_of_its_nodes() -> None:
    spec, x = graph(), graph_input()
    _, state = rn.Model(spec)(graph_input(6))
    made = rn.quantize(spec, "int8", x, state=state)
    ys = [model(x, state)[0] for model in (rn.Model(spec), made.model)]
    for output, one in made.outputs.items():
        assert_is(one, difference(ys[0][output], ys[1][output]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_layer_in_two_places_is_chosen_for_each(dtype: str) -> None:
    x = steps(80, 4, 12)
    one = rn.Linear(RNG.standard_normal((12, 12)).astype(dtype) / 4)
    spec = ModelSpec((one, make_linear(RNG, 12, 12), one))
    operands = Operands(spec)
    for batch in batches(spec, x, None, None, False):
        operands.read(batch)
    seen = {block.node: block.sums.count for block in operands.blocks()}
    assert seen == dict.fromkeys(spec.reducible, 80 * 4)


def test_lengths_go_before_the_value_of_masked_steps() -> None:
    """As in a call: a step in the middle may have it."""
    x = X.copy()
    x[5, 1] = x[38:, 2] = 0
    layers = SPEC.layers
    plain, masked = (
        rn.quantize(ModelSpec(layers, value), "int8", x, lengths=[40] * 5).model.spec
        for value in (None, 0.0)
    )
    for (_, a), (_, b) in zip(matrices(plain), matrices(masked), strict=True):
        assert_same_bits(a, b)
