"""Every gradient equals the central difference of the reference: each cell, option and array."""

from __future__ import annotations

import numpy as np
import pytest
from gradients import check
from strategies import (
    TRAINED_VARIANT_IDS,
    TRAINED_VARIANTS,
    make_embedding,
    make_linear,
    make_recurrent,
    make_spec,
)

from rnn_native.spec import ACTIVATIONS, ModelSpec

VARIANT = pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)


def rng_of(*key: object) -> np.random.Generator:
    return np.random.default_rng([len(str(part)) * 7 + i for i, part in enumerate(key)])


@VARIANT
@pytest.mark.parametrize("bias", [True, False])
def test_one_layer(cell: str, options: dict[str, object], bias: bool) -> None:
    rng = rng_of(cell, options, bias)
    spec = make_spec(rng, cell, 2, 3, bias=bias, dtype=np.float64, **options)
    check(spec, 4, 2, rng)


@VARIANT
def test_stacked_both_directions_with_lengths(cell: str, options: dict[str, object]) -> None:
    rng = rng_of(cell, options)
    spec = make_spec(
        rng, cell, 2, 3, num_layers=2, direction="bidirectional", dtype=np.float64, **options
    )
    check(spec, 3, 4, rng, lengths=[3, 0, 2, 1])


@VARIANT
def test_reverse_with_lengths(cell: str, options: dict[str, object]) -> None:
    rng = rng_of(cell, options, "reverse")
    spec = make_spec(rng, cell, 3, 5, direction="reverse", dtype=np.float64, **options)
    check(spec, 3, 3, rng, lengths=[2, 3, 0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_linear_of_each_activation(activation: str) -> None:
    rng = rng_of(activation)
    spec = make_spec(rng, "rnn", 2, 3, out_features=4, activation=activation, dtype=np.float64)
    check(spec, 3, 3, rng, lengths=[3, 0, 2])


def test_chain_that_begins_with_an_embedding() -> None:
    rng = np.random.default_rng(5)
    f8 = np.float64
    spec = ModelSpec((
        make_embedding(rng, 4, 3, dtype=f8),
        make_recurrent(rng, "lstm", 3, 2, num_layers=2, dtype=f8),
        make_linear(rng, 2, 3, bias=False, activation="tanh", dtype=f8),
        make_recurrent(rng, "rnn", 3, 2, output_layer=2, dtype=f8),
        make_recurrent(rng, "gru", 2, 3, direction="bidirectional", dtype=f8),
    ))  # fmt: skip
    check(spec, 4, 3, rng, lengths=[4, 0, 3])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_sizes_beyond_one_block_of_the_kernels(cell: str) -> None:
    """17 units are more than one vector of any instruction set; 300 rows more than one block of
    the products behind the weights' gradients."""
    rng = rng_of(cell, "wide")
    spec = make_spec(rng, cell, 1, 17, dtype=np.float64)
    weights = spec.recurrents[0].arrays["weight_hh_l0"]
    assert weights.shape[1] == 17
    check(spec, 2, 3, rng)
    check(make_spec(rng, cell, 1, 1, dtype=np.float64), 2, 300, rng)
