"""Weights that are stored as float16 or bfloat16, and widened when they are multiplied."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import strategies
import sweeps
from agreement import assert_same_bits
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.weight_types import WEIGHT_DTYPES

CONFIG = rn.show_config(mode="dicts")
KINDS = (rn.RNN, rn.GRU, rn.LSTM)


@pytest.mark.parametrize("isa", CONFIG["isas_available"])
def test_stored_weights_give_the_bits_of_the_same_weights_in_float32(isa: str) -> None:
    sweeps.passes("weight_type_sweep.py", isa)


TYPES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


def test_the_core_has_these_types() -> None:
    assert (*TYPES, "int8") == WEIGHT_DTYPES


def every_number(name: str) -> NDArray[Any]:
    """All 2^16 numbers: subnormal ones, infinities and NaN too."""
    return np.arange(65536, dtype=np.uint16).view(TYPES[name])


def linear(weight: NDArray[Any]) -> rn.ModelSpec:
    return rn.ModelSpec((rn.Linear(weight=weight),))


def stored(weight: NDArray[Any], name: str) -> NDArray[np.float32]:
    """What a model keeps of a weight."""
    return rn.Model(linear(weight), weight_dtype=name).spec.layers[0].arrays["weight"]


@pytest.mark.parametrize("name", TYPES)
def test_every_number_is_stored_as_it_is(name: str) -> None:
    numbers = every_number(name).reshape(256, 256).astype(np.float32)
    assert_same_bits(np.nan_to_num(stored(numbers, name)), np.nan_to_num(numbers))
    assert np.array_equal(np.isnan(stored(numbers, name)), np.isnan(numbers))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TYPES)
def test_weights_are_rounded_to_the_nearest(dtype: type, name: str) -> None:
    """A tie goes to the even one: half-way between each number and the next, and the neighbours of
    that; of doubles in one step."""
    numbers = every_number(name)[:0x8000]  # those that are not negative
    finite = numbers[np.isfinite(numbers)].astype(np.float64)
    below, above = finite[:-1], finite[1:]
    middle = ((below + above) / 2).astype(dtype)
    exact = middle.astype(np.float64) == (below + above) / 2  # not among float32's denormals
    even = np.arange(len(middle)) % 2 == 0
    for value, expected in (
        (middle, np.where(even, below, above)),
        (np.nextafter(middle, dtype(np.inf)), above),
        (np.nextafter(middle, dtype(0)), below),
    ):
        for sign in (1, -1):
            kept = exact & (value != 0)
            rows = kept.sum() // 64 * 64
            got = stored((sign * value[kept][:rows]).reshape(-1, 64), name)
            assert_same_bits(got.ravel(), (sign * expected[kept][:rows]).astype(np.float32))


@pytest.mark.parametrize("name", TYPES)
def test_what_is_multiplied_is_the_widened_number(name: str) -> None:
    """Each number alone in its product has the bits of the same weight in float32: 1 w, exact where
    denormals are kept; a NaN stays one."""
    weight = every_number(name).reshape(-1, 1).astype(np.float32)
    model, wide = rn.Model(linear(weight), weight_dtype=name), rn.Model(linear(weight))
    for batch in (1, 5):
        y, _ = model(np.ones((1, batch, 1), np.float32))
        expected, _ = wide(np.ones((1, batch, 1), np.float32))
        assert np.array_equal(y, expected, equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_modules_models_and_files_keep_the_type(kind: Any, tmp_path: Path) -> None:
    module = kind(3, 40, weight_dtype="float16")
    assert module.model.weight_dtype == "float16"
    assert "weight_dtype='float16'" in repr(module)
    assert "weights in float16" in repr(module.model)
    same = [copy.deepcopy(module.model), pickle.loads(pickle.dumps(module.model))]
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"model.{suffix}"
        module.model.save(path, golden=True)
        same.append(rn.load(path, verify=True))
    x = np.random.default_rng(0).standard_normal((4, 2, 3), np.float32)
    y, _ = module(x)
    for model in same:
        assert model.weight_dtype == "float16"
        assert model.memory == module.model.memory
        assert_same_bits(model(x)[0], y)
    wide = rn.load(tmp_path / "model.safetensors", dtype="float32")
    assert wide.weight_dtype is None
    assert_same_bits(wide(x)[0], y)
    assert rn.load(path, dtype="float64").weight_dtype is None
    assert module.model.memory < wide.memory
    module.load_state_dict(module.state_dict())
    assert module.model.weight_dtype == "float16"
    assert_same_bits(module(x)[0], y)


def test_only_where_it_is_asked_for(tmp_path: Path) -> None:
    module = rn.GRU(3, 8)
    halves = {n: a.astype(np.float16).astype(np.float32) for n, a in module.state_dict().items()}
    module.load_state_dict(halves)
    module.model.save(tmp_path / "plain.safetensors")
    assert rn.load(tmp_path / "plain.safetensors").weight_dtype is None
    assert rn.load(tmp_path / "plain.safetensors", weight_dtype="float16").weight_dtype == "float16"
    assert rn.Model(module, weight_dtype=np.float16).weight_dtype == "float16"


@pytest.mark.parametrize("name", ["int4", "float32", "half-ish", 16, object])
def test_unknown_types_are_refused_by_name(name: Any) -> None:
    with pytest.raises(rn.OptionError, match=r"expected None .* float16 or bfloat16 or int8; got"):
        rn.Model(rn.GRU(2, 3), weight_dtype=name)


def test_what_does_not_go_together_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(rn.UnsupportedError, match=r"weight_dtype.*dtype='float32'.*'float64'"):
        rn.LSTM(2, 3, dtype="float64", weight_dtype="float16")
    if rn.show_config(mode="dicts")["blas"]:
        with pytest.raises(rn.UnsupportedError, match=r"weight_dtype.*matmul='packed'.*'blas'"):
            rn.LSTM(2, 3, matmul="blas", weight_dtype="float16")
    rn.GRU(2, 3).model.save(tmp_path / "plain.safetensors")
    with pytest.raises(rn.UnsupportedError, match=r"weight_dtype.*dtype='float32'"):
        rn.load(tmp_path / "plain.safetensors", dtype="float64", weight_dtype="float16")


@pytest.mark.parametrize("value", [65520.0, -1e6, 3e38])
def test_a_weight_that_would_become_infinite_is_refused_by_name(value: float) -> None:
    spec = strategies.make_spec(np.random.default_rng(0), "lstm", 3, 4, out_features=2)
    arrays = {name: array.copy() for name, array in spec.layers[0].arrays.items()}
    arrays["weight_hh_l0"][1, 2] = value
    layer = rn.Recurrent("lstm", 3, 4, weights=arrays)
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight_hh_l0 has .*float16 ends at 65504"):
        rn.Model([layer], weight_dtype="float16")
    arrays["weight_hh_l0"][1, 2] = 65519.0  # rounds to 65504
    arrays["bias_ih_l0"][0] = value  # stays as it is
    model = rn.Model([rn.Recurrent("lstm", 3, 4, weights=arrays)], weight_dtype="float16")
    assert model.spec.layers[0].arrays["weight_hh_l0"][1, 2] == 65504
    assert model.spec.layers[0].arrays["bias_ih_l0"][0] == np.float32(value)


def test_what_a_file_says_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    rn.GRU(2, 3, weight_dtype="float16").model.save(path)
    data = path.read_bytes()
    for other in (b'weight_dtype":"float61"', b'weight_dtype":"loat16" '):
        path.write_bytes(data.replace(b'weight_dtype":"float16"', other))
        with pytest.raises(rn.FormatError, match=r"rnn_native\.weight_dtype: expected float16 or"):
            rn.load(path)


def test_a_weight_beyond_bfloat16_is_refused_by_name() -> None:
    weight = np.full((1, 1), np.finfo(np.float32).max)
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight has .*bfloat16 ends at 3\.3895"):
        rn.Model(linear(weight), weight_dtype="bfloat16")
    assert rn.Model(linear(weight / 2), weight_dtype=ml_dtypes.bfloat16).weight_dtype == "bfloat16"
