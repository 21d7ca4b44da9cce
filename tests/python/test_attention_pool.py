"""AttentionPool: the mean of all steps of a row, weighted by the softmax of scores over them."""

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
from rnn_native.spec import AttentionPool, ModelSpec

RNG = np.random.default_rng(37)
Array = Any


def alone(heads: int, features: int) -> ModelSpec:
    return ModelSpec(
        nodes={"y": (AttentionPool(heads), ("x", "s"))},
        inputs={"x": features, "s": heads},
        outputs="y",
    )


def additive(heads: int, dtype: str = "f4", direction: str = "forward") -> ModelSpec:
    """v tanh(W h + b), as behind a recurrent layer."""
    gru = strategies.make_recurrent(RNG, "gru", 3, 6, direction=direction)
    width = gru.output_size
    first = strategies.make_linear(RNG, width, 5, activation="tanh", dtype=dtype)
    nodes = {
        "gru": (gru, ("x",)),
        "hidden": (first, ("gru",)),
        "scores": (strategies.make_linear(RNG, 5, heads, dtype=dtype), ("hidden",)),
        "pool": (AttentionPool(heads), ("gru", "scores")),
        "y": (strategies.make_linear(RNG, width, 4, dtype=dtype), ("pool",)),
    }
    return ModelSpec(nodes=nodes, inputs=("x",), outputs="y")


