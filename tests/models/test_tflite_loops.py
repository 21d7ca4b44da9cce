"""Recurrent layers that TensorFlow Lite's files have as a WHILE, or step by step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from test_tflite_recurrent import normal
from tflite_files import File, Graph
from tflite_runs import compare

import rnn_native as rn
from rnn_native.formats.tflite import schema

pytestmark = pytest.mark.oracle

BATCH, STEPS, INPUTS, UNITS = 2, 5, 3, 4
NONE = {0: ("int8", 0)}
ROW = (BATCH, UNITS)


def product(g: Graph, x: int, seed: int, inputs: int, units: int, bias: bool) -> int:
    """A FULLY_CONNECTED."""
    arrays = [g.constant(normal(seed, units, inputs))]
    arrays += [g.constant(normal(seed + 1, units)) if bias else -1]
    return g.add("FULLY_CONNECTED", [x, *arrays], g.tensor((BATCH, units)), options=NONE)


def each(g: Graph, op: str, *inputs: int, fields: Any = NONE) -> int:
    return g.add(op, inputs, g.tensor(ROW), options=fields)


def split(g: Graph, x: int, count: int) -> list[int]:
    parts = [g.tensor(ROW) for _ in range(count)]
    axis = g.constant(1, "i4")
    g.add("SPLIT", [axis, x], *parts, options={schema.Split.NUM_SPLITS: ("int32", count)})
    return parts


def lstm_cell(g: Graph, x: int, states: list[int]) -> list[int]:
    """As Keras has it: gates i, f, c, o."""
    h, c = states
    whole = (BATCH, 4 * UNITS)
    left = product(g, x, 11, INPUTS, 4 * UNITS, bias=True)
    right = product(g, h, 13, UNITS, 4 * UNITS, bias=False)
    i, f, n, o = split(g, g.add("ADD", [left, right], g.tensor(whole), options=NONE), 4)
    i, f, o = (each(g, "LOGISTIC", gate) for gate in (i, f, o))
    kept, new = each(g, "MUL", f, c), each(g, "MUL", i, each(g, "TANH", n))
    c = each(g, "ADD", kept, new)
    return [each(g, "MUL", o, each(g, "TANH", c)), c]


def hard_sigmoid(g: Graph, x: int) -> int:
    scaled = each(g, "MUL", x, g.constant(0.2))
    moved = each(g, "ADD", scaled, g.constant(0.5))
    return each(g, "MAXIMUM", each(g, "MINIMUM", moved, g.constant(1.0)), g.constant(0.0))


def gru_cell(g: Graph, x: int, states: list[int], gate: str = "LOGISTIC") -> list[int]:
    """As Keras has it with reset_after: gates z, r, h."""
    (h,) = states
    left = split(g, product(g, x, 21, INPUTS, 3 * UNITS, bias=True), 3)
    right = split(g, product(g, h, 23, UNITS, 3 * UNITS, bias=True), 3)
    sums = [each(g, "ADD", left[i], right[i]) for i in range(2)]
    z, r = (hard_sigmoid(g, a) if gate == "hard" else each(g, gate, a) for a in sums)
    candidate = each(g, "TANH", each(g, "ADD", left[2], each(g, "MUL", r, right[2])))
    rest = each(g, "SUB", g.constant(1.0), z)
    return [each(g, "ADD", each(g, "MUL", z, h), each(g, "MUL", rest, candidate))]


def rnn_cell(g: Graph, x: int, states: list[int]) -> list[int]:
    (h,) = states
    left = product(g, x, 31, INPUTS, UNITS, bias=True)
    right = product(g, h, 33, UNITS, UNITS, bias=False)
    return [each(g, "TANH", each(g, "ADD", left, right))]


CELLS = {
    "lstm": (lstm_cell, 2),
    "gru": (gru_cell, 1),
    "gru of hard sigmoids": (lambda g, x, s: gru_cell(g, x, s, "hard"), 1),
    "rnn": (rnn_cell, 1),
}


def put_by_cuts(g: Graph, whole: int, item: int, step: int, after: int) -> int:
    """An item in its place, between what is before and behind it."""
    one = g.integers(1)
    shape = (STEPS, *ROW)

    def vector(number: int) -> int:
        return g.add("RESHAPE", [number, one], g.tensor((1,), "i4"), options={})

    def joined(number: int, *rest: int) -> int:
        parts = [vector(number), g.integers(*rest)]
        return g.add("CONCATENATION", parts, g.tensor((3,), "i4"), options={0: ("int32", 0)})

    before = [whole, g.integers(0, 0, 0), joined(step, -1, -1)]
    behind = [whole, joined(after, 0, 0), g.integers(-1, -1, -1)]
    parts = [
        g.add("SLICE", before, g.tensor((None, *ROW))),
        g.add("EXPAND_DIMS", [item, g.constant(0, "i4")], g.tensor((1, *ROW))),
        g.add("SLICE", behind, g.tensor((None, *ROW))),
    ]
    return g.add("CONCATENATION", parts, g.tensor(shape), options={0: ("int32", 0)})


def put_by_update(g: Graph, whole: int, item: int, step: int, after: int) -> int:
    zero = g.constant(0, "i4")
    at = g.add(
        "PACK", [step, zero, zero], g.tensor((3,), "i4"),
        options={schema.Pack.VALUES_COUNT: ("int32", 3), schema.Pack.AXIS: ("int32", 0)},
    )  # fmt: skip
    update = g.add("EXPAND_DIMS", [item, zero], g.tensor((1, *ROW)))
    return g.add("DYNAMIC_UPDATE_SLICE", [whole, update, at], g.tensor((STEPS, *ROW)), options={})


def loop(cell: str, put: Any, outputs: str) -> File:
    """A file with a layer that is a WHILE, as the converter of Keras's models writes it: two
    counters, the outputs of all steps, the states, the number of steps, and the inputs."""
    make, count = CELLS[cell]
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    turned = g.add("TRANSPOSE", [x, g.integers(1, 0, 2)], g.tensor((STEPS, BATCH, INPUTS)))
    zero = g.constant(0, "i4")
    whole = g.constant(np.zeros((STEPS, *ROW)))
    states = [g.constant(np.zeros(ROW)) for _ in range(count)]
    limit = g.constant(STEPS, "i4")

    def given(graph: Graph) -> list[int]:
        shapes = [(), (), (STEPS, *ROW), *[ROW] * count, (), (STEPS, BATCH, INPUTS)]
        types = ["i4", "i4", "f4", *["f4"] * count, "i4", "f4"]
        graph.inputs = [
            graph.tensor(s, t, f"arg{i}")
            for i, (s, t) in enumerate(zip(shapes, types, strict=True))
        ]
        return graph.inputs

    condition = file.graph("cond")
    number, step, _, *_, most, _ = given(condition)
    below = [
        condition.add("LESS", [one, most], condition.tensor((), "b1")) for one in (number, step)
    ]
    condition.outputs = [condition.add("LOGICAL_AND", below, condition.tensor((), "b1"))]

    body = file.graph("body")
    number, step, outs, *before, most, xs = given(body)
    one = body.constant(1, "i4")
    after = [body.add("ADD", [n, one], body.tensor((), "i4"), options=NONE) for n in (number, step)]
    read = body.add("GATHER", [xs, step], body.tensor((BATCH, INPUTS)), options={0: ("int32", 0)})
    made = make(body, read, before)
    outs = put(body, outs, made[0], step, after[1])
    body.outputs = [*after, outs, *made, most, xs]

    fields = {
        schema.While.COND_SUBGRAPH_INDEX: ("int32", 1),
        schema.While.BODY_SUBGRAPH_INDEX: ("int32", 2),
    }
    ends = [g.tensor((), "i4"), g.tensor((), "i4"), g.tensor((STEPS, *ROW))]
    ends += [g.tensor(ROW) for _ in range(count)]
    ends += [g.tensor((), "i4"), g.tensor((STEPS, BATCH, INPUTS))]
    g.add("WHILE", [zero, zero, whole, *states, limit, turned], *ends, options=fields)
    if outputs == "last":
        g.outputs = [g.add("TANH", [ends[3]], g.tensor(ROW))]
    else:
        back = g.tensor((BATCH, STEPS, UNITS))
        g.outputs = [g.add("TRANSPOSE", [ends[2], g.integers(1, 0, 2)], back)]
    return file


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("put", [put_by_cuts, put_by_update])
def test_a_while_whose_body_is_a_cell(cell: str, put: Any, tmp_path: Path) -> None:
    data = normal(1, BATCH, STEPS, INPUTS)
    model = compare(loop(cell, put, "all"), tmp_path, data, tolerance=5e-6)
    (layer,) = model.spec.layers
    assert isinstance(layer, rn.Recurrent)
    assert layer.cell == cell.partition(" ")[0]


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_state_of_a_while(cell: str, tmp_path: Path) -> None:
    compare(
        loop(cell, put_by_cuts, "last"), tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("turned", [False, True])
def test_steps_one_by_one(cell: str, turned: bool, tmp_path: Path) -> None:
    """UNPACK, cells, PACK."""
    make, count = CELLS[cell]
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    steps = [g.tensor((BATCH, INPUTS)) for _ in range(STEPS)]
    fields = {schema.Unpack.NUM: ("int32", STEPS), schema.Unpack.AXIS: ("int32", 1)}
    g.add("UNPACK", [x], *steps, options=fields)
    states = [g.constant(np.zeros(ROW)) for _ in range(count)]
    made = []
    for step in steps[::-1] if turned else steps:
        states = make(g, step, states)
        made.append(states[0])
    made = made[::-1] if turned else made
    fields = {schema.Pack.VALUES_COUNT: ("int32", STEPS), schema.Pack.AXIS: ("int32", 1)}
    g.outputs = [g.add("PACK", made, g.tensor((BATCH, STEPS, UNITS)), options=fields)]
    model = compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6)
    assert [type(layer) for layer in model.spec.layers] == [rn.Recurrent]
