"""A subgraph by what makes its tensors: for what is seen of several operators together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .contents import Constants
from .model import Operator, SubGraph
from .schema import Concatenation

_FAR: Final = 16  # operators that change no number, one behind the other
_STILL: Final = ("CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE")


class Inside:
    """A subgraph, by what makes its tensors."""

    def __init__(self, graph: SubGraph, contents: Constants) -> None:
        self.graph = graph
        self._contents = contents
        self._makers = {i: one for one in graph.operators for i in one.outputs}

    def made(self, index: int, *ops: str) -> Operator | None:
        """What makes a tensor, if it is one of these operators."""
        operator = self._makers.get(index)
        return operator if operator is not None and operator.op in ops else None

    def plain(self, index: int) -> int:
        """What a tensor is before it gets another shape or type."""
        for _ in range(_FAR):
            operator = self.made(index, *_STILL)
            if operator is None or not operator.inputs:
                break
            index = operator.inputs[0]
        return index

    def number(self, index: int) -> float | None:
        """The value of a constant of one number."""
        tensor = self.graph.tensors[index] if index >= 0 else None
        if tensor is None or tensor.data is None:
            return None
        array = self._contents.of(tensor)
        return array.reshape(()).item() if array.size == 1 else None

    def with_number(self, index: int, *ops: str) -> tuple[int, float] | None:
        """Of what these operators make of a tensor and a constant number: both."""
        operator = self.made(index, *ops)
        if operator is None or len(operator.inputs) != 2 or operator.option(0, "int8"):
            return None
        for one, other in (operator.inputs, operator.inputs[::-1]):
            number = self.number(other)
            if number is not None and self.number(one) is None:
                return one, number
        return None

    def is_next(self, index: int, before: int) -> bool:
        """Whether a tensor is another one, and 1."""
        return self.with_number(self.plain(index), "ADD") == (before, 1)

    def is_ones(self, index: int, like: int) -> bool:
        """Whether a tensor is 1 everywhere, of the shape of another one."""
        fill = self.made(index, "FILL")
        if fill is None or len(fill.inputs) != 2 or self.number(fill.inputs[1]) != 1:
            return False
        shape = self.made(fill.inputs[0], "SHAPE")
        return shape is not None and shape.inputs == (like,)

    def hard_sigmoid(self, index: int) -> tuple[int, float, float] | None:
        """The x, alpha and beta of max(min(alpha x + beta, 1), 0), where a tensor is one."""
        bounded = self.made(index, "RELU_0_TO_1")
        inner = bounded.inputs[0] if bounded is not None and bounded.inputs else None
        bounds = [("MAXIMUM", 0), ("MINIMUM", 1)]
        for (first, one), (second, other) in (bounds, bounds[::-1]):
            outer = self.with_number(index, first)
            within = self.with_number(outer[0], second) if outer and outer[1] == one else None
            if within and within[1] == other:
                inner = within[0]
        total = self.with_number(inner, "ADD") if inner is not None else None
        product = self.with_number(total[0], "DIV", "MUL") if total else None
        if total is None or product is None:
            return None
        x, alpha = product
        divided = self.made(total[0], "DIV")
        if divided is not None and (divided.inputs[0] != x or alpha == 0):
            return None
        return x, 1 / alpha if divided is not None else alpha, total[1]

    def item(self, index: int, of: int, counters: Sequence[int]) -> int | None:
        """What is put at the place of the step in a tensor ``of`` that goes round; None where that
        is not what makes ``index``."""
        index = self.plain(index)
        update = self.made(index, "DYNAMIC_UPDATE_SLICE")
        if update is not None and len(update.inputs) == 3:
            whole, item, at = update.inputs
            first = self.plain(next(self._parts(at), -1))
            return self.plain(item) if whole == of and first in counters else None
        joined = self.made(index, "CONCATENATION")
        if joined is None or joined.option(Concatenation.AXIS, "int32") != 0:
            return None
        if len(joined.inputs) != 3:
            return None
        before, item, after = joined.inputs
        cuts = [self.made(one, "SLICE") for one in (before, after)]
        if any(cut is None or len(cut.inputs) != 3 or cut.inputs[0] != of for cut in cuts):
            return None
        head, tail = (cut for cut in cuts if cut is not None)
        end = self.plain(next(self._parts(head.inputs[2]), -1))
        begin = self.plain(next(self._parts(tail.inputs[1]), -1))
        follows = any(self.is_next(begin, counter) for counter in counters)
        return self.plain(item) if end in counters and follows else None

    def _parts(self, index: int) -> Iterator[int]:
        """What a vector of integers is put together of."""
        operator = self.made(self.plain(index), "PACK", "CONCATENATION")
        yield from operator.inputs if operator else (index,)
