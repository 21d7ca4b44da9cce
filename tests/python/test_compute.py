"""``compute="bfloat16"``: what it goes with, where it is kept, and that no bit depends on more."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import strategies
from agreement import assert_same_bits, assert_same_state

import rnn_native as rn
from rnn_native import _core

here = pytest.mark.skipif(not _core.has_bf16_dot(), reason="no products of bfloat16 here")


@pytest.mark.parametrize("compute", ["float16", "int8", "float32", 16, np.float32])
def test_unknown_values_are_refused_by_name(compute: Any) -> None:
    with pytest.raises(rn.OptionError, match=r"^compute: expected None .* or bfloat16; got "):
        rn.GRU(2, 3, compute=compute)


@pytest.mark.parametrize("weight_dtype", ["half-ish", object])
def test_unknown_weights_are_refused_by_name(weight_dtype: Any) -> None:
    with pytest.raises(rn.OptionError, match=r"^weight_dtype: expected None .*; got "):
        rn.GRU(2, 3, weight_dtype=weight_dtype, compute="bfloat16")


@pytest.mark.parametrize("weight_dtype", ["int8", "float16", np.float16])
def test_other_weights_are_refused_by_name(weight_dtype: Any) -> None:
    expected = r"compute='bfloat16': expected weight_dtype None or 'bfloat16'.*; got "
    with pytest.raises(rn.UnsupportedError, match=expected):
        rn.GRU(2, 3, weight_dtype=weight_dtype, compute="bfloat16")


@here
def test_float64_and_a_blas_are_refused_by_name() -> None:
    with pytest.raises(rn.UnsupportedError, match=r"^compute=.*dtype='float32'.*'float64'"):
        rn.LSTM(2, 3, dtype="float64", compute="bfloat16")
    with pytest.raises(rn.RnnError, match=r"^compute=.*matmul='packed'.*'blas'|BLAS"):
        rn.LSTM(2, 3, matmul="blas", compute="bfloat16")
    large = rn.Linear(weight=np.full((1, 1), np.finfo(np.float32).max))
    with pytest.raises(rn.UnsupportedError, match=r"0\.weight has .*bfloat16 ends at"):
        rn.Model([large], compute="bfloat16")


def test_kernels_without_are_named() -> None:
    """Whatever the CPU is, the baseline has no such products."""
    script = "import rnn_native as rn; rn.GRU(2, 3, compute='bfloat16')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"RNN_NATIVE_ISA": "baseline"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "UnsupportedError: compute='bfloat16': expected a CPU" in done.stderr
    assert (
        "AVX512_BF16 or, on AArch64, FEAT_BF16; got baseline without; weight_dtype" in done.stderr
    )
    assert "'bfloat16' runs on any CPU" in done.stderr


@here
@pytest.mark.parametrize("weight_dtype", [None, "bfloat16", ml_dtypes.bfloat16])
def test_the_weights_may_be_said_too(weight_dtype: Any) -> None:
    spec = strategies.make_spec(np.random.default_rng(1), "gru", 5, 20, out_features=2)
    model = rn.Model(spec, weight_dtype=weight_dtype, compute="bfloat16")
    assert (model.weight_dtype, model.compute) == ("bfloat16", "bfloat16")
    x = np.random.default_rng(2).standard_normal((6, 3, 5), np.float32)
    assert_same_bits(model(x)[0], rn.Model(spec, compute="bfloat16")(x)[0])
    assert rn.Model(spec).compute is None


@here
@pytest.mark.parametrize("kind", [rn.RNN, rn.GRU, rn.LSTM])
def test_modules_models_and_files_keep_it(kind: Any, tmp_path: Path) -> None:
    module = kind(3, 40, compute="bfloat16")
    assert "compute='bfloat16'" in repr(module)
    assert "float32, weights in bfloat16, products in bfloat16, " in repr(module.model)
    same = [copy.deepcopy(module.model), pickle.loads(pickle.dumps(module.model))]
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"model.{suffix}"
        module.model.save(path)
        same.append(rn.load(path))
    x = np.random.default_rng(0).standard_normal((4, 2, 3), np.float32)
    y, state = module(x)
    for model in same:
        assert (model.weight_dtype, model.compute) == ("bfloat16", "bfloat16")
        again, final = model(x)
        assert_same_bits(again, y)
        assert_same_state(final, state)
    for given in ({"dtype": "float32"}, {"weight_dtype": "bfloat16"}):
        widened = rn.load(path, **given)
        assert widened.compute is None
        assert (widened(x)[0] != y).any()
    module.load_state_dict(module.state_dict())
    assert module.model.compute == "bfloat16"
    assert_same_bits(module(x)[0], y)


@here
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_streams_and_threads_give_the_same_bits(cell: str) -> None:
    rng = np.random.default_rng(3)
    spec = strategies.make_spec(rng, cell, 17, 70, num_layers=2, out_features=5)
    model = rn.Model(spec, compute="bfloat16")
    for batch in (1, 5, 13):
        x = rng.standard_normal((8, batch, 17), np.float32)
        y, state = model(x, num_threads=1)
        for threads in (2, 3):
            again, final = model(x, num_threads=threads)
            assert_same_bits(again, y)
            assert_same_state(final, state)
            stream = model.stream(batch, num_threads=threads)
            assert_same_bits(np.stack([stream.step(step).copy() for step in x]), y)
