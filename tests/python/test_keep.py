"""Layers that keep their matrices, whatever ``weight_dtype`` a Model has: ``ModelSpec.keep``."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies
from agreement import assert_same_bits, assert_same_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import Case, cases, make_linear, make_recurrent, specs

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats import metadata, safetensors
from rnn_native.spec import ModelSpec

HALVES = ("float16", "bfloat16")
"""The types whose products are those of the same weights in float32."""


def some(spec: ModelSpec, which: int) -> ModelSpec:
    """The model with some of its layers kept: the bits of a number say which."""
    return spec.having(keep=[n for i, n in enumerate(spec.reducible) if which >> i & 1])


def graph() -> ModelSpec:
    rng = np.random.default_rng(0)
    nodes = {
        "encoder": (make_recurrent(rng, "gru", 5, 8), "mel"),
        "word": (strategies.make_embedding(rng, 7, 8), "who"),
        "both": (rn.Add(), ("encoder", "word")),
        "head": (make_linear(rng, 8, 3), "both"),
    }
    return ModelSpec(nodes=nodes, inputs=("mel", "who"), outputs={"y": "head", "z": "both"})


@given(cases(specs(scales=True, convs=True)), st.integers(0, 31), st.sampled_from(HALVES))
def test_each_layer_is_rounded_or_kept(case: Case, which: int, name: str) -> None:
    """To the bit: a Model multiplies kept matrices as they are, and the others rounded."""
    spec = some(case.spec, which)
    model, wide = rn.Model(spec, weight_dtype=name), rn.Model(rn.reference.stored(spec, name))
    assert model.keep == spec.keep
    assert model.spec.keep == spec.keep
    stored = metadata.to_arrays(model.spec)
    for key, array in metadata.to_arrays(wide.spec).items():
        assert_same_bits(stored[key], array)
    y, state = model(case.x, case.state, case.lengths)
    expected, expected_state = wide(case.x, case.state, case.lengths)
    assert_same_bits(y, expected)
    assert_same_state(state, expected_state)


def test_kept_layers_take_their_bytes() -> None:
    spec = strategies.make_spec(np.random.default_rng(0), "lstm", 40, 64, num_recurrents=2)
    sizes = [
        rn.Model(spec, weight_dtype="float16", keep=keep).memory
        for keep in ((), ("0",), ("0", "1"))
    ]
    assert sizes[0] < sizes[1] < sizes[2] == rn.Model(spec).memory


@given(spec=specs(), which=st.integers(0, 31))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_files_keep_which_they_are(
    suffix: str, spec: ModelSpec, which: int, tmp_path: Path
) -> None:
    spec, path = some(spec, which), tmp_path / f"model.{suffix}"
    model = rn.Model(spec, weight_dtype="float16")
    model.save(path)
    again = rn.load(path)
    assert (again.keep, again.weight_dtype) == (spec.keep, "float16")
    assert again.memory == model.memory
    assert formats.read(path).keep == spec.keep
    version = metadata.to_metadata(spec)["rnn_native.version"]
    assert (
        version == "2"
        if spec.keep
        else version == metadata.to_metadata(some(spec, 0))["rnn_native.version"]
    )
    assert rn.load(path, keep=()).keep == ()
    assert rn.load(path, dtype="float32").weight_dtype is None


def test_a_graph_keeps_nodes_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    rn.Model(graph(), weight_dtype="bfloat16", keep=("head",)).save(path)
    strings = formats.strings(path)
    assert strings["rnn_native.layer.3"] == (
        "linear in_features=8 out_features=3 bias=true activation=identity weight_dtype=float32"
    )
    assert strings["rnn_native.layer.2"].endswith("mode=add inputs=0,1")
    model = rn.load(path)
    assert model.keep == ("head",)
    assert "weights in bfloat16 but of head" in repr(model)
    assert "keep=('head',)" in repr(model.spec)
    x = {"mel": np.ones((4, 2, 5), np.float32), "who": np.ones((4, 2), int)}
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.keep == ("head",)
        assert_same_bits(other(x)[0]["y"], model(x)[0]["y"])
    assert pickle.loads(pickle.dumps(model.spec)).keep == ("head",)


def test_keys_of_a_line_may_be_in_any_order() -> None:
    spec = ModelSpec((make_linear(np.random.default_rng(0), 3, 2),), keep=["0"])
    strings = metadata.to_metadata(spec)
    kind, *pairs = strings["rnn_native.layer.0"].split(" ")
    line = " ".join([kind, pairs[-1], *pairs[:-1]])
    changed = strings | {"rnn_native.layer.0": line}
    assert metadata.from_metadata(changed, metadata.to_arrays(spec)).keep == ("0",)
    data = safetensors.dumps(spec)
    same = data.replace(strings["rnn_native.layer.0"].encode(), line.encode())
    assert same != data
    assert safetensors.loads(same).keep == ("0",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("linear {} weight_dtype=float32 weight_dtype=float32", "expected the keys"),
        ("linear {} weight_dtype=float16", "expected the keys"),
        ("linear {} weight_dtype=", "expected key=value"),
        ("elementwise function=tanh weight_dtype=float32", "'1' has no matrices to keep"),
    ],
)
def test_malformed_lines_are_refused(line: str, message: str) -> None:
    rng = np.random.default_rng(0)
    spec = ModelSpec((make_linear(rng, 3, 2), rn.Elementwise("tanh")))
    strings = metadata.to_metadata(spec)
    index = 1 if line.startswith("elementwise") else 0
    options = strings["rnn_native.layer.0"].partition(" ")[2]
    strings[f"rnn_native.layer.{index}"] = line.format(options)
    with pytest.raises(rn.FormatError, match=message):
        metadata.from_metadata(strings, metadata.to_arrays(spec))


def test_formats_without_a_place_for_it_are_refused(tmp_path: Path) -> None:
    model = rn.Model(rn.GRU(3, 4), weight_dtype="float16", keep=("0",))
    for suffix in ("onnx", "pt"):
        with pytest.raises(rn.UnsupportedError, match=r"which layers keep .* here 0; .*: safe"):
            model.save(tmp_path / f"model.{suffix}")
    assert list(tmp_path.iterdir()) == []


WRONG: list[tuple[Any, str]] = [
    ("0", "expected names of nodes, got '0'"),
    ([0], r"expected names of nodes, got \[0\]"),
    (True, "expected names of nodes, got True"),
    (["3"], "'3' is no node; those that have are '0', '2'"),
    (["1"], "'1' has no matrices to keep; those that have are '0', '2'"),
]


@pytest.mark.parametrize(("keep", "message"), WRONG)
def test_what_cannot_be_kept_is_refused(keep: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    layers = [make_recurrent(rng, "gru", 3, 4), rn.Elementwise("tanh"), make_linear(rng, 4, 2)]
    for make in (lambda: rn.Model(layers, weight_dtype="float16", keep=keep),
                 lambda: ModelSpec(layers, keep=keep)):  # fmt: skip
        with pytest.raises(rn.OptionError, match=message):
            make()


def test_it_needs_a_weight_dtype() -> None:
    with pytest.raises(rn.OptionError, match="only beside a weight_dtype"):
        rn.Model(rn.GRU(3, 4), keep=["0"])
    spec = rn.Model(rn.GRU(3, 4), weight_dtype="float16", keep=["0"]).spec
    assert rn.Model(spec).weight_dtype is None  # what a file says does no harm


def test_names_are_once_each_and_in_the_order_of_the_nodes() -> None:
    spec = strategies.make_spec(np.random.default_rng(0), num_recurrents=2, out_features=2)
    assert spec.having(keep=["2", "0", "2"]).keep == ("0", "2")
    assert spec.having(keep=["2", "0"]).reducible == ("1",)
    assert spec.having(keep=("0",)).having().keep == ("0",)


def test_a_spec_with_other_layers_is_otherwise_the_same() -> None:
    spec = graph().having(keep=["head"])
    other = make_linear(np.random.default_rng(1), 8, 3)
    changed = spec.having({"head": other})
    assert changed.nodes["head"].layer is other
    assert changed.nodes["encoder"] == spec.nodes["encoder"]
    assert (changed.inputs, changed.outputs) == (spec.inputs, spec.outputs)
    assert changed.keep == ("head",)
    masked = ModelSpec((make_recurrent(np.random.default_rng(0), "gru", 3, 4),), -1.0)
    assert masked.having(keep=["0"]).mask_value == -1.0
