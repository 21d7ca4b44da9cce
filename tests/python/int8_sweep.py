"""Packs rows of every kind as int8, and multiplies by them, with the ISA of this process.

    RNN_NATIVE_ISA=baseline python int8_sweep.py

Exits with 0 if the core's integers and scales are those of ``rnn_native/spec/integers.py``, and
prints a hash of what Linear layers make of them, which test_int8.py wants of every ISA alike: the
integers' sums are exact, and the rest of a product is the same few operations.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from agreement import assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec.integers import LEAST, int8_rows

COLUMNS = (1, 2, 3, 4, 5, 15, 16, 17, 31, 64, 65, 130)  # around vectors, quads and pieces of C
ROWS = (1, 4, 7, 9, 16, 33, 70)
BATCHES = (1, 2, 3, 5, 8, 19)  # the last in two tiles of 16 rows
Rows = NDArray[np.float32]


def random_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Of any size."""
    return (rng.standard_normal((n, k)) * 2.0 ** rng.uniform(-95, 120, (n, 1))).astype(np.float32)


def scales(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return (2.0 ** rng.uniform(-95, 118, (n, 1))).astype(np.float32).astype(np.float64)


def grid_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Multiples of any float32, as a quantised file has them: -128 is one."""
    integers = rng.integers(-128, 128, (n, k))
    integers[::3, 0] = -128
    return (integers * scales(rng, n)).astype(np.float32)


def divisible_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Multiples of which each has a divisor, so that a larger scale does."""
    divisors = rng.integers(2, 64, (n, 1))
    integers = rng.integers(-127 // divisors + 1, 127 // divisors + 1, (n, k)) * divisors
    return (integers * scales(rng, n)).astype(np.float32)


def nearly_grid_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Multiples but for a number next to one."""
    rows = grid_rows(rng, n, k)
    column = rng.integers(0, k, n)
    rows[np.arange(n), column] = np.nextafter(rows[np.arange(n), column], np.float32(0))
    return rows


def few_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Some numbers of a row are large, so that most become 0 or 1."""
    rows = random_rows(rng, n, k)
    rows[:, ::5] *= 60
    return rows


def huge_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """A weight of each is the largest float32, or near it."""
    most = np.finfo(np.float32).max
    rows = (rng.uniform(-1, 1, (n, k)) * most).astype(np.float32)
    rows[:, 0] = most
    rows[::2, 0] = np.nextafter(most, np.float32(0))
    return rows


def tiny_rows(rng: np.random.Generator, n: int, k: int) -> Rows:
    """Zeros, and rows around the least that counts: denormals, one below it, itself."""
    rows = (rng.standard_normal((n, k)) * 2.0 ** rng.uniform(-149, -98, (n, 1))).astype(np.float32)
    rows[::5] = 0
    rows[1::5] = np.nextafter(np.float32(LEAST), np.float32(0))
    rows[2::5] = np.float32(LEAST)
    return rows


KINDS = (random_rows, grid_rows, divisible_rows, nearly_grid_rows, few_rows, huge_rows, tiny_rows)


def each(rng: np.random.Generator) -> Iterator[Rows]:
    for kind in KINDS:
        for i, k in enumerate(COLUMNS):
            yield kind(rng, ROWS[i % len(ROWS)], k)


def products(rows: Rows) -> Rows:
    """Integers times scales, each exact product rounded once."""
    integers, steps = int8_rows(rows)
    return (integers * steps.astype(np.float64)[:, None]).astype(np.float32)


def stored(rows: NDArray[Any]) -> Rows:
    """What the core keeps of them."""
    linear = rn.Linear(weight=rows)
    return rn.Model([linear], weight_dtype="int8").spec.layers[0].arrays["weight"]


def main() -> None:
    rng = np.random.default_rng(3)
    made = hashlib.sha256()
    for rows in each(rng):
        assert_same_bits(stored(rows), products(rows))
        assert_same_bits(stored(rows.astype(np.float64)), products(rows))
        bias = rng.uniform(-1, 1, len(rows)) * np.abs(rows).max()
        model = rn.Model([rn.Linear(weight=rows, bias=bias)], weight_dtype="int8")
        again = rn.Model(model.spec, weight_dtype="int8")
        for batch in BATCHES:
            x = rng.standard_normal((2, batch, rows.shape[1])).astype(np.float32)
            x *= 2.0 ** rng.integers(-6, 2, (2, batch, 1))
            y, _ = model(x)
            assert_same_bits(again(x)[0], y)
            made.update(y.tobytes())
    isa = rn.show_config(mode="dicts")["isa"]
    print(f"{isa}: {made.hexdigest()}")


if __name__ == "__main__":
    main()
