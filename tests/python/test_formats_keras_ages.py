"""What changed between the ages of Keras decides, not the file's looks: Keras 1 beside Keras 2."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError

COLUMNS = {"LSTM": ("icfo", "ifco"), "GRU": ("zrh", "zrh")}


def of_1(kind: str, units: int, **options: Any) -> Any:
    own = {"name": "a", "output_dim": units, "activation": "tanh", "return_sequences": True,
           "inner_activation": "hard_sigmoid"} | options  # fmt: skip
    return {"class_name": "Sequential", "config": [{"class_name": kind, "config": own}]}


def of_2(kind: str, units: int) -> Any:
    cell = kf.recurrent(kind, "a", units, recurrent_activation="hard_sigmoid", reset_after=False)
    return kf.sequential(cell)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("ending", ["", ":0", "_1:0"])
@pytest.mark.parametrize("apart", [True, False])
def test_keras_1_is_keras_2_by_other_names(
    kind: str, ending: str, apart: bool, tmp_path: Path
) -> None:
    """Bit for bit, of both backends."""
    arrays = kf.lstm(3, 4, gates=len(COLUMNS[kind][0]))
    expected = formats.read(kf.write_h5(tmp_path / "2.h5", of_2(kind, 4), {"a": arrays}, "2.0.4"))
    whole = dict(zip("WUb", arrays.values(), strict=True))
    named = kf.by_gate(arrays, *COLUMNS[kind]) if apart else whole
    own = f"{{layer}}_{{name}}{ending}"
    spec = formats.read(
        kf.write_h5(tmp_path / "1.h5", of_1(kind, 4), {"a": named}, "1.2.2", own=own)
    )
    assert repr(spec) == repr(expected)
    for name, array in expected.recurrents[0].arrays.items():
        np.testing.assert_array_equal(spec.recurrents[0].arrays[name], array)


@pytest.mark.parametrize(("version", "slope"), [("1.2.2", 0.2), ("2.0.0", 0.2), ("2.2.4-tf", 0.2),
                                                ("2.15.0", 0.2), ("3.0.0", 1 / 6)])  # fmt: skip
def test_the_slope_of_hard_sigmoid_is_that_of_the_version(
    version: str, slope: float, tmp_path: Path
) -> None:
    arrays = kf.lstm(3, 4)
    old = version.startswith("1")
    config = of_1("LSTM", 4) if old else of_2("LSTM", 4)
    weights = kf.by_gate(arrays, "icfo", "ifco") if old else arrays
    own = "{layer}_{name}:0" if old else "{layer}/{name}:0"
    path = kf.write_h5(tmp_path / "m.h5", config, {"a": weights}, version, own=own)
    activation = formats.read(path).recurrents[0].activations[0]
    assert (activation.name, activation.alpha) == ("hard_sigmoid", slope)


@pytest.mark.parametrize(
    ("version", "after"), [("2.0.9", False), ("2.1.2", False), ("2.15.0", False), ("3.0.0", True)]
)
def test_a_gru_that_does_not_say_it_resets_as_its_version_did(
    version: str, after: bool, tmp_path: Path
) -> None:
    config = kf.sequential(kf.recurrent("GRU", "a", 4))
    del config["config"]["layers"][0]["config"]["reset_after"]
    arrays = kf.lstm(3, 4, gates=3, bias=(2, 12) if after else (12,))
    path = kf.write_h5(tmp_path / "m.h5", config, {"a": arrays}, version)
    assert formats.read(path).recurrents[0].reset_after == after


@pytest.mark.parametrize("version", ["2.0.0", "2.0.4", "2.2.2"])
def test_a_sequential_whose_configuration_is_a_list(version: str, tmp_path: Path) -> None:
    """Before Keras 2.2.3."""
    config = of_2("LSTM", 4)
    config["config"] = config["config"]["layers"]
    path = kf.write_h5(tmp_path / "m.h5", config, {"a": kf.lstm(3, 4)}, version)
    expected = kf.write_h5(tmp_path / "e.h5", of_2("LSTM", 4), {"a": kf.lstm(3, 4)}, "2.2.4")
    x = np.ones((5, 1, 3), np.float32)
    assert (rn.load(path)(x)[0] == rn.load(expected)(x)[0]).all()


def test_keras_1_says_that_it_is_it(tmp_path: Path) -> None:
    named = kf.by_gate(kf.lstm(3, 4), "icfo", "ifco")
    for version, said in (("1.2.2", "keras 1.2.2"), (None, "keras 1")):
        path = kf.write_h5(
            tmp_path / "m.h5", of_1("LSTM", 4), {"a": named}, version, own="{layer}_{name}:0"
        )
        assert formats.strings(path)["producer"] == said


# The table of docs/keras.md: a file for each of its cells

DOCS = Path(__file__).parents[2] / "docs" / "keras.md"
LSTM, DENSE = kf.lstm(3, 4), kf.dense(4, 2)
OWN = {"module": None, "class_name": "Net", "registered_name": "Net", "config": {}}


def table() -> dict[str, list[str]]:
    """The rows of the table by the versions that they begin with."""
    section = DOCS.read_text(encoding="utf-8").partition("## Which Keras\n\n")[2]
    lines = section.partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].partition(" to ")[0]: row[1:] for row in rows}


class Age:
    """A Sequential of an LSTM and a Dense as one Keras writes it."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.old = version.startswith("1")
        self.root = "_layer_checkpoint_dependencies" if version.startswith("2.1") else "layers"
        if version == "2.15.0":
            self.root = "layers"
        cell = kf.recurrent("LSTM", "a", 4)
        dense = kf.layer("Dense", "b", units=2, activation="linear")
        layers = [cell, dense]
        if self.old:
            layers = [of_1("LSTM", 4, inner_activation="sigmoid")["config"][0],
                      {"class_name": "Dense", "config": {"name": "b", "output_dim": 2,
                                                         "activation": "linear"}}]  # fmt: skip
        self.config = kf.sequential(*layers)
        if self.old or version in ("2.0.0", "2.2.2"):
            self.config["config"] = layers

    def named(self, path: Path, config: Any) -> Path:
        weights: dict[str, Any] = {"a": LSTM, "b": DENSE}
        own = "{layer}/{name}:0"
        if self.old:
            weights = {"a": kf.by_gate(LSTM, "icfo", "ifco"),
                       "b": dict(zip("Wb", DENSE.values(), strict=True))}  # fmt: skip
            own = "{layer}_{name}:0"
        version = None if self.old and config is None else self.version
        return kf.write_h5(path, config, weights, version, own=own)

    def numbered(self, root: str) -> bytes:
        own = {f"{root}lstm/cell": [*LSTM.values()], f"{root}dense": [*DENSE.values()]}
        return kf.numbered(own)

    def write(self, column: int, folder: Path) -> Path:
        if column == 0:
            return self.named(folder / "m.h5", self.config)
        if column == 1:
            weights = self.numbered(f"{self.root}/")
            return kf.write_keras(folder / "m.keras", self.config, weights, self.version)
        if column == 2:
            return self.named(folder / "w.h5", None)
        if column == 3:
            path = folder / "m.weights.h5"
            path.write_bytes(self.numbered(f"{self.root}/"))
            return path
        weights = self.numbered("encoder/")
        if self.version in ("2.2.4", "2.11.0"):
            return kf.write_h5(folder / "m.h5", None, {"lstm": LSTM, "dense": DENSE}, self.version,
                               own="net/{layer}/{name}:0")  # fmt: skip
        return kf.write_keras(folder / "m.keras", OWN, weights, self.version)


