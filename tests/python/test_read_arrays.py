"""``rn.read_arrays``: every array of a file of any format, by name and in the file's own type."""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax_files
import keras_files
import numpy as np
import pytest
import rnnoise_file
import tfjs_files
import torch_files
from numpy.typing import NDArray
from strategies import make_spec

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import FORMATS, stored

RNG = np.random.default_rng(0)
SHAPES = {
    "net.gru.weight_ih_l0": (12, 3), "net.gru.weight_hh_l0": (12, 4), "net.gru.bias_ih_l0": (12,),
    "net.gru.bias_hh_l0": (12,), "net.fc.weight": (2, 4), "net.fc.bias": (2,),
}  # fmt: skip
WEIGHTS = {name: RNG.normal(size=shape).astype("f4") for name, shape in SHAPES.items()}
COUNTS = {"net.step": np.array(7), "net.ids": np.arange(6, dtype="i4").reshape(2, 3)}
EMPTY = {"net.none": np.zeros((0, 3), "f4")}
ALL = WEIGHTS | COUNTS | EMPTY
Arrays = Mapping[str, NDArray[Any]]


def safetensors_bytes(arrays: Arrays, kinds: Mapping[str, str] | None = None) -> bytes:
    header, data = {}, b""
    codes = {
        "f4": "F32",
        "f2": "F16",
        "f8": "F64",
        "i8": "I64",
        "i4": "I32",
        "u1": "U8",
        "b1": "BOOL",
    }
    for name, array in arrays.items():
        begin, data = len(data), data + array.tobytes()
        dtype = (kinds or {}).get(name) or codes[array.dtype.str[1:]]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npz_bytes(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def torch_bytes(arrays: Arrays) -> bytes:
    return torch_files.zip_file(torch_files.state_dict(arrays))


def legacy_bytes(arrays: Arrays) -> bytes:
    return torch_files.legacy_file(torch_files.state_dict(arrays))


def json_bytes(arrays: Arrays) -> bytes:
    return json.dumps({name: array.tolist() for name, array in arrays.items()}).encode()


STATE_DICTS: Mapping[str, tuple[str, Callable[[Arrays], bytes]]] = {
    "safetensors": ("safetensors", safetensors_bytes),
    "npz": ("npz", npz_bytes),
    "torch": ("pt", torch_bytes),
    "torch legacy": ("pth", legacy_bytes),
    "pickle": ("pkl", pickle.dumps),
    "flax": ("msgpack", flax_files.packed),
    "json": ("json", json_bytes),
}


def assert_same(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name
        assert not found[name].flags.writeable


@pytest.mark.parametrize("kind", STATE_DICTS)
def test_arrays_are_those_of_the_file(kind: str, tmp_path: Path) -> None:
    suffix, make = STATE_DICTS[kind]
    path = tmp_path / f"net.{suffix}"
    arrays = {n: a for n, a in ALL.items() if kind != "json" or (a.ndim and a.size)}
    path.write_bytes(make(arrays))
    if kind == "json":  # whose numbers have no type
        arrays = arrays | {"net.ids": arrays["net.ids"].astype("f4")}
    assert_same(rn.read_arrays(path), arrays)


@pytest.mark.parametrize("kind", STATE_DICTS)
def test_what_a_warning_says_is_left_out_can_be_had(kind: str, tmp_path: Path) -> None:
    suffix, make = STATE_DICTS[kind]
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(make(WEIGHTS))
    with pytest.warns(UserWarning, match="left out: ") as caught:
        formats.read(path)
    named = str(caught[0].message).partition("left out: ")[2].partition(". prefix=")[0].split(", ")
    assert named == ["net.fc.weight", "net.fc.bias"]
    found = rn.read_arrays(path)
    assert_same({name: found[name] for name in named}, {n: WEIGHTS[n] for n in named})


def test_what_is_calculated_is_left_out_by_the_names_of_its_parts(tmp_path: Path) -> None:
    """Flax's Dense is no Linear of PyTorch's in the file."""
    dense = {"kernel": WEIGHTS["net.fc.weight"].T.copy(), "bias": WEIGHTS["net.fc.bias"]}
    normed = {f"out.weight_{part}": WEIGHTS["net.fc.weight"] for part in "gv"}
    (tmp_path / "net.msgpack").write_bytes(
        flax_files.packed({"cell": flax_files.cell(), "dense": dense})
    )
    gru = {name: array for name, array in WEIGHTS.items() if "gru" in name}
    (tmp_path / "net.npz").write_bytes(npz_bytes({**gru, **normed}))
    for name, expected in (
        ("net.msgpack", ["dense.kernel", "dense.bias"]),
        ("net.npz", ["out.weight_g", "out.weight_v"]),
    ):
        with pytest.warns(UserWarning, match="left out: ") as caught:
            formats.read(tmp_path / name)
        text = str(caught[0].message).partition("left out: ")[2].partition(". prefix=")[0]
        assert sorted(text.split(", ")) == sorted(expected)
        assert set(expected) <= rn.read_arrays(tmp_path / name).keys()


# ---- types that NumPy has not ----


def test_small_floats_are_float32_exactly() -> None:
    """The same as of ml_dtypes, which ONNX's and JAX's tools have them of."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    codes = np.arange(256, dtype="u1")
    for kind in stored.FLOAT8:
        expected = codes.view(getattr(ml_dtypes, kind)).astype("f4")
        np.testing.assert_array_equal(stored.in_float32(kind, codes), expected, err_msg=kind)


def test_bfloat16_and_float8_are_widened_and_what_cannot_be_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    bits = np.array([0x3F80, 0xBF00, 0x4049], "u2")
    kinds = {"bf": "BF16", "f8": "F8_E5M2", "f4": "F4"}
    arrays = {"bf": bits.astype("u2"), "f8": np.array([0x3C, 0xC0], "u1"), "h": np.ones(2, "f2")}
    path.write_bytes(safetensors_bytes(arrays, kinds))
    expected = {
        "bf": (bits.astype("u4") << 16).view("f4"), "f8": np.array([1, -2], "f4"),
        "h": np.ones(2, "f2"),
    }  # fmt: skip
    assert_same(rn.read_arrays(path), expected)
    header = {"x": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"ab")
    with pytest.warns(UserWarning, match="left out: 'x': tensor 'x': F4, of less than a byte"):
        assert rn.read_arrays(path) == {}


def test_objects_are_left_out_by_name_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    np.savez(path, a=np.ones(3), o=np.array([{}], object), t=np.array(["text"]))
    with pytest.warns(UserWarning, match="left out: 'o': .*expected numbers or text, got dtype"):
        found = rn.read_arrays(path)
    assert list(found) == ["a", "t"]
    assert found["t"].tolist() == ["text"]
    path = tmp_path / "net.pkl"
    path.write_bytes(pickle.dumps({"a": np.ones(3), "o": np.array([{}], object)}))
    with pytest.warns(UserWarning, match="left out: 'o'"):
        assert list(rn.read_arrays(path)) == ["a"]


# ---- the other formats ----


def test_a_keras_file_has_paths(tmp_path: Path) -> None:
    weights = {"lstm": keras_files.lstm(3, 4)}
    path = tmp_path / "net.h5"
    keras_files.write_h5(
        path, keras_files.sequential(keras_files.recurrent("LSTM", "lstm", 4)), weights
    )
    found = rn.read_arrays(path)
    assert sorted(array.tobytes() for array in found.values()) == sorted(
        array.tobytes() for array in weights["lstm"].values()
    )
    assert all(name.startswith("model_weights/lstm/") for name in found)


def test_a_network_of_rnnoise_has_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "net.rnnn"
    path.write_text(rnnoise_file.text())
    found = rn.read_arrays(path)
    spec = formats.read(path)
    dense = spec.nodes["dense"].layer.arrays
    assert found["input_dense.weights"].dtype == np.int8
    np.testing.assert_array_equal(found["input_dense.weights"].T / 256, dense["weight"])
    assert sum(array.size for name, array in found.items()) == sum(
        array.size for node in spec.nodes.values() for name, array in node.layer.arrays.items()
        if name != "bias_hh_l0"
    )  # fmt: skip


def test_json_of_audio(tmp_path: Path) -> None:
    spec = make_spec(RNG, "lstm", 1, 4, out_features=1)
    for name in ("net.nam", "net.json"):
        formats.write(spec, tmp_path / name)
    weights = json.loads((tmp_path / "net.nam").read_text())["weights"]
    assert_same(rn.read_arrays(tmp_path / "net.nam"), {"weights": np.array(weights, "f4")})
    layers = json.loads((tmp_path / "net.json").read_text())["layers"]
    expected = {
        f"layers.{i}.weights.{j}": np.array(array, "f4")
        for i, layer in enumerate(layers)
        for j, array in enumerate(layer["weights"])
    }
    assert_same(rn.read_arrays(tmp_path / "net.json"), expected)
    # What cannot be loaded has its numbers all the same.
    other = {"architecture": "WaveNet", "config": {}, "weights": [0.5, 1.0]}
    (tmp_path / "wave.nam").write_text(json.dumps(other))
    with pytest.raises(rn.UnsupportedError, match="WaveNet"):
        formats.read(tmp_path / "wave.nam")
    assert rn.read_arrays(tmp_path / "wave.nam")["weights"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("packed", ["", "float16", "uint8", "uint16"])
def test_a_browsers_model_has_what_its_shards_have(packed: str, tmp_path: Path) -> None:
    weights = {"lstm/kernel": RNG.normal(size=(3, 16)), "lstm/bias": RNG.normal(size=16)}
    path, read = tfjs_files.write(tmp_path, {}, weights, packed)
    found = rn.read_arrays(path)
    for name, array in read.items():
        assert found[name].dtype == (packed or "float32")
        assert found[name].shape == array.shape
        wide = found[name].astype("f8")
        if packed.startswith("uint"):
            wide = wide * found[f"{name}.scale"] + found[f"{name}.min"]
        np.testing.assert_array_equal(wide.astype("f4"), array)
    assert len(found) == len(weights) * (3 if packed.startswith("uint") else 1)


def test_every_format_gives_arrays_or_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    for name, entry in FORMATS.items():
        module = importlib.import_module(f"rnn_native.formats.{entry.module}")
        assert hasattr(module, "arrays"), name
    monkeypatch.delattr("rnn_native.formats.npz.arrays")
    (tmp_path / "net.npz").write_bytes(npz_bytes(WEIGHTS))
    with pytest.raises(rn.UnsupportedError, match=r"net\.npz: the arrays of .* npz are not"):
        rn.read_arrays(tmp_path / "net.npz")
    with pytest.raises(rn.OptionError, match="format: expected one of"):
        rn.read_arrays(tmp_path / "net.npz", format="none")


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "pt", "pkl", "msgpack", "h5", "json"])
def test_malformed_files_are_errors(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{suffix}"
    for data in (b"", b"nothing", b"\x80\x04.", b"PK\x05\x06"):
        path.write_bytes(data)
        with pytest.raises(rn.RnnError, match=f"net.{suffix}: "):
            rn.read_arrays(path)


def test_sizes_that_no_array_can_have(tmp_path: Path) -> None:
    header = {"x": {"dtype": "I64", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    (tmp_path / "net.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(rn.FormatError, match="no array has the shape"):
        rn.read_arrays(tmp_path / "net.safetensors")
