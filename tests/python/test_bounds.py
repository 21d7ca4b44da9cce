"""The error bound itself: it describes the reference's network, and it is sharp.

Sharp means that the mistakes that are easily made leave it: two gates swapped, a bias dropped,
the reset gate on the wrong side of the product, a direction or a peephole mixed up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import bounds
import numpy as np
import pytest
import strategies
from hypothesis import given
from strategies import VARIANT_IDS, VARIANTS, Case

from rnn_native import reference
from rnn_native.activations import CONSTANTS
from rnn_native.spec import STANDARD, Activation, Linear, ModelSpec, Recurrent

Weights = dict[str, Any]


def worst(case: Case, other: ModelSpec) -> float:
    """How many times its bound the output or state of ``other`` is off that of ``case.spec``."""
    y, final = reference.run(other, case.x, case.state, case.lengths)
    allowed, allowed_final = bounds.run(case.spec, case.x, case.state, case.lengths)
    got = [y, *bounds.flatten(final)]
    return max(
        bounds.excess(a, b) for a, b in zip(got, [allowed, *allowed_final], strict=True) if a.size
    )


@given(strategies.cases())
def test_values_are_those_of_the_reference(case: Case) -> None:
    # two float64 evaluations of one formula: within 1e-12 of the largest value
    y, final = reference.run(case.spec, case.x, case.state, case.lengths)
    bound, bound_final = bounds.run(case.spec, case.x, case.state, case.lengths)
    for a, b in zip([y, *bounds.flatten(final)], [bound, *bound_final], strict=True):
        scale = max(1.0, float(np.max(np.abs(a), initial=0)))
        np.testing.assert_allclose(b.value, a, rtol=0, atol=1e-12 * scale)
        assert np.all(b.each >= 0)


@given(strategies.cases())
def test_bound_is_finite_and_scales_with_the_roundoff(case: Case) -> None:
    fine, _ = bounds.run(case.spec, case.x, case.state, case.lengths, u=2.0**-30, tiny=0.0)
    coarse, _ = bounds.run(case.spec, case.x, case.state, case.lengths, u=2.0**-28, tiny=0.0)
    assert np.all(np.isfinite(coarse.each))
    assert np.all(coarse.each >= fine.each)
    # To first order the bound is linear in u: four times u is four times the bound. Where that
    # order cancels, as at a relu's edge, the second is left, some u * u = 2**-56: 16 times.
    second = coarse.each < 2.0**-44
    assert np.all(coarse.each <= np.where(second, 16.4, 4.1) * fine.each)


def sizes(cell: str) -> tuple[int, int]:
    return (5, 40) if cell == "rnn" else (9, 24)


def mutation_case(cell: str, options: dict[str, Any], **more: Any) -> Case:
    rng = np.random.default_rng(11)
    inputs, hidden = sizes(cell)
    gain = strategies.fading(cell, options) if options.get("gate_recurrent") else 1.0
    spec = strategies.make_spec(rng, cell, inputs, hidden, gain=gain, **options, **more)
    x = strategies.random_input(spec, 20, 3, rng)
    return Case(spec, x, strategies.random_state(spec, 3, rng), [20, 7, 1])


def mutate(spec: ModelSpec, change: Callable[[Recurrent, Weights], None]) -> ModelSpec:
    layer = spec.recurrents[0]
    weights = {name: np.array(a) for name, a in layer.arrays.items()}
    change(layer, weights)
    return ModelSpec((replace(layer, weights=weights), *spec.layers[1:]))


def layer_weights(case: Case) -> Weights:
    return dict(case.spec.recurrents[0].arrays)


def swap_gates(name: str, a: int, b: int) -> Callable[[Recurrent, Weights], None]:
    def change(layer: Recurrent, w: Weights) -> None:
        n = layer.hidden_size
        w[name][[*range(a * n, a * n + n), *range(b * n, b * n + n)]] = np.concatenate(
            [w[name][b * n : b * n + n], w[name][a * n : a * n + n]]
        )

    return change


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_the_spec_itself_is_within(cell: str, options: dict[str, Any]) -> None:
    case = mutation_case(cell, options)
    assert worst(case, case.spec) < 1e-3


def arrays_of_gates(kind: str) -> list[Any]:
    """Every variant with each of its arrays whose names begin so and that has several gates."""
    return [
        pytest.param(cell, options, name, len(array) // sizes(cell)[1], id=f"{name}-{variant}")
        for (cell, options), variant in zip(VARIANTS, VARIANT_IDS, strict=True)
        for name, array in mutation_case(cell, options).spec.recurrents[0].arrays.items()
        if name.startswith(kind) and "_l" in name and len(array) > sizes(cell)[1]
    ]


@pytest.mark.parametrize(("cell", "options", "name", "gates"), arrays_of_gates(""))
def test_swapping_two_gates_exceeds_it(
    cell: str, options: dict[str, Any], name: str, gates: int
) -> None:
    case = mutation_case(cell, options)
    for a in range(gates):
        for b in range(a):
            assert worst(case, mutate(case.spec, swap_gates(name, a, b))) > 10, (a, b)


@pytest.mark.parametrize(("cell", "options", "name", "gates"), arrays_of_gates("bias"))
def test_dropping_a_bias_of_one_gate_exceeds_it(
    cell: str, options: dict[str, Any], name: str, gates: int
) -> None:
    case = mutation_case(cell, options)
    for gate in range(gates):

        def drop(layer: Recurrent, w: Weights, gate: int = gate) -> None:
            w[name][gate * layer.hidden_size : (gate + 1) * layer.hidden_size] = 0

        off = worst(case, mutate(case.spec, drop))
        coupled = bool(options.get("input_forget")) and gate == 1
        assert off < 1e-3 if coupled else off > 10, gate  # f = 1 - i has no weights of its own


@pytest.mark.parametrize("reset_after", [False, True])
def test_reset_gate_on_the_other_side_of_the_product_exceeds_it(reset_after: bool) -> None:
    case = mutation_case("gru", {"reset_after": reset_after})
    other = ModelSpec((replace(case.spec.recurrents[0], reset_after=not reset_after),))
    assert worst(case, other) > 10


def test_bias_hh_of_the_new_gate_outside_the_reset_exceeds_it() -> None:
    case = mutation_case("gru", {"reset_after": True})

    def merge(layer: Recurrent, w: Weights) -> None:
        new = slice(2 * layer.hidden_size, None)
        w["bias_ih_l0"][new] += w["bias_hh_l0"][new]
        w["bias_hh_l0"][new] = 0

    assert worst(case, mutate(case.spec, merge)) > 10


def test_update_gate_the_other_way_round_exceeds_it() -> None:
    case = mutation_case("gru", {"reset_after": True})

    def negate(layer: Recurrent, w: Weights) -> None:  # sigmoid(-a) = 1 - sigmoid(a)
        update = slice(layer.hidden_size, 2 * layer.hidden_size)
        for a in w.values():
            a[update] *= -1

    assert worst(case, mutate(case.spec, negate)) > 10


@pytest.mark.parametrize("names", ["ci cf", "cf co", "ci co"])
def test_swapped_peepholes_exceed_it(names: str) -> None:
    case = mutation_case("lstm", {"peephole": True})
    a, b = (f"weight_{n}_l0" for n in names.split())

    def swap(layer: Recurrent, w: Weights) -> None:
        w[a], w[b] = w[b], w[a]

    assert worst(case, mutate(case.spec, swap)) > 10


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_swapped_directions_and_layers_exceed_it(cell: str, options: dict[str, Any]) -> None:
    case = mutation_case(cell, options, direction="bidirectional", num_layers=2)

    def swap(layer: Recurrent, w: Weights) -> None:
        for name in [n for n in w if n.endswith("_l1")]:
            w[name], w[name + "_reverse"] = w[name + "_reverse"], w[name]

    assert worst(case, mutate(case.spec, swap)) > 10


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_one_wrong_weight_exceeds_it(cell: str, options: dict[str, Any]) -> None:
    """The last row and column: what a kernel's tail would miss."""
    case = mutation_case(cell, options)

    recurrent = ("weight_hh_l0", "weight_gh_l0", "weight_ch_l0", "weight_ho", "weight_xo")
    for name in [name for name in recurrent if name in case.spec.recurrents[0].arrays]:

        def zero(layer: Recurrent, w: Weights, name: str = name) -> None:
            w[name][-1, -1] = 0

        assert worst(case, mutate(case.spec, zero)) > 2, name


