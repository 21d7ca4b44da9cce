"""Gradients by central differences of the float64 reference, and those of a Network beside them.

Tolerance: a central difference of step e has a truncation error of e^2 / 6 times a third
derivative of order 1, and a rounding error of u L / e. L, the loss, is a sum of some hundred terms
of random sign and order 1, so about 10: with e = 1e-5 and u = 1.1e-16 that is 2e-11 and 1e-10.
1e-6 of the gradient's largest element is above both as long as that is 1e-3, where it is 1e-9; of a
smaller one the difference has no such share to tell, hence the floor. A wrong term is a large share
of the largest element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from strategies import random_input, random_state

import rnn_native as rn
from rnn_native.spec import ModelSpec
from rnn_native.states import flatten, state_counts, unflatten

STEP = 1e-5
TOLERANCE = 1e-6
FLOOR = 1e-3

Array = NDArray[Any]


def numeric(array: Array, loss: Callable[[], float]) -> Array:
    """The loss's derivative by each element of the array, which is changed and put back."""
    result = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        kept = array[at]
        array[at] = kept + STEP
        above = loss()
        array[at] = kept - STEP
        below = loss()
        array[at] = kept
        result[at] = (above - below) / (2 * STEP)
    return result


def assert_gradient(what: str, got: Array, expected: Array) -> None:
    scale = max(FLOOR, float(np.abs(expected).max(initial=0.0)))
    error = float(np.abs(got - expected).max(initial=0.0)) / scale
    assert error < TOLERANCE, f"{what}: off by {error:.1e}"


def flat(spec: ModelSpec, state: Any) -> list[Array]:
    return flatten(state_counts(spec), state)


def check(
    spec: ModelSpec,
    time: int,
    batch: int,
    rng: np.random.Generator,
    lengths: list[int] | None = None,
) -> None:
    """Forward equals the reference; every gradient of a random linear loss of y and of the final
    state equals its central difference: of x, the initial state and each weight."""
    x = random_input(spec, time, batch, rng, dtype=np.float64)
    state = random_state(spec, batch, rng, dtype=np.float64)
    dy = rng.standard_normal((time, batch, spec.output_size))
    dstate = random_state(spec, batch, rng, dtype=np.float64)
    net = rn.train.Network(spec, "float64", num_threads=1)

    def run(of: ModelSpec) -> float:
        y, final = rn.reference.run(of, x, state, lengths)
        ends = zip(flat(spec, final), flat(spec, dstate), strict=True)
        return float((y * dy).sum() + sum((h * d).sum() for h, d in ends))

    y, final, tape = net.forward(x, state, lengths)
    expected_y, expected_final = rn.reference.run(spec, x, state, lengths)
    np.testing.assert_allclose(y, expected_y, rtol=0, atol=1e-12)
    for got, expected in zip(flat(spec, final), flat(spec, expected_final), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)

    grads = net.backward(tape, dy, dstate)
    if spec.takes_indices:
        assert grads.x is None
    else:
        assert_gradient("x", grads.x, numeric(x, lambda: run(spec)))
    for i, (array, got) in enumerate(zip(flat(spec, state), flat(spec, grads.state), strict=True)):
        assert_gradient(f"state {i}", got, numeric(array, lambda: run(spec)))
    assert list(grads.weights) == list(net.weights)
    for name, weight in net.weights.items():
        assert_gradient(name, grads.weights[name], numeric(weight, lambda: run(net.spec)))


def check_along(
    spec: ModelSpec,
    time: int,
    batch: int,
    rng: np.random.Generator,
    dtype: str,
    lengths: NDArray[Any],
) -> None:
    """The derivative along one random direction of x, the state and all weights at once: two runs
    of the reference, so that it serves for any size.

    In float64 as above, times the root of the number of elements, which errors add up to as a
    random walk. float32 gradients differ from those in float64 by their rounding alone: 2^-24 of
    each of the terms, of which there are some thousand at most: 1e-4 of the largest element.
    """
    x = random_input(spec, time, batch, rng, dtype=np.float64)
    state = random_state(spec, batch, rng, dtype=np.float64)
    dy = rng.standard_normal((time, batch, spec.output_size))
    dstate = random_state(spec, batch, rng, dtype=np.float64)
    net = rn.train.Network(spec, "float64")
    _, _, tape = net.forward(x, state, lengths)
    grads = net.backward(tape, dy, dstate)
    got = [grads.x, *flat(spec, grads.state), *grads.weights.values()]
    if dtype == "float32":
        single = rn.train.Network(spec)
        f4 = [array.astype(np.float32) for array in flat(spec, state)]
        d4 = [array.astype(np.float32) for array in flat(spec, dstate)]
        counts = state_counts(spec)
        _, _, tape = single.forward(x.astype(np.float32), unflatten(counts, f4), lengths)
        rough = single.backward(tape, dy.astype(np.float32), unflatten(counts, d4))
        for a, b in zip(
            [rough.x, *flat(spec, rough.state), *rough.weights.values()], got, strict=True
        ):
            assert a is not None
            assert a.dtype == np.float32
            scale = max(1.0, float(np.abs(b).max(initial=0.0)))
            assert np.abs(a - b).max(initial=0.0) < 1e-4 * scale
        return

    arrays = [x, *flat(spec, state), *net.weights.values()]
    ways = [rng.standard_normal(array.shape) for array in arrays]

    def run(step: float) -> float:
        for array, way in zip(arrays, ways, strict=True):
            array += step * way
        y, final = rn.reference.run(net.spec, x, state, lengths)
        for array, way in zip(arrays, ways, strict=True):
            array -= step * way
        ends = zip(flat(spec, final), flat(spec, dstate), strict=True)
        return float((y * dy).sum() + sum((h * d).sum() for h, d in ends))

    small = STEP / 10  # the direction is long: a smaller part of it
    expected = (run(small) - run(-small)) / (2 * small)
    found = sum(float((g * way).sum()) for g, way in zip(got, ways, strict=True))
    size = sum(float(np.abs(g).sum()) for g in got if g is not None)
    assert abs(found - expected) < TOLERANCE * max(1.0, size), f"{spec}: {found} {expected}"


def results(net: rn.train.Network, args: tuple[Any, ...], dy: Array, dstate: Any) -> list[Array]:
    """Everything one forward and one backward return, in one list."""
    y, state, tape = net.forward(*args)
    grads = net.backward(tape, dy, dstate)
    spec = net.spec
    arrays = [y, *flat(spec, state), *flat(spec, grads.state), *grads.weights.values()]
    return arrays if grads.x is None else [*arrays, grads.x]


def same_bits(a: list[Array], b: list[Array]) -> bool:
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))
