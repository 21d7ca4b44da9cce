"""Runs every cell and option with weights of 16 bits, with the ISA of this process.

    RNN_NATIVE_ISA=baseline python weight_type_sweep.py

Exits with 0 if all is well; test_weight_types.py starts it once per ISA that the machine has.
What holds: a model whose weights are stored in a type gives the bits of the model that has the
same weights in float32, whole and in steps, in any batch, with any number of threads; and it
agrees with the reference on the weights as they are stored.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import strategies
from agreement import assert_agrees, assert_same_bits, assert_same_state
from strategies import VARIANTS

import rnn_native as rn
from rnn_native.spec import DIRECTIONS, ModelSpec

WIDENED = ("float16", "bfloat16")  # int8 is multiplied as it is: precision_sweep.py
SIZES = (1, 4, 7, 9, 16, 33, 70)  # around the widths of vectors and of blocks of them
BATCHES = (1, 2, 3, 4, 6, 8, 13)


def same_bits(spec: ModelSpec, weight_dtype: str, rng: np.random.Generator, batch: int) -> None:
    model = rn.Model(spec, weight_dtype=weight_dtype)
    wide = rn.Model(model.spec)
    assert model.memory < wide.memory or spec.num_parameters < 64
    x = strategies.random_input(spec, 4, batch, rng)
    state = strategies.random_state(spec, batch, rng)
    lengths = rng.integers(0, 5, batch)
    y, final = model(x, state, lengths)
    expected, expected_final = wide(x, state, lengths)
    assert_same_bits(y, expected)
    assert_same_state(final, expected_final)
    assert_agrees(model.spec, x, state, lengths, y, final, "float32")
    for threads in (2, 3):
        again, _ = model(x, state, lengths, num_threads=threads)
        assert_same_bits(again, y)
    if spec.return_sequences:
        alone = [model(x[:, i : i + 1])[0] for i in range(batch)]
        assert_same_bits(np.concatenate(alone, axis=1), model(x)[0])
    if model.streamable and spec.return_sequences:
        stream = model.stream(batch)
        assert_same_bits(np.stack([stream.step(step).copy() for step in x]), model(x)[0])


def main() -> None:
    rng = np.random.default_rng(11)
    for weight_dtype in WIDENED:
        for k, (cell, options) in enumerate(VARIANTS):
            for j, hidden in enumerate(SIZES):
                if options.get("proj_size", 0) >= hidden:
                    continue
                direction = DIRECTIONS[(j + k) % len(DIRECTIONS)]
                last = (
                    direction != "bidirectional" and not options.get("output_layer") and j % 3 == 2
                )
                spec = strategies.make_spec(
                    rng, cell, 1 + (7 * j + 3 * k) % 33, hidden, direction=direction,
                    num_layers=1 + j % 2, return_sequences=not last, out_features=3 + j, **options,
                )  # fmt: skip
                same_bits(spec, weight_dtype, rng, BATCHES[(j + k) % len(BATCHES)])
        spec = strategies.make_spec(rng, "gru", 5, 6, num_embeddings=9, out_features=2)
        same_bits(spec, weight_dtype, rng, 3)
    print(f"{rn.show_config(mode='dicts')['isa']}: {os.environ.get('RNN_NATIVE_ISA')}")


if __name__ == "__main__":
    main()
