"""Graphs that have recurrent cells in pieces, written in as many ways as exporters have."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import rnn_native as rn

ATOL = 5e-6
"""Both calculate in float32, sums in another order: with weights of 0.5 and at most 8 inputs a
value of some units is off by some u = 6e-8 a step."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass
class Pieces:
    """The nodes of a graph; every choice of how to write something is ``rng``'s."""

    rng: np.random.Generator
    opset: int = 17
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""

    def node(self, op: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        made = list(outputs) or [f"{self.prefix}t{len(self.nodes)}"]
        self.nodes.append(
            helper.make_node(op, inputs, made, f"{self.prefix}n{len(self.nodes)}", **attributes)
        )
        return made[0]

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"{self.prefix}k{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def axes(self, op: str, x: str, *axes: int, outputs: Sequence[str] = ()) -> str:
        if self.opset < 13:
            return self.node(op, x, axes=list(axes), outputs=outputs)
        return self.node(op, x, self.constant(axes, np.int64), outputs=outputs)

    def chance(self) -> bool:
        return bool(self.rng.random() < 0.5)

    def both(self, op: str, left: str, right: str) -> str:
        """An operator whose inputs may change places."""
        return self.node(op, *((left, right) if self.chance() else (right, left)))

    def product(self, x: str, weight: Any, bias: Any | None) -> str:
        """x times a matrix [out, in], and a bias where there is one."""
        if self.chance():
            turned = self.chance()
            given = [x, self.constant(weight if turned else weight.T)]
            given += [] if bias is None else [self.constant(bias)]
            return self.node("Gemm", *given, transB=int(turned))
        y = self.node("MatMul", x, self.constant(weight.T))
        return y if bias is None else self.both("Add", y, self.constant(bias))

    def parts(self, x: str, count: int, size: int) -> list[str]:
        """A tensor [batch, count * size] in so many parts."""
        if count == 1:
            return [x]
        axis = 1 if self.chance() else -1
        if self.chance():
            made = [f"{self.prefix}t{len(self.nodes)}_{i}" for i in range(count)]
            given = [x] if self.opset < 13 or self.chance() else [
                x, self.constant([size] * count, np.int64)]  # fmt: skip
            more = {"num_outputs": count} if self.opset >= 18 and len(given) == 1 else {}
            self.node("Split", *given, outputs=made, axis=axis, **more)
            return made
        found = []
        for i in range(count):
            stop = 2**31 - 1 if i == count - 1 and self.chance() else (i + 1) * size
            ends = [self.constant([n], np.int64) for n in (i * size, stop, axis, 1)]
            found.append(self.node("Slice", x, *ends))
        return found


@dataclass
class Weights:
    """Of one cell, gates in PyTorch's order; ``b`` goes with x and ``c`` with h."""

    cell: str
    w: Any
    r: Any
    b: Any | None
    c: Any | None
    reset_after: bool = True
    turned: bool = False  # how a GRU is written: with 1 - z in the place of z
    hard: bool = False  # with HardSigmoid in the place of Sigmoid

    @property
    def hidden(self) -> int:
        return int(self.r.shape[1])


def make_weights(
    rng: np.random.Generator, cell: str, size: int, hidden: int, bias: bool, reset_after: bool
) -> Weights:
    def numbers(*shape: int) -> Any:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    rows = GATES[cell] * hidden
    biases = (numbers(rows), numbers(rows)) if bias else (None, None)
    turned, hard = rng.random() < 0.2, rng.random() < 0.2
    options = (reset_after, turned and not hard, hard)
    return Weights(cell, numbers(rows, size), numbers(rows, hidden), *biases, *options)


def _gate(p: Pieces, weights: Weights, x: str) -> str:
    if weights.hard:
        return p.node("HardSigmoid", x, alpha=0.25, beta=0.4375)
    return p.node("Sigmoid", x)


def step(p: Pieces, weights: Weights, x: str, h: str, c: str) -> tuple[str, str]:
    """One step; returns the tensors of the new h and c, which is "" where there is none."""
    writer = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}[weights.cell]
    return writer(p, weights, x, h, c)


