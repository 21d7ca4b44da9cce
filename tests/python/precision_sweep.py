"""Runs every cell and option with products of rounded operands, with the ISA of this process.

    RNN_NATIVE_ISA=baseline python precision_sweep.py

Exits with 0 if all is well; test_precision_agreement.py starts it once per ISA that the machine
has. What holds of int8 weights, and of ``compute`` where the CPU has it: each step, from the state
that the core itself had, is within the bound of one step of the reference, and so is the whole;
the bits are the same in any batch, with any number of threads and step by step.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import strategies
from agreement import assert_agrees, assert_same_bits, assert_same_state
from strategies import VARIANTS

import rnn_native as rn
from rnn_native import _core
from rnn_native.spec import DIRECTIONS, ModelSpec

SIZES = (1, 4, 7, 9, 16, 33, 70)  # around the widths of vectors and of blocks of them
BATCHES = (1, 2, 3, 4, 6, 8, 13)
STEPS = 3


def options_here() -> list[dict[str, Any]]:
    """What this CPU and these kernels have of products of rounded operands."""
    compute = [{"compute": "bfloat16"}] if _core.has_bf16_dot() else []
    return [{"weight_dtype": "int8"}, *compute]


def agree(
    spec: ModelSpec, options: dict[str, Any], x: Any, state: Any, lengths: Any = None
) -> None:
    """The whole, and each step from the core's own state."""
    model = rn.Model(spec, **options)
    y, final = model(x, state, lengths)
    assert_agrees(spec, x, state, lengths, y, final, "float32", **options)
    for t in range(len(x)):
        y, after = model(x[t : t + 1], state)
        assert_agrees(spec, x[t : t + 1], state, None, y, after, "float32", **options)
        state = after


def invariant(spec: ModelSpec, options: dict[str, Any], x: Any, state: Any, lengths: Any) -> None:
    """No bit depends on what is around a row, on threads, or on how time is cut."""
    model = rn.Model(spec, **options)
    y, final = model(x, state, lengths, num_threads=1)
    for threads in (2, 3):
        again, after = model(x, state, lengths, num_threads=threads)
        assert_same_bits(again, y)
        assert_same_state(after, final)
    if spec.return_sequences:
        alone = [model(x[:, i : i + 1])[0] for i in range(x.shape[1])]
        assert_same_bits(np.concatenate(alone, axis=1), model(x)[0])
    if model.streamable and spec.return_sequences:
        stream = model.stream(x.shape[1])
        assert_same_bits(np.stack([stream.step(step).copy() for step in x]), model(x)[0])


def main() -> None:
    rng = np.random.default_rng(12)
    for options in options_here():
        for k, (cell, own) in enumerate(VARIANTS):
            for j, hidden in enumerate(SIZES):
                if own.get("proj_size", 0) >= hidden:
                    continue
                direction = DIRECTIONS[(j + k) % len(DIRECTIONS)]
                last = direction != "bidirectional" and not own.get("output_layer") and j % 3 == 2
                spec = strategies.make_spec(
                    rng, cell, 1 + (7 * j + 3 * k) % 33, hidden, direction=direction,
                    num_layers=1 + j % 2, return_sequences=not last, out_features=3 + j,
                    num_embeddings=9 * (j % 2 == 0), **own,
                )  # fmt: skip
                if j % 4 == 3:
                    spec = spec.having(keep=["1"])
                batch = BATCHES[(j + k) % len(BATCHES)]
                x = strategies.random_input(spec, STEPS, batch, rng)
                state = strategies.random_state(spec, batch, rng)
                lengths = rng.integers(0, STEPS + 1, batch)
                agree(spec, options, x, state, lengths)
                invariant(spec, options, x, state, lengths)
    made = ", ".join(str(value) for options in options_here() for value in options.values())
    print(f"{rn.show_config(mode='dicts')['isa']}: {os.environ.get('RNN_NATIVE_ISA')}: {made}")


if __name__ == "__main__":
    main()
