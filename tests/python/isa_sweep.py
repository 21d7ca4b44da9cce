"""Runs every kind of kernel once against the reference, with the ISA of this process.

    RNN_NATIVE_ISA=baseline python isa_sweep.py

Exits with 0 if all agrees; test_isas.py starts it once per ISA that the machine has. The sizes
lie around the widths of vectors (4 to 16) and of blocks of them, so each kernel meets its tails.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import elementwise_cases
import exponents
import gradients
import numpy as np
import strategies
from agreement import DTYPES, assert_same_bits, assert_same_state, check, map_state, matmuls
from strategies import TRAINED_VARIANTS, VARIANTS

import rnn_native as rn
from rnn_native.activations import CONSTANTS
from rnn_native.layers import MERGE_MODES
from rnn_native.spec import ACTIVATIONS, Activation, Layer, Merge, ModelSpec

SIZES = (1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 70)


def cells(rng: np.random.Generator, dtype: str) -> None:
    for k, (cell, options) in enumerate(VARIANTS):
        for j, hidden in enumerate(SIZES):
            if options.get("proj_size", 0) >= hidden:
                continue
            batch, inputs = 1 + (5 * j + k) % 17, 1 + (7 * j + 3 * k) % 33
            spec = strategies.make_spec(
                rng, cell, inputs, hidden, direction="bidirectional", out_features=3, **options
            )
            x = strategies.random_input(spec, 3, batch, rng)
            state = strategies.random_state(spec, batch, rng)
            lengths = rng.integers(0, 4, batch)
            for matmul in matmuls():
                check(spec, x, state, lengths, dtype=dtype, matmul=matmul, num_threads=1 + k % 2)
            check(spec, x[:, :1], dtype=dtype)


def linears(rng: np.random.Generator, dtype: str) -> None:
    for activation in ACTIVATIONS:
        for size in SIZES:
            spec = ModelSpec((strategies.make_linear(rng, 18, size, activation=activation),))
            check(spec, 4 * strategies.random_input(spec, 2, 5, rng), dtype=dtype)


def chains(rng: np.random.Generator, dtype: str) -> None:
    """Two directions merged, and a last state alone with what stands behind it."""
    for k, (cell, options) in enumerate(VARIANTS):
        last = not options.get("output_layer")
        for j, hidden in enumerate(SIZES):
            if options.get("proj_size", 0) >= hidden:
                continue
            layer = strategies.make_recurrent(
                rng,
                cell,
                5,
                hidden,
                direction="bidirectional",
                return_sequences=not last,
                **options,
            )
            layers: list[Layer] = [layer]
            if layer.output_size % 2 == 0:
                layers.append(Merge(MERGE_MODES[(j + k) % 3], layer.output_size // 2))
            layers.append(strategies.make_linear(rng, layers[-1].output_size, 3))
            spec = ModelSpec(tuple(layers))
            batch = 1 + (3 * j + k) % 9
            x = strategies.random_input(spec, 3, batch, rng)
            check(spec, x, None, rng.integers(0, 4, batch), dtype=dtype)


def extremes(rng: np.random.Generator, dtype: str) -> None:
    """Activations far out, at zero and in denormals."""
    for cell, options in VARIANTS:
        spec = strategies.make_spec(rng, cell, 3, 19, **options)
        for scale in (0.0, 1e-42, 1e-20, 30.0, 1e3, 1e10):
            x = (scale * strategies.random_input(spec, 1, 2, rng)).astype(dtype)
            check(spec, x, dtype=dtype)


def functions(rng: np.random.Generator, dtype: str) -> None:
    """Every activation of a gate that has numbers for all, from denormals on."""
    for name in strategies.ANYWHERE:
        one = Activation(name, **dict(zip(CONSTANTS[name], (0.5, 0.75), strict=False)))
        spec = strategies.make_spec(rng, "rnn", 3, 19, activations=(one,))
        for scale in (0.0, 1e-42, 1e-20, 1.0, 30.0, 1e3, 1e10):
            x = (scale * strategies.random_input(spec, 1, 2, rng)).astype(dtype)
            check(spec, x, dtype=dtype)


def elementwise(rng: np.random.Generator, dtype: str) -> None:
    """Every function of features."""
    for layer in (*elementwise_cases.EVERY, *elementwise_cases.MORE):
        elementwise_cases.check_sizes(layer, dtype)


def magnitudes(rng: np.random.Generator, dtype: str) -> None:
    """Numbers of every exponent in all that is given: see exponents.py."""
    for cell, options in VARIANTS:
        for k in range(24):
            after = ACTIVATIONS[k % len(ACTIVATIONS)]
            exponents.check(rng, dtype, cell, (3, 19)[k % 2], after, **options)


def rows_alone(rng: np.random.Generator, dtype: str) -> None:
    """The bits of a row do not depend on the batch, nor on being streamed."""
    for cell, options in VARIANTS:
        spec = strategies.make_spec(rng, cell, 9, 21, out_features=5, **options)
        model = rn.Model(spec, dtype=dtype, matmul="packed")
        x = strategies.random_input(spec, 4, 17, rng)
        y, final = model(x)
        for row in (slice(0, 1), slice(16, 17), slice(3, 11)):
            part, part_final = model(x[:, row])
            assert_same_bits(part, y[:, row])
            assert_same_state(part_final, map_state(lambda a, row=row: a[:, row], final))
        stream = model.stream(batch=17)
        assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x]), y)
        assert_same_state(stream.state, final)


def training(rng: np.random.Generator, dtype: str) -> None:
    """Gradients along one direction through all weights, states and inputs; see gradients.py."""
    for k, (cell, options) in enumerate(TRAINED_VARIANTS):
        for j, hidden in enumerate(SIZES):
            if options.get("proj_size", 0) >= hidden:
                continue
            batch, inputs = 1 + (5 * j + k) % 17, 1 + (7 * j + 3 * k) % 33
            spec = strategies.make_spec(
                rng, cell, inputs, hidden, direction="bidirectional", out_features=3,
                activation=ACTIVATIONS[j % len(ACTIVATIONS)], dtype=np.float64, **options,
            )  # fmt: skip
            gradients.check_along(spec, 3, batch, rng, dtype, lengths=rng.integers(0, 4, batch))


SWEEPS = (
    cells, linears, chains, extremes, magnitudes, functions, elementwise, rows_alone, training,
)  # fmt: skip


def main() -> None:
    isa = rn.show_config(mode="dicts")["isa"]
    assert isa == os.environ.get("RNN_NATIVE_ISA", isa), isa
    for dtype in DTYPES:
        for sweep in SWEEPS:
            sweep(np.random.default_rng(91), dtype)  # its own, whatever the others draw
    print(f"{isa}: every kernel agrees with the reference")


if __name__ == "__main__":
    main()
