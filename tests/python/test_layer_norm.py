"""LayerNorm: features of one step less their mean, by their deviation; and the operators and layers
that it is read out of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import LayerNorm, ModelSpec

RNG = np.random.default_rng(17)
Array = Any


def vectors(size: int, dtype: str = "f4") -> Array:
    return RNG.uniform(-1, 1, (2, size)).astype(dtype)


def alone(layer: LayerNorm) -> ModelSpec:
    return ModelSpec(nodes={"n": (layer, ("x",))}, inputs={"x": layer.features}, outputs="n")


def ordered_sum(terms: Array) -> Array:
    """Of the last axis in the order that norm.c states: sixteen sums, then halves."""
    padded = np.zeros((*terms.shape[:-1], -(-terms.shape[-1] // 16) * 16), terms.dtype)
    padded[..., : terms.shape[-1]] = terms
    sums = np.zeros((*terms.shape[:-1], 16), terms.dtype)
    for block in np.split(padded, padded.shape[-1] // 16, axis=-1):
        sums = sums + block
    while sums.shape[-1] > 1:
        half = sums.shape[-1] // 2
        sums = sums[..., :half] + sums[..., half:]
    return sums


def normal(layer: LayerNorm, x: Array) -> Array:
    """The equations in the type of x, one rounding after the other."""
    kind = x.dtype.type
    blocks = x.reshape(*x.shape[:-1], layer.groups, -1)
    n = kind(blocks.shape[-1])
    if layer.subtract_mean:
        blocks = blocks - ordered_sum(blocks) / n
    variance = ordered_sum(blocks * blocks) / n
    y = (blocks * (kind(1) / np.sqrt(variance + kind(layer.epsilon)))).reshape(x.shape)
    y = y if layer.weight is None else y * layer.weight
    return y if layer.bias is None else y + layer.bias


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("subtract_mean", [True, False])
def test_sums_have_one_order(dtype: str, subtract_mean: bool) -> None:
    """To the bit, of every width about a vector's, in one block and several."""
    for width in (1, 3, 8, 15, 16, 17, 33, 100):
        for groups in {1, width, *(n for n in (2, 3, 4, 5) if width % n == 0)}:
            layer = LayerNorm(width, *vectors(width, dtype), groups, 1e-3, subtract_mean)
            x = RNG.normal(2, 30, (7, 3, width)).astype(dtype)
            want = normal(layer, x)
            y, _ = rn.Model(alone(layer), dtype=dtype)(x)
            assert_same_bits(y, want)
            y, _ = rn.Model(alone(layer), dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
            assert_same_bits(y, want.swapaxes(0, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("last", [False, True])
def test_calls_streams_threads_and_padding(dtype: str, groups: int, last: bool) -> None:
    weight, bias = vectors(20)
    spec = ModelSpec(
        (
            strategies.make_recurrent(RNG, "lstm", 5, 20, return_sequences=not last),
            LayerNorm(20, weight, bias, groups),
            strategies.make_linear(RNG, 20, 3),
            LayerNorm(3, subtract_mean=False, epsilon=0.1),
        )
    )
    x = strategies.random_input(spec, 9, 4, RNG)
    check(spec, x, None, [9, 2, 0, 5], dtype=dtype)
    model = rn.Model(spec, dtype=dtype)
    y, _ = model(x, num_threads=1)
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=4)
    steps = np.stack([stream.step(x_t).copy() for x_t in x.astype(dtype)])
    assert_same_bits(steps[-1] if last else steps, y)
    if not last:
        assert not model(x, lengths=[9, 2, 0, 5])[0][2:, 1].any()


@pytest.mark.parametrize("options", [
    {}, {"groups": 3}, {"epsilon": 0.25}, {"weight": None}, {"bias": None},
    {"weight": None, "bias": None}, {"subtract_mean": False, "groups": 2},
])  # fmt: skip
def test_every_option_counts_and_a_file_keeps_it(options: dict[str, Any], tmp_path: Path) -> None:
    weight, bias = vectors(6)
    plain = {"weight": weight, "bias": bias}
    layer = LayerNorm(6, **(plain | options))
    spec = ModelSpec((strategies.make_linear(RNG, 4, 6), layer))
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"norm.{suffix}"
        formats.write(spec, path)
        again = formats.read(path).layers[1]
        assert repr(again) == repr(layer)
        for name, array in layer.arrays.items():
            assert_same_bits(again.arrays[name], array)
    x = RNG.normal(0, 1, (3, 2, 4)).astype("f4")
    other = ModelSpec((spec.layers[0], LayerNorm(6, **plain)))
    same = np.array_equal(rn.Model(spec)(x)[0], rn.Model(other)(x)[0])
    assert same == (not options)


def test_what_is_no_number_stays_in_its_block() -> None:
    layer = LayerNorm(6, groups=3)
    x = np.array([[[np.nan, 1, np.inf, 1, 2, 4]]], np.float32)
    y, _ = rn.Model(alone(layer))(x)
    assert np.isnan(y[0, 0, :4]).all()
    np.testing.assert_allclose(y[0, 0, 4:], [-1, 1], rtol=0, atol=1e-4)
    want, _ = rn.reference.run(alone(layer), x)
    np.testing.assert_array_equal(np.isnan(want), np.isnan(y))


def test_equal_features_have_a_deviation_of_epsilon_alone() -> None:
    """Their mean is exact where their sum is: 0 by any deviation is 0."""
    x = np.full((2, 1, 8), 3.0, np.float32)
    y, _ = rn.Model(alone(LayerNorm(8, None, np.full(8, 0.5), epsilon=1e-12)))(x)
    assert_same_bits(y, np.full_like(x, 0.5))


def test_wrong_numbers_are_named() -> None:
    for options, error, message in (
        ({"features": 0}, rn.OptionError, "LayerNorm features: expected 1 to"),
        ({"groups": 4}, rn.ShapeError, "groups: expected a divisor of 6 features, got 4"),
        ({"epsilon": 0.0}, rn.OptionError, "epsilon: expected a number above 0, got 0.0"),
        ({"epsilon": np.inf}, rn.OptionError, "LayerNorm epsilon: expected a finite number"),
        ({"subtract_mean": 1}, rn.OptionError, "subtract_mean: expected True or False, got 1"),
        ({"weight": np.ones(5)}, rn.ShapeError, r"weight: expected shape \(6,\), got \(5,\)"),
        ({"bias": np.ones((6, 1))}, rn.ShapeError, r"bias: expected shape \(6,\), got \(6, 1\)"),
    ):
        with pytest.raises(error, match=message):
            LayerNorm(**({"features": 6} | options))
    with pytest.raises(rn.UnsupportedError):  # of float32
        rn.Model(alone(LayerNorm(3, epsilon=1e39)))
    with pytest.raises(rn.ShapeError, match="an input of 6 features"):
        ModelSpec((strategies.make_linear(RNG, 4, 5), LayerNorm(6)))


def test_rms_norm_takes_no_mean_off() -> None:
    x = RNG.normal(3, 1, (4, 2, 5))
    weight, _ = vectors(5, "f8")
    y, _ = rn.reference.run(alone(rn.RMSNorm(5, weight, 0.5)), x)
    want = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 0.5) * weight
    np.testing.assert_allclose(y, want, rtol=1e-14)


@pytest.mark.oracle
def test_it_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    x, (weight, bias) = RNG.normal(1, 2, (6, 12)), vectors(12, "f8")
    given, w, b = map(torch.tensor, (x, weight, bias))
    functions = torch.nn.functional
    pairs = (
        (LayerNorm(12, weight, bias), functions.layer_norm(given, (12,), w, b)),
        (LayerNorm(12, epsilon=0.1), functions.layer_norm(given, (12,), eps=0.1)),
        (LayerNorm(12, weight, bias, 4), functions.group_norm(given, 4, w, b)),
        (rn.RMSNorm(12, weight, 0.1), functions.rms_norm(given, (12,), w, 0.1)),
    )
    for layer, want in pairs:
        y, _ = rn.Model(alone(layer), dtype="float64")(x[None])
        np.testing.assert_allclose(y[0], want.numpy(), rtol=0, atol=1e-14)


# Keras


def kerass(x: Array, of: dict[str, Array], epsilon: float, centred: bool = True) -> Array:
    x = x - np.mean(x, axis=-1, keepdims=True) if centred else x
    x = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon)
    return of.get("gamma", of.get("scale", 1.0)) * x + of.get("beta", 0.0)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.25}])
