"""Cells of Equinox and Flax, saved as named arrays: their own results are the oracle."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.formats.safetensors import pack

jax = pytest.importorskip("jax", reason="see tests/models/requirements-oracles.txt")
eqx = pytest.importorskip("equinox", reason="see tests/models/requirements-oracles.txt")
flax = pytest.importorskip("flax", reason="see tests/models/requirements-oracles.txt")
nnx = pytest.importorskip("flax.nnx")
linen = pytest.importorskip("flax.linen")
pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 2, 3)).astype("f4")
KEY = jax.random.key(0)
FORMATS = ["npz", "pkl"]


def save(path: Path, arrays: dict[str, Any], prefix: str = "") -> Path:
    named = {prefix + name: np.asarray(array) for name, array in arrays.items()}
    if path.suffix == ".npz":
        np.savez(path, **named)  # type: ignore[arg-type]
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(named))
    else:
        path.write_bytes(b"".join(pack(named, {})))
    return path


def run(step: Callable[..., Any], carry: Any) -> Any:
    outputs = []
    for x in X:
        carry, y = step(carry, x)
        outputs.append(np.asarray(y))
    return np.stack(outputs)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", ["GRUCell", "LSTMCell"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("prefix", ["", "cells.0."])
def test_equinox(kind: str, bias: bool, prefix: str, suffix: str, tmp_path: Path) -> None:
    cell = getattr(eqx.nn, kind)(3, 4, use_bias=bias, key=KEY)
    names = ("weight_ih", "weight_hh", "bias", "bias_n")
    arrays = {n: getattr(cell, n) for n in names if getattr(cell, n, None) is not None}
    path = save(tmp_path / f"cell.{suffix}", arrays, prefix)
    each = jax.vmap(cell)
    zeros = np.zeros((2, 4), "f4")

    def step(carry: Any, x: Any) -> Any:
        carry = each(x, carry)
        return carry, carry[0] if kind == "LSTMCell" else carry

    want = run(step, (zeros, zeros) if kind == "LSTMCell" else zeros)
    for options in ({}, {"prefix": prefix}):
        y = rn.load(path, **options)(X)[0]
        np.testing.assert_allclose(y, want, rtol=0, atol=4e-6)


LINEN = ["GRUCell", "LSTMCell", "OptimizedLSTMCell", "SimpleCell"]


@pytest.mark.parametrize(("separator", "suffix"), [("/", "npz"), (".", "safetensors")])
@pytest.mark.parametrize("kind", LINEN)
def test_linen(kind: str, separator: str, suffix: str, tmp_path: Path) -> None:
    cell = getattr(linen, kind)(features=4)
    carry = cell.initialize_carry(KEY, X[0].shape)
    tree = cell.init(KEY, carry, X[0])
    tree = jax.tree.map(lambda a: a + 0.1 * RNG.normal(size=a.shape).astype("f4"), tree)
    flat = flax.traverse_util.flatten_dict(tree, sep=separator)
    path = save(tmp_path / f"cell.{suffix}", flat)
    want = run(lambda carry, x: cell.apply(tree, carry, x), carry)
    for options in ({}, {"prefix": "params"}):
        np.testing.assert_allclose(rn.load(path, **options)(X)[0], want, rtol=0, atol=4e-6)


@pytest.mark.parametrize("kind", LINEN)
def test_nnx(kind: str, tmp_path: Path) -> None:
    cell = getattr(nnx, kind)(3, 4, rngs=nnx.Rngs(0))
    flat = {
        "/".join(map(str, path)): RNG.normal(size=np.shape(leaf[...])).astype("f4")
        for path, leaf in nnx.to_flat_state(nnx.state(cell, nnx.Param))
    }
    state = nnx.state(cell, nnx.Param)
    for path, leaf in nnx.to_flat_state(state):
        leaf[...] = flat["/".join(map(str, path))]
    nnx.update(cell, state)
    path = save(tmp_path / "cell.npz", flat, "decoder/cell/")
    want = run(cell, cell.initialize_carry(X[0].shape, nnx.Rngs(0)))
    np.testing.assert_allclose(rn.load(path)(X)[0], want, rtol=0, atol=4e-6)


class Net(linen.Module):  # type: ignore[misc, name-defined]
    @linen.compact
    def __call__(self, words: Any) -> Any:
        x = linen.Embed(10, 3)(words)
        x = linen.RNN(linen.LSTMCell(4))(x)
        x = linen.RNN(linen.GRUCell(5))(x)
        return linen.relu(linen.Dense(2)(x))


def test_a_network_is_a_chain(tmp_path: Path) -> None:
    words = RNG.integers(10, size=(2, 6))
    tree = Net().init(KEY, words)
    path = save(tmp_path / "net.npz", flax.traverse_util.flatten_dict(tree, sep="/"))
    chain = ["Embed_0", "LSTMCell_0", "GRUCell_0", "Dense_0:relu"]
    model = rn.load(path, prefix="params", chain=chain, batch_first=True)
    np.testing.assert_allclose(model(words)[0], Net().apply(tree, words), rtol=0, atol=4e-6)


def test_a_network_in_flaxs_own_file(tmp_path: Path) -> None:
    words = RNG.integers(10, size=(2, 6))
    tree = Net().init(KEY, words)
    state = {"params": tree["params"], "opt_state": {"mu": tree["params"]}, "step": 3, "name": "x"}
    path = tmp_path / "net.msgpack"
    path.write_bytes(flax.serialization.msgpack_serialize(state))
    chain = ["Embed_0", "LSTMCell_0", "GRUCell_0", "Dense_0:relu"]
    model = rn.load(path, prefix="params", chain=chain, batch_first=True)
    np.testing.assert_allclose(model(words)[0], Net().apply(tree, words), rtol=0, atol=4e-6)
    with pytest.raises(rn.OptionError, match=r"several .*'params\.LSTMCell_0\.'"):
        rn.load(path)
    for dtype in ("bfloat16", "float16", "float64"):
        cast = jax.tree.map(
            lambda a, to=dtype: np.asarray(a).astype(to), tree["params"]["GRUCell_0"]
        )
        path.write_bytes(flax.serialization.to_bytes(cast))
        (layer,) = rn.load(path).spec.layers
        want = np.asarray(cast["hn"]["bias"], "f8")
        np.testing.assert_array_equal(layer.arrays["bias_hh_l0"][10:], want)


def test_a_minimal_gated_unit_is_refused(tmp_path: Path) -> None:
    cell = linen.MGUCell(features=4)
    tree = cell.init(KEY, cell.initialize_carry(KEY, X[0].shape), X[0])
    path = save(tmp_path / "cell.npz", flax.traverse_util.flatten_dict(tree, sep="/"))
    with pytest.raises(rn.FormatError, match=r"found params\.if\.kernel"):
        rn.load(path)