def test_the_gates_of_the_gate_recurrent_cells_mixed_up_exceed_it() -> None:
    case = mutation_case("gru", {"gate_recurrent": True})

    def negate(layer: Recurrent, w: Weights) -> None:  # z and 1 - z, as the standard GRU has them
        n = layer.hidden_size
        for name, rows in (("weight_ih_l0", n), ("bias_ih_l0", n), ("weight_gh_l0", n)):
            w[name][rows : 2 * n] *= -1

    assert worst(case, mutate(case.spec, negate)) > 10
    case = mutation_case("lstm", {"gate_recurrent": True})

    def exchange(layer: Recurrent, w: Weights) -> None:  # what recurs on gates, and on c
        w["weight_gh_l0"], w["weight_ch_l0"] = w["weight_ch_l0"], w["weight_gh_l0"]

    assert worst(case, mutate(case.spec, exchange)) > 10


@pytest.mark.parametrize("activation", ["softmax", "log_softmax", "sigmoid", "tanh", "relu"])
def test_another_activation_exceeds_it(activation: str) -> None:
    case = mutation_case("gru", {}, out_features=5)
    linear = case.spec.layers[-1]
    assert isinstance(linear, Linear)
    other = replace(linear, activation=activation)
    assert worst(case, ModelSpec((*case.spec.layers[:-1], other))) > 10
    changed = Case(ModelSpec((*case.spec.layers[:-1], other)), case.x, case.state, case.lengths)
    assert worst(changed, changed.spec) < 1e-3
    assert worst(changed, case.spec) > 10


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_another_activation_of_a_cell_exceeds_it(cell: str, which: int) -> None:
    """Each for each other one; constants that make all of them differ where the gates are. In few
    steps: gates that are not bounded let the bound grow without end."""
    if which >= len(STANDARD[cell]):
        return
    sets = []
    for name in strategies.ANYWHERE:
        numbers = (-0.2, 0.3) if name == "clip" else (0.3, 0.95)
        chosen = list(STANDARD[cell])
        chosen[which] = Activation(name, **dict(zip(CONSTANTS[name], numbers, strict=False)))
        long = mutation_case(cell, {"activations": tuple(chosen), "clip": 0.9})
        sets.append(Case(long.spec, long.x[:5], long.state, [5, 3, 1]))
    for case in sets:
        assert worst(case, case.spec) < 1e-3
        others = [replace(c.spec.recurrents[0], weights=layer_weights(case)) for c in sets]
        off = [worst(case, ModelSpec((other,))) for other in others]
        assert sum(ratio < 10 for ratio in off) == 1


@pytest.mark.parametrize(
    "changes",
    [{"clip": 1.001}, {"clip": None}, {"input_forget": False}, {"cell_clip": 0.1251},
     {"cell_clip": None}],
)  # fmt: skip
def test_another_clip_or_coupling_exceeds_it(changes: dict[str, Any]) -> None:
    case = mutation_case("lstm", {"clip": 1.0, "input_forget": True, "cell_clip": 0.125})
    assert worst(case, ModelSpec((replace(case.spec.recurrents[0], **changes),))) > 10


def test_a_relu_network_that_amplifies_still_has_a_useful_bound() -> None:
    rng = np.random.default_rng(12)
    layer = strategies.make_recurrent(rng, "rnn", 4, 30, gain=2.5, nonlinearity="relu")
    assert np.linalg.norm(layer.arrays["weight_hh_l0"], 2) > 2
    spec = ModelSpec((layer,))
    x = strategies.random_input(spec, 6, 2, rng)
    y, _ = reference.run(spec, x)
    bound, _ = bounds.run(spec, x)
    assert float(np.max(bound.each)) < 0.01 * float(np.max(np.abs(y)))
