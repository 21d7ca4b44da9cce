"""``rnn-native quantize``: what ``rn.quantize`` gives, in a file, and its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from strategies import make_linear, make_recurrent, make_spec

import rnn_native as rn
from rnn_native import _core, cli, formats
from rnn_native.formats import golden, metadata
from rnn_native.spec import ModelSpec
from rnn_native.weight_types import WEIGHT_DTYPES

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 3, 8, num_recurrents=2, out_features=2)
X = RNG.standard_normal((20, 4, 3)).astype(np.float32)
Quantize = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rn.Model(SPEC).save("in.npz")
    np.save("x.npy", X)
    return tmp_path


@pytest.fixture
def quantize(folder: Path, capsys: pytest.CaptureFixture[str]) -> Quantize:
    def call(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(["quantize", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def facts(quantize: Quantize, *arguments: object) -> dict[str, Any]:
    status, out, err = quantize(*arguments, "--json")
    assert (status, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
@pytest.mark.parametrize("name", WEIGHT_DTYPES)
def test_the_file_is_the_model_and_the_report_is_its(
    name: str, suffix: str, quantize: Quantize
) -> None:
    out = f"out.{suffix}"
    told = facts(quantize, "in.npz", out, "--weights", name, "--check", "x.npy", "--keep", "1")
    made = rn.quantize(SPEC, name, X, keep=["1"])
    for key, value in made.as_dict().items():
        assert told[key] == value
    assert told["bytes"] == {p: Path(f).stat().st_size for p, f in (("before", "in.npz"),
                                                                    ("after", out))}  # fmt: skip
    assert (told["file"], told["out"]) == ("in.npz", out)
    model = rn.load(out)
    assert (model.weight_dtype, model.keep) == (name, ("1",))
    assert model.memory == told["memory"]["after"]
    assert_same_bits(model(X)[0], made.model(X)[0])
    assert formats.strings(out)["rnn_native.source.file"] == "in.npz"
    status, text, err = quantize(
        "in.npz", out, "--weights", name, "--check", "x.npy", "--keep", "1"
    )
    assert (status, err) == (0, "")
    assert text.startswith("file: ")
    assert text.endswith(f"{made}\n")


def test_other_commands_run_it_as_it_is_loaded(
    quantize: Quantize, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize("in.npz", "out.npz", "--weights", "int8", "--keep", "2")
    want, _ = rn.load("out.npz")(X)
    assert cli.main(["run", "out.npz", "x.npy", "-o", "y.npy"]) == 0
    assert_same_bits(np.load("y.npy"), want)
    assert cli.main(["run", "out.npz", "x.npy", "-o", "y.npy", "--dtype", "float32"]) == 0
    assert np.abs(np.load("y.npy") - want).max() > 0  # rounded weights, products in float32
    capsys.readouterr()
    assert cli.main(["info", "out.npz", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["call"]["weight_dtype"] == told["packed"]["weight_dtype"] == "int8"
    assert told["packed"]["bytes"] == rn.load("out.npz").memory
    assert [layer.get("kept", False) for layer in told["layers"]] == [False, False, True]
    assert cli.main(["info", "out.npz"]) == 0
    text = capsys.readouterr().out
    assert "in float32, weights in int8" in text
    assert text.splitlines()[-1].endswith("parameters, kept in float32)")
    assert cli.main(["convert", "out.npz", "again.safetensors"]) == 0
    again = rn.load("again.safetensors")
    assert (again.weight_dtype, again.keep) == ("int8", ("2",))
    assert_same_bits(again(X)[0], want)


def test_without_a_check_weights_are_told_alone(quantize: Quantize) -> None:
    told = facts(quantize, "in.npz", "out.npz", "--weights", "float16")
    assert told["outputs"] == told["drift"] == {}
    assert all(layer["own"] is None and layer["weights"]["sqnr"] > 60 for layer in told["layers"])
    assert rn.load("out.npz").weight_dtype == "float16"


@pytest.mark.parametrize(("name", "most"), [("float16", 0.53), ("bfloat16", 0.53), ("int8", 0.29)])
def test_the_file_is_as_small_as_its_weights(name: str, most: float, quantize: Quantize) -> None:
    rn.Model(make_spec(RNG, "lstm", 64, 128, out_features=2)).save("large.safetensors")
    told = facts(quantize, "large.safetensors", "small.safetensors", "--weights", name)["bytes"]
    sizes = [Path(f"{size}.safetensors").stat().st_size for size in ("large", "small")]
    assert sizes == [told["before"], told["after"]]
    assert sizes[1] <= most * sizes[0]


@pytest.mark.skipif(not _core.has_bf16_dot(), reason="no products of bfloat16 here")
def test_products_are_reduced_too_where_that_is_asked_for(quantize: Quantize) -> None:
    told = facts(quantize, "in.npz", "out.npz", "--compute", "bfloat16", "--check", "x.npy")
    made = rn.load("out.npz")
    assert (made.weight_dtype, made.compute) == ("bfloat16", "bfloat16")
    assert told["compute"] == "bfloat16"
    assert_same_bits(made(X)[0], rn.quantize(SPEC, "bfloat16", X, compute="bfloat16").model(X)[0])


def test_products_that_do_not_go_with_the_weights_are_refused(quantize: Quantize) -> None:
    status, _, err = quantize("in.npz", "out.npz", "--weights", "int8", "--compute", "bfloat16")
    assert status == 2
    assert "expected weight_dtype None or 'bfloat16'" in err


def test_layers_are_kept_by_number_and_by_what_is_enough(quantize: Quantize) -> None:
    check = ("--weights", "bfloat16", "--check", "x.npy")
    told = facts(quantize, "in.npz", "out.npz", *check, "--keep-worst", 2)
    assert told["kept"] == list(rn.quantize(SPEC, "bfloat16", X, keep=2).kept)
    wanted = told["outputs"]["y"]["sqnr"] - 1
    told = facts(quantize, "in.npz", "out.npz", *check, "--at-least", wanted)
    made = rn.quantize(SPEC, "bfloat16", X, at_least=wanted)
    assert told["kept"] == list(made.kept) == list(rn.load("out.npz").keep)
    assert 0 < len(made.kept) < 3


def test_weights_are_chosen_for_the_check_unless_each_is_rounded_by_itself(
    quantize: Quantize,
) -> None:
    files = ("in.npz", "out.npz", "--check", "x.npy")
    chosen, same = facts(quantize, *files), facts(quantize, *files, "--rounding", "gptq")
    assert chosen == same
    assert chosen["rounding"] == "gptq"
    assert_same_bits(rn.load("out.npz")(X)[0], rn.quantize(SPEC, "int8", X).model(X)[0])
    assert facts(quantize, *files, "--rounding", "nearest")["rounding"] == "nearest"
    assert_same_bits(rn.load("out.npz")(X)[0], rn.Model(SPEC, weight_dtype="int8")(X)[0])
    assert facts(quantize, *files[:2])["rounding"] == "nearest"
    for options, message in (
        (files[:2], "--rounding gptq: only with --check"),
        ((*files, "--weights", "float16"), "rounding='gptq': expected weight_dtype 'int8'"),
    ):
        status, _, err = quantize(*options, "--rounding", "gptq")
        assert (status, message in err) == (2, True)


def test_inputs_of_every_kind(quantize: Quantize) -> None:
    row = X[:, 0].astype(float)
    np.savetxt("row.csv", row, delimiter=",")
    np.savez("one.npz", anything=X[:7, :2])
    told = facts(
        quantize, "in.npz", "out.npz", "--check", "x.npy", "row.csv", "one.npz",
        "--lengths", "20,3,0,1", "20", "7,5",
    )  # fmt: skip
    want = rn.quantize(
        SPEC, "int8", [X, row[:, None].astype(np.float32), X[:7, :2]],
        lengths=[[20, 3, 0, 1], [20], [7, 5]],
    )  # fmt: skip
    assert told["outputs"] == want.as_dict()["outputs"]
    np.save("turned.npy", np.swapaxes(X, 0, 1))
    told = facts(quantize, "in.npz", "out.npz", "--check", "turned.npy", "--batch-first")
    assert told["outputs"] == rn.quantize(SPEC, "int8", X).as_dict()["outputs"]
    assert not rn.load("out.npz").batch_first
    rn.Model(SPEC, batch_first=True).save("first.npz")
    again = facts(quantize, "first.npz", "out.npz", "--check", "turned.npy")
    assert again["outputs"] == told["outputs"]
    assert rn.load("out.npz").batch_first


def test_indices_and_several_inputs(quantize: Quantize) -> None:
    words = RNG.integers(0, 6, (9, 2))
    spec = make_spec(RNG, "rnn", 3, 4, num_embeddings=6, out_features=2)
    rn.Model(spec).save("words.npz")
    np.save("words.npy", words)
    told = facts(quantize, "words.npz", "out.npz", "--check", "words.npy")
    assert told["outputs"] == rn.quantize(spec, "int8", words).as_dict()["outputs"]

    nodes = {
        "encoder": (make_recurrent(RNG, "gru", 3, 4), "mel"),
        "who": (strategies.make_embedding(RNG, 5, 4), "speaker"),
        "wide": (rn.Expand(), ("who", "encoder")),
        "both": (rn.Add(), ("encoder", "wide")),
        "head": (make_linear(RNG, 4, 2), "both"),
    }
    inputs = {"mel": 3, "speaker": rn.Static()}
    graph = ModelSpec(nodes=nodes, inputs=inputs, outputs=("head", "encoder"))
    rn.Model(graph, batch_first=True).save("graph.safetensors")
    x = {"mel": X, "speaker": np.array([0, 4, 2, 2])}
    np.savez("given.npz", **(x | {"mel": np.swapaxes(X, 0, 1)}))  # type: ignore[arg-type]
    told = facts(
        quantize, "graph.safetensors", "out.npz", "--check", "given.npz", "--keep", "head",
    )  # fmt: skip
    want = rn.quantize(graph, "int8", x, keep=["head"])
    assert told["outputs"] == want.as_dict()["outputs"]
    assert told["kept"] == ["head"]
    np.savez("other.npz", mel=X)
    for path, message in (
        ("other.npz", "other.npz: expected the arrays 'mel', 'speaker'; found 'mel'"),
        ("x.npy", "x.npy: expected an .npz with the arrays 'mel', 'speaker'"),
    ):
        status, _, err = quantize("graph.safetensors", "o.npz", "--check", path)
        assert (status, message in err) == (2, True)
    np.savez("axes.npz", mel=X[0], speaker=x["speaker"])
    status, _, err = quantize("graph.safetensors", "o.npz", "--check", "axes.npz")
    assert "axes.npz: mel: expected 3 axes, got shape (4, 3)" in err


def test_what_does_not_go_along_is_told(quantize: Quantize) -> None:
    rn.Model(SPEC).save("golden.npz", golden=True)
    status, _, err = quantize("golden.npz", "out.npz")
    assert status == 0
    assert "note: the golden input of IN is left out" in err
    assert err.count("\n") == 1
    assert not set(formats.strings("out.npz")) & golden.KEYS
    strings = {metadata.ESTIMATOR: "{}"}
    formats.write(SPEC, "labels.safetensors", strings=strings)
    status, _, err = quantize("labels.safetensors", "out.safetensors")
    assert "note: labels and parameters of IN are left out" in err
    assert metadata.ESTIMATOR not in formats.strings("out.safetensors")


def test_a_part_of_a_checkpoint_is_taken(quantize: Quantize) -> None:
    gru = make_recurrent(RNG, "gru", 3, 4)
    arrays = {f"encoder.{name}": array for name, array in gru.arrays.items()}
    np.savez("checkpoint.npz", **arrays)  # type: ignore[arg-type]
    told = facts(quantize, "checkpoint.npz", "out.npz", "--prefix", "encoder", "--check", "x.npy")
    want = rn.quantize(ModelSpec((gru,)), "int8", X)
    assert told["outputs"] == want.as_dict()["outputs"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npz", "b.npz"], "none.npz: No such file"),
        (["in.npz", "in.npz"], "OUT: in.npz is also IN; choose another file"),
        (["in.npz", "x.npy", "--check", "x.npy"], "OUT: x.npy is also CHECK x.npy"),
        (["in.npz", "b.bin"], "b.bin: the suffix '.bin' is of no known format"),
        (["in.npz", "b.h5"], "b.h5: writing the format keras"),
        (["in.npz", "b.onnx", "--keep", "0"], "format onnx has no place for which layers keep"),
        (["in.npz", "folder.npz"], "folder.npz: Is a directory"),
        (["in.npz", "b.npz", "--keep", "7"], "keep: '7' is no node; those that have are '0', '1'"),
        (["in.npz", "b.npz", "--keep-worst", "1"], "--keep-worst: only with --check"),
        (["in.npz", "b.npz", "--at-least", "40"], "--at-least: only with --check"),
        (["in.npz", "b.npz", "--lengths", "3"], "--lengths: only with --check"),
        (["in.npz", "b.npz", "--check", "x.npy", "--keep-worst", "4"], "keep: expected 0 to 3"),
        (
            ["in.npz", "b.npz", "--check", "x.npy", "x.npy", "--lengths", "3"],
            "--lengths: expected 2, one for each CHECK; got 1",
        ),
        (["in.npz", "b.npz", "--check", "x.npy", "--lengths", "3"], "calibration[0]: lengths"),
        (["in.npz", "b.npz", "--check", "x.txt"], "x.txt: expected the suffix .npy, .npz, .csv"),
        (["in.npz", "b.npz", "--check", "no.npy"], "no.npy: No such file"),
        (["in.npz", "b.npz", "--check", "wide.npy"], "calibration[0]: x: "),
        (["in.npz", "b.npz", "--check", "flat.npy"], "flat.npy: expected [time, batch, features]"),
        (["huge.npz", "b.npz", "--weights", "float16"], "0.weight has 100000; float16 ends at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_error_is_one_line_and_leaves_the_files(
    arguments: list[str], message: str, folder: Path, quantize: Quantize
) -> None:
    Path("b.npz").write_bytes(b"before")
    Path("folder.npz").mkdir()
    np.save("wide.npy", np.zeros((4, 2, 5), np.float32))
    np.save("flat.npy", np.zeros(4, np.float32))
    formats.write(ModelSpec((rn.Linear(np.full((1, 1), 1e5)),)), "huge.npz")
    before = {path: path.is_file() and path.read_bytes() for path in folder.iterdir()}
    status, out, err = quantize(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("rnn-native quantize: ")
    assert message in err
    assert err.count("\n") == 1
    assert {path: path.is_file() and path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--keep", "0", "--keep-worst", "1"], ["--keep-worst", "0"], ["--at-least", "nan"],
        ["--weights", "int4"],
    ],
)  # fmt: skip
def test_wrong_options_are_refused(arguments: list[str], quantize: Quantize) -> None:
    with pytest.raises(SystemExit) as stop:
        quantize("in.npz", "b.npz", *arguments)
    assert stop.value.code == 2
