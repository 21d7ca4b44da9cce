"""Loops and reversals of an ONNX graph that are a layer, with onnxruntime's numbers."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_cells import (
    ATOL,
    Pieces,
    Weights,
    layers,
    load,
    model_of,
    normal,
    packed,
    pieces,
    run,
    states_of,
    step,
)  # fmt: skip
from strategies import seeds

from rnn_native.errors import UnsupportedError

CELLS = ("lstm", "gru", "rnn")
cells = st.sampled_from(CELLS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells") / "model.onnx"


# Scan


def scanned(rng: np.random.Generator, weights: Weights, **options: Any) -> Any:
    """A Scan over x [time, batch, features], or along another axis, whose body is a step."""
    body, lstm = pieces(rng), weights.cell == "lstm"
    body.prefix = "body_"
    body.opset = max(body.opset, 17)  # a list in a loop is newer
    states = ["bh", "bc"][: 1 + lstm]
    h, *more = step(body, weights, "bx", "bh", "bc")
    made = [body.node("Identity", name, outputs=[f"{state}n"]) for state, name in
            zip(states, [h, *filter(None, more)], strict=True)]  # fmt: skip
    ys = body.node("Identity", h, outputs=["by"])
    size, hidden = weights.w.shape[1], weights.hidden
    inside = model_of(
        body,
        {name: ["N", hidden] for name in states} | {"bx": ["N", size]},
        {name: ["N", hidden] for name in (*made, ys)},
        "body",
    )
    p = Pieces(rng, body.opset)
    names = ["h0", "c0"][: 1 + lstm]
    order = rng.permutation(len(names))  # of the states, in the body as outside
    graph = inside.graph
    given, after = ([copy.copy(v) for v in values] for values in (graph.input, graph.output))
    del graph.input[:], graph.output[:]
    graph.input.extend([*(given[i] for i in order), given[-1]])
    graph.output.extend([*(after[i] for i in order), after[-1]])
    outputs = [*(f"{names[i]}n" for i in order), "y"]
    p.nodes.append(
        helper.make_node(
            "Scan",
            [*(names[i] for i in order), "x"],
            outputs,
            "scan",
            body=graph,
            num_scan_inputs=1,
            **options,
        )
    )
    axes = ["N", size]
    axes.insert(options.get("scan_input_axes", [0])[0] % 3, "T")
    out = ["N", hidden]
    out.insert(options.get("scan_output_axes", [0])[0] % 3, "T")
    inputs = {"x": axes} | {name: ["N", hidden] for name in names}
    return model_of(p, inputs, {"y": out} | {f"{n}n": ["N", hidden] for n in names})


@given(seeds(), cells, st.sampled_from([0, 1, -3]), st.sampled_from([0, 1, 2]), st.booleans())
def test_a_scan_whose_body_is_a_step_is_a_layer(
    path: Path, seed: int, cell: str, axis: int, out: int, backwards: bool
) -> None:
    rng = np.random.default_rng(seed)
    (weights,) = layers(rng, cell)
    options = {"scan_input_axes": [axis], "scan_output_axes": [out]}
    if backwards:
        options |= {"scan_input_directions": [1], "scan_output_directions": [1]}
    model = scanned(rng, weights, **options)
    loaded = load(model, path)
    (layer,) = loaded.spec.layers
    assert layer.direction == ("reverse" if backwards else "forward")
    x = normal(rng, 5, 2, weights.w.shape[1])
    states = {name: normal(rng, 2, weights.hidden) for name in ("h0", "c0")[: 1 + (cell == "lstm")]}
    want = run(model, {"x": np.moveaxis(x, 0, axis), **states})
    y, after = loaded(x, state=packed([s[None] for s in states.values()], cell, 1))
    np.testing.assert_allclose(np.moveaxis(y, 0, out), want["y"], rtol=0, atol=ATOL)
    for name, got in zip(states, states_of(after), strict=True):
        np.testing.assert_allclose(got[0], want[f"{name}n"], rtol=0, atol=ATOL)


def test_a_scan_that_is_no_step_is_refused_as_what_it_is(path: Path) -> None:
    rng = np.random.default_rng(0)
    model = scanned(rng, layers(rng, "gru")[0], scan_output_directions=[1])
    with pytest.raises(UnsupportedError, match=r"\(Scan\): a loop is read where .*onnx_backend"):
        load(model, path)


# Loop


def looped(rng: np.random.Generator, weights: Weights, axis: int, listed: bool, count: Any) -> Any:
    """A Loop over x [time, batch, features], or along another axis, whose body is a step; every h
    is an output, or in a list; ``count`` says how often it goes round, None for all of x."""
    body, lstm = pieces(rng), weights.cell == "lstm"
    body.prefix = "body_"
    body.opset = max(body.opset, 17)  # a list in a loop is newer
    states = ["bh", "bc"][: 1 + lstm]
    x = body.node("Gather", "x", body.node("Identity", "number"), axis=axis)
    h, *more = step(body, weights, x, "bh", "bc")
    made = [
        body.node("Identity", name, outputs=[f"{state}n"])
        for state, name in zip(states, [h, *filter(None, more)], strict=True)
    ]
    y = body.node(*(["SequenceInsert", "list"] if listed else ["Identity"]), h, outputs=["by"])
    go = body.node("Identity", "go", outputs=["gone"])

    def infos(names: list[str]) -> list[Any]:
        kinds = {"number": TensorProto.INT64, "go": TensorProto.BOOL, "gone": TensorProto.BOOL}
        return [
            helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None)
            if name == "list" or (listed and name == "by")
            else helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT),
                                               [] if name in kinds else None)
            for name in names
        ]  # fmt: skip

    constants = [numpy_helper.from_array(array, key) for key, array in body.constants.items()]
    inside = helper.make_graph(
        body.nodes,
        "body",
        infos(["number", "go", *states, *["list"] * listed]),
        infos([go, *made, y]),
        constants,
    )
    p = Pieces(rng, body.opset)
    names = ["h0", "c0"][: 1 + lstm]
    if count is None:
        size = p.node("Shape", "x")
        times = p.node("Gather", size, p.constant(axis, np.int64), axis=0)
    else:
        times = p.constant(count, np.int64)
    given = [times, p.constant(True, np.bool_), *names]
    outputs = [*(f"{name}n" for name in names), "ys"]
    p.nodes.append(
        helper.make_node(
            "Loop",
            [*given, p.node("SequenceEmpty")] if listed else given,
            outputs,
            "loop",
            body=inside,
        )
    )
    if listed:
        p.node("ConcatFromSequence", "ys", axis=0, new_axis=1, outputs=["y"])
    else:
        p.node("Identity", "ys", outputs=["y"])
    axes: list[Any] = ["N", weights.w.shape[1]]
    axes.insert(axis, "T")
    inputs = {"x": axes} | {name: ["N", weights.hidden] for name in names}
    ends = {f"{n}n": ["N", weights.hidden] for n in names}
    return model_of(p, inputs, {"y": ["T", "N", weights.hidden]} | ends)


@given(seeds(), cells, st.sampled_from([0, 1]), st.booleans())
def test_a_loop_whose_body_is_a_step_is_a_layer(
    path: Path, seed: int, cell: str, axis: int, listed: bool
) -> None:
    rng = np.random.default_rng(seed)
    (weights,) = layers(rng, cell)
    model = looped(rng, weights, axis, listed, None)
    loaded = load(model, path)
    (layer,) = loaded.spec.layers
    assert layer.cell == cell
    x = normal(rng, 5, 2, weights.w.shape[1])
    states = {name: normal(rng, 2, weights.hidden) for name in ("h0", "c0")[: 1 + (cell == "lstm")]}
    want = run(model, {"x": np.moveaxis(x, 0, axis), **states})
    y, after = loaded(x, state=packed([s[None] for s in states.values()], cell, 1))
    np.testing.assert_allclose(y, want["y"], rtol=0, atol=ATOL)
    for name, got in zip(states, states_of(after), strict=True):
        np.testing.assert_allclose(got[0], want[f"{name}n"], rtol=0, atol=ATOL)


def test_a_loop_over_a_part_of_the_sequence_is_refused_as_what_it_is(path: Path) -> None:
    rng = np.random.default_rng(0)
    model = looped(rng, layers(rng, "gru")[0], 0, listed=False, count=3)
    with pytest.raises(UnsupportedError, match=r"\(Loop\): a loop is read where .*onnx_backend"):
        load(model, path)


# What is turned round


def turned_round(
    rng: np.random.Generator, cell: str, way: str, batch_first: bool, both: bool
) -> Any:
    """A forward layer between two reversals of the time; beside another one where ``both``."""
    p, size, hidden = pieces(rng), 3, 4
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[cell]
    time = 1 if batch_first else 0

    def reverse(x: str, axis: int) -> str:
        if way == "slice":
            ends = [p.constant([n], np.int64) for n in (-1, -(2**63) + 1, axis, -1)]
            return p.node("Slice", x, *ends)
        lengths = p.node("Shape", "x")
        steps = p.node("Gather", lengths, p.constant([time], np.int64))
        rows = p.node("Gather", lengths, p.constant([1 - time], np.int64))
        return p.node("ReverseSequence", x, p.node("Expand", steps, rows), time_axis=axis,
                      batch_axis=1 - axis)  # fmt: skip

    def layer(x: str) -> str:
        x = p.node("Transpose", x, perm=[1, 0, 2]) if batch_first else x
        arrays = [normal(rng, 1, gates * hidden, n) / 2 for n in (size, hidden)]
        made = [f"t{len(p.nodes)}_{i}" for i in range(2)]
        p.node(cell.upper(), x, *map(p.constant, arrays), outputs=made, hidden_size=hidden)
        y = p.axes("Squeeze", made[0], 1)
        return p.node("Transpose", y, perm=[1, 0, 2]) if batch_first else y

    back = reverse(layer(reverse("x", time)), time)
    y = p.node("Concat", layer("x"), back, axis=2) if both else back
    axes = ["N", "T"] if batch_first else ["T", "N"]
    y = p.node("Identity", y, outputs=["y"])
    return model_of(p, {"x": [*axes, size]}, {y: [*axes, hidden * (1 + both)]})


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("way", ["slice", "lengths"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_between_two_reversals_goes_backwards(
    path: Path, cell: str, way: str, batch_first: bool, both: bool
) -> None:
    rng = np.random.default_rng(7)
    model = turned_round(rng, cell, way, batch_first, both)
    loaded = load(model, path)
    directions = {layer.direction for layer in loaded.spec.recurrents}
    assert directions == ({"forward", "reverse"} if both else {"reverse"})
    x = normal(rng, 5, 2, 3)
    given = x.swapaxes(0, 1) if batch_first else x
    want = run(model, {"x": given})["y"]
    y, _ = loaded(x)
    np.testing.assert_allclose(y.swapaxes(0, 1) if batch_first else y, want, rtol=0, atol=ATOL)


# What was cut


CUTS = [
    (cut, last, order)
    for cut in ("Split", "Slice", "Gather")
    for last in (False, True)
    for order in ((0, 1), (1, 0))
    if not (last and (cut == "Slice" or order == (1, 0)))
]


@pytest.mark.parametrize(("cut", "last", "order"), CUTS)
def test_the_directions_of_a_layer_cut_and_joined_are_the_layer(
    path: Path, cut: str, last: bool, order: tuple[int, int]
) -> None:
    rng = np.random.default_rng(11)
    p, axis = pieces(rng), 0 if last else 1
    arrays = [p.constant(normal(rng, 2, 12, n) / 2) for n in (3, 4)]
    p.node("GRU", "x", *arrays, outputs=["Y", "H"], hidden_size=4, direction="bidirectional")
    whole = "H" if last else "Y"
    if cut == "Split":
        more = {"num_outputs": 2} if p.opset >= 18 else {}
        p.node("Split", whole, outputs=["a", "b"], axis=axis, **more)
        parts = [p.axes("Squeeze", name, axis) for name in "ab"]
    elif cut == "Slice":
        ends = [[p.constant([n], np.int64) for n in (i, i + 1, axis)] for i in range(2)]
        parts = [p.axes("Squeeze", p.node("Slice", whole, *end), axis) for end in ends]
    else:
        parts = [p.node("Gather", whole, p.constant(i, np.int64), axis=axis) for i in range(2)]
    y = p.node("Concat", *(parts[i] for i in order), axis=-1, outputs=["y"])
    out = ["N", 8] if last else ["T", "N", 8]
    model = model_of(p, {"x": ["T", "N", 3]}, {y: out})
    loaded = load(model, path)
    if order == (0, 1):
        (layer,) = loaded.spec.layers
        assert (layer.direction, layer.return_sequences) == ("bidirectional", not last)
    x = normal(rng, 5, 2, 3)
    np.testing.assert_allclose(loaded(x)[0], run(model, {"x": x})["y"], rtol=0, atol=ATOL)
