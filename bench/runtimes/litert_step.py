"""LiteRT: one step as a model with the states as inputs and outputs, built without TensorFlow.

The model is written with the schema that LiteRT's own package carries. Forms: the gates as one
product that is then split, or each gate as one of its own; each of them through the interpreter. In
int8 the same of weights with a scale a row, whose inputs it quantizes at each call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ai_edge_litert
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from rnn_native import Recurrent
from rnn_native.benchmark.worker import Form, Task

Op = schema.BuiltinOperator
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
}


def version() -> str:
    return str(ai_edge_litert.__version__)


class Graph:
    """Tensors and operators of a model, put down one after the other."""

    def __init__(self, int8: bool) -> None:
        self._int8 = int8
        self._codes: list[int] = []
        self._model = schema.ModelT()
        self._graph = schema.SubGraphT()
        self._model.version = 3
        self._model.buffers = [schema.BufferT()]  # the first one is of everything not constant
        self._graph.tensors, self._graph.operators = [], []

    def tensor(self, shape: Sequence[int], constant: NDArray[Any] | None = None) -> int:
        made = schema.TensorT()
        made.shape = list(shape)
        made.name = f"t{len(self._graph.tensors)}"
        made.type = schema.TensorType.FLOAT32
        made.buffer = 0
        if constant is not None:
            made.type = _TYPES[constant.dtype.name]
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(constant.tobytes(), np.uint8)
            made.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def constant(self, array: NDArray[Any]) -> int:
        return self.tensor(array.shape, np.ascontiguousarray(array))

    def add(
        self,
        op: int,
        inputs: Sequence[int],
        shapes: Sequence[Sequence[int]],
        options: str = "",
        **values: Any,
    ) -> list[int]:
        """An operator; returns its outputs, tensors of these shapes."""
        made = schema.OperatorT()
        if op not in self._codes:
            self._codes.append(op)
        made.opcodeIndex = self._codes.index(op)
        made.inputs = list(inputs)
        made.outputs = [self.tensor(shape) for shape in shapes]
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in values.items():
                setattr(made.builtinOptions, name, value)
        self._graph.operators.append(made)
        return list(made.outputs)

    def dense(self, x: int, W: NDArray[Any], b: NDArray[Any]) -> int:
        inputs = [x, self._int8_rows(W) if self._int8 else self.constant(W), self.constant(b)]
        return self.add(Op.FULLY_CONNECTED, inputs, [(1, len(b))], "FullyConnectedOptions")[0]

    def _int8_rows(self, W: NDArray[Any]) -> int:
        scales = (np.abs(W).max(axis=1) / 127).astype(np.float32)
        number = self.constant(np.rint(W / scales[:, np.newaxis]).astype(np.int8))
        quantization = schema.QuantizationParametersT()
        quantization.scale = scales
        quantization.zeroPoint = np.zeros(len(scales), np.int64)
        quantization.quantizedDimension = 0
        self._graph.tensors[number].quantization = quantization
        return number

    def split(self, x: int, parts: int, size: int) -> list[int]:
        axis = self.constant(np.array(1, np.int32))
        return self.add(Op.SPLIT, [axis, x], [(1, size)] * parts, "SplitOptions", numSplits=parts)

    def apply(self, op: int, size: int, *inputs: int) -> int:
        """An operator of one element each."""
        options = {Op.ADD: "AddOptions", Op.SUB: "SubOptions", Op.MUL: "MulOptions"}.get(op, "")
        return self.add(op, inputs, [(1, size)], options)[0]

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        self._graph.inputs, self._graph.outputs = list(inputs), list(outputs)
        self._model.subgraphs = [self._graph]
        self._model.operatorCodes = []
        for op in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = op
            code.deprecatedBuiltinCode = min(op, 127)
            code.version = 1
            self._model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def _build(layer: Recurrent, fused: bool, int8: bool) -> bytes:
    """Inputs x [1, I], h [1, H] (and c); outputs the new h (and c)."""
    I, H = layer.input_size, layer.hidden_size  # noqa: E741
    W_ih, W_hh, b_ih, b_hh = (
        layer.arrays[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    g = Graph(int8)
    x, *states = (g.tensor((1, size)) for size in (I, H, H)[: 1 + len(layer.state_sizes)])
    h = states[0]
    xh = g.add(Op.CONCATENATION, [x, h], [(1, I + H)], "ConcatenationOptions", axis=1)[0]
    W, b = np.concatenate([W_ih, W_hh], axis=1), b_ih + b_hh

    def gates(count: int) -> list[int]:
        """The first ``count`` gates before their activations, of x and h together."""
        if fused and count > 1:
            return g.split(g.dense(xh, W[: count * H], b[: count * H]), count, H)
        rows = [slice(gate * H, (gate + 1) * H) for gate in range(count)]
        return [g.dense(xh, W[row], b[row]) for row in rows]

    if layer.cell == "rnn":
        outputs = [g.apply(Op.TANH, H, gates(1)[0])]
    elif layer.cell == "gru":
        r, z = (g.apply(Op.LOGISTIC, H, gate) for gate in gates(2))
        x_n = g.dense(x, W_ih[2 * H :], b_ih[2 * H :])
        h_n = g.dense(h, W_hh[2 * H :], b_hh[2 * H :])
        n = g.apply(Op.TANH, H, g.apply(Op.ADD, H, x_n, g.apply(Op.MUL, H, r, h_n)))
        kept = g.apply(Op.MUL, H, z, g.apply(Op.SUB, H, h, n))
        outputs = [g.apply(Op.ADD, H, n, kept)]
    else:
        i, f, cell, o = gates(4)
        i, f, o = (g.apply(Op.LOGISTIC, H, gate) for gate in (i, f, o))
        new = g.apply(Op.MUL, H, i, g.apply(Op.TANH, H, cell))
        c = g.apply(Op.ADD, H, g.apply(Op.MUL, H, f, states[1]), new)
        outputs = [g.apply(Op.MUL, H, o, g.apply(Op.TANH, H, c)), c]
    return g.finish([x, *states], outputs)


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    if not task.is_step or task.x.shape[1] != 1 or task.states is None or not layer.reset_after:
        raise NotImplementedError("only one step of one row")
    if layer.num_layers * layer.num_directions > 1:
        raise NotImplementedError("only one layer and direction")
    names = {"gates fused": True, "gates apart": False}
    if layer.cell == "rnn":
        names = {"one gate": True}
    forms = {name: _form(task, fused, "float32") for name, fused in names.items()}
    if task.precision == "int8":
        forms |= {f"int8, {name}": _form(task, fused, "int8") for name, fused in names.items()}
    return forms


def _form(task: Task, fused: bool, precision: str) -> Form:
    assert task.states is not None
    model = _build(task.layer, fused, precision == "int8")
    interpreter = Interpreter(model_content=model, num_threads=task.threads)
    interpreter.allocate_tensors()
    given = [task.x[0], *(state[0] for state in task.states)]
    for details, array in zip(interpreter.get_input_details(), given, strict=True):
        interpreter.set_tensor(details["index"], array)
    numbers = [details["index"] for details in interpreter.get_output_details()]

    def arrays(_: Any) -> list[Any]:
        new = [interpreter.get_tensor(number) for number in numbers]
        return [new[0][None], *(state[None] for state in new)]

    return Form(partial(interpreter.invoke), arrays, precision)
