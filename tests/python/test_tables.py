"""An Embedding's table as a ``weight_dtype`` stores it: rows rounded once, looked up to the bit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
import sweeps
from agreement import assert_same_bits, assert_same_state
from hypothesis import given
from precision_sweep import options_here
from strategies import make_spec, seeds

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.formats.calling import WEIGHT_DTYPE
from rnn_native.spec import ModelSpec
from rnn_native.weight_types import WEIGHT_DTYPES

BYTES = {"float16": 2, "bfloat16": 2, "int8": 1}
each_type = pytest.mark.parametrize("name", WEIGHT_DTYPES)


def words(known: int = 40, features: int = 24, cell: str = "gru") -> ModelSpec:
    rng = np.random.default_rng(0)
    return make_spec(rng, cell, features, 8, num_embeddings=known, out_features=3)


def indices(known: int = 40, steps: int = 12, rows: int = 3) -> Any:
    return np.random.default_rng(1).integers(0, known, (steps, rows))


@pytest.mark.parametrize("isa", rn.show_config(mode="dicts")["isas_available"])
def test_rows_are_the_references_on_every_instruction_set(isa: str) -> None:
    assert "int8" in sweeps.passes("table_sweep.py", isa)


@each_type
def test_a_table_takes_the_bytes_of_its_type(name: str) -> None:
    """And int8 a float for each row; arrays begin at multiples of 64 bytes."""
    known, features = 300, 50
    spec = ModelSpec((strategies.make_embedding(np.random.default_rng(0), known, features),))
    size, scales = known * features, 4 * known * (name == "int8")
    less = rn.Model(spec).memory - rn.Model(spec, weight_dtype=name).memory
    assert abs(less - ((4 - BYTES[name]) * size - scales)) <= 2 * 64
    kept = rn.Model(spec, weight_dtype=name, keep=["0"])
    assert kept.memory == rn.Model(spec).memory
    x = np.arange(known)[:, None]
    assert_same_bits(kept(x)[0], rn.Model(spec)(x)[0])
    assert f"weights in {name} but of 0" in repr(kept)


@given(seeds())
def test_integers_of_a_table_are_kept(seed: int) -> None:
    """A table of a quantised file, with one scale or one a row, and -128 among its integers."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 9)), int(rng.integers(1, 70))
    integers = rng.integers(-128, 128, shape)
    scales = np.float32(rng.uniform(1e-3, 1, (shape[0] if rng.random() < 0.5 else 1, 1)))
    table = (integers * scales.astype(np.float64)).astype(np.float32)
    model = rn.Model([rn.Embedding(table)], weight_dtype="int8")
    x = np.arange(shape[0])[:, None]
    np.testing.assert_array_equal(model(x)[0][:, 0], table)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
@each_type
def test_files_copies_and_pickles_have_the_same_table(
    name: str, suffix: str, tmp_path: Path
) -> None:
    model, x = rn.Model(words(), weight_dtype=name), indices()
    path = tmp_path / f"model.{suffix}"
    model.save(path, golden={"x": x})
    stored = rn.read_arrays(path)
    table = model.spec.layers[0].arrays["weight"]
    if name == "int8":
        assert stored["0.weight"].dtype == np.int8
        product = stored["0.weight"].astype(np.float64) * stored["0.weight_scale"][:, None]
        assert_same_bits(product.astype(np.float32), table)
    elif (name, suffix) != ("bfloat16", "npz"):  # which NumPy has not
        data = path.read_bytes()
        whole = np.float16(table) if name == "float16" else (table.view(np.uint32) >> 16)
        assert whole.astype("<f2" if name == "float16" else "<u2").tobytes() in data
    y, state = model(x)
    loaded = rn.load(path, verify=True)
    for again in (loaded, copy.copy(model), copy.deepcopy(model),
                  pickle.loads(pickle.dumps(model))):  # fmt: skip
        assert (again.weight_dtype, again.memory) == (name, model.memory)
        assert_same_bits(again(x)[0], y)
        assert_same_state(again(x)[1], state)
    wide = rn.load(path, dtype="float32")
    assert wide.weight_dtype is None
    assert_same_bits(wide.spec.layers[0].arrays["weight"], table)


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_a_file_with_a_table_of_float32_beside_int8_is_read(suffix: str, tmp_path: Path) -> None:
    """As files were before tables had a type: the model is that of the same weights."""
    spec, x = words(), indices()
    others = [reference.stored(spec, "int8").layers[i] for i in (1, 2)]
    whole = ModelSpec((spec.layers[0], *others))
    path = tmp_path / f"model.{suffix}"
    formats.write(whole, path, strings={WEIGHT_DTYPE: "int8"})
    stored = rn.read_arrays(path)
    assert stored["0.weight"].dtype == np.float32
    assert stored["1.weight_hh_l0"].dtype == stored["2.weight"].dtype == np.int8
    made = rn.load(path)
    assert made.weight_dtype == "int8"
    assert_same_bits(made(x)[0], rn.Model(spec, weight_dtype="int8")(x)[0])
    kept = rn.load(path, keep=["0"])
    assert_same_bits(kept.spec.layers[0].arrays["weight"], spec.layers[0].arrays["weight"])