@pytest.mark.parametrize("axis", [-1, [-1], 2, [2]])
def test_kerass_layer_normalization(options: dict[str, Any], axis: Any, tmp_path: Path) -> None:
    """Behind a layer whose two directions are exchanged, too."""
    own = dict(zip(("gamma", "beta"), vectors(8), strict=True))
    for option, name in (("scale", "gamma"), ("center", "beta")):
        if not options.get(option, True):
            del own[name]
    weights, second = kf.lstm(3, 4), kf.lstm(4, 8, 1)
    config = kf.sequential(
        kf.recurrent("LSTM", "one", 4, go_backwards=True),
        kf.recurrent("LSTM", "two", 8),
        kf.layer("LayerNormalization", "norm", axis=axis, **options),
    )
    path = kf.write_h5(tmp_path / "m.h5", config, {"one": weights, "two": second, "norm": own})
    x = RNG.normal(0, 1, (2, 6, 3))
    y = ke.lstm(ke.lstm(x, list(weights.values()), backwards=True), list(second.values()))
    with pytest.warns(UserWarning, match=r"gives y\[::-1\]"):
        spec = formats.read(path)
    got, _ = rn.reference.run(spec, x.swapaxes(0, 1))
    want = kerass(y, own, options.get("epsilon", 1e-3))
    np.testing.assert_allclose(got.swapaxes(0, 1)[:, ::-1], want, rtol=0, atol=1e-11)
    lists = rn.keras_weights(spec)
    assert [len(arrays) for arrays in lists] == [3, 3, len(own)]
    for got_array, want_array in zip(lists[2], own.values(), strict=True):
        assert_same_bits(got_array, want_array)


