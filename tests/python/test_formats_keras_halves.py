"""Bidirectional with merge_mode=None: its two outputs are read where they are made one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import UnsupportedError
from rnn_native.spec import ModelSpec

X = np.random.default_rng(1).normal(0, 1, (5, 2, 3))
WEIGHTS = {
    "b": {
        f"{side}_x/{name}": array
        for seed, side in enumerate(("forward", "backward"))
        for name, array in kf.lstm(3, 4, seed).items()
    }
}
KINDS = {"Concatenate": "concat", "Add": "sum", "Multiply": "mul", "Average": "ave"}
HALVES = [("b", 0, 0), ("b", 0, 1)]


def bidirectional(mode: str | None, sequences: bool = True, **options: Any) -> Any:
    inner = kf.recurrent("LSTM", "x", 4, return_sequences=sequences)
    return kf.layer("Bidirectional", "b", "in", layer=inner, merge_mode=mode, **options)


def model(*behind: Any, mode: str | None = None, sequences: bool = True) -> Any:
    layers = [kf.start("in"), bidirectional(mode, sequences), *behind]
    return kf.functional(layers, ["in"], [behind[-1]["name"] if behind else "b"])


def read(folder: Path, config: Any, **options: Any) -> ModelSpec:
    return formats.read(kf.write_h5(folder / "model.h5", config, WEIGHTS), **options)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_two_outputs_made_one_are_the_mode_that_does_the_same(
    kind: str, sequences: bool, tmp_path: Path
) -> None:
    options = {"axis": 2 if sequences else 1} if kind == "Concatenate" else {}
    behind = kf.layer(kind, "j", HALVES, **options)
    spec = read(tmp_path, model(behind, sequences=sequences))
    other = read(tmp_path, model(mode=KINDS[kind], sequences=sequences))
    np.testing.assert_array_equal(rn.reference.run(spec, X)[0], rn.reference.run(other, X)[0])
    assert [layer.options for layer in spec.recurrents] == [
        layer.options for layer in other.recurrents
    ]
    part = read(tmp_path, model(behind, sequences=sequences), between=("b", "j"))
    np.testing.assert_array_equal(rn.reference.run(part, X)[0], rn.reference.run(other, X)[0])


@pytest.mark.parametrize(
    ("behind", "message"),
    [
        ([], "merge_mode=None is not supported but before an Add"),
        ([kf.layer("Concatenate", "j", HALVES[::-1])], "outputs 1 and 0 of 'b'; expected its two"),
        ([kf.layer("Concatenate", "j", HALVES, axis=1)], "axis=1, outputs 0 and 1 of 'b'"),
        ([kf.layer("Add", "j", [HALVES[0]] * 2)], "merge_mode=None is not supported but"),
        ([kf.layer("Subtract", "j", HALVES)], "merge_mode=None is not supported but before"),
        ([kf.layer("Add", "j", [*HALVES, HALVES[0]])], "merge_mode=None is not supported but"),
        ([kf.layer("Dropout", "j", [HALVES[1]])], "merge_mode=None is not supported but before"),
        ([kf.layer("Dropout", "j", [HALVES[0]])], "merge_mode=None is not supported"),
    ],
)
def test_all_else_is_refused_by_name(behind: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=message):
        read(tmp_path, model(*behind))


def test_outputs_of_a_merged_one_are_no_halves(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"'b' \(Bidirectional\): its output 1, a state or"):
        read(tmp_path, model(kf.layer("Add", "j", HALVES), mode="sum"))


def test_one_direction_may_not_be_an_output_besides(tmp_path: Path) -> None:
    config = model(kf.layer("Add", "j", HALVES))
    config["config"]["output_layers"].append(["b", 0, 1])
    with pytest.raises(UnsupportedError, match="output 1 of 'b' is not supported"):
        read(tmp_path, config)
