"""Elementwise layers of every function, numbers for them of every size, and how far they are off:
for test_elementwise.py and, on each instruction set, isa_sweep.py."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from agreement import check
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.activations import CONSTANTS, FUNCTIONS
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


ULPS: Final = {"exp": 2.0, "log": 2.0, "erf": 3.0, "sqrt": 0.5, "reciprocal": 0.5}
"""What docs/numerics.md says."""
_ENDS: Final = {
    "exp": (-87.3, 88.7),
    "erf": (-6.0, 6.0),
    "log": (2.0**-126, 3e38),
    "sqrt": (2.0**-126, 3e38),
    "reciprocal": (-1e37, 1e37),
}


def _numbers(least: float, most: float) -> NDArray[Any]:
    """Evenly spread, of every exponent, and near 1."""
    rng = np.random.default_rng(76)
    size = (256, 1, 512)
    signed = np.exp2(rng.uniform(-60, np.log2(most), size)) * rng.choice([-1.0, 1.0], size)
    spread = signed if least < 0 else np.exp2(rng.uniform(np.log2(least), np.log2(most), size))
    near = 1 + rng.normal(0, 1e-3, size)
    x = np.concatenate([rng.uniform(least, most, size), spread, near])
    return np.clip(x.astype(np.float32), np.float32(least), np.float32(most))


def worst(name: str) -> float:
    """The largest error in units in the last place, where x and f(x) are normal numbers."""
    spec = ModelSpec(nodes={"f": (Elementwise(name), ("x",))}, inputs={"x": 512}, outputs="f")
    x = _numbers(*_ENDS[name])
    y, _ = rn.Model(spec)(x)
    want = FUNCTIONS[name](x.astype(np.float64))
    return float(np.max(np.abs(y - want) / np.spacing(np.abs(want).astype(np.float32))))