AGES = [("1", "1.0.8"), ("1", "1.2.2"), ("2.0", "2.0.0"), ("2.0", "2.2.2"), ("2.2.3", "2.2.4"),
        ("2.2.3", "2.11.0"), ("2.12", "2.12.0"), ("2.12", "2.14.0"), ("2.15", "2.15.0"),
        ("3", "3.0.0"), ("3", "3.15.1")]  # fmt: skip


CELLS = [(version, column, cell) for row, version in AGES
         for column, cell in enumerate(table()[row]) if cell]  # fmt: skip


def test_the_table_has_what_the_versions_write() -> None:
    assert set(table()) == {row for row, _ in AGES}
    assert len(CELLS) == 37


@pytest.mark.parametrize(("version", "column", "cell"), CELLS)
def test_the_table_of_ages(version: str, column: int, cell: str, tmp_path: Path) -> None:
    age = Age(version)
    path = age.write(column, tmp_path)
    beside = tmp_path / "m.json"
    beside.write_text(json.dumps(age.config | {"keras_version": version}))
    options: dict[str, Any] = {}
    if column in (2, 3):  # their gates are what the version had, or sigmoid
        options["config"] = beside
    if cell == "in order":
        options = {"recurrent_activation": "sigmoid"}
        with pytest.warns(UserWarning, match="weights alone"):
            assert formats.read(path, node="lstm", **options).recurrents
    if cell == "node=" and column != 3:
        with pytest.raises(UnsupportedError, match=r"node= takes one of .*'encoder/lstm'"):
            formats.read(path)
        options = {"node": "encoder/lstm", "recurrent_activation": "sigmoid"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        spec = formats.read(path, **options)
        if column == 2:
            alone = formats.read(path, recurrent_activation="sigmoid")
            assert repr(alone) == repr(spec)
        if column == 3:
            with pytest.raises(UnsupportedError, match="node= takes one of"):
                formats.read(path)
            assert formats.read(path, node="lstm", recurrent_activation="sigmoid").recurrents
    (lstm,) = spec.recurrents
    assert lstm.activations is None  # tanh and sigmoid
    np.testing.assert_array_equal(lstm.arrays["weight_ih_l0"], LSTM["kernel"].T)
    assert len(spec.layers) == (1 if cell == "node=" and column != 3 else 2)
