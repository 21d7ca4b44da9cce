"""``rnn-native info`` of files that are known and not loaded as they are: what it says is so."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from strategies import make_recurrent

import rnn_native as rn
from rnn_native import cli, formats
from rnn_native.formats import metadata

RNG = np.random.default_rng(0)
KEYS = ["file", "format", "version", "bytes", "producer", "loads", "refused", "parts", "arrays",
        "arrays_refused", "strings"]  # fmt: skip


def info(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["info", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def facts(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> dict[str, Any]:
    status, out, err = info(capsys, str(path), "--json", *arguments)
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A file of two modules, by a name that a shell splits."""
    arrays = {}
    for name, cell in (("a", "lstm"), ("b", "gru")):
        layer = make_recurrent(RNG, cell, 3, 4)
        arrays |= {f"{name}.{own}": array for own, array in layer.arrays.items()}
    path = tmp_path / "two modules.npz"
    np.savez(path, ids=np.arange(3), **arrays)
    return path


def test_what_loads_of_it_does_load(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = facts(capsys, two)
    assert list(told) == KEYS
    assert (told["format"], told["loads"]) == ("npz", False)
    with pytest.raises(rn.OptionError) as caught:
        rn.load(two)
    assert told["refused"] == {
        "error": "OptionError", "reason": str(caught.value).removeprefix(f"{two}: ")
    }  # fmt: skip
    assert [part["options"] for part in told["parts"]] == [{"prefix": "a."}, {"prefix": "b."}]
    for part in told["parts"]:
        spec = formats.read(two, **part["options"])
        assert part["layers"] == [metadata.describe(layer) for layer in spec.layers]
    arrays = rn.read_arrays(two)
    assert told["arrays"] == {
        name: {"shape": list(array.shape), "dtype": str(array.dtype)}
        for name, array in arrays.items()
    }
    assert told["arrays_refused"] is None


def test_what_it_says_to_type_works(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = info(capsys, str(two))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].startswith("loads       no: several recurrent modules: choose one with prefix=")
    (typed,) = (line[12:] for line in lines if "rnn-native info" in line)
    assert shlex.split(typed)[:2] == ["rnn-native", "info"]
    status, out, _ = info(capsys, *shlex.split(typed)[2:])
    assert status == 0
    assert "recurrent cell=lstm" in out
    calls = [line[12:] for line in lines if "rn.load(" in line or "rn.read_arrays(" in line]
    for call in calls:
        expression = call.removesuffix(" for its arrays")
        assert eval(expression, {"rn": rn})
    assert len(calls) == 2
    assert "array       ids int64 [3]" in lines


def test_a_wrong_option_is_an_error_as_ever(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = info(capsys, str(two), "--prefix", "c")
    assert (status, out) == (2, "")
    assert "prefix='c': no recurrent module there" in err
    assert info(capsys, str(two), "--verify")[0] == 2


def test_a_format_that_is_refused_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wave.nam"
    path.write_text(json.dumps({"version": "0.5", "architecture": "WaveNet", "config": {},
                                "weights": [0.5, 1.0]}))  # fmt: skip
    told = facts(capsys, path)
    assert told["version"] == "0.5"
    assert told["refused"]["error"] == "UnsupportedError"
    assert told["parts"] == []
    assert told["arrays"] == {"weights": {"shape": [2], "dtype": "float32"}}


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.npz", "m.pt", "m.pkl", "m.h5", "m.onnx", "m.json", "m", "m.bin"]
)
def test_what_is_no_model_file_is_an_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    for data in (b"", b"text", bytes(100)):
        path.write_bytes(data)
        status, out, err = info(capsys, str(path))
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert name in err
    assert info(capsys, str(tmp_path / "none"))[0] == 2


def test_arrays_are_listed_where_it_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.safetensors"
    rn.GRU(3, 4).model.save(path)
    told = facts(capsys, path, "--arrays")
    assert told["loads"] is True
    assert told["arrays"].keys() == rn.read_arrays(path).keys()
    assert "arrays" not in facts(capsys, path)
    assert "array       0.weight_ih_l0 float32 [12, 3]" in info(capsys, str(path), "--arrays")[1]
