"""Attention: each step a mean of all steps of a row, weighted by its scores with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits
from random_graphs import make_graph

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Attention, ModelSpec

RNG = np.random.default_rng(41)
WEIGHT = RNG.normal(0, 1, 6)
CASES: dict[str, Attention] = {
    "plain": Attention(),
    "heads": Attention(3),
    "scaled": Attention(2, 0.7),
    "causal": Attention(1, None, True),
    "additive": rn.AdditiveAttention(WEIGHT),
    "additive heads": rn.AdditiveAttention(WEIGHT, 2),
    "additive causal": rn.AdditiveAttention(WEIGHT, 1, True),
}


def alone(layer: Attention) -> ModelSpec:
    nodes = {"y": (layer, ("q", "k", "v"))}
    return ModelSpec(nodes=nodes, inputs={"q": 6, "k": 6, "v": 12}, outputs="y")


def by_loops(layer: Attention, q: Any, k: Any, v: Any) -> Any:
    """One row: a loop over steps, heads and the steps that each takes."""
    y = np.zeros(v.shape)
    size, wide = q.shape[1] // layer.heads, v.shape[1] // layer.heads
    for t in range(len(q)):
        for head in range(layer.heads):
            own, of = slice(head * size, (head + 1) * size), slice(head * wide, (head + 1) * wide)
            e = []
            for s in range(t + 1 if layer.causal else len(q)):
                if layer.weight is None:
                    e.append(np.dot(q[t, own], k[s, own]) * (layer.scale or size**-0.5))
                else:
                    e.append(np.dot(np.tanh(q[t, own] + k[s, own]), layer.weight[own]))
            weights = np.exp(np.array(e) - max(e))
            y[t, of] = (weights / weights.sum()) @ v[: len(e), of]
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_the_equations_of_rows_of_any_length(name: str, dtype: str) -> None:
    """A row's padding does not count, whatever it is; threads and batches change no bit. Scores of
    six products of numbers of about 1 are below 20, and so is what a rounding of them changes a
    weight by; a mean of T numbers rounds T times."""
    layer = CASES[name]
    x = {n: RNG.normal(0, 1, (70, 4, 12 if n == "v" else 6)).astype(dtype) for n in "qkv"}
    lengths = [70, 2, 0, 33]
    model = rn.Model(alone(layer), dtype=dtype)
    given = {n: strategies.poison_padding(a, lengths) for n, a in x.items()}
    y, _ = model(given, lengths=lengths, num_threads=1)
    reference, _ = rn.reference.run(alone(layer), given, lengths=lengths)
    bound = (2 * 70 + 40 * 20) * np.finfo(dtype).eps
    for row, length in enumerate(lengths):
        want = by_loops(layer, *(x[n][:length, row].astype("f8") for n in "qkv"))
        np.testing.assert_allclose(reference[:length, row], want, rtol=0, atol=1e-12)
        np.testing.assert_allclose(y[:length, row], want, rtol=0, atol=bound)
        assert not y[length:, row].any()
    for threads in (2, 3):
        assert_same_bits(model(given, lengths=lengths, num_threads=threads)[0], y)
    alone_, _ = model({n: a[:33, 3:] for n, a in x.items()}, num_threads=2)
    assert_same_bits(alone_[:, 0], y[:33, 3])
    first, _ = rn.Model(alone(layer), dtype=dtype, batch_first=True)(
        {n: a.swapaxes(0, 1) for n, a in given.items()}, lengths=lengths
    )
    assert_same_bits(first.swapaxes(0, 1), y)
    assert model({n: a[:0] for n, a in x.items()})[0].shape == (0, 4, 12)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_pytorchs_scaled_dot_product_attention(heads: int, causal: bool) -> None:
    torch = pytest.importorskip("torch")
    x = {n: RNG.normal(0, 1, (9, 2, 12 if n == "v" else 6)) for n in "qkv"}
    parts = [
        torch.from_numpy(x[n].transpose(1, 0, 2).reshape(2, 9, heads, -1).swapaxes(1, 2).copy())
        for n in "qkv"
    ]
    want = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=causal)
    want = want.transpose(1, 2).reshape(2, 9, 12).numpy().swapaxes(0, 1)
    y, _ = rn.Model(alone(Attention(heads, None, causal)), dtype="float64")(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_one_value_behind_layers_and_before_them(dtype: str) -> None:
    """Of fewer steps than the input's, of more than a chunk, in a team; and pooled."""
    first = strategies.make_recurrent(RNG, "gru", 3, 4, direction="bidirectional")
    nodes = {
        "gru": (first, ("x",)),
        "pool": (rn.AvgPool(2), ("gru",)),
        "y": (Attention(2), ("pool", "pool", "pool")),
        "both": (rn.Add(), ("y", "pool")),
        "last": (strategies.make_recurrent(RNG, "lstm", 8, 3), ("both",)),
        "mean": (rn.Reduce("mean"), ("y",)),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": 3}, outputs=("last", "mean"))
    x = RNG.normal(0, 1, (300, 3, 3)).astype(dtype)
    model = rn.Model(spec, dtype=dtype)
    for lengths in (None, [300, 7, 120]):
        got, _ = model(x, lengths=lengths, num_threads=1)
        want, _ = rn.reference.run(spec, x, lengths=lengths)
        again, _ = model(x, lengths=lengths, num_threads=4)
        for name in spec.outputs:
            assert_same_bits(again[name], got[name])
            np.testing.assert_allclose(
                got[name], want[name], rtol=0, atol=1e-4 if dtype == "float32" else 1e-12
            )


@pytest.mark.parametrize("name", CASES)
def test_files_keep_it(name: str, tmp_path: Path) -> None:
    spec = alone(CASES[name])
    x = {n: RNG.normal(0, 1, (5, 2, 12 if n == "v" else 6)).astype("f4") for n in "qkv"}
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"a.{suffix}"
        formats.write(spec, path)
        assert repr(formats.read(path)) == repr(spec)
        assert_same_bits(rn.load(path)(x)[0], rn.Model(spec)(x)[0])


def test_what_is_wrong_is_named() -> None:
    model = rn.Model(alone(Attention()))
    message = "node 'y', an attention of steps to all steps, needs whole sequences"
    with pytest.raises(rn.UnsupportedError, match=message):
        model.stream(batch=1)
    last = strategies.make_recurrent(RNG, "gru", 6, 6, return_sequences=False)
    for nodes, message in (
        ({"y": (Attention(), ("x", "x"))}, "expected three inputs"),
        ({"y": (Attention(4), ("x", "x", "x"))}, "heads: expected a divisor of 6 features, got 4"),
        ({"y": (Attention(), ("x", "z", "x"))}, "query and key of 6 features, got 6 and 5"),
        ({"y": (rn.AdditiveAttention(WEIGHT[:5]), ("x", "x", "x"))}, "query and key of 5 features"),
        ({"l": (last, ("x",)), "y": (Attention(), ("x", "l", "x"))}, "an input of steps"),
        ({"p": (rn.AvgPool(2), ("x",)), "y": (Attention(), ("x", "p", "x"))}, "equal steps"),
    ):
        inputs = {"x": 6} | ({"z": 5} if "6 and 5" in message else {})
        with pytest.raises(rn.ShapeError, match=message):
            ModelSpec(nodes=nodes, inputs=inputs, outputs="y")
    for options, error, message in (
        ({"heads": 0}, rn.OptionError, "Attention heads: expected 1 to"),
        ({"scale": 0.0}, rn.OptionError, "Attention scale: expected a number above 0"),
        ({"causal": 1}, rn.OptionError, "Attention causal: expected True or False"),
        ({"scale": 1.0, "weight": WEIGHT}, rn.OptionError, "scores are no products"),
    ):
        with pytest.raises(error, match=message):
            Attention(**options)


def test_random_graphs_have_some() -> None:
    """Those that other tests run."""
    graphs = (make_graph(np.random.default_rng(seed), streams=False) for seed in range(60))
    layers = [node.layer for graph in graphs for node in graph.nodes.values()]
    assert any(isinstance(layer, Attention) for layer in layers)
