"""Looks up tables of every type and width, with the ISA of this process.

    RNN_NATIVE_ISA=baseline python table_sweep.py

Exits with 0 if all is well; test_tables.py starts it once per ISA that the machine has. What
holds: an Embedding gives the rows that ``reference.stored`` has, to the bit, of whatever numbers
they are; with lengths, with threads and step by step, too. Before a recurrent layer it is what the
same table in float32 is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import int8_sweep
import numpy as np
import strategies
from agreement import assert_same_bits, assert_same_state
from numpy.typing import NDArray
from precision_sweep import options_here

import rnn_native as rn
from rnn_native import reference
from rnn_native.spec import ModelSpec

EVERY = ({"weight_dtype": "float16"}, {"weight_dtype": "bfloat16"}, *options_here())
STEPS, ROWS = 5, 3


def tables(rng: np.random.Generator, options: dict[str, Any]) -> Iterator[NDArray[Any]]:
    """Of every width; of int8 every kind of rows, of 16 bits every size that the type has."""
    for rows in int8_sweep.each(rng):
        if options.get("weight_dtype") == "int8":
            yield rows
            yield rows.astype(np.float64)
            continue
        fits = np.ldexp(rng.uniform(-1, 1, rows.shape), rng.integers(-30, 15, rows.shape))
        fits[rng.random(rows.shape) < 0.05] = np.inf
        fits[rng.random(rows.shape) < 0.05] = -0.0
        yield fits.astype(np.float32)
        yield fits


def check_rows(table: NDArray[Any], options: dict[str, Any], rng: np.random.Generator) -> None:
    spec = ModelSpec((rn.Embedding(table),))
    model = rn.Model(spec, **options)
    name = options.get("weight_dtype", "bfloat16")
    stored = reference.stored(spec, name).layers[0].arrays["weight"]
    assert stored.dtype == np.float32
    assert_same_bits(model.spec.layers[0].arrays["weight"], stored)
    x = rng.integers(0, len(table), (STEPS, ROWS))
    y, _ = model(x)
    assert_same_bits(y, stored[x])
    want, _ = reference.run(spec, x, **options)
    assert np.array_equal(y, want)
    for threads in (2, 3):
        assert_same_bits(model(x, num_threads=threads)[0], y)
    lengths = rng.integers(0, STEPS + 1, ROWS)
    valid = (np.arange(STEPS)[:, None] < lengths)[..., None]
    assert_same_bits(model(x, lengths=lengths)[0], np.where(valid, y, np.float32(0)))
    stream = model.stream(ROWS)
    assert_same_bits(np.stack([stream.step(step).copy() for step in x]), y)


def check_before(cell: str, options: dict[str, Any], rng: np.random.Generator) -> None:
    """What is behind a table does not see what it is stored as."""
    spec = strategies.make_spec(rng, cell, 17, 9, num_embeddings=11, out_features=3)
    names = list(spec.nodes)
    x = rng.integers(0, 11, (STEPS, ROWS))
    model = rn.Model(spec, **options)
    rounded = spec.having({names[0]: model.spec.layers[0]}, keep=names[:1])
    y, state = model(x)
    expected, expected_state = rn.Model(rounded, **options)(x)
    assert_same_bits(y, expected)
    assert_same_state(state, expected_state)


def main() -> None:
    rng = np.random.default_rng(5)
    for options in EVERY:
        for table in tables(rng, options):
            check_rows(table, options, rng)
        for cell in ("rnn", "gru", "lstm"):
            check_before(cell, options, rng)
    made = ", ".join(str(value) for options in EVERY for value in options.values())
    print(f"{rn.show_config(mode='dicts')['isa']}: {made}")


if __name__ == "__main__":
    main()
