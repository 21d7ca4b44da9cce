"""Where the numbers of a graph's tensors come from: what is only moved keeps the place in which it
was made.

Each number of an input, and of what an operator calculates, gets a number of its own. Operators
that move numbers move these, whatever packs, cuts and puts back: two tensors hold the same where
these are equal. Sizes that the file leaves free are taken as a size that is stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import RnnError
from .evaluate import evaluate, fold
from .graph import INTEGERS, Anything, Graph, Info, Node, import_onnx
from .messages import Attribute
from .operators.common import DTYPES

MOVES: Final = (
    "Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Reshape",
    "ScatterElements", "ScatterND", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Operators that move numbers and make none."""
CELLS: Final = ("GRU", "LSTM", "RNN")
_OF_INDICES: Final = {
    "ScatterElements": (0, 2), "ScatterND": (0, 2),
}  # fmt: skip
"""Which inputs of an operator are moved, where that is not the first alone; of Concat all are."""
_INFERRED: Final = 50_000  # steps of the file's budget, for onnx to say what a node makes
_SMALL: Final = 4096  # numbers of a constant that says how large something is
_CONSTANT: Final = -1

Ids = NDArray[np.int64]


@dataclass(eq=False)
class _Tensor:
    """What is known of a tensor: its shape; its numbers, if it is constant; where these were
    made, once that was asked for."""

    element: str
    shape: tuple[int, ...]
    array: Anything | None = None
    ids: Ids | None = None


