"""Optimizers against their equations, weight by weight; schedules, clipping, initial weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.train import (
    SGD,
    Adam,
    Network,
    Optimizer,
    clip_grad_norm,
    constant,
    cosine,
    grad_norm,
    initialize,
    step_decay,
    warm_up,
)

STEPS = 5


def network(dtype: str = "float64", seed: int = 0) -> Network:
    spec = rn.ModelSpec((rn.LSTM(3, 4).spec, rn.Linear(np.zeros((2, 4)), np.zeros(2))))
    net = Network(spec, dtype=dtype)
    initialize(net, seed)
    return net


def gradients(net: Network, seed: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1, w.shape).astype(w.dtype) for name, w in net.weights.items()}


def sgd(w: float, gs: list[float], rate: float, mu: float, nesterov: bool) -> float:
    v = 0.0
    for g in gs:
        v = mu * v + g
        w -= rate * (g + mu * v) if nesterov else rate * v
    return w


def adam(w: float, gs: list[float], rate: float, decay: float) -> float:
    m = v = 0.0
    for t, g in enumerate(gs, 1):
        w -= rate * decay * w
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g * g
        w -= rate * (m / (1 - 0.8**t)) / (math.sqrt(v / (1 - 0.95**t)) + 1e-6)
    return w


MAKE = {
    "sgd": lambda net: SGD(net, 0.1),
    "momentum": lambda net: SGD(net, 0.1, momentum=0.9),
    "nesterov": lambda net: SGD(net, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda net: Adam(net, 0.1, (0.8, 0.95), 1e-6),
    "adamw": lambda net: Adam(net, 0.1, (0.8, 0.95), 1e-6, weight_decay=0.2),
}


def expected(name: str, w: float, gs: list[float], is_matrix: bool) -> float:
    if name.startswith("adam"):
        return adam(w, gs, 0.1, 0.2 if name == "adamw" and is_matrix else 0.0)
    return sgd(w, gs, 0.1, 0.0 if name == "sgd" else 0.9, name == "nesterov")


@pytest.mark.parametrize("name", MAKE)
def test_every_weight_follows_the_equations(name: str) -> None:
    net = network()
    before = {key: w.copy() for key, w in net.weights.items()}
    optimizer = MAKE[name](net)
    each = [gradients(net, seed) for seed in range(STEPS)]
    for grads in each:
        optimizer.step(grads)
    for key, w in net.weights.items():
        for place in np.ndindex(w.shape):
            steps = [float(grads[key][place]) for grads in each]
            want = expected(name, float(before[key][place]), steps, w.ndim == 2)
            # A few dozen operations in float64 on values of magnitude 1.
            assert w[place] == pytest.approx(want, rel=0, abs=1e-13)


@pytest.mark.parametrize("name", MAKE)
def test_the_network_runs_with_the_changed_weights(name: str) -> None:
    """``step`` packs: without ``update`` the outputs would still be those of the old weights."""
    net = network()
    x = np.random.default_rng(1).normal(size=(6, 2, 3))
    MAKE[name](net).step(gradients(net, 0))
    y, _, _ = net.forward(x)
    reference, _ = rn.reference.run(net.spec, x)
    np.testing.assert_allclose(y, reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MAKE)
def test_a_state_put_back_goes_on_with_the_same_bits(name: str) -> None:
    whole, halves = network("float32"), network("float32")
    one, two = MAKE[name](whole), MAKE[name](halves)
    for seed in range(4):
        one.step(gradients(whole, seed))
    for seed in range(2):
        two.step(gradients(halves, seed))
    state = two.state_dict()
    again = MAKE[name](halves)
    again.load_state_dict(state)
    for array in state.values():
        array[...] = 7  # a copy went in, and a copy came out
    for seed in range(2, 4):
        again.step(gradients(halves, seed))
    for key, w in whole.weights.items():
        assert np.array_equal(w, halves.weights[key]), key


def test_options_tell_optimizers_apart() -> None:
    net = network()
    assert len({str(make(net).describe()) for make in MAKE.values()}) == len(MAKE)
    assert Adam(net, 1e-3).describe() == Adam(net, 1e-2).describe()


def test_wrong_optimizer_arguments_are_named() -> None:
    net = network()
    for make, text in (
        (lambda: SGD(net, 0.0), "learning_rate"),
        (lambda: SGD(net, math.inf), "learning_rate"),
        (lambda: SGD(net, 0.1, momentum=1.0), "momentum"),
        (lambda: SGD(net, 0.1, nesterov=True), "nesterov"),
        (lambda: Adam(net, betas=(0.9, 1.0)), r"betas\[1\]"),
        (lambda: Adam(net, epsilon=0), "epsilon"),
        (lambda: Adam(net, weight_decay=-1), "weight_decay"),
        (lambda: Adam(net, weight_decay="a"), "weight_decay"),  # type: ignore[arg-type]
        (lambda: Adam(net, betas=0.9), "betas: expected two"),  # type: ignore[arg-type]
        (lambda: Adam(net, betas=(0.9,)), "betas: expected two"),  # type: ignore[arg-type]
        (lambda: Adam(net, betas=("a", 0.9)), r"betas\[0\]"),  # type: ignore[arg-type]
        (lambda: Adam(net, "a"), "learning_rate"),  # type: ignore[arg-type]
        (lambda: SGD(net, None), "learning_rate"),  # type: ignore[arg-type]
        (lambda: SGD(net, momentum="a"), "momentum"),  # type: ignore[arg-type]
        (lambda: initialize(net, -1), "seed"),
        (lambda: initialize(net, 0.5), "seed"),  # type: ignore[arg-type]
        (lambda: initialize(net, 0, forget_bias=math.nan), "forget_bias"),
        (lambda: clip_grad_norm({}, "a"), "max_norm"),  # type: ignore[arg-type]
        (lambda: step_decay("a"), "every"),  # type: ignore[arg-type]
        (lambda: step_decay(2, "a"), "factor"),  # type: ignore[arg-type]
    ):
        with pytest.raises(rn.OptionError, match=text):
            make()
    assert Adam(net, np.float32(0.5), betas=[np.float64(0.5), 0.5]).learning_rate == 0.5
    optimizer: Optimizer = Adam(net)
    before = {key: w.copy() for key, w in net.weights.items()}
    missing = gradients(net, 0)
    del missing["1.bias"]
    with pytest.raises(rn.ShapeError, match=r"1\.bias"):
        optimizer.step(missing)
    with pytest.raises(rn.ShapeError, match=r"1\.bias"):
        optimizer.step({**gradients(net, 0), "1.bias": np.zeros(3)})
    with pytest.raises(rn.ShapeError, match="state_dict of Adam"):
        optimizer.load_state_dict(SGD(net).state_dict())
    assert all(np.array_equal(w, before[key]) for key, w in net.weights.items())


def test_clipping_scales_all_gradients_together() -> None:
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]], np.float32)}
    assert grad_norm(grads) == 5.0
    assert clip_grad_norm(grads, 5.0) == 5.0
    assert grads["b"][0, 0] == 4.0  # not longer than allowed: as it was
    assert clip_grad_norm(grads, 1.0) == 5.0
    assert grads["a"].tolist() == pytest.approx([0.6, 0.0], rel=1e-15)
    assert grads["b"][0, 0] == np.float32(4.0) * np.float32(0.2)
    broken = {"a": np.array([np.inf, 1.0])}
    assert clip_grad_norm(broken, 1.0) == math.inf
    assert broken["a"].tolist() == [math.inf, 1.0]
    huge = {"a": np.array([3e38, 3e38], np.float32)}  # whose squares float32 does not hold
    assert clip_grad_norm(huge, 1.0) == pytest.approx(math.sqrt(2) * 3e38, rel=1e-6)
    with pytest.raises(rn.OptionError, match="max_norm"):
        clip_grad_norm(grads, 0.0)


def test_schedules_by_their_equations() -> None:
    assert [constant()(n) for n in (0, 10**9)] == [1.0, 1.0]
    assert [step_decay(3, 0.5)(n) for n in (0, 2, 3, 6)] == [1.0, 1.0, 0.5, 0.25]
    half = cosine(10, 0.2)
    assert [half(n) for n in (0, 5, 10, 20)] == pytest.approx([1.0, 0.6, 0.2, 0.2], abs=1e-15)
    rising = warm_up(4, cosine(10))
    assert [rising(n) for n in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert rising(9) == cosine(10)(5)
    for make in (lambda: step_decay(0), lambda: step_decay(1, 1.5), lambda: cosine(0),
                 lambda: cosine(1, 2.0), lambda: warm_up(0)):  # fmt: skip
        with pytest.raises(rn.OptionError):
            make()


def test_initial_weights() -> None:
    net = network()
    same, other = network(), network(seed=1)
    for key, w in net.weights.items():
        assert np.array_equal(w, same.weights[key])
        assert not np.array_equal(w, other.weights[key])
        # 1/sqrt(4) for both layers, and no narrower: of 8 or more uniform numbers the largest is
        # below a quarter of the bound with a probability of 4^-8; the seed is fixed.
        bound = 0.5
        assert np.abs(w).max() <= bound
        assert w.size < 8 or np.abs(w).max() > bound / 4

    initialize(net, 0, recurrent="orthogonal", forget_bias=1.5)
    for block in np.split(net.weights["0.weight_hh_l0"], 4):
        # 4 x 4 products of unit vectors: a few roundings of 2^-53.
        np.testing.assert_allclose(block.T @ block, np.eye(4), rtol=0, atol=1e-14)
    bias = net.weights["0.bias_ih_l0"] + net.weights["0.bias_hh_l0"]
    assert bias[4:8].tolist() == [1.5] * 4
    assert np.abs(bias[:4]).max() <= 1.0

    gru = Network(rn.ModelSpec((rn.GRU(3, 4).spec,)))
    with pytest.raises(rn.OptionError, match="forget_bias"):
        initialize(gru, 0, forget_bias=1.0)
    with pytest.raises(rn.OptionError, match="recurrent"):
        initialize(gru, 0, recurrent="zeros")


@pytest.mark.parametrize("make", [rn.GRU, rn.LSTM])
def test_every_recurrent_matrix_begins_orthogonal_gate_by_gate(make: Any) -> None:
    """Where gates recur on gates too, in every layer."""
    net = Network(rn.ModelSpec((make(3, 4, 2, gate_recurrent=True).spec,)), "float64")
    initialize(net, 0, recurrent="orthogonal")
    recurrent = {name: w for name, w in net.weights.items() if w.ndim == 2 and "_ih_" not in name}
    blocks = sum(len(w) // 4 for w in recurrent.values())
    # Of each layer: the GRU's reset and update and its candidate; the LSTM's 4 + 4.
    assert blocks == 2 * (3 if make is rn.GRU else 8)
    for w in recurrent.values():
        for block in np.split(w, len(w) // 4):
            # 4 x 4 products of unit vectors: a few roundings of 2^-53.
            np.testing.assert_allclose(block.T @ block, np.eye(4), rtol=0, atol=1e-14)


def test_an_embedding_begins_standard_normal() -> None:
    net = Network(rn.ModelSpec((rn.Embedding(np.zeros((500, 20), np.float32)),)))
    initialize(net, 3)
    table = net.weights["0.weight"]
    # 10 000 draws: mean and deviation are off by more than 5 of their standard errors once in
    # a million seeds; this seed is fixed.
    assert abs(table.mean()) < 5 / 100
    assert abs(table.std() - 1) < 5 / math.sqrt(2 * 10_000)
