"""A Model keeps its matrices packed and in no other form."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Embedding, Linear, ModelSpec


@pytest.mark.parametrize("matmul", ["packed", "blas"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [1, 5, 16, 23, 70])
@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=VARIANT_IDS)
def test_the_spec_comes_back_bit_for_bit(
    cell: str, options: dict[str, Any], hidden: int, dtype: str, matmul: str
) -> None:
    if options.get("proj_size", 0) >= hidden:
        hidden = options["proj_size"] + hidden
    if matmul == "blas" and rn.show_config(mode="dicts")["blas"] is None:
        pytest.skip("no BLAS in this process")
    rng = np.random.default_rng(0)
    layer = strategies.make_recurrent(
        rng, cell, 7, hidden, num_layers=2, direction="bidirectional", **options
    )
    spec = ModelSpec(
        (
            Embedding(rng.standard_normal((9, 7)).astype(dtype)),
            type(layer)(
                weights={name: a.astype(dtype) for name, a in layer.arrays.items()},
                **layer.options,
            ),
            Linear(rng.standard_normal((19, layer.output_size)).astype(dtype), activation="tanh"),
        )
    )
    back = rn.Model(spec, dtype=dtype, matmul=matmul).spec
    for before, after in zip(spec.layers, back.layers, strict=True):
        assert type(before) is type(after)
        assert list(before.arrays) == list(after.arrays)
        for name, array in before.arrays.items():
            assert after.arrays[name].dtype == array.dtype
            assert after.arrays[name].tobytes() == array.tobytes(), name
    assert back.recurrents[0].options == layer.options
    last = back.layers[-1]
    assert isinstance(last, Linear)
    assert last.activation == "tanh"


@pytest.mark.parametrize("remake", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy])
def test_models_and_modules_can_be_sent_to_other_processes(remake: Callable[[Any], Any]) -> None:
    x = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    module = rn.LSTM(3, 5, bidirectional=True, batch_first=True)
    for one in (module, module.model, rn.Model(module.model.spec, dtype="float64")):
        assert remake(one)(x)[0].tobytes() == one(x)[0].tobytes()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_model_in_memory_is_little_more_than_its_weights(cell: str) -> None:
    layer = strategies.make_recurrent(np.random.default_rng(0), cell, 256, 256, num_layers=2)
    spec = ModelSpec((layer,))
    raw = sum(array.nbytes for array in layer.arrays.values())
    tracemalloc.start()  # counts what NumPy and Python hold
    before = tracemalloc.get_traced_memory()[0]
    model = rn.Model(spec)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert model._core.info["memory"] + held <= 1.1 * raw