def flat(state: Any) -> list[Array]:
    parts = state.values() if isinstance(state, dict) else state
    return [state] if isinstance(state, np.ndarray) else [a for part in parts for a in flat(part)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_the_equations_of_rows_of_any_length(heads: int, dtype: str) -> None:
    """A row's padding does not count, whatever it is. With T steps, scores less the largest so far
    are rounded once, exp is within 2 ULP, and each step rounds a sum three times: of a mean of
    numbers of at most M no more than (4 T + 2 spread + 8) u M."""
    x = RNG.normal(0, 2, (300, 4, 6)).astype(dtype)
    scores = RNG.normal(0, 5, (300, 4, heads)).astype(dtype)
    lengths = [300, 2, 0, 1]
    model = rn.Model(alone(heads, 6), dtype=dtype)
    given = {
        "x": strategies.poison_padding(x, lengths),
        "s": strategies.poison_padding(scores, lengths),
    }
    y, state = model(given, lengths=lengths)
    for row, length in enumerate(lengths):
        if not length:
            assert not y[row].any()
            continue
        own = scores[:length, row].astype("f8")
        weights = np.exp(own - own.max(axis=0))
        weights = np.repeat(weights / weights.sum(axis=0), 6 // heads, axis=-1)
        want = (weights * x[:length, row]).sum(axis=0)
        bound = (4 * length + 2 * np.ptp(own) + 8) * np.finfo(dtype).eps * np.abs(x).max()
        np.testing.assert_allclose(y[row], want, rtol=0, atol=bound)
    want, wanted_state = rn.reference.run(model.spec, given, lengths=lengths)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-2 if dtype == "float32" else 1e-11)
    for own, other in zip(flat(state), flat(wanted_state), strict=True):
        assert own.shape == other.shape
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(own, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_threads_batches_and_pieces_change_no_bit(heads: int, direction: str, dtype: str) -> None:
    """Of more steps than a chunk has, behind a layer that needs all of them, too."""
    spec = additive(heads, dtype, direction)
    x = RNG.normal(0, 1, (700, 3, 3)).astype(dtype)
    lengths = [700, 0, 333]
    model = rn.Model(spec, dtype=dtype)
    y, state = model(x, lengths=lengths, num_threads=1)
    for threads in (2, 3):
        again, other = model(x, lengths=lengths, num_threads=threads)
        assert_same_bits(again, y)
        for own, same in zip(flat(state), flat(other), strict=True):
            assert_same_bits(own, same)
    row, _ = model(x[:333, 2:], num_threads=1)
    assert_same_bits(row[0], y[2])
    first, _ = rn.Model(spec, dtype=dtype, batch_first=True)(x.swapaxes(0, 1), lengths=lengths)
    assert_same_bits(first, y)
    want, _ = rn.reference.run(spec, x, lengths=lengths)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)
    if direction == "forward":
        _, half = model(x[:250], num_threads=1)
        rest, _ = model(x[250:], half, num_threads=2)
        assert_same_bits(rest, model(x, num_threads=1)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("heads", [1, 3])
def test_a_stream_gives_what_it_is_so_far(heads: int, dtype: str) -> None:
    x = RNG.normal(0, 1, (12, 2, 3)).astype(dtype)
    model = rn.Model(additive(heads, dtype), dtype=dtype)
    want = [model(x[: n + 1])[0] for n in range(12)]
    stream = model.stream(batch=2)
    for step in range(5):
        assert_same_bits(stream.step(x[step]), want[step])
    assert_same_bits(stream.push(x[5:]), np.stack(want[5:]))
    other = model.stream(batch=2)
    other.state = stream.state
    extra = RNG.normal(0, 1, (2, 3)).astype(dtype)
    assert_same_bits(other.step(extra), model(np.concatenate([x, extra[None]]))[0])
    stream.reset()
    assert_same_bits(stream.step(x[0]), want[0])


def test_it_is_softmax_over_time_times_the_values_summed() -> None:
    """Up to rounding; and of fewer steps, beside an output of all of them."""
    nodes = {
        "pool": (rn.AvgPool(3), ("x",)),
        "scores": (strategies.make_linear(RNG, 6, 2), ("pool",)),
        "y": (AttentionPool(2), ("pool", "scores")),
        "weights": (rn.SoftmaxOverTime(), ("scores",)),
        "wide": (rn.Repeat(2, 3, True), ("weights",)),
        "terms": (rn.Mul(), ("wide", "pool")),
        "sum": (rn.Reduce("sum"), ("terms",)),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": 6}, outputs=("y", "sum", "weights"))
    x = RNG.normal(0, 1, (50, 3, 6)).astype("f4")
    for lengths in (None, [50, 7, 20]):
        got, _ = rn.Model(spec)(x, lengths=lengths)
        np.testing.assert_allclose(got["y"], got["sum"], rtol=0, atol=1e-5)
        want, _ = rn.reference.run(spec, x, lengths=lengths)
        for name in spec.outputs:
            np.testing.assert_allclose(got[name], want[name], rtol=0, atol=1e-5)


def test_scores_beyond_what_exp_takes() -> None:
    """They are less the largest one, whatever it is, and what comes after a much larger one is
    nothing beside it; minus infinity weighs nothing, infinity and NaN are no numbers."""
    scores = np.array([-1e30, 500.0, 501.0, -np.inf, 80.0], "f4").reshape(5, 1, 1)
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0], "f4").reshape(5, 1, 1)
    model = rn.Model(alone(1, 1))
    e = np.exp(-1)
    y, _ = model({"x": x, "s": scores})
    np.testing.assert_allclose(y, [[(2 * e + 4) / (e + 1)]], rtol=0, atol=1e-6)
    for wrong in (np.inf, np.nan):
        scores[3] = wrong
        given = {"x": x, "s": scores}
        assert np.isnan(model(given)[0]).all()
        with np.errstate(invalid="ignore"):
            assert np.isnan(rn.reference.run(model.spec, given)[0]).all()
    given = {"x": x, "s": np.full_like(scores, -np.inf)}
    assert model(given)[0] == 0
    assert rn.reference.run(model.spec, given)[0] == 0


def test_files_keep_it_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    spec = additive(3)
    x = RNG.normal(0, 1, (9, 2, 3)).astype("f4")
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"pool.{suffix}"
        formats.write(spec, path)
        assert repr(formats.read(path)) == repr(spec)
        assert_same_bits(rn.load(path)(x)[0], rn.Model(spec)(x)[0])
    linear = strategies.make_linear(RNG, 6, 2)
    last = strategies.make_recurrent(RNG, "gru", 6, 2, return_sequences=False)
    for nodes, message in (
        ({"y": (AttentionPool(), ("x",))}, "two inputs"),
        ({"s": (linear, ("x",)), "y": (AttentionPool(), ("x", "s"))}, "scores of 1 features, .*2"),
        ({"s": (linear, ("x",)), "y": (AttentionPool(2), ("x5", "s"))}, "divisor of 5 features"),
        ({"s": (last, ("x",)), "y": (AttentionPool(2), ("x", "s"))}, "an input of steps"),
        (
            {"p": (rn.AvgPool(2), ("x",)), "s": (linear, ("p",)),
             "y": (AttentionPool(2), ("x", "s"))},
            "inputs of equal steps",
        ),
    ):  # fmt: skip
        inputs = {"x": 6} | ({"x5": 5} if "5 features" in message else {})
        with pytest.raises(rn.ShapeError, match=message):
            ModelSpec(nodes=nodes, inputs=inputs, outputs="y")
    with pytest.raises(rn.OptionError, match="AttentionPool heads: expected 1 to"):
        AttentionPool(0)
    with pytest.raises(rn.RnnError):
        ModelSpec((linear, AttentionPool()))


def test_random_graphs_have_some() -> None:
    """Those that other tests run."""
    graphs = (make_graph(np.random.default_rng(seed), streams=False) for seed in range(60))
    layers = {type(node.layer) for graph in graphs for node in graph.nodes.values()}
    assert {AttentionPool, rn.Softmax, rn.SoftmaxOverTime} <= layers
