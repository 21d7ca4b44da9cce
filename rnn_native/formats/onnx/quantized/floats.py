"""What quantised tensors stand for: (integers - zero point) * scale, before they were rounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ..cells.known import Known
from ..cells.rewriting import Rewriting
from ..graph import Anything, Graph, Node
from ..tensors import element_name
from .ends import ends_of

MOVES: Final = (
    "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice",
    "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
"""What does to integers as it does to what they stand for."""
_DEEPEST: Final = 64  # nodes one behind the other between two quantisers
_ATTRIBUTES: Final = dict.fromkeys(
    ("axis", "block_size", "output_dtype", "precision", "saturate"), ("int", 0)
)
_INTEGERS: Final = re.compile(r"(u?)int(4|8|16)")
_BOUNDED: Final = {
    "HardSigmoid": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0),
    "Softsign": (-1.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, np.inf),
    "LSTM": (-1.0, 1.0), "RNN": (-1.0, 1.0),
}  # fmt: skip
"""Between which numbers the results of operators are; of LSTM and RNN with their own functions."""


class Floats:
    """The tensors of floats of a graph, made where they are asked for. ``operators`` are those that
    calculate with integers: what makes of one the operator of floats, whose result is still to be
    clipped."""

    def __init__(
        self, graph: Graph, operators: Mapping[str, Callable[[Floats, Node], str]]
    ) -> None:
        self.graph = graph
        self._operators = operators
        self.rewriting = Rewriting(graph)
        self.known = Known(graph)
        self._real: dict[tuple[str, ...], str] = {}
        self._depth = 0

    def array(self, node: Node, name: str, what: str) -> Anything:
        """The numbers of a constant."""
        array = self.known.array(name) if name else None
        if array is None:
            raise node.unsupported(f"{what}: expected a constant")
        return array

    def dequantize(self, node: Node) -> None:
        """DequantizeLinear, of constants and of what was quantised."""
        x, scale, zero = inputs(node, 2, 3)
        if not self.known.is_constant(x):
            made = self.real(node, (x, scale, zero))
            self.rewriting.add(node, "Identity", [made], node.outputs, node.name)
        elif node.domain:
            self.rewriting.put(replace(node, domain=""))

    def real(self, node: Node, integers: Sequence[str], axis: int = 1) -> str:
        """The tensor of floats that integers are, which are given with their scale and zero point;
        ``node`` is what reads them so, and ``axis`` where a vector of scales stands."""
        name, scale, zero = integers
        key = (name, scale, zero, str(axis))
        if key not in self._real:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise node.unsupported(f"more than {_DEEPEST} operators of integers in a row")
            self._real[key] = self._made(node, name, scale, zero, axis)
            self._depth -= 1
        return self._real[key]

    def _made(self, node: Node, name: str, scale: str, zero: str, axis: int) -> str:
        if self.known.is_constant(name):
            made = self.rewriting.name(f"{name}/float")
            given = [name, scale, zero] if zero else [name, scale]
            return self.rewriting.add(node, "DequantizeLinear", given, [made], axis=axis)[0]
        maker = self.known.makers.get(name)
        if maker is None:
            raise node.unsupported(
                f"dequantises {name!r}, an input of the graph: expected what the graph quantises"
            )
        if maker.op in MOVES and not maker.domain:
            return self._moved(node, maker, name, scale, zero)
        ends = self.quantizer(name)
        if ends is None:
            raise node.unsupported(
                f"dequantises what {maker} makes: expected what QuantizeLinear makes, moved"
            )
        if not (self.same(scale, ends[0]) and self._same_zero(zero, ends[1])):
            raise node.unsupported(f"scale and zero point are others than those of {maker}")
        if maker.op == "DynamicQuantizeLinear":
            return maker.inputs[0]
        operator = self._operators.get(maker.op)
        x = maker.inputs[0] if operator is None else operator(self, maker)
        return self.clipped(maker, x, *ends)

    def _moved(self, node: Node, maker: Node, name: str, scale: str, zero: str) -> str:
        if not self._is_one(scale):
            raise node.unsupported(f"one scale for each channel of what {maker} makes")
        count = len(maker.inputs) if maker.op == "Concat" else 1
        names = {x: self.real(node, (x, scale, zero)) for x in maker.inputs[:count]}
        names |= {y: self.rewriting.name(f"{y}/float") for y in maker.outputs if y}
        self.rewriting.again(maker, names)
        for output in maker.outputs:
            self._real[output, scale, zero, "1"] = names.get(output, "")
        return names[name]

    def quantizer(self, name: str) -> tuple[str, str] | None:
        """The scale and the zero point with which integers were made; None where they were not."""
        for _ in range(_DEEPEST):
            maker = self.known.makers.get(name)
            if maker is None or maker.op not in MOVES or maker.domain:
                break
            name = maker.inputs[0]
        else:
            maker = None
        return None if maker is None else ends_of(maker)

    def clipped(self, node: Node, x: str, scale: str, zero: str) -> str:
        """A value in the range that its quantiser ``node`` has, if that is narrower than its own by
        more than the rounding."""
        low, high = self._range(node, scale, zero)
        least, most = self._bounds(x)
        half = (high - low) / 2 / 255
        low = -np.inf if low <= least + half else low
        high = np.inf if high >= most - half else high
        if low == -np.inf and high == np.inf:
            return x
        made = self.rewriting.name(f"{x}/clipped")
        if node.opset < 11:
            ends = {"min": low, "max": high}
            own: dict[str, Any] = {key: end for key, end in ends.items() if np.isfinite(end)}
            return self.rewriting.add(node, "Clip", [x], [made], **own)[0]
        names = [
            self.rewriting.constant(f"{made}/{i}", np.asarray(end, np.float32))
            if np.isfinite(end)
            else ""
            for i, end in enumerate((low, high))
        ]
        return self.rewriting.add(node, "Clip", [x, *names], [made])[0]

    def _range(self, node: Node, scale: str, zero: str) -> tuple[float, float]:
        """The smallest and the largest number that a quantiser with one scale leaves."""
        own = self.array(node, scale, "scale")
        if own.dtype.kind != "f":
            raise node.malformed(f"scale: expected floats, got {own.dtype}")
        if own.size != 1 or not np.isfinite(own).all() or not (own > 0).all():
            raise node.unsupported(f"values with scales of shape {own.shape}: expected one scale")
        point = self.array(node, zero, "zero point") if zero else np.zeros(1, np.uint8)
        if point.size != 1:
            raise node.unsupported(f"zero points of shape {point.shape} for one scale")
        kind = _INTEGERS.fullmatch(point.dtype.name)
        if not zero and (code := node.options(**_ATTRIBUTES)["output_dtype"]):
            kind = _INTEGERS.fullmatch(element_name(code).lower())
        if kind is None:
            raise node.unsupported(f"values of {point.dtype}: expected integers of 4, 8 or 16 bits")
        bits = int(kind[2])
        first = 0 if kind[1] else -(2 ** (bits - 1))
        offset = int(point.reshape(()).astype(np.int64))
        ends = (float((n - offset) * own.reshape(())) for n in (first, first + 2**bits - 1))
        return next(ends), next(ends)

    def _bounds(self, name: str) -> tuple[float, float]:
        """Between which numbers a tensor of floats is, as far as its maker tells."""
        for _ in range(_DEEPEST):
            maker = self.known.makers.get(name)
            if maker is None or maker.domain:
                break
            if maker.op in _BOUNDED and "activations" not in maker.attributes:
                return _BOUNDED[maker.op] if name == maker.outputs[0] else (-np.inf, np.inf)
            if maker.op == "DequantizeLinear":
                return self._bounds_of_integers(maker)
            if maker.op not in MOVES or maker.op == "Concat":
                break
            name = maker.inputs[0]
        return -np.inf, np.inf

    def _bounds_of_integers(self, maker: Node) -> tuple[float, float]:
        _, scale, zero = inputs(maker, 2, 3)
        if zero and self._is_one(scale) and self.known.array(scale) is not None:
            return self._range(maker, scale, zero)
        return -np.inf, np.inf

    def _is_one(self, scale: str) -> bool:
        array = self.known.array(scale)
        return array is None or array.size == 1

    def same(self, one: str, other: str) -> bool:
        """Whether both are the same tensor, or constants of the same numbers."""
        if one == other:
            return True
        a, b = self.known.array(one), self.known.array(other)
        if a is None or b is None:
            return False
        return a.size == b.size and a.dtype == b.dtype and bool((a.ravel() == b.ravel()).all())

    def _same_zero(self, one: str, other: str) -> bool:
        """Likewise of zero points, which may be left out."""
        if one and other:
            return self.same(one, other)
        array = self.known.array(one or other) if one or other else None
        return not (one or other) or (array is not None and not array.any())


def inputs(node: Node, least: int, most: int) -> list[str]:
    """The inputs of a node, ``""`` for those that it leaves out."""
    if not least <= len(node.inputs) <= most or not all(node.inputs[:least]):
        raise node.malformed(f"expected {least} to {most} inputs, got {len(node.inputs)}")
    return [*node.inputs, *[""] * most][:most]