def _sums(p: Pieces, weights: Weights, x: str, h: str, order: Sequence[int]) -> list[str]:
    """W x + R h + b of the gates in PyTorch's order: gates by themselves, or cut out of one."""
    hidden = weights.hidden
    blocks = [slice(g * hidden, (g + 1) * hidden) for g in order]

    def some(array: Any, rows: Sequence[slice]) -> Any:
        return None if array is None else np.concatenate([array[one] for one in rows])

    def total(rows: Sequence[slice]) -> str:
        one = p.product(x, some(weights.w, rows), some(weights.b, rows))
        two = p.product(h, some(weights.r, rows), some(weights.c, rows))
        return p.both("Add", one, two)

    found = p.parts(total(blocks), len(order), hidden) if p.chance() else [
        total([block]) for block in blocks]  # fmt: skip
    return [found[list(order).index(g)] for g in range(len(order))]


def _lstm(p: Pieces, weights: Weights, x: str, h: str, c: str) -> tuple[str, str]:
    i, f, g, o = _sums(p, weights, x, h, p.rng.permutation(4))
    i, f, o = (_gate(p, weights, gate) for gate in (i, f, o))
    kept, made = p.both("Mul", f, c), p.both("Mul", i, p.node("Tanh", g))
    after = p.both("Add", kept, made)
    return p.both("Mul", o, p.node("Tanh", after)), after


def _gru(p: Pieces, weights: Weights, x: str, h: str, c: str) -> tuple[str, str]:
    hidden, turned = weights.hidden, weights.turned
    if turned:  # 1 - z = sigmoid(-a) in the place of z = sigmoid(a)
        weights = copy.deepcopy(weights)
        for array in (weights.w, weights.r, weights.b, weights.c):
            if array is not None:
                array[hidden : 2 * hidden] *= -1
    w, r = np.split(weights.w, 3), np.split(weights.r, 3)
    b, a = ([None] * 3 if v is None else np.split(v, 3) for v in (weights.b, weights.c))
    if weights.reset_after and p.chance():  # one product each of x and of h
        ofx = p.parts(p.product(x, weights.w, weights.b), 3, hidden)
        ofh = p.parts(p.product(h, weights.r, weights.c), 3, hidden)
        reset, update = (_gate(p, weights, p.both("Add", ofx[i], ofh[i])) for i in range(2))
        n = p.both("Add", ofx[2], p.both("Mul", reset, ofh[2]))
    else:
        reset, update = (
            _gate(p, weights, p.both("Add", p.product(x, w[i], b[i]), p.product(h, r[i], a[i])))
            for i in range(2)
        )
        ofx = p.product(x, w[2], b[2])
        if weights.reset_after:
            n = p.both("Add", ofx, p.both("Mul", reset, p.product(h, r[2], a[2])))
        else:
            n = p.both("Add", ofx, p.product(p.both("Mul", reset, h), r[2], a[2]))
    n = p.node("Tanh", n)
    n, h = (h, n) if turned else (n, h)
    way = p.rng.integers(4)
    if way == 0:  # n + z * (h - n)
        return p.both("Add", p.both("Mul", p.node("Sub", h, n), update), n), ""
    if way == 1:  # n - z * (n - h)
        return p.node("Sub", n, p.both("Mul", p.node("Sub", n, h), update)), ""
    rest = p.node("Sub", p.constant(1.0 if p.chance() else [1.0]), update)
    if way == 2:  # (1 - z) * n + z * h
        return p.both("Add", p.both("Mul", rest, n), p.both("Mul", update, h)), ""
    kept = p.node("Mul", h, update)  # n - z * n + z * h
    return p.both("Add", p.node("Sub", n, p.both("Mul", update, n)), kept), ""


