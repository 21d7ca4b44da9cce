"""Elementwise layers of every function, numbers for them of every size, and how far they are off:
for test_elementwise.py and, on each instruction set, isa_sweep.py."""

from __future__ import annotations

from typing import Final

import numpy as np
from agreement import check

from rnn_native.activations import CONSTANTS
from rnn_native.spec import Elementwise, Embedding, ModelSpec

CHOSEN = {"clip": (-0.5, 2.0), "pow": (2.0,)}
EVERY: Final = [
    Elementwise(name, *CHOSEN.get(name, (0.75,) * len(takes))) for name, takes in CONSTANTS.items()
]
MORE: Final = [Elementwise("pow", 1.5), Elementwise("pow", -1.0), Elementwise("hard_swish")]


def of_positive_numbers(layer: Elementwise) -> bool:
    return layer.function in ("log", "sqrt") or layer == MORE[0]


def check_sizes(layer: Elementwise, dtype: str) -> None:
    """A table gives it the numbers themselves, of both signs and most exponents, in rows of every
    width about a vector's."""
    rng = np.random.default_rng(71)
    most = 6 if layer.function == "exp" else 10  # exp(2^7) is beyond float32
    for width in (1, 3, 8, 15, 16, 17, 40):
        size = np.exp2(rng.uniform(-20, most, (64, width)))
        signs = [1.0] if of_positive_numbers(layer) else [-1.0, 1.0]
        table = (size * rng.choice(signs, size.shape)).astype(np.float32).astype(dtype)
        spec = ModelSpec((Embedding(table), layer))
        check(spec, rng.integers(0, 64, (30, 2)), None, [30, 11], dtype=dtype)
