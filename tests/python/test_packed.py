"""A Model keeps its matrices packed and in no other form."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import DTYPES
from strategies import VARIANT_IDS, VARIANTS

import rnn_native as rn
from rnn_native.spec import Embedding, Linear, ModelSpec
from rnn_native.spec.layers.convolutions import Conv1d


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


def test_a_model_keeps_none_of_the_arrays_that_it_is_made_of() -> None:
    """Its spec may go, and what it holds of a layer beside the core are vectors."""
    rng = np.random.default_rng(3)
    layers = (
        strategies.make_embedding(rng, 40, 8),
        Conv1d(rng.standard_normal((8, 8, 3)), padding=(2, 0)),
        strategies.make_recurrent(rng, "lstm", 8, 16),
        strategies.make_linear(rng, 16, 5),
    )
    alive = [weakref.ref(a) for layer in layers for a in layer.arrays.values() if a.ndim == 2]
    model = rn.Model(ModelSpec(layers))
    model.trace(np.zeros((3, 1), np.int32))
    del layers
    gc.collect()
    assert len(alive) == 5
    assert [ref() for ref in alive] == [None] * 5
    assert len(model.spec.layers) == 4


def past_float32(where: str) -> ModelSpec:
    """A model with 1e300 in one of its arrays, and infinity, which is one in any type, beside."""
    initial = np.array([[np.inf, 1, -1e300, 0]])
    layers = {
        "weight_hh_l0": lambda a: rn.Recurrent("gru", 3, 4, a),
        "bias_ih_l0": lambda a: rn.Recurrent("gru", 3, 4, a),
        "h_0": lambda a: rn.Recurrent("gru", 3, 4, a, initial_state=initial),
        "weight": lambda a: Linear(np.array([[1.0, np.inf], [1e300, 2.0]])),
    }
    arrays = {name: np.ones(array.shape) for name, array in rn.GRU(3, 4).state_dict().items()}
    if where in arrays:
        arrays[where].flat[:2] = 1e300, np.inf
    return ModelSpec((layers[where](arrays),))


@pytest.mark.parametrize("where", ["weight_hh_l0", "bias_ih_l0", "h_0", "weight"])
def test_a_number_past_float32_is_named(where: str) -> None:
    """Of each kind of array; float64 has room for it, and infinity is a number of both."""
    spec = past_float32(where)
    with pytest.raises(
        rn.UnsupportedError, match=rf"layer 0, \w+: {where} has -?1e\+300: float32 ends at 3.403e"
    ):
        rn.Model(spec)
    with pytest.raises(rn.UnsupportedError, match=where):
        rn.export_c(spec, "never written")
    model = rn.Model(spec, dtype="float64")
    assert np.isinf(model.spec.layers[0].arrays[where]).any()
    if where != "h_0":
        with pytest.raises(rn.UnsupportedError, match=where):
            rn.train.Network(spec)
    if where.endswith("l0"):
        gru = rn.GRU(3, 4)
        before = gru.state_dict()
        with pytest.raises(rn.UnsupportedError, match=where):
            gru.load_state_dict(spec.layers[0].arrays)
        assert all((before[name] == array).all() for name, array in gru.state_dict().items())


def test_what_rounds_to_the_largest_float_is_no_error() -> None:
    most = float(np.finfo(np.float32).max)
    model = rn.Model(ModelSpec((Linear(np.array([[most * (1 + 2**-26), np.nan]])),)))
    assert model.spec.layers[0].arrays["weight"][0, 0] == np.float32(most)
