"""Runs every cell and option with int8 weights, in batches that AMX takes, with this process's ISA.

    RNN_NATIVE_ISA=avx512 python amx_sweep.py

Prints a hash of all results, which test_int8.py wants of AVX-512 with AMX and without: gates and
sums are the same, and so is every bit.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import strategies
from strategies import VARIANTS

import rnn_native as rn

HIDDEN = (33, 64, 130, 150)  # whole tiles of k and pieces, panels alone and several
BATCHES = (3, 4, 16, 17, 50)  # few rows, one tile, a tile and some, more than are prepared at once
STEPS = 3


def main() -> None:
    rng = np.random.default_rng(11)
    made = hashlib.sha256()
    for i, (cell, options) in enumerate(VARIANTS):
        hidden, features = HIDDEN[i % len(HIDDEN)], HIDDEN[-1 - i % 3]
        spec = strategies.make_spec(rng, cell, features, hidden, out_features=37, **options)
        model = rn.Model(spec, weight_dtype="int8")
        for batch in BATCHES:
            x = rng.standard_normal((STEPS, batch, features), np.float32)
            made.update(model(x)[0].tobytes())
    isa = rn.show_config(mode="dicts")["isa"]
    print(f"{isa}: {made.hexdigest()}")


if __name__ == "__main__":
    main()