def test_kerass_rms_normalization_and_what_is_refused(tmp_path: Path) -> None:
    weights, own = kf.lstm(3, 4), {"scale": vectors(4)[0]}
    config = kf.sequential(
        kf.recurrent("LSTM", "one", 4), kf.layer("RMSNormalization", "norm", epsilon=0.1)
    )
    path = kf.write_h5(tmp_path / "m.h5", config, {"one": weights, "norm": own})
    x = RNG.normal(0, 1, (2, 6, 3))
    got, _ = rn.reference.run(formats.read(path), x.swapaxes(0, 1))
    want = kerass(ke.lstm(x, list(weights.values())), own, 0.1, centred=False)
    np.testing.assert_allclose(got.swapaxes(0, 1), want, rtol=0, atol=1e-11)
    for options, message in (
        ({"axis": 1}, "axis=1 is not the features"),
        ({"rms_scaling": True}, "rms_scaling=True is not supported; RMSNormalization is"),
    ):
        layer = kf.layer("LayerNormalization", "norm", **options)
        config = kf.sequential(kf.recurrent("LSTM", "one", 4), layer)
        both = dict(zip(("gamma", "beta"), vectors(4), strict=True))
        path = kf.write_h5(tmp_path / "m.h5", config, {"one": weights, "norm": both})
        with pytest.raises(rn.UnsupportedError, match=message):
            formats.read(path)
    linear = strategies.make_linear(RNG, 3, 4)
    for layer, message in (
        (LayerNorm(4, own["scale"], groups=2), "groups=2: Keras's LayerNormalization has one"),
        (LayerNorm(4, own["scale"], own["scale"], subtract_mean=False), "subtract_mean=False"),
    ):
        with pytest.raises(rn.UnsupportedError, match=message):
            rn.keras_weights(ModelSpec((linear, layer)))
