"""Graphs as ONNX files that we write: in onnxruntime, and read again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import onnx
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from onnx_graphs import ATOL, run
from random_graphs import make_graph
from strategies import make_recurrent

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError
from rnn_native.formats.calling import BATCH_FIRST
from rnn_native.formats.metadata import to_arrays, to_metadata
from rnn_native.spec import Layer, ModelSpec

pytestmark = pytest.mark.oracle

T, B = 4, 3


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


def expressible(spec: ModelSpec) -> bool:
    """What ONNX has, as onnxruntime does it (test_onnx_attributes.py)."""
    return not any(
        r.gate_recurrent or r.proj_size or (r.clip is not None and r.cell == "lstm")
        or any(a.name == "thresholded_relu" for a in r.activations or ())
        for r in spec.recurrents
    ) and not any(  # of which an ONNX file has a state
        getattr(node.layer, "mode", "") in ("first", "last") and node.inputs[0] in spec.inputs
        for node in spec.nodes.values()
    ) and not any(map(not_written, (node.layer for node in spec.nodes.values())))  # fmt: skip


def not_written(layer: Layer) -> bool:
    """Attention of steps to steps, groups of channels over time and positions, a bound of c."""
    if isinstance(layer, rn.InstanceNorm):
        return layer.positions > 1 and layer.groups != layer.channels
    return layer.kind == "attention" or getattr(layer, "cell_clip", None) is not None


def feeds_of(spec: ModelSpec, rng: np.random.Generator) -> dict[str, Any]:
    feeds: dict[str, Any] = {}
    for name, (features, indices) in spec.inputs.items():
        if indices:
            feeds[name] = rng.integers(0, features, (T, B))
        else:
            feeds[name] = rng.uniform(-1, 1, (T, B, features)).astype(np.float32)
    return feeds


def names_of_states(spec: ModelSpec) -> list[tuple[str, str]]:
    return [
        (node, name)
        for node, (layer, _) in spec.nodes.items()
        for name in (layer.state_names if layer in spec.recurrents else ())
    ]


def assert_same(got: ModelSpec, want: ModelSpec) -> None:
    assert not got.is_chain
    assert to_metadata(got) == to_metadata(want)
    arrays = to_arrays(want)
    assert set(to_arrays(got)) == set(arrays)
    for name, array in to_arrays(got).items():
        np.testing.assert_array_equal(array, arrays[name])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_onnxruntime_gives_what_the_reference_gives(
    path: Path, seed: int, batch_first: bool, with_state: bool
) -> None:
    rng = np.random.default_rng(seed)
    spec = make_graph(rng, streams=False)
    assume(expressible(spec))
    formats.write(spec, path, strings={BATCH_FIRST: "true"} if batch_first else None)
    x, state, feeds = feeds_of(spec, rng), None, {}
    recurrents = [node for node, _ in names_of_states(spec)]
    if with_state and recurrents:
        state = {}
        for node, name in names_of_states(spec):
            layer = spec.nodes[node].layer
            size = layer.state_sizes[layer.state_names.index(name)]
            array = rng.uniform(-1, 1, (layer.state_rows, B, size)).astype(np.float32)
            feeds[f"{node}.{name}_0"] = array
            state.setdefault(node, []).append(array)
        for node, (layer, sources) in spec.nodes.items():  # what a file has no input for
            if layer.state_names and node not in state:
                state[node] = [*layer.first_state(B, spec.value(sources[0]).features)]
        state = {n: tuple(s) if len(s) > 1 else s[0] for n, s in state.items()}
        state = state if len(state) > 1 else next(iter(state.values()))
    for name, array in x.items():
        feeds[name] = np.swapaxes(array, 0, 1) if batch_first else array
    want, final = reference.run(spec, x if len(x) > 1 else next(iter(x.values())), state)
    wants = want if len(spec.outputs) > 1 else dict(zip(spec.outputs, [want], strict=True))
    finals = final if isinstance(final, dict) else dict.fromkeys(recurrents[:1], final)
    finals = {node: arrays for node, arrays in finals.items() if node in recurrents}
    names = [output.name for output in onnx.load(path).graph.output]
    got = dict(zip(names, run(path, feeds), strict=True))
    for name, y in wants.items():
        y = np.swapaxes(y, 0, 1) if batch_first and y.ndim == 3 else y
        # ATOL is for one layer; here are up to ten, which pass on what they get.
        atol = 8 * ATOL * max(1.0, float(np.abs(y).max()))
        np.testing.assert_allclose(got.pop(name), y, rtol=0, atol=atol)
    for node, arrays in finals.items():
        layer = spec.nodes[node].layer
        arrays = arrays if isinstance(arrays, tuple) else (arrays,)
        for name, array in zip(layer.state_names, arrays, strict=True):
            atol = 8 * ATOL * max(1.0, float(np.abs(array).max()))
            np.testing.assert_allclose(got.pop(f"{node}.{name}_n"), array, rtol=0, atol=atol)
    assert not got


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
@example(23214, False)  # the activation behind a Linear comes some layers later
def test_reading_gives_the_same_graph(path: Path, seed: int, batch_first: bool) -> None:
    spec = make_graph(np.random.default_rng(seed), streams=False)
    assume(expressible(spec))
    formats.write(spec, path, strings={BATCH_FIRST: "true"} if batch_first else None)
    assert_same(formats.read(path), spec)


def side_by_side() -> ModelSpec:
    """Two stacks, a sum of three and both values of one of them."""
    rng = np.random.default_rng(0)
    stack = make_recurrent(rng, "gru", 3, 4, num_layers=2)
    other = make_recurrent(rng, "lstm", 3, 4, num_layers=3, direction="reverse")
    return ModelSpec(
        nodes={
            "one": (stack, "x"),
            "two": (other, "x"),
            "sum": (rn.Add(), ("one", "two", "one")),
            "head": (rn.Linear(rng.standard_normal((2, 4), np.float32)), "sum"),
            "act": (rn.Elementwise("tanh"), "head"),
            "label": (rn.Linear(rng.standard_normal((2, 4), np.float32)), "one.last"),
        },
        inputs="x",
        outputs={"steps": "act", "label": "label", "h": "two.last"},
    )


def test_stacks_and_names_come_back_out_of_the_properties(path: Path) -> None:
    spec = side_by_side()
    formats.write(spec, path)
    onnx.checker.check_model(str(path), full_check=True)
    assert_same(formats.read(path), spec)


def test_without_properties_the_graph_gives_the_same_numbers(path: Path) -> None:
    spec = side_by_side()
    formats.write(spec, path)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    read = formats.read(path)
    assert len(read.recurrents) == 5
    x = np.random.default_rng(1).standard_normal((T, B, 3), np.float32)
    want, got = (reference.run(one, x)[0] for one in (spec, read))
    for name in ("steps", "label"):
        np.testing.assert_allclose(got[name], want[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("change", ["operator", "order", "output", "property", "line"])
def test_a_graph_that_was_changed_since_is_what_it_is_now(change: str, path: Path) -> None:
    spec = side_by_side()
    formats.write(spec, path)
    model = onnx.load(path)
    ops = {node.op_type: node for node in model.graph.node}
    if change == "operator":
        ops["Tanh"].op_type = "Sigmoid"
    elif change == "order":
        ops["Add"].op_type = "Sub"
    elif change == "output":
        del model.graph.output[1]
    else:
        wanted = "node.2" if change == "property" else "layer.3"
        (entry,) = (p for p in model.metadata_props if p.key == f"rnn_native.{wanted}")
        entry.value = "one" if change == "property" else "linear"
    onnx.save(model, path)
    read = formats.read(path)
    assert len(read.recurrents) == 5  # nothing is joined
    x = np.random.default_rng(1).standard_normal((T, B, 3), np.float32)
    got, _ = reference.run(read, x)
    names = [output.name for output in onnx.load(path).graph.output]
    session = dict(zip(names, run(path, {"x": x}), strict=True))
    for name in read.outputs:
        np.testing.assert_allclose(got[name], session[name], rtol=0, atol=20 * ATOL)


def test_names_that_a_file_would_have_twice_are_refused(path: Path) -> None:
    layer = make_recurrent(np.random.default_rng(0), "gru", 3, 4)
    for wires in (
        {"inputs": "a.h_0", "nodes": {"a": (layer, "a.h_0")}, "outputs": "a"},
        {"inputs": "x", "nodes": {"a": (layer, "x")}, "outputs": {"x": "a"}},
        {"inputs": "x", "nodes": {"a": (layer, "x")}, "outputs": {"a.h_n": "a"}},
    ):
        with pytest.raises(
            UnsupportedError, match="would be two inputs or outputs of an ONNX file"
        ):
            formats.write(ModelSpec(**wires), path)


def test_what_onnx_has_no_room_for_is_refused_by_name(path: Path) -> None:
    spec = ModelSpec(nodes={"a": (rn.Elementwise("affine", 1e39, 0.0), "x")}, inputs={"x": 2},
                     outputs="a")  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"1e\+39: beyond float32"):
        formats.write(spec, path)


def test_a_graph_whose_only_layers_have_no_weights(path: Path) -> None:
    nodes = {"a": (rn.Sub(), ("x", "y")), "b": (rn.Elementwise("affine", 2.0, 3.0), "a")}
    spec = ModelSpec(nodes=nodes, inputs={"x": 2, "y": 2}, outputs=["b"])
    formats.write(spec, path)
    assert_same(formats.read(path), spec)
    x = np.ones((T, B, 2), np.float32)
    (got,) = run(path, {"x": x, "y": 3 * x})
    np.testing.assert_array_equal(got, -1 * x)
