"""Gradients by several threads have the bits of one thread's, each time: of chains whose layers
differ in size and kind, so that a thread that is a layer ahead has its rows elsewhere than one that
is still behind. A fault of this kind shows itself at random: hence the repetitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from gradients import results, same_bits
from strategies import (
    TRAINED_VARIANT_IDS,
    TRAINED_VARIANTS,
    make_embedding,
    make_linear,
    make_recurrent,
    random_input,
    random_state,
)

import rnn_native as rn
from rnn_native.spec import Layer, ModelSpec

VARIANT = pytest.mark.parametrize(("cell", "options"), TRAINED_VARIANTS, ids=TRAINED_VARIANT_IDS)
THREADS = (2, 3, 8)
BATCH = 13
"""Rows that no number of threads divides evenly."""

Chain = Callable[[np.random.Generator], Sequence[Layer]]


def wide_and_narrow(rng: np.random.Generator) -> Sequence[Layer]:
    return (make_recurrent(rng, "gru", 24, 40), make_recurrent(rng, "gru", 40, 24))


def all_cells(rng: np.random.Generator) -> Sequence[Layer]:
    return (
        make_recurrent(rng, "rnn", 11, 37),
        make_linear(rng, 37, 19, activation="relu"),
        make_recurrent(rng, "gru", 19, 8, reset_after=False, direction="reverse"),
        make_recurrent(rng, "lstm", 8, 30, direction="bidirectional"),
        make_recurrent(rng, "gru", 60, 21, gate_recurrent=True),
        make_linear(rng, 21, 5, activation="softmax"),
        make_recurrent(rng, "lstm", 5, 26, gate_recurrent=True),
    )


def embedding_first(rng: np.random.Generator) -> Sequence[Layer]:
    return (
        make_embedding(rng, 7, 33),
        make_recurrent(rng, "lstm", 33, 9, num_layers=3, peephole=True),
        make_recurrent(rng, "gru", 9, 36, num_layers=2, direction="bidirectional"),
        make_linear(rng, 72, 3),
    )


def output_layers(rng: np.random.Generator) -> Sequence[Layer]:
    return (
        make_recurrent(rng, "rnn", 17, 29, num_layers=2, output_layer=41),
        make_recurrent(rng, "rnn", 41, 6, direction="bidirectional", output_layer=23),
        make_recurrent(rng, "lstm", 23, 34, proj_size=10),
    )


def assert_threads_agree(
    spec: ModelSpec, rng: np.random.Generator, time: int, repetitions: int, *, last: bool = False
) -> None:
    """`last`: a loss of each row's last output alone; else of all, and of the final state."""
    x, state = random_input(spec, time, BATCH, rng), random_state(spec, BATCH, rng)
    lengths = rng.integers(0, time + 1, BATCH)
    dy = rng.standard_normal((time, BATCH, spec.output_size)).astype(np.float32)
    dstate = None if last else random_state(spec, BATCH, rng)
    if last:
        dy[np.arange(time)[:, None] != lengths - 1] = 0
    stacked = any(layer.num_layers > 1 for layer in spec.recurrents)
    args = (x, state, lengths, 0.3, 7) if stacked else (x, state, lengths)
    want = results(rn.train.Network(spec, num_threads=1), args, dy, dstate)
    assert all(np.isfinite(array).all() for array in want)
    for threads in THREADS:
        net = rn.train.Network(spec, num_threads=threads)
        wrong = sum(not same_bits(want, results(net, args, dy, dstate)) for _ in range(repetitions))
        assert wrong == 0, f"{wrong} of {repetitions} calls by {threads} threads"


@pytest.mark.parametrize("chain", [wide_and_narrow, all_cells, embedding_first, output_layers])
@pytest.mark.parametrize(("time", "repetitions"), [(4, 100), (45, 30)])
def test_chains_of_unequal_layers(chain: Chain, time: int, repetitions: int) -> None:
    """Gradients of weights take some 256 rows at a time: all of 4 steps at once, 45 steps in
    three pieces."""
    rng = np.random.default_rng(time)
    assert_threads_agree(ModelSpec(tuple(chain(rng))), rng, time, repetitions)


@VARIANT
def test_each_cell_in_two_sizes(cell: str, options: dict[str, Any]) -> None:
    """A wide layer, and behind it a narrow stack in both directions."""
    rng = np.random.default_rng(1)
    wide = make_recurrent(rng, cell, 15, 47, **options)
    narrow = make_recurrent(
        rng, cell, wide.output_size, 9, num_layers=2, direction="bidirectional", **options
    )
    assert_threads_agree(ModelSpec((wide, narrow)), rng, 9, 40)


@pytest.mark.parametrize("chain", [wide_and_narrow, all_cells, embedding_first, output_layers])
def test_loss_of_the_last_step_alone(chain: Chain) -> None:
    rng = np.random.default_rng(2)
    assert_threads_agree(ModelSpec(tuple(chain(rng))), rng, 6, 20, last=True)
