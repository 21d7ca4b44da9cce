"""Models and inputs whose numbers have every exponent of their type, denormals and zeros too.

``check`` runs one on the core and holds it to the bound of bounds.py. No sum gets too large: the
largest exponents of weights and of what they are multiplied by add up to at most ``TOP``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import agreement
import numpy as np
import strategies
from numpy.typing import NDArray

from rnn_native.spec import Layer, ModelSpec

LEAST: Final = {"float32": -149, "float64": -1074}
"""The exponent of the least denormal."""
LARGEST: Final = {
    "float32": (127, 100, 40, 0, -87, -124, -140),
    "float64": (1023, 800, 320, 0, -703, -1020, -1060),
}
"""Where the exponents of an array may end; for the last one it has nothing but denormals."""
TOP: Final = {"float32": 40, "float64": 320}
"""Three factors of this size are within the type, as c's product with an output gate that is not
bounded has them: f c and o tanh(c) are of gates' sums and c."""


def numbers(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str, largest: int
) -> NDArray[Any]:
    """Exponents uniform from the least denormal's to ``largest``, any sign, each tenth one 0."""
    exponent = rng.integers(LEAST[dtype], largest, shape, endpoint=True)
    array = np.ldexp(rng.choice([-1, 1], shape) * rng.uniform(0.5, 1, shape), exponent)
    array[rng.random(shape) < 0.1] = 0
    return array.astype(dtype)


def check(
    rng: np.random.Generator, dtype: str, cell: str, hidden: int, after: str, **options: Any
) -> None:
    """One step of a cell both ways and a Linear with that activation; two rows."""
    limit = TOP[dtype]

    def largest(most: int) -> int:
        return int(rng.choice([e for e in LARGEST[dtype] if e <= most]))

    of_x, of_state = largest(1100), largest(1100)
    by = {"x": limit - of_x, "state": limit - of_state}

    def factor(name: str) -> int:
        """The largest exponent of an array's numbers: of what it is multiplied by, it is told."""
        if name.startswith("bias"):
            return limit
        if name.startswith(("weight_ih", "weight_xo")):
            return by["x"]
        if name.startswith(("weight_hh", "weight_gh", "weight_ch", "weight_ci", "weight_cf")):
            return min(by["state"], limit)
        return 0  # times what the step has made: weight_hr, weight_ho, weight_co, a Linear's

    def spread(layer: Layer) -> dict[str, NDArray[Any]]:
        return {
            name: numbers(rng, a.shape, dtype, largest(max(factor(name), LARGEST[dtype][-1])))
            for name, a in layer.arrays.items()
        }

    spec = strategies.make_spec(
        rng, cell, 5, hidden, direction="bidirectional", out_features=4, activation=after, **options
    )
    layer, linear = spec.layers
    spec = ModelSpec((replace(layer, weights=spread(layer)), replace(linear, **spread(linear))))
    x = numbers(rng, (1, 2, 5), dtype, of_x)
    shapes = strategies.zero_state(spec, 2)
    state = strategies.map_state(
        lambda a: numbers(rng, a.shape, dtype, min(of_state, limit)), shapes
    )
    for matmul in agreement.matmuls():
        agreement.check(spec, x, state, dtype=dtype, matmul=matmul)
