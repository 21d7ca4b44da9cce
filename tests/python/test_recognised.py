"""Files whose suffix says nothing are known by their content; what is not certain is no guess."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import flax_files
import keras_files
import numpy as np
import pytest
import rnnoise_file
import torch_files
from strategies import make_spec

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import FORMATS
from rnn_native.formats.recognised import recognised

SPEC = make_spec(np.random.default_rng(0), "lstm", 1, 4, out_features=1)
LAYER = SPEC.layers[0]
STATE = {f"lstm.{name}": np.asarray(array) for name, array in LAYER.arrays.items()}
MODELS = Path(__file__).parents[1] / "models" / "data"
WRITTEN = ("safetensors", "npz", "onnx", "torch", "state-dict-json", "nam")


def file_of(name: str, folder: Path) -> Path:
    """One of each format, by a name without a suffix."""
    path = folder / "model"
    if name in WRITTEN:
        if name == "onnx":
            pytest.importorskip("onnx")
        formats.write(SPEC, path, name)
    elif name == "pickle":
        path.write_bytes(pickle.dumps(STATE))
    elif name == "legacy":
        path.write_bytes(torch_files.legacy_file(torch_files.state_dict(STATE)))
    elif name == "flax":
        path.write_bytes(flax_files.packed({"cell": flax_files.cell()}))
    elif name == "rnnoise":
        path.write_text(rnnoise_file.text())
    elif name == "tflite":
        shutil.copy(MODELS / "mnist_lstm.tflite", path)
    elif name == "keras":
        config = keras_files.sequential(keras_files.recurrent("LSTM", "lstm", 4))
        keras_files.write_h5(path, config, {"lstm": keras_files.lstm(3, 4)})
    else:
        config = keras_files.sequential(
            keras_files.start("x"), keras_files.recurrent("LSTM", "lstm", 4)
        )
        weights = {"layers/lstm/cell": list(keras_files.lstm(3, 4).values())}
        keras_files.write_keras(path, config, weights)
    return path


FORMAT = {
    **{name: name for name in WRITTEN}, "state-dict-json": "json", "nam": "json",
    "pickle": "pickle", "legacy": "torch", "flax": "flax", "rnnoise": "rnnoise",
    "keras": "keras", "keras archive": "keras", "tflite": "tflite",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMAT)
def test_a_file_without_a_suffix_is_read(name: str, tmp_path: Path) -> None:
    path = file_of(name, tmp_path)
    assert recognised(path) == FORMAT[name]
    assert formats.find(path)[0] == FORMAT[name]
    expected = rn.read_arrays(path, FORMAT[name])
    for other in (path, path.rename(tmp_path / "model.bin"), tmp_path / "model.bin"):
        if other.exists():
            assert list(rn.read_arrays(other)) == list(expected)
    if name != "nam":
        assert formats.read(tmp_path / "model.bin").nodes


def test_every_format_with_a_suffix_is_among_them() -> None:
    with_suffix = {name for name, entry in FORMATS.items() if entry.suffixes} - {"nam"}
    assert with_suffix == set(FORMAT.values())


@pytest.mark.parametrize("name", [name for name in FORMAT if name != "rnnoise"])
def test_a_file_that_is_cut_short_is_not_guessed(name: str, tmp_path: Path) -> None:
    """Magic numbers in front stay; a structure that has to check out does not."""
    path = file_of(name, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert recognised(path) == (FORMAT[name] if name in ("keras", "legacy", "tflite") else None)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x08", b"\x80", b"\x81", b"{", b"[1, 2]", b"PK\x03\x04", b"not a model", bytes(600),
        b"\x08\x07" + b"\x80" * 40, b"\x08\x07\x3a\xff\xff\xff\xff\x0f", b"\xde\xff\xff",
        b"\x08\x08" * 20, b"II*\x00" + bytes(64), b"GGUF" + bytes(64), b"%PDF-1.7",
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(data)
    assert recognised(path) is None
    message = r"file\.bin: the suffix '\.bin' .* its content is not recognised; .*\.safetensors"
    for act in (formats.read, rn.read_arrays, formats.strings, formats.choices):
        with pytest.raises(rn.FormatError, match=message):
            act(path)


def test_a_checkpoint_of_lightning_is_not_tensorflow_s(tmp_path: Path) -> None:
    """Both end in .ckpt; TensorFlow's are refused with what to do."""
    path = file_of("torch", tmp_path).rename(tmp_path / "epoch=3.ckpt")
    assert formats.find(path)[0] == "torch"
    assert formats.read(path).nodes
    path.write_bytes(b"something of TensorFlow's")
    for other in (path, tmp_path / "model.index"):
        with pytest.raises(rn.UnsupportedError, match="a checkpoint of TensorFlow is not read"):
            formats.read(other)


def test_what_is_written_has_a_known_suffix_or_a_format(tmp_path: Path) -> None:
    path = file_of("safetensors", tmp_path)
    with pytest.raises(rn.FormatError, match="the suffix '' is of no known format; expected one"):
        formats.write(SPEC, path)


def test_no_file_is_what_python_says(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rn.load(tmp_path / "none")