class Origins:
    """The tensors of a graph, where each axis of a free size has ``free`` places."""

    def __init__(self, graph: Graph, free: int) -> None:
        self._graph = graph
        self._tensors: dict[str, _Tensor] = {}
        self._count = 0
        budget = graph.contents.budget  # of which as much again may be taken here, but not more
        self._left, self._steps = budget.left, budget.steps
        for name, info in graph.inputs.items():
            if info.sizes is not None:
                sizes = (free if size is None else size for size in info.sizes)
                self._tensors[name] = _Tensor(info.element, tuple(sizes))
                self.ids(name)
        for node in graph.nodes:
            self._add(node)

    def shape(self, name: str) -> tuple[int, ...] | None:
        tensor = self._found(name)
        return None if tensor is None else tensor.shape

    def constant(self, name: str) -> Anything | None:
        """The numbers of a tensor, if they are those of the file whatever the inputs hold."""
        tensor = self._tensors.get(name)
        return None if tensor is None else tensor.array

    def ids(self, name: str) -> Ids | None:
        """Where each number of a tensor was made; -1 of constants. None: it is not known."""
        tensor = self._found(name)
        if tensor is None:
            return None
        if tensor.ids is None and self._may_have(8 * prod(tensor.shape)):
            if tensor.array is not None:
                tensor.ids = np.full(tensor.shape, _CONSTANT, np.int64)
            else:
                tensor.ids = self._new(tensor.shape)
        return tensor.ids

    def _new(self, shape: tuple[int, ...]) -> Ids:
        first, self._count = self._count, self._count + prod(shape)
        return np.arange(first, self._count, dtype=np.int64).reshape(shape)

    def _may_have(self, size: int) -> bool:
        """Whether there is memory left for so many bytes, which are taken then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def _may_do(self, steps: int) -> bool:
        """Whether there are so many steps of calculation left, which are taken then."""
        if steps > self._steps:
            return False
        self._steps -= steps
        return True

    def _found(self, name: str) -> _Tensor | None:
        if name not in self._tensors and name in self._graph.constants:
            try:
                array = self._graph.constants[name]
            except RnnError:
                return None
            return _Tensor(_element(array), array.shape, array)
        return self._tensors.get(name)

    def _add(self, node: Node) -> None:
        inputs = [self._found(name) if name else None for name in node.inputs]
        if any(t is None for t, name in zip(inputs, node.inputs, strict=True) if name):
            return
        try:
            made = self._made(node, inputs)
        except RnnError:
            return
        for name, tensor in zip(node.outputs, made, strict=False):
            if name and tensor is not None:
                self._tensors[name] = tensor

    def _made(self, node: Node, inputs: Sequence[_Tensor | None]) -> Sequence[_Tensor | None]:
        arrays = [None if tensor is None else tensor.array for tensor in inputs]
        if node.op in ("Shape", "Size") and not node.domain:
            # Of any numbers of that shape.
            arrays = [
                None if tensor is None else np.broadcast_to(np.zeros((), np.bool_), tensor.shape)
                for tensor in inputs
            ]
        if all((a is None) == (t is None) for a, t in zip(arrays, inputs, strict=True)):
            results = None if node.domain else fold(node, arrays)
            return [_Tensor(_element(a), a.shape, a) for a in results or []]
        if node.op in MOVES and not node.domain:
            return self._moved(node, inputs)
        made = _inferred(node, inputs) if self._may_do(_INFERRED) else []
        if node.op in CELLS and not node.domain:
            self._tie(node, made)
        return made

    def _moved(self, node: Node, inputs: Sequence[_Tensor | None]) -> Sequence[_Tensor | None]:
        moved = range(len(inputs)) if node.op == "Concat" else _OF_INDICES.get(node.op, (0,))
        arrays: list[Any] = []
        for index, (name, tensor) in enumerate(zip(node.inputs, inputs, strict=True)):
            if tensor is None:
                arrays.append(None)
            elif index in moved:
                arrays.append(self.ids(name))
            elif tensor.array is None:  # moves as the data say
                return ()
            else:
                arrays.append(tensor.array)
        if any(a is None for a, t in zip(arrays, inputs, strict=True) if t is not None):
            return ()
        if not self._may_do(sum(array.size for array in arrays if array is not None)):
            return ()
        results = evaluate(node, arrays)
        if not self._may_have(sum(result.nbytes for result in results)):
            return ()
        assert inputs[0] is not None
        return [_Tensor(inputs[0].element, ids.shape, ids=ids) for ids in results]

    def _tie(self, node: Node, made: Sequence[_Tensor | None]) -> None:
        """Y_h are numbers of Y: its last step, in the reverse direction its first."""
        y, h = [*made, None, None][:2]
        options = {n: node.attributes[n] for n in ("direction", "layout") if n in node.attributes}
        if y is None or h is None or "layout" in options or (node.inputs + ("",) * 5)[4]:
            return
        direction = options["direction"].s.decode() if "direction" in options else "forward"
        if not y.shape or not y.shape[0]:
            return
        if not self._may_have(8 * prod(y.shape)):
            return
        y.ids = self._new(y.shape)
        ends = {"forward": [-1], "reverse": [0], "bidirectional": [-1, 0]}.get(direction, [])
        if len(ends) == y.shape[1]:
            h.ids = np.stack([y.ids[end, i] for i, end in enumerate(ends)])


def _element(array: Anything) -> str:
    names = {np.dtype(code): name for name, code in DTYPES.items()}
    return names.get(array.dtype, "FLOAT")


def _inferred(node: Node, inputs: Sequence[_Tensor | None]) -> list[_Tensor | None]:
    """What onnx says that a node makes."""
    if node.contents.extends:  # of a graph that needs no onnx, and has no caches
        return []
    onnx = import_onnx()
    from onnx import checker, shape_inference

    from .graph import info_of

    proto = onnx.helper.make_node(node.op, node.inputs, node.outputs, domain=node.domain)
    proto.attribute.extend(
        onnx.helper.make_attribute(a.name, a.value) if isinstance(a, Attribute) else a
        for a in node.attributes.values()
    )
    types, data = {}, {}
    try:
        for name, tensor in zip(node.inputs, inputs, strict=True):
            if tensor is None:
                continue
            code = onnx.TensorProto.DataType.Value(tensor.element)
            types[name] = onnx.helper.make_tensor_type_proto(code, tensor.shape)
            array = tensor.array
            if array is not None and tensor.element in INTEGERS and array.size <= _SMALL:
                data[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        schema = onnx.defs.get_schema(node.op, node.opset, node.domain)
        found = shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=[onnx.helper.make_opsetid("", node.opset)]
        )
    except (
        checker.ValidationError, onnx.defs.SchemaError, shape_inference.InferenceError,
        RuntimeError, ValueError,
    ):  # fmt: skip
        return []
    infos = {
        name: info_of(onnx.ValueInfoProto(name=name, type=kind)) for name, kind in found.items()
    }
    return [_of_info(infos.get(name)) for name in node.outputs]


def _of_info(info: Info | None) -> _Tensor | None:
    if info is None or info.sizes is None or None in info.sizes:
        return None
    return _Tensor(info.element, tuple(size or 0 for size in info.sizes))
