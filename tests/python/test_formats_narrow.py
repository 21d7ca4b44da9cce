"""Matrices of fewer bytes in a file: what is read is what was written, bit for bit."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from narrow_files import HALVES, INT8, WRITERS, matrices, of_rich, put, rich, rounded
from strategies import make_spec, seeds, specs

import rnn_native as rn
from rnn_native import formats
from rnn_native.cli import main
from rnn_native.formats import narrow, safetensors
from rnn_native.formats.calling import WEIGHT_DTYPE
from rnn_native.formats.metadata import from_metadata, to_arrays, to_metadata
from rnn_native.spec.integers import int8_rows
from rnn_native.weight_types import WEIGHT_DTYPES


def header_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    header: dict[str, Any] = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return header


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("narrow")


@given(specs(scales=True, convs=True))
def test_no_array_of_a_layer_has_the_name_of_scales(spec: rn.ModelSpec) -> None:
    assert not [name for name in to_arrays(spec) if name.endswith(narrow.SCALE)]


@pytest.mark.parametrize("name", WRITERS)
@given(spec=specs(convs=True))
def test_int8_comes_back_bit_for_bit(name: str, spec: rn.ModelSpec, folder: Path) -> None:
    spec, path = rounded(spec, "int8"), folder / f"model.{name}"
    WRITERS[name].write(spec, path, INT8)
    stored, expected = rn.read_arrays(path), to_arrays(spec)
    chosen = matrices(spec)
    assert set(stored) == {*expected, *(f"{one}_scale" for one in chosen)}
    for one, array in expected.items():
        if one not in chosen:
            assert_same_bits(stored[one], array)
            continue
        integers, scales = int8_rows(array)
        assert stored[one].dtype == np.int8
        np.testing.assert_array_equal(stored[one], integers)
        assert_same_bits(stored[f"{one}_scale"], scales)
    read, strings = formats.read_all(path)
    assert safetensors.dumps(read) == safetensors.dumps(spec)
    needs = bool(chosen) or to_metadata(spec)["rnn_native.version"] == "2"
    assert strings["rnn_native.version"] == ("2" if needs else "1")
    assert strings[WEIGHT_DTYPE] == "int8"
    again = folder / f"again.{name}"
    WRITERS[name].write(read, again, INT8)
    assert {one: array.tobytes() for one, array in rn.read_arrays(again).items()} == {
        one: array.tobytes() for one, array in stored.items()
    }


def test_graphs_have_int8(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 4)).astype("f4")
    graph = rn.ModelSpec(
        nodes={"gru": (rn.GRU(3, 4).spec, "x"), "label": (rn.Linear(weight), "gru.last")},
        inputs={"x": 3},
        outputs={"steps": "gru", "label": "label"},
    )
    spec = rounded(graph, "int8")
    for name in WRITERS:
        path = tmp_path / f"model.{name}"
        formats.write(spec, path, strings=INT8)
        assert rn.read_arrays(path)["1.weight"].dtype == np.int8
        assert safetensors.dumps(formats.read(path)) == safetensors.dumps(spec)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "int8"])
def test_a_number_that_the_type_has_not_is_never_changed(
    kind: str, name: str, tmp_path: Path
) -> None:
    """Of a spec that no Model was made of: the matrix stays as it is, and others do not."""
    arrays = dict(to_arrays(rich() if kind == "int8" else rounded(rich(), kind)))
    spec = rich()
    for odd in (np.nan, np.inf, 1 / 3, -0.0, 1e30):
        weight = arrays["1.weight_hh_l0"].copy()
        weight[0, 0] = odd
        changed = from_metadata(to_metadata(spec), arrays | {"1.weight_hh_l0": weight})
        WRITERS[name].write(changed, tmp_path / "model", {WEIGHT_DTYPE: kind})
        read = formats.read(tmp_path / "model", name)
        assert safetensors.dumps(read) == safetensors.dumps(changed)
        stored = rn.read_arrays(tmp_path / "model", name)
        if kind == "int8":
            assert stored["1.weight_hh_l0"].dtype == np.float32
            assert stored["1.weight_ih_l0"].dtype == np.int8


def test_float64_stays_float64(tmp_path: Path) -> None:
    spec = rn.ModelSpec((rn.Linear(np.eye(2)),))
    for kind, name in itertools.product(("float16", "bfloat16", "int8"), WRITERS):
        WRITERS[name].write(spec, tmp_path / "model", {WEIGHT_DTYPE: kind})
        assert rn.read_arrays(tmp_path / "model", name)["0.weight"].dtype == np.float64


FORMS = {"float16": ("F16", "f2"), "bfloat16": ("BF16", "f4"), "int8": ("I8", "i1")}
"""What each weight dtype is in .safetensors, and in .npz."""


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", WEIGHT_DTYPES)
@given(seed=seeds(), cell=st.sampled_from(["rnn", "gru", "lstm"]))
def test_a_model_is_saved_in_its_weight_dtype_and_loaded_with_the_same_bits(
    kind: str, name: str, seed: int, cell: str, folder: Path
) -> None:
    rng = np.random.default_rng(seed)
    spec = make_spec(rng, cell, 3, 5, num_embeddings=4, out_features=2)
    model = rn.Model(spec, weight_dtype=kind)
    path = folder / f"model.{name}"
    model.save(path)
    loaded = rn.load(path)
    assert loaded.weight_dtype == kind
    assert safetensors.dumps(loaded.spec) == safetensors.dumps(model.spec)
    x = rng.integers(4, size=(6, 2))
    assert_same_bits(loaded(x)[0], model(x)[0])
    wide = rn.load(path, dtype="float32")
    assert wide.weight_dtype is None
    assert safetensors.dumps(wide.spec) == safetensors.dumps(model.spec)
    if name == "npz":
        dtypes = {one: array.dtype.str[1:] for one, array in np.load(path).items()}
    else:
        dtypes = {one: entry.get("dtype") for one, entry in header_of(path).items()}
    other, expected = (("F32", "f4")[name == "npz"], FORMS[kind][name == "npz"])
    for one in to_arrays(spec):
        assert dtypes[one] == (expected if one in matrices(spec) else other)
    # Version 1 is what older readers know.
    assert formats.strings(path)["rnn_native.version"] == ("2" if kind == "int8" else "1")


def test_numbers_of_every_kind_are_kept_as_halves(tmp_path: Path) -> None:
    """All 2^16: denormals, both zeros, infinities, and NaN as NaN."""
    for kind, dtype in HALVES.items():
        numbers = np.arange(65536, dtype=np.uint16).view(dtype).reshape(256, 256)
        model = rn.Model([rn.Linear(numbers.astype(np.float32))], weight_dtype=kind)
        for name in WRITERS:
            model.save(tmp_path / f"model.{name}")
            read = formats.read(tmp_path / f"model.{name}").layers[0].arrays["weight"]
            expected = model.spec.layers[0].arrays["weight"]
            assert np.array_equal(np.isnan(read), np.isnan(expected))
            assert_same_bits(np.nan_to_num(read), np.nan_to_num(expected))


@pytest.mark.parametrize(
    ("name", "kind", "most"),
    [
        ("safetensors", "int8", 0.29),
        ("npz", "int8", 0.29),
        ("safetensors", "float16", 0.53),
        ("safetensors", "bfloat16", 0.53),
        ("npz", "float16", 0.53),
    ],
)
def test_files_are_as_much_smaller_as_the_type(
    name: str, kind: str, most: float, tmp_path: Path
) -> None:
    spec = rounded(make_spec(np.random.default_rng(0), "lstm", 100, 160, out_features=50), kind)
    WRITERS[name].write(spec, tmp_path / "wide")
    WRITERS[name].write(spec, tmp_path / "narrow", {WEIGHT_DTYPE: kind})
    wide, small = ((tmp_path / one).stat().st_size for one in ("wide", "narrow"))
    assert small <= most * wide


def test_without_a_string_it_runs_in_float32(tmp_path: Path) -> None:
    """Reduced storage is for who asks: int8 in a file is no weight_dtype."""
    spec, path = rich(), tmp_path / "model.safetensors"
    arrays = narrow.narrowed(to_arrays(spec), spec, "int8")
    path.write_bytes(b"".join(safetensors.pack(arrays, to_metadata(spec, True))))
    model, expected = rn.load(path), rn.Model(spec)
    assert model.weight_dtype is None
    assert model.memory == expected.memory
    x = np.random.default_rng(1).integers(5, size=(7, 2))
    assert_same_bits(model(x)[0], expected(x)[0])
    assert rn.load(path, weight_dtype="float16").weight_dtype == "float16"
    y, _ = rn.load(path, dtype="float64")(x)
    assert_same_bits(y, rn.Model(spec, dtype="float64")(x)[0])


@given(seed=seeds())
def test_integers_of_others_run_as_int8_of_the_same_numbers(seed: int, folder: Path) -> None:
    """With common divisors, too, and with -128: the spec has the products, bit for bit."""
    rng = np.random.default_rng(seed)
    integers = rng.integers(-128, 128, (6, 9)).astype(np.int8)
    integers[1] = integers[1] // 4 * 4
    integers[2] = -128
    integers[3] = 0
    scales = np.exp2(rng.uniform(-60, 60, 6)).astype(np.float32)
    floats = integers.astype(np.float32) * scales[:, None]
    strings = to_metadata(rn.ModelSpec((rn.Linear(floats),)), True) | INT8
    arrays = {"0.weight": integers, "0.weight_scale": scales}
    model = rn.load(put(folder / "others.safetensors", "safetensors", arrays, strings))
    assert model.weight_dtype == "int8"
    assert_same_bits(model.spec.layers[0].arrays["weight"], floats)


def test_other_formats_have_the_floats(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    spec = rn.ModelSpec((rn.GRU(3, 4).spec,))
    for kind, name in itertools.product(WEIGHT_DTYPES, ("onnx", "torch", "state-dict-json")):
        spec = rounded(spec, kind)
        formats.write(spec, tmp_path / "model", name, {WEIGHT_DTYPE: kind})
        assert safetensors.dumps(formats.read(tmp_path / "model", name)) == safetensors.dumps(spec)


# ---- what a file may have ----


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("scale", [0.0, -0.0, 1.0, 2.0**-149, 1e-3, 3e38, np.float32(1 / 3)])
def test_a_weight_is_the_product_rounded_once(name: str, scale: float, tmp_path: Path) -> None:
    integers = np.arange(-128, 128, dtype=np.int8).reshape(2, 128)
    scales = np.array([scale, 1], np.float32)
    strings = to_metadata(rn.ModelSpec((rn.Linear(np.zeros((2, 128), np.float32)),)), True)
    path = put(tmp_path / "m", name, {"0.weight": integers, "0.weight_scale": scales}, strings)
    weight = formats.read(path, name).layers[0].arrays["weight"]
    exact = integers.astype(np.float64) * scales.astype(np.float64)[:, None]
    with np.errstate(over="ignore"):
        assert_same_bits(weight, exact.astype(np.float32))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("key", ["0.weight", "1.h_0"])
def test_any_matrix_may_be_int8(key: str, name: str, tmp_path: Path) -> None:
    """A table and what states begin with too, which we write as floats."""
    arrays, strings = of_rich()
    integers, scales = int8_rows(arrays[key])
    arrays |= {key: integers, f"{key}_scale": scales}
    read = to_arrays(formats.read(put(tmp_path / "m", name, arrays, strings), name))
    assert_same_bits(read[key], integers.astype(np.float32) * scales[:, None])


def test_int8_that_nothing_describes_is_refused_as_before(tmp_path: Path) -> None:
    """A state_dict's: what its integers stand for is its maker's to say."""
    arrays = {"weight_ih_l0": np.ones((4, 3), np.int8), "weight_hh_l0": np.ones((4, 1), "f4")}
    arrays["weight_ih_l0_scale"] = np.ones(4, np.float32)
    path = put(tmp_path / "model.safetensors", "safetensors", arrays, {})
    with pytest.raises(rn.UnsupportedError, match=r"'weight_ih_l0': expected F64.* got dtype I8"):
        formats.read(path)


# ---- what commands make of it ----


def test_info_lists_integers_and_scales(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays, strings = of_rich()
    path = put(tmp_path / "model.safetensors", "safetensors", arrays, strings)
    assert main(["info", "--json", "--arrays", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["loads"]
    assert told["arrays"]["1.weight_ih_l0"] == {"shape": [16, 3], "dtype": "int8"}
    assert told["arrays"]["1.weight_ih_l0_scale"] == {"shape": [16], "dtype": "float32"}
    assert told["num_parameters"] == rich().num_parameters


@pytest.mark.parametrize(("kind", "dtype"), [("float16", np.float16), ("int8", np.int8)])
def test_convert_keeps_the_type(kind: str, dtype: type, tmp_path: Path) -> None:
    model = rn.GRU(3, 40, weight_dtype=kind).model
    model.save(tmp_path / "a.safetensors")
    for first, second in (("a.safetensors", "b.npz"), ("b.npz", "c.safetensors")):
        assert main(["convert", str(tmp_path / first), str(tmp_path / second)]) == 0
        assert rn.read_arrays(tmp_path / second)["0.weight_hh_l0"].dtype == dtype
    assert safetensors.dumps(rn.load(tmp_path / "c.safetensors").spec) == safetensors.dumps(
        model.spec
    )
    assert main(["convert", str(tmp_path / "a.safetensors"), str(tmp_path / "d.pt")]) == 0
    assert rn.read_arrays(tmp_path / "d.pt")["0.weight_hh_l0"].dtype == np.float32
