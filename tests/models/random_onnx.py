"""ONNX graphs by chance, of every operator that is read: for onnxruntime and for the reader."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from onnx import TensorProto
from onnx_graphs import Array, Builder, make_linear, make_recurrent

T: Final = 5
B: Final = 3
_MOST: Final = 16  # features of a value


class Tensor(NamedTuple):
    """A tensor of the graph: its axes are ``axes``, of which "f" are ``size`` features."""

    name: str
    axes: str
    size: int


class Drawn:
    """A graph that grows by one value after the other; what it is fed with is ``feeds``.

    Every value is in -1..1, or a sum of a few that are, so that errors do not grow.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.builder = rng, Builder(int(rng.integers(13, 22)))
        self.feeds: dict[str, Array] = {}
        self.values: list[Tensor] = []
        self.read: set[str] = set()
        self.order = self.pick(["tbf", "btf"])  # of all inputs and, after a Transpose, of outputs
        for number in range(1 + int(rng.integers(3))):
            self._input(f"in {number}")
        for _ in range(2 + int(rng.integers(8))):
            self.pick(self.WAYS)(self, self.pick(self.values))
        ends = [v for v in self.values if v.name not in self.read and v.name not in self.feeds]
        for name in self.feeds:
            if name not in self.read:
                ends.append(self._linear(next(v for v in self.values if v.name == name)))
        made = [v for v in self.values if v.name not in self.feeds]
        ends += [v for v in made if v not in ends and rng.integers(6) == 0]
        self.outputs = ends
        for end in ends:
            self.builder.output(end.name)

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def _add(self, name: str, axes: str, size: int, *read: Tensor) -> Tensor:
        self.read.update(value.name for value in read)
        self.values.append(Tensor(name, axes, size))
        return self.values[-1]

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))

    def _input(self, name: str) -> None:
        sizes = {"t": T, "b": B, "f": int(self.rng.integers(1, 6))}
        axes: dict[str, Any] = {"t": "time", "b": "batch", "f": sizes["f"]}
        if self.rng.integers(4) == 0:
            self.builder.input(name, [axes[a] for a in self.order[:2]], TensorProto.INT64)
            self.feeds[name] = self.rng.integers(0, 7, [sizes[a] for a in self.order[:2]])
            table = self.rng.uniform(-1, 1, (7, sizes["f"])).astype(np.float32)
            found = self.builder.op("Gather", self.builder.constant(table), name)
            self.read.add(name)
            self._add(found, self.order, sizes["f"])
            return
        self.builder.input(name, [axes[a] for a in self.order])
        shape = [sizes[a] for a in self.order]
        self.feeds[name] = self.rng.uniform(-1, 1, shape).astype(np.float32)
        self._add(name, self.order, sizes["f"])

    def _linear(self, x: Tensor) -> Tensor:
        size, b = int(self.rng.integers(1, 7)), self.builder
        layer = make_linear(x.size, size, self._seed())
        y = b.linear(x.name, layer)
        activation = self.pick([None, None, "Relu", "Tanh", "Sigmoid", "Elu", "Softmax"])
        if activation:
            more = {"axis": len(x.axes) - 1} if activation == "Softmax" else {}
            y = b.op(activation, y, **more)
        return self._add(y, x.axes, size, x)

    def _product(self, x: Tensor) -> None:
        """A matrix alone, as for an RNN's output layer; perhaps with a bias on another node."""
        size = int(self.rng.integers(1, 5))
        weight = self.rng.uniform(-0.5, 0.5, (x.size, size)).astype(np.float32)
        self._add(self.builder.op("MatMul", x.name, self.builder.constant(weight)), x.axes, size, x)

    def _vector(self, x: Tensor) -> None:
        """Each feature with a number of its own, or all with the same one."""
        shape = self.pick([(), (1,), (x.size,), (1, x.size)])
        numbers = self.rng.uniform(0.5, 1.5, shape).astype(np.float32)
        both = [x.name, self.builder.constant(numbers)]
        op = self.pick(["Add", "Sub", "Mul", "Div"])
        if op != "Div" and self.rng.integers(2):
            both.reverse()
        self._add(self.builder.op(op, *both), x.axes, x.size, x)

    def _function(self, x: Tensor) -> None:
        op = self.pick(["Tanh", "Sigmoid", "Softsign", "LeakyRelu", "HardSigmoid", "Neg", "Relu"])
        self._add(self.builder.op(op, x.name), x.axes, x.size, x)

    def _combine(self, x: Tensor) -> None:
        alike = [v for v in self.values if v.axes == x.axes and v.size in (x.size, 1)]
        op = self.pick(["Add", "Sub", "Mul", "Sum", "Mean"])
        count = int(self.rng.integers(2, 4)) if op in ("Sum", "Mean") else 2
        parts = [x, *(self.pick(alike) for _ in range(count - 1))]
        if op == "Mul":  # which would make errors grow
            parts = [self._add(self.builder.op("Tanh", v.name), v.axes, v.size, v) for v in parts]
        order = self.rng.permutation(len(parts))
        names = [parts[i].name for i in order]
        self._add(self.builder.op(op, *names), x.axes, x.size, *parts)

    def _concat(self, x: Tensor) -> None:
        alike = [v for v in self.values if v.axes == x.axes]
        parts = [x, *(self.pick(alike) for _ in range(int(self.rng.integers(1, 3))))]
        size = sum(v.size for v in parts)
        if size <= _MOST:
            axis = self.pick([-1, len(x.axes) - 1])
            names = [v.name for v in parts]
            self._add(self.builder.op("Concat", *names, axis=axis), x.axes, size, *parts)

    def _split(self, x: Tensor) -> None:
        if x.size < 2:
            return
        b, first = self.builder, int(self.rng.integers(1, x.size))
        way = self.pick(["Split", "halves", "Slice", "Gather"])
        if way == "Slice":
            part = b.op("Slice", x.name, b.integers(first), b.integers(x.size), b.integers(-1))
            self._add(part, x.axes, x.size - first, x)
        elif way == "Gather":
            rows = [*self.rng.integers(0, x.size, 2), 0, 0]  # never all of them as they are
            self._add(b.op("Gather", x.name, b.integers(*rows), axis=-1), x.axes, 4, x)
        elif way == "Split" or x.size % 2:
            sizes = (first, x.size - first)
            parts = b.ops("Split", x.name, b.integers(*sizes), count=2, axis=len(x.axes) - 1)
            for part, size in zip(parts, sizes, strict=True):
                self._add(part, x.axes, size, x)
        else:
            half = x.size // 2
            parts = b.ops("Split", x.name, b.integers(half, half), count=2, axis=-1)
            self._add(b.op(self.pick(["Add", "Mul", "Sub"]), *parts), x.axes, half, x)

    def _recurrent(self, x: Tensor) -> None:
        if "t" not in x.axes:
            return
        b, cell = self.builder, self.pick(["rnn", "gru", "lstm"])
        direction = self.pick(["forward", "forward", "reverse", "bidirectional"])
        layer = make_recurrent(cell, x.size, 3, self._seed(), direction=direction)
        name = x.name if x.axes == "tbf" else b.op("Transpose", x.name, perm=[1, 0, 2])
        out = b.recurrent(name, layer)
        if self.rng.integers(3):
            y = b.concatenated(out[0], layer.num_directions)
            if x.axes == "btf":
                y = b.op("Transpose", y, perm=[1, 0, 2])
            self._add(y, x.axes, 3 * layer.num_directions, x)
        if self.rng.integers(3) == 0:
            if direction == "bidirectional":
                h = b.op("Reshape", b.op("Transpose", out[1], perm=[1, 0, 2]), b.integers(0, 6))
            else:
                h = b.squeeze(out[1], 0)
            # What is behind it makes it a value: as it is it would be a state.
            self._add(b.op("Tanh", h), "bf", 3 * layer.num_directions, x)

    WAYS = (
        _linear, _product, _vector, _function, _combine, _concat, _split, _recurrent, _recurrent,
    )  # fmt: skip
