"""Stacked layers too small to be divided: each thread of a team runs some of them, a chunk of time
behind the thread before it. Whatever the number of threads, the bits are those of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits, assert_same_state
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Embedding, Linear, ModelSpec

# Enough work for several threads (src/run/divide.c) and an odd last chunk, whatever a chunk is.
STEPS = 601


def small_stack(cell: str, options: dict[str, Any]) -> rn.Model:
    rng = np.random.default_rng(6)
    options = dict(options)
    if options.get("proj_size"):
        options["proj_size"] = 9
    table = rng.standard_normal((11, 7)).astype(np.float32)
    stack = strategies.make_recurrent(rng, cell, 7, 43, num_layers=3, **options)
    weight = rng.uniform(-0.3, 0.3, (5, stack.output_size)).astype(np.float32)
    last = strategies.make_recurrent(rng, "gru", 5, 21)
    layers = (Embedding(table), stack, Linear(weight, activation="tanh"), last)
    return rn.Model(ModelSpec(layers), matmul="packed")


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_a_wavefront_gives_the_bits_of_one_thread(cell: str, options: dict[str, Any]) -> None:
    model = small_stack(cell, options)
    rng = np.random.default_rng(7)
    for batch, lengths in ((1, None), (1, [333]), (2, [0, STEPS])):
        indices = rng.integers(0, 11, (STEPS, batch))
        begin = model(indices[:3], num_threads=1)[1]
        y, state = model(indices, begin, lengths, num_threads=1)
        for threads in (2, 3, 4, 8):
            again, state_again = model(indices, begin, lengths, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(state_again, state)


@pytest.mark.parametrize("time", [1, 47, 48, 49, 50, 97])
def test_short_sequences_too(time: int) -> None:
    model = rn.Model(rn.LSTM(24, 48, num_layers=2).model.spec, matmul="packed")
    x = np.random.default_rng(8).standard_normal((time, 1, 24)).astype(np.float32)
    y, state = model(x, num_threads=1)
    again, state_again = model(x, num_threads=2)
    assert_same_bits(again, y)
    assert_same_state(state_again, state)


def test_a_last_state_with_a_layer_behind_it_too() -> None:
    rng = np.random.default_rng(9)
    stack = strategies.make_recurrent(rng, "lstm", 7, 43, num_layers=3, return_sequences=False)
    head = Linear(rng.uniform(-0.3, 0.3, (5, 43)).astype(np.float32), activation="tanh")
    model = rn.Model(ModelSpec((stack, head)), matmul="packed")
    for batch, lengths in ((1, None), (1, [333]), (3, [0, STEPS, 17])):
        x = rng.standard_normal((STEPS, batch, 7)).astype(np.float32)
        y, state = model(x, None, lengths, num_threads=1)
        for threads in (2, 3, 8):
            again, state_again = model(x, None, lengths, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(state_again, state)
