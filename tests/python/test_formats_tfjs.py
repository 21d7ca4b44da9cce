"""TensorFlow.js's layers models: the same model as of Keras's file with the same weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest
import tfjs_files

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import FormatError, OptionError, RnnError, UnsupportedError
from rnn_native.formats import safetensors


def network() -> tuple[Any, dict[str, Any]]:
    """With a model inside of the model, and a Bidirectional; weights by layer."""
    inner = kf.sequential(kf.layer("Dense", "c", units=2, activation="relu"), name="inner")
    layers = [
        kf.start("in"),
        kf.layer("Bidirectional", "a", "in", layer=kf.recurrent("LSTM", "x", 4),
                 merge_mode="concat"),
        kf.recurrent("GRU", "b", 4, reset_after=True) | {"inbound_nodes": [[["a", 0, 0, {}]]]},
        inner | {"name": "inner", "inbound_nodes": [[["b", 0, 0, {}]]]},
    ]  # fmt: skip
    weights = {
        "a": {f"{s}_x/{n}": a for s in ("forward", "backward") for n, a in kf.lstm(3, 4).items()},
        "b": {f"b_cell/{n}": a for n, a in kf.lstm(8, 4, gates=3, bias=(2, 12)).items()},
        "inner": {f"c/{n}": a for n, a in kf.dense(4, 2).items()},
    }
    return kf.functional(layers, ["in"], ["inner"]), weights


def flat(weights: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """As the converter has them: without the name of the model around."""
    return {
        (own if layer == "inner" else f"{layer}/{own}"): array
        for layer, arrays in weights.items()
        for own, array in arrays.items()
    }


@pytest.fixture
def written(tmp_path: Path) -> Path:
    config, weights = network()
    return tfjs_files.write(tmp_path, config, flat(weights))[0]


@pytest.mark.parametrize("packed", ["", "uint8", "uint16", "float16"])
def test_the_model_is_that_of_keras_s_file(packed: str, tmp_path: Path) -> None:
    config, weights = network()
    path, found = tfjs_files.write(tmp_path, config, flat(weights), packed)
    names = iter(found)
    kept = {layer: {own: found[next(names)] for own in arrays} for layer, arrays in weights.items()}
    other = kf.write_h5(tmp_path / "m.h5", config, kept)
    assert safetensors.dumps(formats.read(path)) == safetensors.dumps(formats.read(other))
    about = formats.strings(path)
    assert about["generatedBy"] == "keras v2.4.0"
    assert about.get("quantised") == (f"{len(found)} arrays in {packed}" if packed else None)
    shards = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    assert [beside.name for beside in formats.beside(path)] == shards


def test_a_layer_is_taken_out(written: Path) -> None:
    model = rn.load(written, node="b")
    assert model.spec.recurrents[0].cell == "gru"
    with pytest.raises(OptionError, match="no such layer"):
        rn.load(written, node="z")
    with pytest.raises(OptionError, match="cell: not of such a file; known are node, between"):
        rn.load(written, cell="gru")


def test_what_the_browser_itself_saves(written: Path) -> None:
    """Its configuration is not within another object, and its version its own."""
    value = json.loads(written.read_text())
    whole = formats.read(written)
    value["modelTopology"] = value["modelTopology"]["model_config"] | {
        "keras_version": "tfjs-layers 4.22.0",
        "backend": "tensor_flow.js",
    }
    written.write_text(json.dumps(value))
    x = np.random.default_rng(0).normal(size=(5, 2, 3))
    assert np.array_equal(reference.run(formats.read(written), x)[0], reference.run(whole, x)[0])


def change(value: Any, place: list[Any], new: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = new


GROUP = ["weightsManifest", 0]
FIRST = [*GROUP, "weights", 0]


@pytest.mark.parametrize(
    ("place", "new", "message", "kind"),
    [
        (["format"], "graph-model", "format 'graph-model': only layers models", UnsupportedError),
        (["weightsManifest"], [], "the file has no weights of", FormatError),
        ([*GROUP, "paths"], ["/etc/passwd"], "expected the relative path", FormatError),
        ([*GROUP, "paths"], ["../m.bin"], "expected the relative path", FormatError),
        ([*GROUP, "paths"], ["none.bin"], r"weightsManifest: paths: 'none.bin'", FormatError),
        ([*GROUP, "paths"], ["model.json"], "bytes, and the arrays of the group take", FormatError),
        ([*GROUP, "paths", 1], "group1-shard1of2.bin", "named once each", FormatError),
        ([*GROUP, "paths", 1], "./group1-shard1of2.bin", "is read already", FormatError),
        ([*FIRST, "shape"], [2**30, 2**30], "the arrays of the group take", FormatError),
        ([*FIRST, "shape"], [-1], "shape: expected a list of sizes", FormatError),
        ([*FIRST, "dtype"], "int32", "dtype 'int32': expected float32", UnsupportedError),
        ([*FIRST, "quantization"], {"dtype": "int4"}, "expected uint8, uint16", UnsupportedError),
        ([*FIRST, "quantization"], {"dtype": "uint8"}, "scale: expected a number", FormatError),
        ([*FIRST, "name"], "z/kernel", "expected the arrays", FormatError),
    ],
)
def test_a_manifest_that_is_not_what_it_says(
    place: list[Any], new: Any, message: str, kind: type[RnnError], written: Path
) -> None:
    value = json.loads(written.read_text())
    change(value, place, new)
    written.write_text(json.dumps(value))
    with pytest.raises(kind, match=message):
        rn.load(written)


def test_a_shard_outside_the_folder_is_not_read(written: Path, tmp_path: Path) -> None:
    shard = written.parent / "group1-shard1of2.bin"
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shard.rename(folder / "x.bin")
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in (written, written.parent / "group1-shard2of2.bin"):
        path.rename(inner / path.name)
    os.symlink(folder / "x.bin", inner / shard.name)
    with pytest.raises(FormatError, match="no ordinary file in its folder"):
        rn.load(inner / "model.json")
