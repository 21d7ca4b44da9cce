"""A saved model is the same model: layout and type come back with the layers, from every format."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import DTYPES, assert_same_bits, assert_same_state
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import Case, cases, make_spec, specs

import rnn_native as rn
from rnn_native import cli, formats, onnx_backend
from rnn_native.formats import metadata, safetensors
from rnn_native.models import GRUModel
from rnn_native.spec import ModelSpec

SUFFIXES = (".safetensors", ".npz", ".onnx", ".pt")
CALLED = {"rnn_native.batch_first": "true", "rnn_native.dtype": "float64"}
RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "lstm", 4, 4, out_features=4, dtype=np.float64)
X = RNG.standard_normal((6, 6, 4))  # as many rows as steps: a wrong layout changes numbers alone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saving")


def assert_same_call(one: Any, other: Any, x: Any, *arguments: Any) -> None:
    (y, state), (y_other, state_other) = one(x, *arguments), other(x, *arguments)
    assert_same_bits(y, y_other)
    assert_same_state(state, state_other)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(
    case=st.sampled_from(DTYPES).flatmap(lambda dtype: cases(specs(dtype=dtype), dtype=dtype)),
    batch_first=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    num_threads=st.sampled_from([None, 1, 2]),
)
@settings(max_examples=60)
def test_a_model_that_was_saved_is_the_same_model(
    suffix: str, case: Case, batch_first: bool, dtype: str, num_threads: int | None, folder: Path
) -> None:
    model = rn.Model(case.spec, batch_first, dtype, "packed", num_threads)
    path = folder / f"model{suffix}"
    try:
        model.save(path)
    except rn.UnsupportedError:  # the format has no such layers
        assume(False)
    again = rn.load(path, matmul="packed")
    assert (again.batch_first, again.dtype) == (batch_first, np.dtype(dtype))
    assert repr(again) == repr(rn.Model(case.spec, batch_first, dtype, "packed", num_threads))
    x = np.swapaxes(case.x, 0, 1) if batch_first else case.x
    assert_same_call(again, model, x, case.state, case.lengths)
    assert again.num_threads is None, "threads are the machine's own"


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"output_layer": 3}])
@pytest.mark.parametrize("function", ["relu", "sigmoid", "tanh"])
def test_onnx_keeps_an_activation_apart_that_stood_behind_its_layer(
    options: dict[str, Any], function: str, tmp_path: Path
) -> None:
    """And the stack before it whole: one layer that reads otherwise is no reason to drop all that
    the file says."""
    if "output_layer" in options:
        options |= {"output_nonlinearity": "identity"}
    rnn = make_spec(RNG, "rnn", 2, 3, **options).layers[0]
    linear = rn.Linear(RNG.standard_normal((4, 3), np.float32))
    model = rn.Model([rnn, rn.Elementwise(function), linear, rn.Elementwise(function)])
    model.save(tmp_path / "model.onnx")
    again = rn.load(tmp_path / "model.onnx")
    assert list(map(metadata.describe, again.spec.layers)) == list(
        map(metadata.describe, model.spec.layers)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_a_call_says_goes_before_what_the_file_says(
    suffix: str, batch_first: bool, dtype: str, tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    rn.Model(SPEC, batch_first=batch_first, dtype=dtype).save(path)
    for other in (not batch_first, batch_first):
        assert rn.load(path, batch_first=other).batch_first == other
        assert rn.load(path, batch_first=other).dtype == dtype
    for kind in DTYPES:
        assert rn.load(path, dtype=kind).dtype == kind
        assert rn.load(path, dtype=kind).batch_first == batch_first


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_written_of_what_is_the_default(suffix: str, tmp_path: Path) -> None:
    """The bytes are those of the layers alone, and neither threads nor products are in them."""
    model = rn.Model(SPEC, matmul="packed", num_threads=2)
    model.save(tmp_path / f"a{suffix}")
    formats.write(model.spec, tmp_path / f"b{suffix}")
    strings = formats.strings(tmp_path / f"a{suffix}")
    ours = {key: text for key, text in strings.items() if key.startswith(metadata.PREFIX)}
    assert ours == metadata.to_metadata(SPEC)
    one, other = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    if suffix != ".npz":  # whose archive notes the time
        assert one == other
    rn.Model(SPEC, True, "float64", num_threads=2).save(tmp_path / f"a{suffix}")
    strings = formats.strings(tmp_path / f"a{suffix}")
    ours = {key: text for key, text in strings.items() if key.startswith(metadata.PREFIX)}
    assert ours == metadata.to_metadata(SPEC) | CALLED


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_wide_weights_alone_say_nothing_of_the_type(suffix: str, tmp_path: Path) -> None:
    """float64 weights of another framework, or of a spec, are computed with in float32."""
    formats.write(SPEC, tmp_path / f"model{suffix}")
    assert rn.load(tmp_path / f"model{suffix}").dtype == np.float32
    arrays = SPEC.recurrents[0].arrays
    safetensors_bytes = b"".join(safetensors.pack(arrays, {}))
    (tmp_path / "plain.safetensors").write_bytes(safetensors_bytes)
    np.savez(tmp_path / "plain.npz", **arrays)
    for name in ("plain.safetensors", "plain.npz"):
        model = rn.load(tmp_path / name)
        assert (model.dtype, model.batch_first) == (np.dtype(np.float32), False)


@pytest.mark.parametrize("key", CALLED)
@pytest.mark.parametrize("text", ["", "True", "1", "float16", "true "])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
def test_another_value_is_refused_with_the_file(
    key: str, text: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    formats.write(SPEC, path, strings={key: text})
    with pytest.raises(rn.FormatError, match=rf"model\{suffix}: metadata: {key}: expected .* got"):
        rn.load(path)


@given(
    case=cases(min_time=1, max_batch=3).filter(lambda case: case.batch > 0 and not case.lengths),
    dtype=st.sampled_from(DTYPES),
)
@settings(max_examples=60)
def test_a_graph_takes_x_as_the_model_does(case: Case, dtype: str, folder: Path) -> None:
    """Of a batch-first model it gives what the time-first graph of the same layers gives, turned:
    the operators are the same, and a Transpose rounds nothing."""
    onnx = pytest.importorskip("onnx")
    got = []
    for batch_first in (False, True):
        try:
            rn.Model(case.spec, batch_first, dtype).save(folder / "graph.onnx")
        except rn.UnsupportedError:
            assume(False)
        prepared = onnx_backend.prepare(onnx.load(folder / "graph.onnx"))
        x = case.x if case.spec.takes_indices else case.x.astype(dtype)
        y, *states = prepared.run({"x": np.swapaxes(x, 0, 1) if batch_first else x})
        got.append([np.swapaxes(y, 0, 1) if batch_first and y.ndim == 3 else y, *states])
    for one, other in zip(*got, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_golden_input_of_such_a_model_is_replayed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    model = rn.Model(SPEC, batch_first=True, dtype="float64")
    model.save(path, golden={"x": X, "lengths": [6, 5, 4, 3, 2, 1]})
    assert_same_call(rn.load(path, verify=True), model, X)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_convert_keeps_both(suffix: str, tmp_path: Path, capsys: Any) -> None:
    first = tmp_path / "first.npz"
    model = rn.Model(SPEC, batch_first=True, dtype="float64")
    model.save(first, golden=True)
    out = tmp_path / f"out{suffix}"
    assert cli.main(["convert", str(first), str(out), "--verify"]) == 0
    assert_same_call(rn.load(out), model, X)
    assert cli.main(["convert", str(out), str(tmp_path / "again.npz"), "--dtype", "float32"]) == 0
    again = rn.load(tmp_path / "again.npz")
    assert (again.batch_first, again.dtype) == (True, np.dtype(np.float32))
    assert cli.main(["convert", str(tmp_path / "again.npz"), str(out), "--dtype", "float64"]) == 0
    assert rn.load(out).dtype == np.float64
    assert capsys.readouterr().err == ""


def test_run_takes_x_as_the_model_does(tmp_path: Path, run: Any) -> None:
    model = rn.Model(SPEC, batch_first=True, dtype="float64")
    model.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "row.npy", X[0])
    assert run("model.safetensors", "x.npy", "-o", "y.npy") == (0, "", "")
    assert_same_bits(np.load(tmp_path / "y.npy"), model(X)[0])
    assert run("model.safetensors", "row.npy", "-o", "y.npy") == (0, "", "")
    assert_same_bits(np.load(tmp_path / "y.npy"), model(X[:1])[0][0])
    more = ("--no-batch-first", "--dtype", "float32")
    assert run("model.safetensors", "x.npy", "-o", "y.npy", *more) == (0, "", "")
    assert_same_bits(np.load(tmp_path / "y.npy"), rn.Model(SPEC)(X)[0])


def test_exported_c_computes_in_the_type_of_the_file(tmp_path: Path, capsys: Any) -> None:
    for dtype, number in (("float32", "float"), ("float64", "double")):
        rn.Model(SPEC, dtype=dtype).save(tmp_path / "net.npz")
        assert cli.main(["export-c", str(tmp_path / "net.npz"), str(tmp_path / dtype)]) == 0
        header = (tmp_path / dtype / "net.h").read_text()
        assert f"const {number} *" in header
    capsys.readouterr()


def test_a_module_and_a_model_that_learns_are_saved_as_they_are_called(tmp_path: Path) -> None:
    module = rn.GRU(4, 4, batch_first=True, dtype="float64")
    module.model.save(tmp_path / "module.npz")
    assert_same_call(rn.load(tmp_path / "module.npz"), module, X)
    learner = GRUModel(input_dim=4, hidden_units=4, output_dim=4, dtype="float64")
    learner.fit(X, np.arange(6) % 4, epochs=1, seed=0)
    learner.save(tmp_path / "learner.safetensors")
    assert_same_call(rn.load(tmp_path / "learner.safetensors"), learner.model_, X)


def test_copies_are_the_same_model() -> None:
    model = rn.Model(SPEC, batch_first=True, dtype="float64", matmul="packed")
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(again) == repr(model)
        assert_same_call(again, model, X)


def test_the_repr_shows_the_axes_and_the_type() -> None:
    last = make_spec(RNG, "gru", 3, 5, num_embeddings=9, return_sequences=False)
    for batch_first, axes in ((False, "[time, batch"), (True, "[batch, time")):
        shown = repr(rn.Model(SPEC, batch_first=batch_first, dtype="float64"))
        assert f"; {axes}, 4] -> {axes}, 4], " in shown
        assert ", float64, " in shown
        shown = repr(rn.Model(ModelSpec(last.layers), batch_first=batch_first))
        assert f"; {axes}] below 9 -> [batch, 5], " in shown
        assert ", float32, " in shown


def test_info_shows_the_axes_and_the_type(tmp_path: Path, capsys: Any) -> None:
    import json

    path = str(tmp_path / "model.safetensors")
    for batch_first, axes in ((False, ["time", "batch"]), (True, ["batch", "time"])):
        for dtype in DTYPES:
            rn.Model(SPEC, batch_first=batch_first, dtype=dtype).save(path)
            assert cli.main(["info", path]) == 0
            text = f"[{', '.join(axes)}, 4]"
            assert f"call        {text} -> {text} in {dtype}\n" in capsys.readouterr().out
            assert cli.main(["info", path, "--json"]) == 0
            told = json.loads(capsys.readouterr().out)
            x = [*axes, 4]
            said = {"batch_first": batch_first, "dtype": dtype}
            reduced = {"weight_dtype": None, "compute": None}
            assert told["call"] == {"x": x, "y": x, **said, **reduced}
            assert told["packed"]["dtype"] == dtype
