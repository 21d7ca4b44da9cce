"""Recurrent cells that an ONNX graph has in pieces: read as layers, with the graph's numbers, or
refused; whatever else a graph does to its pieces, none is misread.

The oracle is onnxruntime, on the graph as it is. Both calculate in float32, sums in another order:
with weights of 0.5 and at most 8 inputs a value of some units is off by some u = 6e-8 a step.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_cells import (
    ATOL,
    Pieces,
    Weights,
    layers,
    load,
    make_weights,
    model_of,
    normal,
    packed,
    pieces,
    run,
    states_of,
    step,
    unrolled,
)  # fmt: skip
from strategies import seeds

import rnn_native as rn
from rnn_native.errors import RnnError, ShapeError, UnsupportedError
from rnn_native.spec import Elementwise, Linear, Recurrent

CELLS = ("lstm", "gru", "rnn")
cells = st.sampled_from(CELLS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells") / "model.onnx"


def one_step(rng: np.random.Generator, stack: Sequence[Weights]) -> Any:
    """A graph of one step of layers, whose states are inputs and outputs by themselves; the last h
    is ``y`` too."""
    p = pieces(rng)
    y, inputs, outputs = "x", {"x": ["N", stack[0].w.shape[1]]}, {}
    for at, weights in enumerate(stack):
        given = [f"h{at}", f"c{at}"]
        y, *more = step(p, weights, y, *given)
        for name, made in zip(given, (y, *filter(None, more)), strict=False):
            inputs[name] = ["N", weights.hidden]
            outputs[p.node("Identity", made, outputs=[f"{name}n"])] = ["N", weights.hidden]
    out = p.product(y, normal(rng, 3, stack[-1].hidden), None)
    outputs = {p.node("Sigmoid", out, outputs=["y"]): ["N", 3], **outputs}
    return model_of(p, inputs, outputs)


def feed_of(rng: np.random.Generator, model: Any, batch: int) -> dict[str, Any]:
    return {
        value.name: normal(rng, batch, *(d.dim_value for d in value.type.tensor_type.shape.dim[1:]))
        for value in model.graph.input
    }


@given(seeds(), cells, st.integers(1, 2))
def test_one_step_of_a_stream_is_layers_whose_states_are_the_graphs(
    path: Path, seed: int, cell: str, count: int
) -> None:
    rng = np.random.default_rng(seed)
    stack = layers(rng, cell, count)
    model = one_step(rng, stack)
    loaded = load(model, path)
    assert [type(layer) for layer in loaded.spec.layers] == [*[Recurrent] * count, Linear]
    feed = feed_of(rng, model, 2)
    given = [feed[name][None] for name in feed if name != "x"]
    state = packed(given, cell, count)
    for _ in range(3):
        want = run(model, feed)
        y, state = loaded(feed["x"][None], state=state)
        np.testing.assert_allclose(y[0], want["y"], rtol=0, atol=ATOL)
        last = [want[f"{name}n"] for name in feed if name != "x"]
        for got, expected in zip(states_of(state), last, strict=True):
            np.testing.assert_allclose(got[0], expected, rtol=0, atol=ATOL)
        feed = {"x": normal(rng, *feed["x"].shape)} | {
            name: want[f"{name}n"] for name in feed if name != "x"
        }


def sequence(
    rng: np.random.Generator, stack: Sequence[Weights], steps: int, zeros: bool = False
) -> Any:
    """A graph of layers unrolled over x [2, steps, features], from zeros or from states that are
    inputs, whose last ones are outputs then; ``y`` is made of every h of the last layer."""
    p, lstm = pieces(rng), stack[0].cell == "lstm"
    inputs: dict[str, Any] = {"x": [2, steps, stack[0].w.shape[1]]}
    given: list[Any] = []
    for at, weights in enumerate(stack):
        names = [f"h{at}", f"c{at}"]
        if zeros:
            names = [p.constant(np.zeros((2, weights.hidden)))] * 2
        else:
            inputs |= {name: [2, weights.hidden] for name in names[: 1 + lstm]}
        given.append(tuple(names))
    ys, last = unrolled(p, stack, "x", steps, given)
    weight = normal(rng, 3, stack[-1].hidden)
    if p.chance():
        y = _stack(p, [p.node("MatMul", y, p.constant(weight.T)) for y in ys], "y")
    else:
        y = p.node("MatMul", _stack(p, ys), p.constant(weight.T), outputs=["y"])
    outputs = {y: [2, steps, 3]}
    for weights, states in zip(stack, last, strict=True):
        outputs |= {name: [2, weights.hidden] for name in states if name and not zeros}
    return model_of(p, inputs, outputs)


@given(seeds(), cells, st.integers(2, 4), st.integers(1, 2), st.booleans())
def test_a_sequence_unrolled_is_layers_over_it(
    path: Path, seed: int, cell: str, steps: int, count: int, zeros: bool
) -> None:
    rng = np.random.default_rng(seed)
    model = sequence(rng, layers(rng, cell, count, same=bool(rng.random() < 0.3)), steps, zeros)
    loaded = load(model, path)
    assert [type(layer) for layer in loaded.spec.layers] == [*[Recurrent] * count, Linear]
    feed = feed_of(rng, model, 2)
    given = [feed[name][None] for name in feed if name != "x"]
    state = None if zeros else packed(given, cell, count)
    want = run(model, feed)
    y, after = loaded(feed["x"].swapaxes(0, 1), state=state)
    np.testing.assert_allclose(y.swapaxes(0, 1), want.pop("y"), rtol=0, atol=ATOL)
    for got, expected in zip(states_of(after), want.values(), strict=not zeros):
        np.testing.assert_allclose(got[0], expected, rtol=0, atol=ATOL)


def _stack(p: Pieces, ys: Sequence[str], name: str = "") -> str:
    outputs = [name] if name else []
    if p.chance() and p.opset >= 11:
        sequence = p.node("SequenceConstruct", *ys)
        return p.node("ConcatFromSequence", sequence, axis=1, new_axis=1, outputs=outputs)
    return p.node("Concat", *(p.axes("Unsqueeze", y, 1) for y in ys), axis=1, outputs=outputs)


@given(seeds(), st.sampled_from(["lstm", "gru"]), st.integers(2, 3))
def test_states_that_are_one_tensor_are_the_layers_own(
    path: Path, seed: int, cell: str, count: int
) -> None:
    """[batch, layers, units, h and c], cut out and put together again as TensorFlow does it."""
    rng = np.random.default_rng(seed)
    per = 2 if cell == "lstm" else 1
    (first,) = layers(rng, cell)
    hidden = first.hidden
    more = [make_weights(rng, cell, hidden, hidden, True, True) for _ in range(count - 1)]
    p, y, made = pieces(rng), "x", []
    for at, weights in enumerate([first, *more]):
        states = []
        for kind in range(per):
            begin, end = ([0, at, 0, kind], [2**31 - 1, at + 1, hidden, kind + 1])
            ends = [p.constant(numbers, np.int64) for numbers in (begin, end, [0, 1, 2, 3])]
            states.append(p.axes("Squeeze", p.node("Slice", "packed", *ends), 1, 3))
        y, c = step(p, weights, y, states[0], states[-1])
        made.append([y, c][:per])
    kinds = [
        p.axes(
            "Unsqueeze",
            p.node("Concat", *(p.axes("Unsqueeze", one[kind], 1) for one in made), axis=1),
            3,
        )
        for kind in range(per)
    ]
    after = p.node("Concat", *kinds, axis=3, outputs=["after"])
    y = p.node("Relu", y, outputs=["y"])
    shape = ["N", count, hidden, per]
    model = model_of(
        p, {"x": ["N", first.w.shape[1]], "packed": shape}, {y: ["N", hidden], after: shape}
    )
    loaded = load(model, path)
    assert [type(layer) for layer in loaded.spec.layers] == [*[Recurrent] * count, Elementwise]
    x, given = normal(rng, 2, first.w.shape[1]), normal(rng, 2, count, hidden, per)
    want = run(model, {"x": x, "packed": given})
    every = [given[:, at, :, kind][None].copy() for at in range(count) for kind in range(per)]
    got, state = loaded(x[None], state=packed(every, cell, count))
    np.testing.assert_allclose(got[0], want["y"], rtol=0, atol=ATOL)
    for at, array in enumerate(states_of(state)):
        expected = want["after"][:, at // per, :, at % per]
        np.testing.assert_allclose(array[0], expected, rtol=0, atol=ATOL)


@given(seeds())
def test_gates_over_a_sequence_are_no_cell(path: Path, seed: int) -> None:
    """The equations of a GRU between two sequences, which have no step."""
    rng = np.random.default_rng(seed)
    (weights,) = layers(rng, "gru", same=True)
    p = pieces(rng)
    x, h = (p.node("Relu", name) for name in ("a", "b"))
    gates = [
        p.node("Sigmoid", p.both("Add", *(p.node("MatMul", one, p.constant(w.T)) for one, w in zip(
            (x, h), (weights.w[rows], weights.r[rows]), strict=True))))
        for rows in (slice(0, weights.hidden), slice(weights.hidden, 2 * weights.hidden))
    ]  # fmt: skip
    of_x = p.node("MatMul", x, p.constant(weights.w[2 * weights.hidden :].T))
    of_h = p.node("MatMul", h, p.constant(weights.r[2 * weights.hidden :].T))
    n = p.node("Tanh", p.both("Add", of_x, p.both("Mul", gates[0], of_h)))
    y = p.node("Add", p.both("Mul", p.node("Sub", h, n), gates[1]), n, outputs=["y"])
    shape = ["T", "N", weights.hidden]
    model = model_of(p, {"a": shape, "b": shape}, {y: shape})
    loaded = load(model, path)
    assert not [*loaded.spec.recurrents]
    feed = {name: normal(rng, 5, 2, weights.hidden) for name in ("a", "b")}
    got, _ = loaded(feed)
    np.testing.assert_allclose(got, run(model, feed)["y"], rtol=0, atol=ATOL)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_steps_with_other_weights_are_named_as_unrolled(path: Path, cell: str) -> None:
    rng = np.random.default_rng(3)
    p, states = pieces(rng), ("h", "c")
    for at in range(3):
        weights = make_weights(rng, cell, 4, 4, bias=True, reset_after=True)
        x = p.node("Gather", "x", p.constant(at, np.int64), axis=1)
        states = step(p, weights, x, *states)
    y = p.node("Relu", states[0], outputs=["y"])
    inputs = {"x": ["N", 3, 4]} | {name: ["N", 4] for name in "hc"[: 1 + (cell == "lstm")]}
    model = model_of(p, inputs, {y: ["N", 4]})
    with pytest.raises(UnsupportedError, match=r"unrolled or in pieces.*onnx_backend runs"):
        load(model, path)


def test_a_part_of_a_graph_may_end_at_a_cell_but_not_begin_in_one(path: Path) -> None:
    rng = np.random.default_rng(5)
    (weights,) = layers(rng, "lstm")
    model = one_step(rng, [weights])
    last = next(node for node in model.graph.node if node.output[0] == "h0n").input[0]
    (layer,) = load(model, path, between=("x", last)).spec.layers
    assert (layer.cell, layer.hidden_size) == ("lstm", weights.hidden)
    gate = next(node.output[0] for node in model.graph.node if node.op_type == "Sigmoid")
    with pytest.raises(RnnError):
        load(model, path, between=(gate, "y"))


# One thing that is otherwise


def mutate(rng: np.random.Generator, model: Any) -> Any:
    """A graph that differs in one thing: an operator, an operand, a constant, a use."""
    mutant = copy.deepcopy(model)
    graph = mutant.graph
    node = graph.node[rng.integers(len(graph.node))]
    groups = [("Sigmoid", "Tanh", "Relu", "Identity"), ("Add", "Sub", "Mul")]
    ways = ["operand", "constant", "output", "drop", "turn"]
    ways += ["operator"] * 3 if any(node.op_type in group for group in groups) else []
    way = rng.choice(ways)
    made = [name for one in graph.node for name in one.output]
    if way == "operator":
        node.op_type = rng.choice([op for g in groups if node.op_type in g for op in g])
    elif way == "operand" and node.input:
        floats = [v.name for v in graph.input] + made
        node.input[rng.integers(len(node.input))] = rng.choice(floats)
    elif way == "constant":
        tensor = graph.initializer[rng.integers(len(graph.initializer))]
        array = numpy_helper.to_array(tensor).copy()
        if array.size:
            array.reshape(-1)[rng.integers(array.size)] += 1
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif way == "output":
        name = str(rng.choice(made))
        if name not in [value.name for value in graph.output]:
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    elif way == "drop":
        node.op_type = "Identity"
        del node.input[1:]
        del node.output[1:]
        del node.attribute[:]
    elif node.op_type == "Split":
        one, two = rng.integers(len(node.output), size=2)
        first, second = node.output[one], node.output[two]
        node.output[one], node.output[two] = second, first
    elif len(node.input) > 1:
        one, two = node.input[:2]
        node.input[0], node.input[1] = two, one
    return mutant


def results(loaded: rn.Model, feed: dict[str, Any], names: Sequence[str], whole: bool) -> Any:
    """All outputs and states of a model, given inputs of the graph: its own, and in the order of
    ``names`` its states; a chain's x is the first."""

    def turned(array: Any) -> Any:
        return array.swapaxes(0, 1) if whole and array.ndim == 3 else array

    inputs = names[:1] if loaded.spec.is_chain else [*loaded.spec.inputs]
    states = [feed[name][None] for name in names if name not in inputs]
    cells = [layer.cell for layer in loaded.spec.recurrents]
    count = len(cells) * (2 if "lstm" in cells else 1)
    state = packed(states[:count], cells[0], len(cells)) if cells else None
    xs = {name: turned(feed[name][None] if not whole else feed[name]) for name in inputs}
    given = xs if len(xs) > 1 else xs[inputs[0]]
    form = loaded(given)[1]
    if isinstance(form, dict):  # a step that is asked for as well has a state of its own
        parts = iter(state if len(cells) > 1 else [state])
        state = {
            name: next(parts) if isinstance(loaded.spec.nodes[name].layer, Recurrent) else None
            for name in form
        }
        state = {name: first(loaded, name, form[name]) if part is None else part
                 for name, part in state.items()}  # fmt: skip
    y, after = loaded(given, state=state)
    after = [*after.values()] if isinstance(after, dict) else after
    found = [*y.values()] if isinstance(y, dict) else [y]
    return [*map(turned, found), *(states_of(after) if cells else [])]


