"""InstanceNorm: features over all steps of a row less their mean, by their deviation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check
from random_graphs import make_graph

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import InstanceNorm, ModelSpec

RNG = np.random.default_rng(29)
Array = Any
SHAPES = [(1, 1, 1), (5, 1, 5), (6, 1, 2), (6, 1, 1), (12, 3, 4), (12, 3, 2), (12, 4, 1)]
"""Features, positions, groups."""


def vectors(size: int, dtype: str = "f4") -> Array:
    return RNG.uniform(-1, 1, (2, size)).astype(dtype)


def alone(layer: InstanceNorm) -> ModelSpec:
    return ModelSpec(nodes={"n": (layer, ("x",))}, inputs={"x": layer.features}, outputs="n")


def normal(layer: InstanceNorm, x: Array) -> Array:
    """The equations as the core states them: sums in double, step after step and position after
    position, then over the channels of a group; one rounding at the end. ``x``: one row."""
    steps = x.astype(np.float64).reshape(len(x) * layer.positions, layer.channels)

    def mean(of: Array) -> Array:
        total = np.zeros(layer.channels)
        for step in of:
            total = total + step
        shared = np.zeros(layer.groups)
        for channel in total.reshape(layer.groups, -1).T:
            shared = shared + channel
        size = layer.channels // layer.groups
        return np.repeat(shared / (float(len(steps)) * size), size)

    left = steps - mean(steps)
    by = 1 / np.sqrt(mean(left * left) + layer.epsilon)
    if layer.weight is not None:
        by = by * layer.weight.astype(np.float64)
    y = left * by
    if layer.bias is not None:
        y = y + layer.bias.astype(np.float64)
    return y.astype(x.dtype).reshape(x.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("given", ["both", "weight", "bias", "none"])
def test_to_the_bit_of_rows_of_any_length(
    given: str, shape: tuple[int, int, int], dtype: str
) -> None:
    """A row's padding does not count, whatever it is; threads and batches change nothing."""
    features, positions, groups = shape
    weight, bias = vectors(features // positions, dtype)
    weight, bias = (a if given in (name, "both") else None
                    for a, name in ((weight, "weight"), (bias, "bias")))  # fmt: skip
    layer = InstanceNorm(features, weight, bias, 1e-3, positions, groups)
    model = rn.Model(alone(layer), dtype=dtype)
    x = RNG.normal(2, 30, (300, 4, features)).astype(dtype)
    lengths = [300, 2, 0, 1]
    want = np.zeros_like(x)
    for row, length in enumerate(lengths):
        if length:
            want[:length, row] = normal(layer, x[:length, row])
    poisoned = strategies.poison_padding(x, lengths)
    for threads in (1, 2, 3):
        y, _ = model(poisoned, lengths=lengths, num_threads=threads)
        assert_same_bits(y, want)
    assert_same_bits(model(x[:, :1])[0], want[:, :1])
    y, _ = rn.Model(alone(layer), dtype=dtype, batch_first=True)(
        poisoned.swapaxes(0, 1), lengths=lengths
    )
    assert_same_bits(y, want.swapaxes(0, 1))
    check(ModelSpec((layer,)), x, None, lengths, dtype=dtype)
    assert model(x[:0])[0].shape == (0, 4, features)


@pytest.mark.parametrize("dtype", DTYPES)
def test_between_layers_of_both_directions_and_behind_fewer_steps(dtype: str) -> None:
    """Steps are those that the layers before make, and a row ends where they say."""
    both = strategies.make_recurrent(RNG, "lstm", 4, 3, direction="bidirectional")
    nodes = {
        "gru": (strategies.make_recurrent(RNG, "gru", 3, 4), ("x",)),
        "pool": (rn.AvgPool(3), ("gru",)),
        "norm": (InstanceNorm(4, *vectors(4), epsilon=0.1), ("pool",)),
        "both": (both, ("norm",)),
        "again": (InstanceNorm(6, groups=2, epsilon=0.1), ("both",)),
        "mean": (rn.Reduce("mean"), ("again",)),
        "last": (rn.Reduce("last"), ("norm",)),
    }
    outputs = ("norm", "again", "mean", "last")
    spec = ModelSpec(nodes=nodes, inputs={"x": 3}, outputs=outputs)
    x = RNG.normal(0, 1, (400, 3, 3)).astype(dtype)
    model = rn.Model(spec, dtype=dtype)
    for lengths in (None, [400, 7, 200]):
        want, _ = rn.reference.run(spec, x, lengths=lengths)
        got, _ = model(x, lengths=lengths, num_threads=1)
        again, _ = model(x, lengths=lengths, num_threads=3)
        for name in outputs:
            assert_same_bits(again[name], got[name])
            np.testing.assert_allclose(
                got[name], want[name], rtol=0, atol=1e-4 if dtype == "float32" else 1e-11
            )


def test_pytorchs_norms() -> None:
    """In float64, of 12 features that are what each of its modules takes them for."""
    torch = pytest.importorskip("torch")
    x = RNG.normal(1, 2, (9, 2, 12))
    weight, bias = vectors(12, "f8")
    rows = torch.from_numpy(x.transpose(1, 2, 0).copy())
    cases = [
        (InstanceNorm(12, weight, bias), torch.nn.InstanceNorm1d(12, affine=True), rows),
        (InstanceNorm(12, weight, bias, groups=3), torch.nn.GroupNorm(3, 12), rows),
        (
            InstanceNorm(12, weight[:4], bias[:4], positions=3),
            torch.nn.InstanceNorm2d(4, affine=True),
            torch.from_numpy(x.reshape(9, 2, 3, 4).transpose(1, 3, 0, 2).copy()),
        ),
        (
            InstanceNorm(12, weight[:4], bias[:4], positions=3, groups=2),
            torch.nn.GroupNorm(2, 4),
            torch.from_numpy(x.reshape(9, 2, 3, 4).transpose(1, 3, 0, 2).copy()),
        ),
    ]
    for layer, module, given in cases:
        module = module.double()
        module.load_state_dict({name: torch.from_numpy(a) for name, a in layer.arrays.items()})
        want = module(given).detach().numpy()
        want = want.transpose(2, 0, 1) if want.ndim == 3 else want.transpose(2, 0, 3, 1)
        y, _ = rn.Model(alone(layer), dtype="float64")(x)
        np.testing.assert_allclose(y, want.reshape(x.shape), rtol=0, atol=1e-12)


def test_it_needs_whole_sequences() -> None:
    model = rn.Model([rn.GRU(3, 4), InstanceNorm(4)])
    message = "layer 1, a normalisation over all steps, needs whole sequences"
    with pytest.raises(rn.UnsupportedError, match=message):
        model.stream(batch=1)
    gru = strategies.make_recurrent(RNG, "gru", 3, 4, return_sequences=False)
    with pytest.raises(rn.ShapeError, match=r"\(InstanceNorm\): expected an input of steps"):
        ModelSpec((gru, InstanceNorm(4)))
    with pytest.raises(rn.UnsupportedError, match="InstanceNorm"):
        rn.train.Network(model.spec)


@pytest.mark.parametrize("options", [
    {}, {"groups": 3}, {"positions": 2}, {"positions": 2, "groups": 1}, {"epsilon": 0.25},
    {"weight": None}, {"bias": None}, {"weight": None, "bias": None},
], ids=str)  # fmt: skip
def test_every_option_counts_and_a_file_keeps_it(options: dict[str, Any], tmp_path: Path) -> None:
    channels = 6 // options.get("positions", 1)
    weight, bias = vectors(6)
    plain = {"weight": weight, "bias": bias}
    own = {name: array[:channels] for name, array in plain.items()}
    layer = InstanceNorm(6, **(own | options))
    spec = ModelSpec((strategies.make_linear(RNG, 4, 6), layer))
    x = RNG.normal(0, 1, (5, 2, 4)).astype("f4")
    y, _ = rn.Model(spec)(x)
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"norm.{suffix}"
        formats.write(spec, path)
        again = formats.read(path)
        assert repr(again) == repr(spec)
        assert_same_bits(rn.Model(again)(x)[0], y)
    other = ModelSpec((spec.layers[0], InstanceNorm(6, **plain)))
    assert np.array_equal(rn.Model(other)(x)[0], y) == (not options)


def test_random_graphs_have_some() -> None:
    """Those that other tests run."""
    graphs = (make_graph(np.random.default_rng(seed), streams=False) for seed in range(60))
    layers = [node.layer for graph in graphs for node in graph.nodes.values()]
    assert any(isinstance(layer, InstanceNorm) for layer in layers)


def test_wrong_numbers_are_named() -> None:
    for options, error, message in (
        ({"features": 0}, rn.OptionError, "InstanceNorm features: expected 1 to"),
        ({"positions": 4}, rn.ShapeError, "positions: expected a divisor of 6 features, got 4"),
        ({"groups": 4}, rn.ShapeError, "groups: expected a divisor of 6 channels, got 4"),
        ({"positions": 2, "groups": 6}, rn.ShapeError, "a divisor of 3 channels, got 6"),
        ({"epsilon": 0}, rn.OptionError, "epsilon: expected a number above 0"),
        ({"epsilon": None}, rn.OptionError, "epsilon: expected a number above 0"),
        ({"weight": np.ones(5)}, rn.ShapeError, r"InstanceNorm weight: expected .*\(6,\)"),
        ({"positions": 2, "bias": np.ones(6)}, rn.ShapeError, r"InstanceNorm bias: .*\(3,\)"),
    ):
        with pytest.raises(error, match=message):
            InstanceNorm(**({"features": 6} | options))
    with pytest.raises(rn.UnsupportedError):
        rn.Model(alone(InstanceNorm(2, epsilon=1e300)))
    rn.Model(alone(InstanceNorm(2, epsilon=1e300)), dtype="float64")
