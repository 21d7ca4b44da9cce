"""``rnn-native info``: what it tells is what the model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import make_recurrent, make_spec, random_state, specs

import rnn_native as rn
from rnn_native import cli, formats, verify
from rnn_native.formats import golden, metadata, safetensors
from rnn_native.sequence_files import states
from rnn_native.spec import Activation, ModelSpec

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "lstm", 3, 4, num_embeddings=6, num_layers=2, out_features=2)


def info(
    capsys: pytest.CaptureFixture[str], path: Path, *arguments: str
) -> tuple[int, str, list[str]]:
    status = cli.main(["info", str(path), *arguments])
    out, err = capsys.readouterr()
    return status, err, out.splitlines()


def facts(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> dict[str, Any]:
    status, err, lines = info(capsys, path, "--json", *arguments)
    assert (status, err, len(lines)) == (0, "", 1)
    found: dict[str, Any] = json.loads(lines[0])
    return found


@given(spec=specs())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_tells_what_the_model_is(
    spec: ModelSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.write(spec, path)
    model = rn.Model(spec)
    told = facts(capsys, path)
    assert told["file"] == str(path)
    assert told["format"] == "safetensors"
    assert told["bytes"] == path.stat().st_size
    assert (told["input_size"], told["output_size"]) == (model.input_size, model.output_size)
    assert told["takes_indices"] == spec.takes_indices
    assert told["mask_value"] == spec.mask_value
    assert told["num_parameters"] == model.num_parameters
    assert sum(layer["parameters"] for layer in told["layers"]) == model.num_parameters
    assert told["weights"] == {"float32": model.num_parameters}
    assert told["packed"]["bytes"] == model.memory
    assert told["streams"] == all(r.direction == "forward" for r in spec.recurrents)
    for layer, line in zip(spec.layers, told["layers"], strict=True):
        kind, options = metadata.parse("", metadata.describe(layer))
        for name in options.keys() & {"activations", "function"}:
            options[name] = [[a.name, *a.constants] for a in options[name]]
        assert line == {"kind": kind, **options, "parameters": line["parameters"]}
    arrays = states.to_arrays(spec, random_state(spec, 7, RNG))
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    assert shapes == {n: [7 if s == "batch" else s for s in v] for n, v in told["state"].items()}

    status, err, lines = info(capsys, path)
    assert (status, err) == (0, "")
    assert sum(line[:4].strip().isdecimal() for line in lines) == len(spec.layers)
    for layer, line in zip(spec.layers, lines[-len(spec.layers) :], strict=True):
        kind, options = metadata.parse("", metadata.describe(layer))
        words = line.split()
        assert words[1] == kind
        assert [word.partition("=")[0] for word in words[2 : 2 + len(options)]] == list(options)
        for activation in options.get("activations", ()):
            assert activation.name in line


def test_options_read_as_one_would_write_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.npz"
    activations = (Activation("hard_sigmoid", 0.25, 0.5), Activation("elu", 0.75))
    options = {"activations": activations, "clip": 0.5, "reset_after": False}
    formats.write(ModelSpec((make_recurrent(RNG, "gru", 3, 4, **options),)), path)
    line = info(capsys, path)[2][-1]
    assert "reset_after=false activations=hard_sigmoid(0.25,0.5),elu(0.75) clip=0.5 " in line
    (layer,) = facts(capsys, path)["layers"]
    assert layer["activations"] == [["hard_sigmoid", 0.25, 0.5], ["elu", 0.75]]


@pytest.mark.parametrize(("indices", "mask"), [(6, 2), (None, -0.123456789), (None, None)])
def test_which_steps_are_padding_is_told(
    indices: int | None, mask: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    layers = make_spec(RNG, "gru", 3, 4, num_embeddings=indices).layers
    formats.write(ModelSpec(layers, mask), path)
    assert facts(capsys, path)["mask_value"] == mask
    rows = [line for line in info(capsys, path)[2] if line.startswith("masked ")]
    expected = f"steps {'whose index is' if indices else 'with all features'} {mask}: padding"
    assert len(rows) == (mask is not None)
    assert all(expected in row for row in rows)


def test_text_and_json_tell_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.npz"
    strings = {
        "rnn_native.source.file": "here/model.onnx",
        "rnn_native.source.format": "onnx",
        "rnn_native.source.producer": "pytorch 2.13",
    }
    double = rn.Model(SPEC, dtype="float64").spec
    formats.write(double, path, strings=strings)
    told = facts(capsys, path)
    assert told["source"] == {
        "file": "here/model.onnx", "format": "onnx", "producer": "pytorch 2.13"
    }  # fmt: skip
    assert told["golden"] is None
    text = "\n".join(info(capsys, path)[2])
    for part in (
        f"{path}: npz (rnn_native 1), ",
        "here/model.onnx (onnx, pytorch 2.13)",
        "indices from 0 to 5",
        "2 features",
        f"{SPEC.num_parameters:,} in float64",
        "in float32, for ",
        "1.h [2, batch, 4], 1.c [2, batch, 4]",
        "golden      none",
    ):
        assert part in text


def test_an_onnx_file_tells_who_made_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weight = np.ones((3, 2), np.float32)
    sizes = {"x": ["time", "batch", 3], "y": ["time", "batch", 2]}
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in sizes.items()]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    tensors = [numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "graph", infos[:1], infos[1:], tensors)
    model = helper.make_model(
        graph, producer_name="somebody", producer_version="1.2",
        opset_imports=[helper.make_opsetid("", 21)],
    )  # fmt: skip
    spec = ModelSpec((rn.Linear(weight.T),))
    strings = golden.to_strings(verify.make(rn.Model(spec), True))
    helper.set_model_props(model, {"author": "me", **strings})
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    told = facts(capsys, path, "--verify")
    assert told["producer"] == "somebody 1.2"
    assert told["strings"] == {"author": "me", "ir_version": str(model.ir_version), "opset": "21"}
    assert told["golden"]["steps"] == 16
    assert cli.main(["convert", str(path), str(tmp_path / "model.npz"), "--verify"]) == 0
    assert facts(capsys, tmp_path / "model.npz")["source"] == {
        "file": str(path), "format": "onnx", "producer": "somebody 1.2"
    }  # fmt: skip
    rn.load(tmp_path / "model.npz", verify=True)
    path.write_bytes(b"torn")
    with pytest.raises(rn.FormatError, match="not an ONNX model"):
        formats.strings(path)


def test_dtype_is_that_of_the_packed_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.npz"
    rn.Model(SPEC).save(path)
    for dtype in ("float32", "float64"):
        packed = facts(capsys, path, "--dtype", dtype)["packed"]
        assert (packed["dtype"], packed["bytes"]) == (dtype, rn.Model(SPEC, dtype=dtype).memory)


def test_strings_of_others_are_shown_without_their_tricks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    strings = {"author": "some\x1b[2Jbody\nx", "long": "y" * 5000, **metadata.to_metadata(SPEC)}
    path.write_bytes(b"".join(safetensors.pack(metadata.to_arrays(SPEC), strings)))
    assert facts(capsys, path)["strings"] == {"author": "some\x1b[2Jbody\nx", "long": "y" * 5000}
    lines = info(capsys, path)[2]
    assert any(r"author: some\x1b[2Jbody\nx" in line for line in lines)
    assert all(line.isprintable() and len(line) < 400 for line in lines)


def test_a_golden_input_is_told_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    rn.Model(SPEC).save(path, golden=np.array([[1, 2], [3, 4], [5, 0]]))
    told = facts(capsys, path, "--verify")["golden"]
    assert (told["steps"], told["rows"], told["dtype"]) == (3, 2, "float32")
    assert info(capsys, path, "--verify", "--dtype", "float64")[0] == 0

    strings = {k: v for k, v in formats.strings(path).items() if k in golden.KEYS}
    rng = np.random.default_rng(1)
    other = make_spec(rng, "lstm", 3, 4, num_embeddings=6, num_layers=2, out_features=2)
    formats.write(other, path, strings=strings)
    assert info(capsys, path)[0] == 0
    status, err, lines = info(capsys, path, "--verify")
    assert (status, lines) == (2, [])
    assert err.startswith(f"rnn-native info: {path}: golden: y[")

    formats.write(SPEC, path, strings={**strings, "rnn_native.golden.y": "nothing"})
    assert "golden: y: expected" in facts(capsys, path)["golden"]["malformed"]
    assert "golden      malformed: " in "\n".join(info(capsys, path)[2])

    rn.Model(SPEC).save(path)
    status, err, _ = info(capsys, path, "--verify")
    assert status == 2
    assert "the file carries no golden input" in err


def test_the_part_that_is_asked_for_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.npz"
    gru, rnn = make_recurrent(RNG, "gru", 3, 4), make_recurrent(RNG, "rnn", 5, 6)
    arrays = {f"encoder.{name}": array for name, array in gru.arrays.items()}
    arrays |= {f"decoder.{name}": array for name, array in rnn.arrays.items()}
    np.savez(path, **arrays)  # type: ignore[arg-type]
    status, err, lines = info(capsys, path)
    assert (status, err) == (0, "")
    assert "several recurrent modules: choose one with prefix= 'encoder.', 'decoder.'" in lines[1]
    (layer,) = facts(capsys, path, "--prefix", "encoder", "--reset-after", "false")["layers"]
    assert (layer["cell"], layer["hidden_size"], layer["reset_after"]) == ("gru", 4, False)
    more = ("--prefix", "decoder", "--nonlinearity", "relu", "--cell", "rnn", "--format", "npz")
    (layer,) = facts(capsys, path, *more)["layers"]
    assert (layer["cell"], layer["nonlinearity"]) == ("rnn", "relu")


def test_a_warning_is_a_note_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.npz"
    gru = make_recurrent(RNG, "gru", 3, 4)
    arrays = {f"gru.{name}": array for name, array in gru.arrays.items()}
    np.savez(path, other=np.ones(3, np.float32), **arrays)  # type: ignore[arg-type]
    status, err, lines = info(capsys, path)
    assert (status, bool(lines)) == (0, True)
    assert err.startswith("rnn-native info: note: only the recurrent module 'gru.' is read")
    assert err.count("\n") == 1


def test_what_cannot_be_packed_is_still_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More layers than the core reads."""
    path = tmp_path / "model.npz"
    layers = tuple(rn.Linear(np.ones((1, 1), np.float32)) for _ in range(2100))
    formats.write(ModelSpec(layers), path)
    told = facts(capsys, path)
    assert len(told["layers"]) == 2100
    assert told["streams"] is None
    assert "refused" in told["packed"]
    assert any("packed      not possible: " in line for line in info(capsys, path)[2])