def first(loaded: rn.Model, name: str, like: Any) -> Any:
    """The state of a node before the first step."""
    width = (like[0] if isinstance(like, tuple) else like).shape
    made = loaded.spec.nodes[name].layer.first_state(width[1], width[2])
    return tuple(made) if isinstance(like, tuple) else made[0]


def close(got: Any, want: Any) -> bool:
    """Whether the numbers are the same, whatever axes of size 1 there are."""
    same = got.size == want.size
    return same and np.allclose(np.ravel(got), np.ravel(want), rtol=1e-5, atol=1e-5, equal_nan=True)


@given(seeds(), cells, st.integers(1, 3))
def test_a_graph_that_differs_in_one_thing_is_not_misread(
    path: Path, seed: int, cell: str, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    if steps == 1:
        model = one_step(rng, layers(rng, cell, same=bool(rng.random() < 0.5)))
    else:
        model = sequence(rng, layers(rng, cell, same=bool(rng.random() < 0.5)), steps)
    mutant = mutate(rng, model)
    feed = feed_of(rng, model, 2)
    try:
        want = run(mutant, feed)
    except Exception:  # onnxruntime's own: the mutant is no graph
        assume(False)
    try:
        loaded = load(mutant, path)
    except RnnError:
        return
    found = []
    for order in itertools.permutations(feed):
        with contextlib.suppress(ShapeError):  # it is not this order
            found.append(results(loaded, feed, order, steps > 1))
    assert any(all(any(close(a, b) for a in got) for b in want.values()) for got in found)
