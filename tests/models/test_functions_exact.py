"""Functions of each number, of the reference and of float64 Models, against mpmath's 40 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.activations import Activation
from rnn_native.spec import Elementwise, ModelSpec

mp = pytest.importorskip("mpmath")
pytestmark = pytest.mark.oracle

SELU = (1.6732632423543772, 1.0507009873554805)


def gelu_tanh(x: Any) -> Any:
    """x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)), which has no cancellation."""
    u = mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)
    return x / (1 + mp.exp(-2 * u))


EXACT: dict[Activation, Callable[[Any], Any]] = {
    Activation("silu"): lambda x: x / (1 + mp.exp(-x)),
    Activation("silu", 0.25): lambda x: x / (1 + mp.exp(-x / 4)),
    Activation("gelu"): lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    Activation("gelu_tanh"): gelu_tanh,
    Activation("mish"): lambda x: x * mp.tanh(mp.log1p(mp.exp(x))),
    Activation("hard_swish"): lambda x: x * min(max(x / 6 + 0.5, 0), 1),
    Activation("selu"): lambda x: SELU[1] * (x if x > 0 else SELU[0] * mp.expm1(x)),
    Activation("clip", -0.5, 0.75): lambda x: min(max(x, -0.5), 0.75),
    Activation("max", 0.25): lambda x: max(x, 0.25),
    Activation("min", 0.25): lambda x: min(x, 0.25),
    Activation("abs"): abs,
    Activation("exp"): mp.exp,
    Activation("log"): mp.log,
    Activation("sqrt"): mp.sqrt,
    Activation("reciprocal"): lambda x: 1 / x,
    Activation("pow", 2): lambda x: x * x,
    Activation("pow", 1.5): lambda x: mp.power(x, 1.5),
    Activation("erf"): mp.erf,
}
POSITIVE = ("log", "sqrt", "pow")


def numbers(name: str) -> NDArray[np.float64]:
    """Of many sizes and both signs, where the function has numbers."""
    rng = np.random.default_rng(31)
    size = np.concatenate([np.exp2(rng.uniform(-40, 4, 90)), rng.uniform(0, 30, 90)])
    size = np.concatenate([size, [1.0, 0.5, 2.0, 3.0, 20.0]])
    return size if name in POSITIVE else np.concatenate([size, -size])


def ulps(f: Activation, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each may be off by: 6 as a sum of few roundings; and where exp is taken of a number w
    that is rounded as often at most, 6 |w| more."""
    w = np.zeros_like(x)
    if f.name == "gelu":
        w = x * x / 2
    if f.name == "gelu_tanh":
        w = np.minimum(np.sqrt(8 / np.pi) * (x + 0.044715 * x**3), 0)
    if f.name in ("silu", "hard_swish"):  # of alpha x + beta, which goes to 0 in hard_swish
        w = x
    return 6 + 6 * np.abs(w)


@pytest.mark.parametrize("f", EXACT, ids=lambda f: f.name)
def test_the_reference_and_float64_are_within_units_in_the_last_place(f: Activation) -> None:
    x = numbers(f.name)
    with mp.workdps(40):
        exact = [EXACT[f](mp.mpf(float(v))) for v in x]
        want = np.array([float(v) for v in exact])
        layer = Elementwise(f.name, *f.constants)
        spec = ModelSpec(nodes={"f": (layer, ("x",))}, inputs={"x": len(x)}, outputs="f")
        y, _ = rn.Model(spec, dtype="float64")(x[None, None])
        for got in (f.function(x), y[0, 0]):
            off = np.array(
                [float(abs(mp.mpf(float(g)) - e)) for g, e in zip(got, exact, strict=True)]
            )
            allowed = ulps(f, x) * np.spacing(np.abs(want)) + 1e-300
            if f.name == "hard_swish":  # near its zero the sum's error counts beside 1/2
                allowed = allowed + np.abs(x) * 2.0**-52
            assert np.all(off <= allowed), x[off > allowed]
