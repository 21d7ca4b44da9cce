"""The graph that ``formats.onnx`` reads, put together operator by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ...errors import FormatError, UnsupportedError
from ..onnx.graph import Info
from ..onnx.messages import (
    Attribute,
    GraphMessage,
    NodeMessage,
    TensorMessage,
    ValueMessage,
)
from .contents import Constants
from .inside import Inside
from .model import Operator, SubGraph, Tensor
from .schema import ACTIVATIONS

OPSET: Final = 18
"""The version of ONNX's operators that are put in the place of TensorFlow Lite's."""

_MAX_NODES: Final = 50_000

_FLOAT: Final = 1  # ONNX's code


class Writer:
    """Adds to a graph what operators of a subgraph are.

    A tensor has its own name in the graph; what is between two of ONNX's operators has one that
    begins with that of the tensor that the operator makes.
    """

    def __init__(self, subgraph: SubGraph, contents: Constants, prefix: str = "") -> None:
        self.subgraph = subgraph
        self.contents = contents
        self.graph = GraphMessage()
        self._first = 0
        self.operator: Operator = Operator("", 1, (), (), None)
        self.prefix = prefix
        self._own = [prefix + tensor.name for tensor in subgraph.tensors]
        self._names = {*self._own}
        self._kept: set[int] = set()
        self.inside = Inside(subgraph, contents)
        self._read = {*subgraph.outputs, *(i for one in subgraph.operators for i in one.inputs)}

    def begin(self, operator: Operator) -> None:
        """What is added from now on stands in the place of this operator."""
        self.operator = operator
        self._first = len(self.graph.node)

    # Tensors of the operator.

    def tensor(self, position: int) -> Tensor | None:
        """An input of the operator; None for one that is left out."""
        inputs = self.operator.inputs
        index = inputs[position] if position < len(inputs) else -1
        return None if index < 0 else self.subgraph.tensors[index]

    def input(self, position: int) -> str:
        """The name of an input; "" for one that is left out."""
        tensor = self.tensor(position)
        return "" if tensor is None else self.name_of(tensor.index)

    def name_of(self, index: int) -> str:
        """The name of a tensor that an operator reads."""
        tensor = self.subgraph.tensors[index]
        if tensor.data is not None and tensor.index not in self._kept:
            self._kept.add(tensor.index)
            self.graph.initializer.append(TensorMessage(self._own[tensor.index], tensor))
        return self._own[tensor.index]

    def required(self, position: int) -> str:
        name = self.input(position)
        if not name:
            count = len(self.operator.inputs)
            raise self.malformed(f"expected an input {position}, it has {count}")
        return name

    def output(self, position: int = 0) -> str:
        outputs = self.operator.outputs
        if position >= len(outputs) or outputs[position] < 0:
            raise self.malformed(f"expected an output {position}, it has {len(outputs)}")
        return self._own[outputs[position]]

    def is_read(self, position: int) -> bool:
        """Whether anything reads this output of the operator, or it is one of the graph."""
        outputs = self.operator.outputs
        return position < len(outputs) and outputs[position] in self._read

    def sizes(self, position: int) -> tuple[int | None, ...]:
        """Of an input, as the file states them."""
        tensor = self.tensor(position)
        if tensor is None:
            self.required(position)
        assert tensor is not None
        return tensor.sizes

    def size(self, position: int, axis: int) -> int:
        """Of one axis of an input, which the file fixes."""
        sizes = self.sizes(position)
        size = sizes[axis] if -len(sizes) <= axis < len(sizes) else None
        if size is None:
            raise self.malformed(f"input {position}: no known size of axis {axis} of {sizes}")
        return size

    def integers(self, position: int, what: str) -> list[int]:
        """An input that the file fixes."""
        tensor = self.tensor(position)
        if tensor is None or tensor.data is None:
            raise self.unsupported(f"{what}: expected constant integers")
        array = self.contents.of(tensor)
        if array.dtype.kind not in "iu" or array.size > 64:
            raise self.malformed(f"{what}: got {array.dtype} of shape {array.shape}")
        return [int(number) for number in array.reshape(-1)]

    def named(self, names: Mapping[int, str]) -> None:
        """Tensors are others from now on, which are made outside."""
        for index, name in names.items():
            self._own[index] = name

    def value(self, index: int) -> ValueMessage:
        """What the file says of a tensor."""
        tensor = self.subgraph.tensors[index]
        element = "FLOAT" if tensor.is_quantized else tensor.element
        info = Info(element, tensor.sizes, ("",) * len(tensor.sizes))
        return ValueMessage(self._own[index], info)

    # What is added.

    def name(self, base: str) -> str:
        found, number = base, 0
        while found in self._names:
            number += 1
            found = f"{base}/{number}"
        self._names.add(found)
        return found

    def constant(self, array: Any, dtype: str = "i8") -> str:
        name = self.name(f"{self.label}/constant")
        self.graph.initializer.append(TensorMessage(name, np.asarray(array, dtype)))
        return name

    def zeros(self, count: int) -> str:
        self.contents.budget.take(str(self), 4 * count)
        return self.constant(np.zeros(count), "f4")

    def made(self, op: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> list[str]:
        """Adds an operator of ONNX; the new names of what it makes."""
        outputs = [self.name(f"{self.label}/{op}") for _ in range(count)]
        self._add(op, inputs, outputs, attributes)
        return outputs

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operator of one output; the new name of what it makes."""
        return self.made(op, inputs, **attributes)[0]

    def axes(self, op: str, x: str, axes: Sequence[int], **attributes: Any) -> str:
        """Adds an operator of which the axes are a second input."""
        return self.add(op, x, self.constant(list(axes)), **attributes)

    def give(self, name: str, position: int = 0) -> None:
        """An output of the operator is the tensor of that name: from now on called so, if it was
        made for the operator and nothing has read it."""
        output = self.output(position)
        own = self.graph.node[self._first :]
        if not any(name in node.input for node in own):
            for node in own:
                if name in node.output:
                    node.output[node.output.index(name)] = output
                    return
        self._add("Identity", [name], [output], {})

    def activated(self, name: str, field: int) -> str:
        """The tensor behind the activation that a field of the operator's options asks for."""
        function = self.function(field)
        if function in _BOUNDS:
            return self.clipped(name, *_BOUNDS[function])
        if function in _FUNCTIONS:
            op = _FUNCTIONS[function]
            return self.add(op, name) if op else name
        raise self.unsupported(f"fused activation {function} is not supported")

    def clipped(self, name: str, low: float, high: float) -> str:
        bounds = [self.constant(bound, "f4") for bound in (low, high)]
        return self.add("Clip", name, *bounds)

    def function(self, field: int) -> str:
        code = self.operator.option(field, "int8")
        if not 0 <= code < len(ACTIVATIONS):
            raise self.malformed(f"fused activation {code}: expected 0 to {len(ACTIVATIONS) - 1}")
        return ACTIVATIONS[code]

    # Errors, which name the operator and what it makes.

    @property
    def label(self) -> str:
        outputs = [index for index in self.operator.outputs if index >= 0]
        return self._own[outputs[0]] if outputs else self.operator.op

    def __str__(self) -> str:
        return f"operator {self.operator.op} of {self.label!r}"

    def unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self}: {what}")

    def malformed(self, what: str) -> FormatError:
        return FormatError(f"{self}: {what}")

    def _add(
        self, op: str, inputs: Sequence[str], outputs: list[str], attributes: dict[str, Any]
    ) -> None:
        if len(self.graph.node) >= _MAX_NODES:
            raise UnsupportedError(f"a graph of more than {_MAX_NODES} operators")
        made = [Attribute(name, value) for name, value in attributes.items()]
        name = f"{self.operator.op} {self.label}"
        self.graph.node.append(NodeMessage(op, inputs, outputs, made, name))


_FUNCTIONS: Final = {"NONE": "", "RELU": "Relu", "TANH": "Tanh"}
_BOUNDS: Final = {"RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}
