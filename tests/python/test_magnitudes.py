"""Numbers below the least normal one, and as large as they go: what they give, and what keeps them.

That every cell stays within the bound with them is isa_sweep.py's part, on every ISA.
"""

from __future__ import annotations

from typing import Any

import agreement
import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Linear, ModelSpec


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("dtype", "large", "small"), [("float32", 100, -130), ("float64", 1000, -1030)]
)
def test_a_product_with_a_denormal_is_within_the_bound(
    dtype: str, large: int, small: int, swapped: bool
) -> None:
    """The core may count 2^-130 as zero, although 32 times its product with 2^100 is 2^-25."""
    a, b = (np.full(32, 2.0**e, dtype) for e in ((small, large) if swapped else (large, small)))
    agreement.check(ModelSpec((Linear(b[None]),)), a[None, None], dtype=dtype)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_denormals_of_halves_are_exact(half: str) -> None:
    """Those of float16 are normal in float32; bfloat16 has float32's own, which are kept."""
    bits = np.array([1, 2, 0x155, 0x3FF, 0x8001, 0x83FF] if half == "float16" else
                    [0x0080, 0x0081, 0x00FF, 0x8080, 0x7F7F, 0x3F80], np.uint16)  # fmt: skip
    exact = bits.view(np.float16).astype(np.float64)
    if half == "bfloat16":
        exact = (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    weight = bits.view(np.float16) if half == "float16" else exact.astype(np.float32)
    model = rn.Model(ModelSpec((Linear(weight[:, None]),)))
    y, _ = model(np.ones((1, 1, 1), np.float32))
    np.testing.assert_array_equal(y[0, 0].astype(np.float64), exact)


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_a_model_keeps_weights_that_count_as_zero(cell: str, options: dict[str, Any]) -> None:
    """float64 ones are rounded to the nearest float32, denormal or not, and given back so."""
    rng = np.random.default_rng(5)
    spec = strategies.make_spec(rng, cell, 3, 5, gain=2.0**-130, dtype=np.float64, **options)
    (kept,) = rn.Model(spec).spec.recurrents
    for name, given in spec.recurrents[0].arrays.items():
        assert np.any(kept.arrays[name])
        assert_same_bits(kept.arrays[name], given.astype(np.float32))


def test_a_state_that_no_step_changes_keeps_its_denormals() -> None:
    spec = strategies.make_spec(np.random.default_rng(6), "lstm", 3, 5)
    state = tuple(np.full((1, 2, 5), 2.0**-140, np.float32) for _ in range(2))
    _, final = rn.Model(spec)(np.zeros((4, 2, 3), np.float32), state, [0, 0])
    agreement.assert_same_state(final, state)
