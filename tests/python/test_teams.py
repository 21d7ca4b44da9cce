"""Threads that share one row: they divide the units of a layer, or take a direction each, and meet
after every step. Large layers only, for small ones run on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits, assert_same_state
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Linear, ModelSpec

# Hidden sizes whose recurrent product is worth a meeting (src/run/divide.c), and no multiple of a
# vector.
HIDDEN = {"rnn": 389, "gru": 263, "lstm": 263}


def large_model(cell: str, options: dict[str, Any], **more: Any) -> rn.Model:
    rng = np.random.default_rng(3)
    options = dict(options)
    if options.get("proj_size"):
        options["proj_size"] = 133
    layer = strategies.make_recurrent(rng, cell, 20, HIDDEN[cell], **options, **more)
    weight = rng.uniform(-0.1, 0.1, (37, layer.output_size)).astype(np.float32)
    return rn.Model(ModelSpec((layer, Linear(weight, activation="softmax"))), matmul="packed")


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_a_team_gives_the_bits_of_one_thread(
    cell: str, options: dict[str, Any], direction: str
) -> None:
    model = large_model(cell, options, direction=direction, num_layers=2)
    rng = np.random.default_rng(4)
    for batch, lengths in ((1, None), (1, [11]), (2, [0, 17]), (3, [17, 5, 16])):
        x = rng.standard_normal((17, batch, 20)).astype(np.float32)
        y, state = model(x, lengths=lengths, num_threads=1)
        for threads in (2, 3, 5):
            again, state_again = model(x, state=None, lengths=lengths, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(state_again, state)


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_a_stream_shared_by_threads_gives_the_bits_of_one(
    cell: str, options: dict[str, Any]
) -> None:
    model = large_model(cell, options, num_layers=2)
    x = np.random.default_rng(6).standard_normal((7, 3, 20)).astype(np.float32)
    y, state = model(x, num_threads=1)
    for threads in (2, 3, None):
        stream = model.stream(3, num_threads=threads)
        assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x]), y)
        assert_same_state(stream.state, state)


@pytest.mark.parametrize("num_threads", [0, -1, 2.0, True, "2", 5000])
def test_a_stream_refuses_what_is_no_number_of_threads(num_threads: Any) -> None:
    with pytest.raises(rn.OptionError, match="num_threads"):
        large_model("gru", {}).stream(1, num_threads=num_threads)


def test_a_team_agrees_with_the_reference() -> None:
    model = large_model("lstm", {}, direction="bidirectional")
    x = np.random.default_rng(5).standard_normal((9, 1, 20)).astype(np.float32)
    y, _ = model(x, num_threads=3)
    expected, _ = rn.reference.run(model.spec, x)
    # softmax of 37: values near 1/37, each wrong by at most a few hundred roundings of 2**-24
    np.testing.assert_allclose(y, expected, atol=300 * 2**-24 / 37)
