"""What changed between the ages of Keras decides, not the file's looks: Keras 1 beside Keras 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats

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