def _rnn(p: Pieces, weights: Weights, x: str, h: str, c: str) -> tuple[str, str]:
    (gate,) = _sums(p, weights, x, h, [0])
    return p.node("Tanh", gate), ""


def unrolled(p: Pieces, stack: Sequence[Weights], x: str, steps: int, states: Sequence[Any]) -> Any:
    """Layers over ``steps`` of x [batch, steps, features], layer by layer or step by step, each
    from its (h, c), some from the end; returns the tensors of every h of the last, in the order of
    x, and every layer's last (h, c)."""
    backwards = p.rng.random() < 0.3
    xs = _steps(p, x, steps)[:: -1 if backwards else 1]
    last = [*states]
    if p.chance():
        for at, weights in enumerate(stack):
            found = []
            for one in xs:
                last[at] = step(p, weights, one, *last[at])
                found.append(last[at][0])
            xs = found
        return xs[:: -1 if backwards else 1], last
    ys = []
    for y in xs:
        for at, weights in enumerate(stack):
            last[at] = step(p, weights, y, *last[at])
            y = last[at][0]
        ys.append(y)
    return ys[:: -1 if backwards else 1], last


def _steps(p: Pieces, x: str, steps: int) -> list[str]:
    """Each step [batch, features] of x [batch, steps, features]."""
    way = p.rng.integers(3)
    if way == 0:
        return [p.node("Gather", x, p.constant(t, np.int64), axis=1) for t in range(steps)]
    if way == 1:
        made = [f"t{len(p.nodes)}_{i}" for i in range(steps)]
        more = {"num_outputs": steps} if p.opset >= 18 else {}
        p.node("Split", x, outputs=made, axis=1, **more)
    else:
        made = [
            p.node("Slice", x, *(p.constant([n], np.int64) for n in (t, t + 1, 1, 1)))
            for t in range(steps)
        ]
    return [p.axes("Squeeze", one, 1) for one in made]


def model_of(
    p: Pieces, inputs: dict[str, Sequence[Any]], outputs: dict[str, Sequence[Any]], name: str = "g"
) -> Any:
    def infos(values: dict[str, Sequence[Any]]) -> list[Any]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values.items()]

    constants = [numpy_helper.from_array(array, key) for key, array in p.constants.items()]
    graph = helper.make_graph(p.nodes, name, infos(inputs), infos(outputs), constants)
    opset = [helper.make_opsetid("", p.opset)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return model


def layers(
    rng: np.random.Generator, cell: str, count: int = 1, same: bool = False
) -> list[Weights]:
    """Weights of so many layers; sizes of an RNN's input and state differ, unless they may not."""
    sizes = rng.choice(np.arange(1, 8), count + 1, replace=False).tolist()
    sizes = [sizes[0]] * (count + 1) if same else sizes
    options = [bool(rng.random() < 0.7), bool(rng.random() < 0.5)]
    return [make_weights(rng, cell, sizes[i], sizes[i + 1], *options) for i in range(count)]


def run(model: Any, feed: dict[str, Any]) -> dict[str, Any]:
    """What onnxruntime makes of a graph."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))


def load(model: Any, path: Path, **options: Any) -> rn.Model:
    onnx.save(model, path)
    return rn.load(path, **options)


def states_of(state: Any) -> list[Any]:
    """[h, c, h, c, ...] of all layers."""
    if isinstance(state, np.ndarray):
        return [state]
    return [array for part in state for array in states_of(part)]


def normal(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def pieces(rng: np.random.Generator) -> Pieces:
    return Pieces(rng, int(rng.choice([11, 13, 17, 18, 21])))


def packed(states: Sequence[Any], cell: str, count: int) -> Any:
    """[h, c, h, c, ...] as a call takes the state of so many layers."""
    per = 2 if cell == "lstm" else 1
    parts = [tuple(states[i : i + per]) for i in range(0, len(states), per)]
    parts = [part if per > 1 else part[0] for part in parts]
    return tuple(parts) if count > 1 else parts[0]
