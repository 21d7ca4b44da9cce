"""Reduce: all steps of a row as one; and the operators and layers that it is read out of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Input, ModelSpec, Reduce
from rnn_native.spec.layers.reduce import REDUCE_MODES

RNG = np.random.default_rng(23)
Array = Any


def alone(mode: str, features: int) -> ModelSpec:
    return ModelSpec(nodes={"r": (Reduce(mode), ("x",))}, inputs={"x": features}, outputs="r")


def flat(state: Any) -> list[Array]:
    parts = state.values() if isinstance(state, dict) else state
    return [state] if isinstance(state, np.ndarray) else [a for part in parts for a in flat(part)]


def by_hand(mode: str, steps: Array) -> Array:
    """Of one row's steps [time, features], in their type, added one after the other."""
    total = np.zeros(steps.shape[1:], steps.dtype)
    for step in steps:
        total = total + step
    with np.errstate(all="ignore"):
        if mode == "mean":
            return total / steps.dtype.type(len(steps))
    if mode == "max":
        return np.max(steps, axis=0, initial=-np.inf)
    if mode == "sum" or not len(steps):
        return total
    return steps[0 if mode == "first" else -1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", REDUCE_MODES)
def test_to_the_bit_of_rows_of_any_length(mode: str, dtype: str) -> None:
    """A row's padding does not count, whatever it is; of no step a mean is NaN."""
    x = RNG.normal(0, 3, (9, 4, 5)).astype(dtype)
    lengths = [9, 2, 0, 5]
    want = np.stack([by_hand(mode, x[:n, row]) for row, n in enumerate(lengths)])
    poisoned = strategies.poison_padding(x, lengths)
    model = rn.Model(alone(mode, 5), dtype=dtype)
    y, state = model(poisoned, lengths=lengths)
    assert_same_bits(y, want)
    expected, wanted_state = rn.reference.run(model.spec, poisoned, lengths=lengths)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)
    for own, other in zip(flat(state), flat(wanted_state), strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=0, atol=2e-5)
    y, _ = rn.Model(alone(mode, 5), dtype=dtype, batch_first=True)(
        x.swapaxes(0, 1), lengths=lengths
    )
    assert_same_bits(y, want)
    empty, _ = model(x[:0])
    assert_same_bits(empty, np.stack([by_hand(mode, x[:0, row]) for row in range(4)]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", REDUCE_MODES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_threads_batches_and_pieces_change_no_bit(mode: str, direction: str, dtype: str) -> None:
    """Of more steps than a chunk has, behind a layer that needs all of them, too."""
    first = strategies.make_recurrent(RNG, "gru", 3, 6, direction=direction)
    width = first.output_size
    spec = ModelSpec((first, Reduce(mode), strategies.make_linear(RNG, width, 4)))
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
    want, _ = rn.reference.run(spec, x, lengths=lengths)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-4 if mode != "sum" else 1e-3)
    if direction == "forward":
        _, half = model(x[:250], num_threads=1)
        rest, _ = model(x[250:], half, num_threads=2)
        assert_same_bits(rest, model(x, num_threads=1)[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", REDUCE_MODES)
def test_a_stream_gives_what_it_is_so_far(mode: str, dtype: str) -> None:
    first = strategies.make_recurrent(RNG, "lstm", 3, 6)
    spec = ModelSpec((first, Reduce(mode), strategies.make_linear(RNG, 6, 4)))
    x = RNG.normal(0, 1, (12, 2, 3)).astype(dtype)
    model = rn.Model(spec, dtype=dtype)
    want = [model(x[: n + 1])[0] for n in range(12)]
    stream = model.stream(batch=2)
    for step in range(5):
        assert_same_bits(stream.step(x[step]), want[step])
    assert_same_bits(stream.push(x[5:]), np.stack(want[5:]))
    state = stream.state
    other = model.stream(batch=2)
    other.state = state
    extra = RNG.normal(0, 1, (2, 3)).astype(dtype)
    assert_same_bits(other.step(extra), model(np.concatenate([x, extra[None]]))[0])
    stream.reset()
    assert_same_bits(stream.step(x[0]), want[0])


def test_beside_the_steps_and_another_and_behind_fewer_steps() -> None:
    """In a graph: two ways of reducing one value, which is an output too; and of pooled steps."""
    nodes = {
        "gru": (strategies.make_recurrent(RNG, "gru", 3, 4), ("x",)),
        "mean": (Reduce("mean"), ("gru",)),
        "max": (Reduce("max"), ("gru",)),
        "both": (rn.Concat(), ("mean", "max", "gru.last")),
        "pool": (rn.AvgPool(3), ("gru",)),
        "last": (Reduce("last"), ("pool",)),
        "norm": (rn.LayerNorm(4), ("last",)),
    }
    spec = ModelSpec(nodes=nodes, inputs={"x": Input(3)}, outputs=("gru", "both", "norm"))
    x = RNG.normal(0, 1, (10, 2, 3)).astype("f4")
    for lengths in (None, [10, 4]):
        got, _ = rn.Model(spec)(x, lengths=lengths)
        want, _ = rn.reference.run(spec, x, lengths=lengths)
        for name in spec.outputs:
            np.testing.assert_allclose(got[name], want[name], rtol=0, atol=1e-5)


def test_what_is_not_a_number_stays_in_its_feature() -> None:
    x = np.zeros((3, 1, 2), np.float32)
    x[1, 0, 0] = np.nan
    for mode, first in (("mean", np.nan), ("sum", np.nan), ("max", np.nan), ("first", 0.0)):
        y, _ = rn.Model(alone(mode, 2))(x)
        np.testing.assert_array_equal(y, [[first, 0.0]])
        np.testing.assert_array_equal(rn.reference.run(alone(mode, 2), x)[0], y)


def test_a_file_keeps_it_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    first = strategies.make_recurrent(RNG, "gru", 3, 4)
    for mode in REDUCE_MODES:
        for suffix in ("safetensors", "npz"):
            path = tmp_path / f"reduce.{suffix}"
            formats.write(ModelSpec((first, Reduce(mode))), path)
            assert formats.read(path).layers[1] == Reduce(mode)
    with pytest.raises(rn.OptionError, match="Reduce mode: expected one of mean, sum, max, first"):
        Reduce("min")
    for layers, message in (
        ((first, Reduce("mean"), Reduce("max")), r"expected an input of steps, .*\(Reduce mean\)"),
        (
            (first, Reduce("mean"), strategies.make_recurrent(RNG, "gru", 4, 4)),
            r"of steps, layer 1 makes one of all steps",
        ),
    ):
        with pytest.raises(rn.ShapeError, match=message):
            ModelSpec(layers)
    with pytest.raises(rn.UnsupportedError, match="a Reduce cannot be first"):
        ModelSpec((Reduce("mean"),))
