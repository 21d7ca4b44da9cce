"""The matrix of docs/formats.md: every format of the registry is in it, and what each cell says is
held by the test that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from strategies import make_spec

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import FORMATS, safetensors

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
TEST = re.compile(r"`((?:tests/\w+/)?\w+\.py)::(\w+)`")
COLUMNS = ["format", "files", "reads whole", "reads a part", "every array", "writes"]


def rows() -> list[list[str]]:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == COLUMNS
    return cells[2:]


def test_every_format_is_in_the_matrix() -> None:
    assert {row[0].strip("`") for row in rows()} == set(FORMATS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1][:20]}")
def test_each_cell_names_a_test_that_there_is(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    for column, cell in zip(COLUMNS[2:], row[2:], strict=True):
        named = TEST.findall(cell)
        assert named, f"{column}: {cell}"
        for file, function in named:
            path = ROOT / (file if "/" in file else f"tests/python/{file}")
            assert path.exists(), file
            assert f"\ndef {function}(" in path.read_text(encoding="utf-8"), f"{file}::{function}"


def test_what_the_matrix_says_of_writing_is_what_the_registry_says() -> None:
    for name, entry in FORMATS.items():
        written = [not row[5].startswith("no") for row in rows() if row[0] == f"`{name}`"]
        assert any(written) == entry.writes, name


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if not entry.writes])
def test_what_is_only_read_is_not_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    with pytest.raises(rn.UnsupportedError, match=f"writing the format {name} .* can be written"):
        formats.write(make_spec(RNG, "lstm"), path, name)
    assert not path.exists()


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.carries])
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    if name == "onnx":
        pytest.importorskip("onnx")
    spec = make_spec(RNG, "lstm", 3, 4, out_features=2)
    formats.write(spec, tmp_path / "model", name)
    assert safetensors.dumps(formats.read(tmp_path / "model", name)) == safetensors.dumps(spec)


def test_arrays_of_guitars_have_the_names_of_pytorch(tmp_path: Path) -> None:
    arrays = {"rec.weight_ih_l0": RNG.normal(size=(8, 1)), "lin.bias": np.array([0.1])}
    document = {
        "model_data": {"model": "SimpleRNN", "unit_type": "LSTM"},
        "state_dict": {name: array.tolist() for name, array in arrays.items()},
    }
    (tmp_path / "amp.json").write_text(json.dumps(document))
    found = rn.read_arrays(tmp_path / "amp.json")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
