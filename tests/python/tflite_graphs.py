"""Graphs of TensorFlow Lite's files: recurrent operators with all their inputs, cells in pieces,
and loops around these, as its converters write them."""

from __future__ import annotations

from typing import Any

import numpy as np
from tflite_files import File, Graph

from rnn_native.formats.tflite import schema
from rnn_native.formats.tflite.schema import ACTIVATIONS, UnidirectionalLstm

BATCH, STEPS, INPUTS, UNITS = 2, 5, 3, 4


def normal(seed: int, *shape: int, scale: float = 0.5) -> Any:
    return np.random.default_rng(seed).normal(0, scale, shape).astype("f4")


def weights(
    graph: Graph,
    seed: int,
    inputs: int = INPUTS,
    units: int = UNITS,
    projected: int = 0,
    coupled: bool = False,
    peephole: bool = False,
    projection_bias: bool = False,
) -> list[int]:
    """The 17 inputs of an LSTM of one direction, from the weights of the input gate on."""
    size = projected or units
    rng = iter(range(seed, seed + 20))
    gates = range(1 if coupled else 0, 4)

    def each(*shape: int) -> list[int]:
        made = [graph.constant(normal(next(rng), *shape)) for _ in gates]
        return [-1] * coupled + made

    found = each(units, inputs) + each(units, size)
    if peephole:
        found += [-1] * coupled
        found += [graph.constant(normal(next(rng), units)) for _ in range(3 - coupled)]
    else:
        found += [-1] * 3
    found += each(units)
    found += [graph.constant(normal(next(rng), projected, units)) if projected else -1]
    found += [graph.constant(normal(next(rng), projected)) if projection_bias else -1]
    return found


def lstm(graph: Graph, x: int, options: dict[int, Any], batch: int = BATCH, **own: Any) -> int:
    time_major = options.get(UnidirectionalLstm.TIME_MAJOR, ("bool", False))[1]
    size = own.get("projected") or own.get("units", UNITS)
    states = [graph.state(batch, size), graph.state(batch, own.get("units", UNITS))]
    shape = (STEPS, batch, size) if time_major else (batch, STEPS, size)
    return graph.add(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [x, *weights(graph, 7, **own), *states, -1, -1, -1, -1],
        graph.tensor(shape), options=options,
    )  # fmt: skip


def options(activation: str = "TANH", **more: Any) -> dict[int, Any]:
    fields = {UnidirectionalLstm.FUSED_ACTIVATION_FUNCTION: ("int8", ACTIVATIONS.index(activation))}
    kinds = {"CELL_CLIP": "float32", "PROJ_CLIP": "float32", "TIME_MAJOR": "bool"}
    return fields | {UnidirectionalLstm[k]: (kinds[k], value) for k, value in more.items()}


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


def gru_cell(
    g: Graph, x: int, states: list[int], gate: str = "LOGISTIC", plain: bool = False
) -> list[int]:
    """As Keras has it with reset_after: gates z, r, h; ``plain`` is without a tanh."""
    (h,) = states
    left = split(g, product(g, x, 21, INPUTS, 3 * UNITS, bias=True), 3)
    right = split(g, product(g, h, 23, UNITS, 3 * UNITS, bias=True), 3)
    sums = [each(g, "ADD", left[i], right[i]) for i in range(2)]
    z, r = (hard_sigmoid(g, a) if gate == "hard" else each(g, gate, a) for a in sums)
    candidate = each(g, "ADD", left[2], each(g, "MUL", r, right[2]))
    candidate = candidate if plain else each(g, "TANH", candidate)
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
    "gru without a tanh": (lambda g, x, s: gru_cell(g, x, s, plain=True), 1),
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


def _size(g: Graph, x: int, axis: int) -> int:
    """One of the sizes of a tensor of rank 3, as a number."""
    shape = g.add("SHAPE", [x], g.tensor((3,), "i4"), options={0: ("int8", 2)})
    parts = [shape, g.integers(axis), g.integers(axis + 1), g.integers(1)]
    shrink = {schema.StridedSlice.SHRINK_AXIS_MASK: ("int32", 1)}
    return g.add("STRIDED_SLICE", parts, g.tensor((), "i4"), options=shrink)


def _zeros(g: Graph, sizes: list[int]) -> int:
    fields = {schema.Pack.VALUES_COUNT: ("int32", len(sizes)), schema.Pack.AXIS: ("int32", 0)}
    shape = g.add("PACK", sizes, g.tensor((len(sizes),), "i4"), options=fields)
    return g.add("FILL", [shape, g.constant(0.0)], g.tensor((None,) * len(sizes)), options={})


def loop(cell: str, put: Any, outputs: str, free: bool = False, steps: int = STEPS) -> File:
    """A file with a layer that is a WHILE, as the converter of Keras's models writes it: two
    counters, the outputs of all steps, the states, the number of steps, and the inputs. ``free``
    leaves the sizes of time and batch open; ``steps`` is that number."""
    make, count = CELLS[cell]
    file = File()
    g = file.main
    x = g.input(*((None, None) if free else (BATCH, STEPS)), INPUTS)
    shape = (None, None, INPUTS) if free else (STEPS, BATCH, INPUTS)
    turned = g.add("TRANSPOSE", [x, g.integers(1, 0, 2)], g.tensor(shape))
    zero = g.constant(0, "i4")
    if free:
        limit, batch, units = _size(g, turned, 0), _size(g, x, 0), g.constant(UNITS, "i4")
        whole = _zeros(g, [limit, batch, units])
        states = [_zeros(g, [batch, units]) for _ in range(count)]
    else:
        whole = g.constant(np.zeros((STEPS, *ROW)))
        states = [g.constant(np.zeros(ROW)) for _ in range(count)]
        limit = g.constant(steps, "i4")

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
    ends += [g.tensor((), "i4"), g.tensor(shape)]
    g.add("WHILE", [zero, zero, whole, *states, limit, turned], *ends, options=fields)
    if outputs == "last":
        g.outputs = [g.add("TANH", [ends[3]], g.tensor(ROW))]
    else:
        back = g.tensor((None, None, UNITS) if free else (BATCH, STEPS, UNITS))
        g.outputs = [g.add("TRANSPOSE", [ends[2], g.integers(1, 0, 2)], back)]
    return file
