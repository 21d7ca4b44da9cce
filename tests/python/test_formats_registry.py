"""The registry of formats: what names and suffixes mean, and files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from strategies import make_spec

import rnn_native
from rnn_native import formats
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats import FORMATS, npz, safetensors
from rnn_native.spec import ModelSpec

WRITABLE = [
    name
    for name, entry in FORMATS.items()
    if entry.writes and entry.suffixes and name != "nam"  # of LSTMs alone
]


@pytest.fixture
def spec() -> ModelSpec:
    return make_spec(np.random.default_rng(0), "gru", out_features=2)


def path_of(folder: Path, name: str) -> Path:
    return folder / f"model{FORMATS[name].suffixes[0]}"


def the_same(one: ModelSpec, other: ModelSpec) -> bool:
    """Bit for bit, by way of the bytes of a file, which equal models share."""
    return safetensors.dumps(one) == safetensors.dumps(other)


def test_suffixes_belong_to_one_format_each() -> None:
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert {".safetensors", ".npz", ".onnx", ".pt", ".pth", ".keras", ".h5"} <= set(suffixes)


@pytest.mark.parametrize("name", WRITABLE)
def test_the_suffix_says_the_format_in_any_case(name: str, spec: ModelSpec, tmp_path: Path) -> None:
    path = path_of(tmp_path, name)
    formats.write(spec, path)
    assert the_same(formats.read(path), spec)
    shouting = tmp_path / f"MODEL{path.suffix.upper()}"
    shutil.copy(path, shouting)
    assert the_same(formats.read(str(shouting)), spec)


def test_messages_are_short_whatever_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **{"x" * 60_000: np.zeros(3)})
    data = path.read_bytes().replace(b"x" * 60_000, b"y" * 60_000, 1)
    path.write_bytes(data)  # now the archive calls its member otherwise than its directory does
    with pytest.raises(FormatError, match=r"characters more\)$") as caught:
        formats.read(path)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("name", WRITABLE)
def test_a_stated_format_goes_before_the_suffix(name: str, spec: ModelSpec, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    formats.write(spec, path, format=name)
    assert the_same(formats.read(path, format=name), spec)


@pytest.mark.parametrize("name", ["model.bin", "model", "model.safetensors.bak", ".npz"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(
    name: str, spec: ModelSpec, tmp_path: Path
) -> None:
    """Of a file that is read, where its content does not say it either."""
    path = tmp_path / name
    with pytest.raises(FormatError, match=r"\.safetensors, \.npz, \.onnx") as caught:
        formats.write(spec, path)
    assert name in str(caught.value)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"no model")
    with pytest.raises(FormatError, match=r"\.safetensors, \.npz, \.onnx") as caught:
        formats.read(path)
    assert name in str(caught.value)


def test_an_unknown_format_is_refused_with_the_known_ones(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"safetensors, npz, onnx, tflite, torch, pickle, flax, .*; got 'pmml'"
    ):
        formats.read("model.npz", format="pmml")
    with pytest.raises(OptionError, match="got 'pmml'"):
        formats.write(spec, tmp_path / "model.npz", format="pmml")


def test_without_the_onnx_package_an_onnx_file_says_what_to_install(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"pip install rnn_native\[onnx\]"):
        formats.read(path)
    with pytest.raises(UnsupportedError, match=r"pip install rnn_native\[onnx\]"):
        formats.write(spec, tmp_path / "other.onnx")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", FORMATS)
def test_options_of_no_meaning_are_refused_by_name(
    name: str, spec: ModelSpec, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    with pytest.raises(OptionError, match=f"format {name}: unknown option gates; known are "):
        formats.read(path, name, gates="ifgo")
    other = "prefix" if name == "onnx" else "output"
    with pytest.raises(OptionError, match=other):
        formats.read(path, name, **{other: None})


@pytest.mark.parametrize("name", WRITABLE)
def test_none_is_an_option_that_is_not_given(name: str, spec: ModelSpec, tmp_path: Path) -> None:
    path = path_of(tmp_path, name)
    formats.write(spec, path)
    assert the_same(formats.read(path, **dict.fromkeys(FORMATS[name].options)), spec)
    if "cell" in FORMATS[name].options:
        with pytest.raises(OptionError, match="option cell: only for a file that does not desc"):
            formats.read(path, cell="gru")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_missing_file_is_what_python_says(suffix: str, spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"none{suffix}"):
        formats.read(tmp_path / f"none{suffix}")
    with pytest.raises(FileNotFoundError, match=f"model{suffix}"):
        formats.write(spec, tmp_path / "nowhere" / f"model{suffix}")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".keras", ".h5"])
def test_errors_of_a_file_begin_with_its_path(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not a model")
    with pytest.raises(FormatError) as caught:
        formats.read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", WRITABLE)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    name: str, spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(tmp_path, name)
    formats.write(spec, path)
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    other = make_spec(np.random.default_rng(1), "gru")
    for function in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, function, full)
            with pytest.raises(OSError, match="No space left"):
                formats.write(other, path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
    formats.write(other, path)
    assert the_same(formats.read(path), other)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")
@pytest.mark.parametrize("name", WRITABLE)
def test_a_written_file_is_an_ordinary_one(name: str, spec: ModelSpec, tmp_path: Path) -> None:
    path, plain, link = path_of(tmp_path, name), tmp_path / "plain", tmp_path / "link"
    plain.touch()
    formats.write(spec, path)
    assert path.stat().st_mode == plain.stat().st_mode
    link.symlink_to(path)
    other = make_spec(np.random.default_rng(1), "gru")
    formats.write(other, link, format=name)
    assert link.is_symlink()
    assert the_same(formats.read(path), other)


def test_two_formats_hold_the_same_model(spec: ModelSpec, tmp_path: Path) -> None:
    safetensors.write(spec, tmp_path / "a")
    npz.write(spec, tmp_path / "b")
    assert the_same(safetensors.read(tmp_path / "a"), npz.read(tmp_path / "b"))


def test_importing_the_registry_imports_no_format() -> None:
    code = (
        "import sys, rnn_native.formats as f; "
        "print([m for m in sys.modules if m == 'onnx' or m.startswith('rnn_native.formats.')])"
    )
    root = str(Path(rnn_native.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