WRONG = {"float16": (65520.0, "float16 ends at 65504"), "bfloat16": (3.4e38, "bfloat16 ends at"),
         "int8": (np.nan, "expected finite weights")}  # fmt: skip


@each_type
def test_what_a_table_has_and_its_type_has_not_is_refused_by_name(name: str) -> None:
    value, message = WRONG[name]
    table = np.ones((4, 3), np.float32)
    table[2, 1] = value
    spec = ModelSpec((rn.Embedding(table),))
    with pytest.raises(rn.UnsupportedError, match=rf"weight_dtype='{name}': 0\.weight.*{message}"):
        rn.Model(spec, weight_dtype=name)
    with pytest.raises(rn.UnsupportedError, match=rf"0\.weight has .*{name} has not"):
        reference.stored(spec, name)
    x = np.arange(4)[:, None]
    got, _ = rn.Model(spec, weight_dtype=name, keep=["0"])(x)
    np.testing.assert_array_equal(got[:, 0], table)


def test_a_row_that_is_not_multiplied_may_be_of_any_width() -> None:
    """131072 weights are the most that an int32 has room for in a product."""
    table = np.tile(np.array([[1, -2, 3]], np.float32), (2, 131073 // 3 + 1))
    model = rn.Model([rn.Embedding(table)], weight_dtype="int8")
    assert_same_bits(model(np.array([[1]]))[0][0, 0], table[1])
    with pytest.raises(rn.UnsupportedError, match="rows of at most 131072"):
        rn.Model([rn.Linear(table)], weight_dtype="int8")


@each_type
def test_a_table_is_a_layer_of_the_report(name: str) -> None:
    spec, x = words(), indices(steps=60)
    made = rn.quantize(spec, name, x)
    assert [layer.name for layer in made.layers] == ["0", "1", "2"]
    table = made.layers[0]
    assert (table.kind, table.parameters, table.kept) == ("embedding", 40 * 24, False)
    before, after = (m.layers[0].arrays["weight"] for m in (spec, made.model.spec))
    assert table.weights.largest == np.abs(np.float64(after) - before).max() > 0
    assert table.own is not None
    assert table.own.largest == np.abs(np.float64(after) - before)[np.unique(x)].max()
    assert table.effect > 0
    kept = rn.quantize(spec, name, x, keep=["0"])
    assert kept.kept == ("0",)
    assert kept.layers[0].result is not None
    assert kept.layers[0].result.largest == 0
    assert kept.memory[1] > made.memory[1]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("options", options_here())
def test_a_layer_that_rounds_what_it_reads_sees_no_difference(
    options: dict[str, Any], cell: str
) -> None:
    """A row is rounded to the same integers by its own largest number, once or twice. Rows stay
    clear of borders between two integers, where an ulp would decide."""
    spec, x = words(cell=cell), indices()
    table = spec.layers[0].arrays["weight"]
    steps = table / (np.abs(table).max(axis=1, keepdims=True) / 127)
    clear = np.where(np.abs(steps - np.rint(steps)) > 0.49, np.float32(0), table)
    spec = spec.having({"0": rn.Embedding(clear)})
    y, kept = (rn.Model(spec, **options, keep=keep)(x)[0] for keep in ((), ("0",)))
    assert_same_bits(y, kept)
    assert not np.array_equal(y, rn.Model(spec)(x)[0])


def test_a_model_of_a_table_alone_is_reduced() -> None:
    spec = ModelSpec((strategies.make_embedding(np.random.default_rng(0), 30, 16),))
    made = rn.quantize(spec, "int8", indices(30))
    assert made.model.weight_dtype == "int8"
    assert [layer.kind for layer in made.layers] == ["embedding"]
    assert made.outputs["y"].sqnr > 35


@each_type
def test_a_table_that_nodes_of_a_graph_read_is_one_layer(name: str) -> None:
    rng = np.random.default_rng(2)
    nodes = {
        "words": (strategies.make_embedding(rng, 9, 6), "x"),
        "gru": (strategies.make_recurrent(rng, "gru", 6, 5), "words"),
        "head": (strategies.make_linear(rng, 11, 2), "both"),
        "both": (rn.Concat(), ("words", "gru")),
    }
    spec = ModelSpec(nodes=nodes, inputs=("x",), outputs=("head", "words"))
    x = indices(9)
    y, _ = rn.Model(spec, weight_dtype=name)(x)
    stored = reference.stored(spec, name).nodes["words"].layer.arrays["weight"]
    assert_same_bits(y["words"], stored[x])
    assert_same_bits(rn.reference.run(spec, x, weight_dtype=name)[0]["words"].astype("f4"),
                     stored[x])  # fmt: skip


def test_a_net_learns_in_float32_from_a_reduced_table() -> None:
    model = rn.Model(words(), weight_dtype="int8")
    network = rn.train.Network(model.spec)
    x = indices()
    assert_same_bits(rn.Model(network.spec)(x)[0], rn.Model(model.spec)(x)[0])
