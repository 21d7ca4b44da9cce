"""Steps as parts of sequences: which tensor has them all, and what is put together of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ....errors import RnnError
from ..constants import axes_of, axis_of, slices_of
from ..graph import Node
from ..interpret import interpret
from ..values import Constant, Data, size_of
from .known import Known
from .rewriting import Rewriting

_STEPS: Final = 20  # of the file's budget, to follow a node
_TO_THE_END: Final = 2**31 - 1
_DEEPEST: Final = 8  # operators between the steps of a cell and what is put together
_EACH: Final = ("Add", "Mul", "Relu", "Sigmoid", "Sub", "Tanh")
"""What an operator does to every step is what it does to the sequence, beside constants."""

_PRODUCTS: Final = ("Gemm", "MatMul")


@dataclass(frozen=True)
class Part:
    """Step ``index`` of an axis of ``count`` steps, None where that is not known; the axis is gone
    from the part."""

    whole: str
    axis: int
    index: int
    count: int | None = None


class Sequences:
    """Knows the sequences of a graph, and writes them as tensors with the time first.

    ``names``: what tensors are called that are data and states alike, where they are data.
    """

    def __init__(self, rewriting: Rewriting, known: Known, names: Mapping[str, str]) -> None:
        self._to, self._known, self._names = rewriting, known, names
        self._steps: dict[str, Part] = {}  # those that cells make

    def of(self, like: Node, names: Sequence[str], made: Sequence[str]) -> tuple[str, str] | None:
        """The sequence [time, ...] whose steps the tensors are, and the direction in which they go
        through it; None where they are no whole sequence, or depend on what is ``made`` of them."""
        parts = [part for part in map(self._part, names) if part]
        if len(parts) != len(names) or len({(part.whole, part.axis) for part in parts}) > 1:
            return None
        first = parts[0]
        count = first.count or self._size(first)
        if count != len(names) or (count > 1 and self._depends(names, set(made))):
            return None
        order = [part.index % count for part in parts]
        ways = {"forward": list(range(count)), "reverse": list(range(count))[::-1]}
        direction = next((way for way, indices in ways.items() if indices == order), None)
        if direction is None:
            return None
        x = self._names.get(first.whole, first.whole)
        return self._to.time_first(like, x, first.axis, self._to.name(f"{made[0]}/X")), direction

    def is_longer(self, name: str) -> bool:
        """Whether a tensor is one of several steps of a sequence."""
        part = self._part(name)
        size = None if part is None else part.count or self._size(part)
        return size is not None and size > 1

    def learn(self, steps: str, names: Sequence[str]) -> None:
        """The sequence ``steps`` [time, batch, features] has these as its steps, the last of which
        in the order of the cell is made by something else as well."""
        for index, name in enumerate(names):
            self._steps[name] = Part(steps, 0, index, len(names))

    def stack(self) -> None:
        """Puts a sequence in the place of what is put together of all its steps."""
        for node in self._known.graph.nodes:
            found = None if node.domain else self._stacked(node)
            if found is not None:
                names, axis = found
                sequence = self._sequence(names, 0)
                if sequence is not None:
                    self._to.time_at(node, sequence, axis, node.outputs[0])

    def _stacked(self, node: Node) -> tuple[list[str], int] | None:
        """The tensors [batch, features] that a node puts together, and at which axis."""
        with suppress(RnnError, KeyError, IndexError):
            if node.op == "ConcatFromSequence":
                options = node.options(axis=("int", None), new_axis=("int", 0))
                maker = self._known.makers[node.inputs[0]]
                stacks = options["new_axis"] and options["axis"] is not None
                if stacks and maker.op == "SequenceConstruct":
                    return list(maker.inputs), axis_of(node, options["axis"], 3)
            if node.op == "Concat":
                axis = axis_of(node, node.options(axis=("int", 0))["axis"], 3)
                makers = [self._known.makers[name] for name in node.inputs]
                if all(maker.op == "Unsqueeze" for maker in makers) and all(
                    axes_of(maker, self._known.values(maker), 3) == [axis] for maker in makers
                ):
                    return [maker.inputs[0] for maker in makers], axis
        return None

    def _sequence(self, names: Sequence[str], depth: int) -> str | None:
        """A tensor [time, ...] whose steps these are, in this order."""
        parts = [self._steps.get(name) for name in names]
        first = parts[0]
        if first is not None:
            whole = [Part(first.whole, 0, index, len(names)) for index in range(len(names))]
            return first.whole if parts == whole else None
        nodes = [self._known.makers.get(name) for name in names]
        if depth == _DEEPEST or None in nodes or len({len(n.inputs) for n in nodes if n}) != 1:
            return None
        return self._each([node for node in nodes if node], depth)

    def _each(self, nodes: Sequence[Node], depth: int) -> str | None:
        """What the same operator makes of every step."""
        node = nodes[0]
        ops = {(n.op, n.domain, len(n.outputs)) for n in nodes}
        if len(ops) > 1 or node.domain or node.op not in (*_EACH, *_PRODUCTS):
            return None
        options = [_options(n) for n in nodes]
        if any(other != options[0] for other in options):
            return None
        columns = list(zip(*(n.inputs for n in nodes), strict=True))
        varying = [i for i, column in enumerate(columns) if not self._known.is_constant(column[0])]
        fixed = [i for i in range(len(columns)) if i not in varying]
        if len(varying) != 1 or (node.op in _PRODUCTS and varying != [0]):
            return None
        if not all(self._same(columns[i], node.op in _PRODUCTS and i == 1) for i in fixed):
            return None
        sequence = self._sequence(columns[varying[0]], depth + 1)
        return None if sequence is None else self._of_all(node, sequence, varying[0], options[0])

    def _of_all(self, node: Node, sequence: str, at: int, options: Any) -> str | None:
        output = self._to.name(f"{node.outputs[0]}/steps")
        inputs = [sequence if i == at else name for i, name in enumerate(node.inputs)]
        if node.op != "Gemm":
            return self._to.add(node, node.op, inputs, [output])[0]
        weight = self._known.array(node.inputs[1])
        if options != {"transB": 1, "alpha": 1.0, "beta": 1.0} or weight is None:
            return None
        turned = self._to.constant(f"{output}/B", weight.T)
        if len(inputs) < 3:
            return self._to.add(node, "MatMul", [sequence, turned], [output])[0]
        product = self._to.add(node, "MatMul", [sequence, turned], [f"{output}/product"])
        return self._to.add(node, "Add", [*product, inputs[2]], [output])[0]

    def _same(self, names: Sequence[str], matrix: bool) -> bool:
        """Constants that are one and the same: a matrix, or one number for each feature or all."""
        arrays = [self._known.array(name) for name in dict.fromkeys(names)]
        first = arrays[0]
        if first is None or (first.ndim != 2 if matrix else first.ndim > 1):
            return False
        self._known.graph.contents.budget.work("unrolled cells", len(arrays) * first.size)
        return all(array is not None and np.array_equal(array, first) for array in arrays)

    def _part(self, name: str) -> Part | None:
        if name in self._steps:
            return self._steps[name]
        node = self._known.makers.get(name)
        if node is None or node.domain:
            return None
        with suppress(RnnError, KeyError, IndexError):
            if node.op == "Gather":
                index = self._known.array(node.inputs[1])
                if index is None or index.ndim or index.dtype.kind != "i":
                    return None
                axis = axis_of(node, node.options(axis=("int", 0))["axis"], 3)
                return Part(node.inputs[0], axis, int(index))
            if node.op == "Squeeze":
                axes = axes_of(node, self._known.values(node), 3)
                cut = self._known.makers[node.inputs[0]]
                return self._cut(cut, node.inputs[0], axes[0]) if axes and len(axes) == 1 else None
        return None

    def _cut(self, node: Node, name: str, axis: int) -> Part | None:
        """A step that is cut out by Slice or Split, and whose axis, of size 1, is then gone."""
        values = self._known.values(node)
        if node.op == "Slice":
            slices = slices_of(node, values, 3)
            if len(slices) == 1 and slices[0][0] == axis and slices[0][3] == 1:
                _, start, stop, _ = slices[0]
                if stop == start + 1 or (start == -1 and stop >= _TO_THE_END):
                    return Part(node.inputs[0], axis, start)
        if node.op == "Split":
            options = node.options(axis=("int", 0), split=("ints", None), num_outputs=("int", None))
            sizes = options["split"]
            if len(node.inputs) > 1 and node.inputs[1]:
                given = values[1]
                sizes = given.array.tolist() if isinstance(given, Constant) else []
            count = len(node.outputs)
            if axis_of(node, options["axis"], 3) == axis and sizes in (None, [1] * count):
                return Part(node.inputs[0], axis, node.outputs.index(name), count)
        return None

    def _size(self, part: Part) -> int | None:
        """How long the axis is that a part is of."""
        node = self._known.makers.get(part.whole)
        found = self._stacked(node) if node else None
        if found is not None and found[1] == part.axis:
            return len(found[0])
        info = self._known.graph.inputs.get(part.whole)
        if info is not None and info.sizes is not None and part.axis < len(info.sizes):
            return info.sizes[part.axis]
        with suppress(RnnError):
            graph = self._known.graph
            graph.contents.budget.work("unrolled cells", 100 * _STEPS * len(graph.nodes))
            value = interpret(graph, [part.whole])[part.whole]
            if isinstance(value, Data) and part.axis < len(value.dims):
                return size_of(value.dims[part.axis])
        return None

    def _depends(self, names: Sequence[str], made: set[str]) -> bool:
        """Whether any of the tensors is made of one of those."""
        pending, seen = list(names), set(names)
        self._known.graph.contents.budget.work(
            "unrolled cells", _STEPS * len(self._known.graph.nodes)
        )
        while pending:
            name = pending.pop()
            if name in made:
                return True
            node = self._known.makers.get(name)
            for one in node.inputs if node else ():
                if one not in seen:
                    seen.add(one)
                    pending.append(one)
        return False


def _options(node: Node) -> dict[str, Any] | None:
    """The attributes of a Gemm; {} of what has none."""
    with suppress(RnnError):
        if node.op != "Gemm":
            return node.options()
        found = node.options(
            alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0)
        )
        if not found.pop("transA"):
            return found
    return None
