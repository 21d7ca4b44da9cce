"""A ModelSpec as an ONNX graph of the standard operators.

For each layer of the spec, or node:

- Embedding: Gather;
- Recurrent: an RNN, GRU or LSTM node for each layer of the stack, then Squeeze, or Transpose and
  Reshape, from [time, directions, batch, features] to [time, batch, directions * features];
- its last state alone: Y_h in the place of Y;
- its output layer: two MatMul, of the outputs and of the inputs, Add, Add and the activation;
- Linear: MatMul, Add and the activation;
- LayerNorm: LayerNormalization, or its parts; InstanceNorm: InstanceNormalization;
- Merge: Split, then Add or Mul;
- Conv, PoolWithin and Strided: conv_writing.py;
- Reduce: ReduceMean, ReduceSum or ReduceMax over time, Gather and Squeeze of one step;
- Expand: Expand, to as many steps as another value has;
- Combine: Concat, or an Add, Mul, Sub, Div, Max or Min for each value after the first.

Inputs and outputs of a graph have its names; behind each output stands an Identity, which gives it
its name. Of a chain the input is ``x`` and the output ``y``. Both are [time, batch, features] of
any time and batch, of indices int64 [time, batch], those without time [batch, ...]; where the
strings say ``batch_first``, they have these two axes the other way round: a Transpose stands behind
x, and one before y. ``h_0`` and
``c_0`` are inputs that may be left out, for the layer's own initial state or zeros; ``h_n`` and
``c_n`` are outputs: each [layers * directions, batch, features], as the state of a call. In a model
of several layers their names begin with the layer's index, ``1.h_0``, in a graph with the node's
name.

The strings of ``formats.metadata`` go along as the file's properties: the graph alone does not
tell which of its nodes are one stack.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...spec import Combine, Expand, Layer, Linear, Merge, ModelSpec, Node, Recurrent
from ...spec.layer import LAST
from ...spec.layers.initial_state import array_name
from .. import calling
from ..files import replacing
from ..handlers import handler_of
from ..metadata import to_metadata
from . import activations, conv_writing, norms, norms_over_time, reductions, softmax_writing
from .graph import import_onnx
from .layers import ACTIVATIONS, WRITERS
from .recurrent_weights import onnx_weights

OPSET: Final = 17
IR_VERSION: Final = 8  # of the file format: the first that belongs to operator set 17
LARGEST: Final = 2**31 - 1
"""Bytes of a file: a protobuf message cannot be larger."""

_OPERATORS: Final = {name: op for op, name in ACTIVATIONS.items()}


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file that any runtime of ONNX can open; atomically. Needs the ``onnx`` package.

    ``strings`` are kept among the file's properties, beside those that describe the layers. Raises
    ``UnsupportedError`` without that package, and for what the operators cannot express, by name.
    """
    content = to_model(spec, strings).SerializeToString()
    with replacing(path) as file:
        file.write(content)


def to_model(spec: ModelSpec, strings: Mapping[str, str] | None = None) -> Any:
    """The ``onnx.ModelProto`` that ``write`` writes."""
    onnx = import_onnx()
    layers = [node.layer for node in spec.nodes.values()]
    arrays = [array for layer in layers for array in layer.arrays.values()]
    if len({array.dtype for array in arrays}) > 1:
        raise UnsupportedError("weights of float32 and of float64: the operators take one type")
    size = sum(array.nbytes for array in arrays)
    if size > LARGEST - 2**20:  # which leaves more than enough for the graph
        raise UnsupportedError(
            f"{size} bytes of weights: an ONNX file ends at {LARGEST}; .safetensors has no such end"
        )
    if spec.mask_value is not None:
        raise UnsupportedError(
            f"ModelSpec mask_value={spec.mask_value}: a graph does not find lengths in x"
        )
    dtype = arrays[0].dtype if arrays else np.dtype(np.float32)
    writer = _Writer(onnx, dtype, calling.from_strings(strings or {}).batch_first)
    writer.start(spec)
    for name, node in spec.nodes.items():
        writer.add(name, node)
    return writer.finish(spec, strings or {})


class _Writer:
    """The parts of a graph; a method that adds nodes returns the name of what they make."""

    def __init__(self, onnx: Any, dtype: np.dtype[Any], batch_first: bool) -> None:
        self._helper, self._onnx = onnx.helper, onnx
        self._batch_first = batch_first
        self.dtype = dtype
        self._element = onnx.helper.np_dtype_to_tensor_dtype(dtype)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._states: list[Any] = []
        self._count = 0
        self._batch = ""
        self._names: set[str] = set()  # of inputs and outputs, those of states among them
        self._values: dict[str, str] = {}  # the tensors of inputs and nodes, by the spec's names
        self._read: set[str] = set()  # what nodes and outputs are
        self._reserved: set[str] = set()  # names of inputs and outputs, which nothing else gets
        self.inputs: frozenset[str] = frozenset()  # their tensors, as the operators take them
        self._timed = ""  # the tensor of an input that has time
        self._paced: set[str] = set()  # nodes that have other steps
        self._whole = False  # the one layer of a chain, whose names have nothing before them
        self._spec: ModelSpec
        self.features = 0
        self._node = ""
        self.prefix = ""

    def start(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._reserved = {*spec.inputs, *spec.outputs}
        self._read = {name for node in spec.nodes.values() for name in node.inputs}
        self._read |= {*spec.outputs.values()}
        self._whole = len(spec.nodes) == 1 and spec.is_chain
        for name, one_input in spec.inputs.items():
            element = self._onnx.TensorProto.INT64 if one_input.indices else self._element
            axes = self._axes() if one_input.time else ["batch"]
            shape = [*axes, *([] if one_input.indices else [one_input.features])]
            self._describe(self._inputs, name, shape, element)
        first = next(name for name, one_input in spec.inputs.items() if one_input.time)
        if spec.recurrents:
            one = self.constant("one", np.ones(1, np.int64))
            axis = 0 if self._batch_first else 1
            self._batch = self.node(
                "Concat", one, self.node("Shape", first, start=axis, end=axis + 1), one, axis=0
            )
        for name, one_input in spec.inputs.items():
            rank = 2 if one_input.indices else 3
            self._values[name] = self._turned(name, rank) if one_input.time else name
        self._timed = self._values[first]
        self._paced = {name for name in spec.nodes if spec.value(name).paces}
        self.inputs = frozenset(self._values.values())

    def add(self, name: str, node: Node) -> None:
        """The next node, which reads inputs and those before it."""
        self.features = self._spec.value(node.inputs[0]).features
        self._node, self.prefix = name, "" if self._whole else f"{name}."
        write = handler_of(_HANDLERS, node.layer, "ONNX")
        self._values[name] = write(self, node.layer, *(self._values[one] for one in node.inputs))

    def _axes(self, time: str = "time") -> list[str]:
        """The first two of x and y."""
        return ["batch", time] if self._batch_first else [time, "batch"]

    def _turned(self, name: str, rank: int) -> str:
        """x as the operators take it, or y as it is to be given."""
        if not self._batch_first:
            return name
        return self.node("Transpose", name, perm=[1, 0, 2][:rank])

    def finish(self, spec: ModelSpec, strings: Mapping[str, str]) -> Any:
        outputs: list[Any] = []
        for name, source in spec.outputs.items():
            value, y = spec.value(source), self._values[source]
            if not value.last:
                y = self._turned(y, 3)
            if not spec.is_chain:  # others may read it
                y = self.node("Identity", y)
            maker = next(node for node in self._nodes if y in node.output)
            maker.output[list(maker.output).index(y)] = name
            time = f"{name} steps" if value.paces else "time"  # one name for one size
            axes = ["batch"] if value.last else self._axes(time)
            self._describe(outputs, name, [*axes, value.features], self._element)
        graph = self._helper.make_graph(
            self._nodes, "model", self._inputs, [*outputs, *self._states], self._constants
        )
        model = self._helper.make_model(
            graph,
            opset_imports=[self._helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rnn_native",
        )
        self._helper.set_model_props(model, {**to_metadata(spec), **strings})
        return model

    def merge(self, layer: Merge, x: str) -> str:
        halves = [self._fresh("half"), self._fresh("half")]
        self._nodes.append(self._helper.make_node("Split", [x], halves, halves[0], axis=-1))
        if layer.mode == "mul":
            return self.node("Mul", *halves)
        y = self.node("Add", *halves)
        if layer.mode == "sum":
            return y
        return self.node("Mul", y, self.constant("half", np.array(0.5, self.dtype)))

    def combine(self, layer: Combine, *parts: str) -> str:
        if layer.mode == "concat":
            return self.node("Concat", *parts, axis=-1)
        op = layer.mode.capitalize()
        return reduce(lambda left, right: self.node(op, left, right), parts)

    def expand(self, layer: Expand, x: str, like: str = "") -> str:
        if self._node in self._paced:
            raise UnsupportedError(
                "Expand to the steps behind a layer with a stride: .safetensors and .npz keep it"
            )
        one = self.constant("ones", np.ones(2, np.int64))
        steps = self.node("Shape", like or self._timed, start=0, end=1)
        return self.node("Expand", x, self.node("Concat", steps, one, axis=0))

    def linear(self, layer: Linear, x: str) -> str:
        y = self.node("MatMul", x, self.constant("weight", layer.weight.T))
        return self._activated(y, layer.bias, layer.activation)

    def _activated(self, y: str, bias: NDArray[Any] | None, activation: str) -> str:
        if bias is not None:
            y = self.node("Add", y, self.constant("bias", bias))
        if activation == "identity":
            return y
        axis = {"axis": -1} if "softmax" in activation else {}
        return self.node(_OPERATORS[activation], y, **axis)

    def recurrent(self, layer: Recurrent, x: str) -> str:
        for name, plain in (("positions", 1), ("along", "time")):
            if getattr(layer, name) != plain:
                raise UnsupportedError(
                    f"Recurrent {name}={getattr(layer, name)}: not written yet; .safetensors and "
                    ".npz keep it"
                )
        for name in ("gate_recurrent", "proj_size", "cell_clip"):
            if getattr(layer, name):
                raise UnsupportedError(
                    f"Recurrent {name}={getattr(layer, name)}: ONNX's {layer.cell.upper()} has no "
                    "such option"
                )
        bottom = x
        initial = [self._initial(layer, name) for name in layer.state_names]
        finals: list[list[str]] = []
        for level in range(layer.num_layers):
            states = [rows[level] for rows in initial]
            x, *final = self._cell(layer, level, x, states)
            finals.append(final)
        for name, rows in zip(layer.state_names, zip(*finals, strict=True), strict=True):
            self._final(layer, f"{self.prefix}{name}_n", rows)
        if self._node + LAST in self._read:
            self._values[self._node + LAST] = self._on_features(layer, finals[-1][0], 0)
        return self._output_layer(layer, x, bottom) if layer.output_layer else x

    def _output_layer(self, layer: Recurrent, h: str, x: str) -> str:
        of_h = self.node("MatMul", h, self.constant("weight_ho", layer.arrays["weight_ho"].T))
        of_x = self.node("MatMul", x, self.constant("weight_xo", layer.arrays["weight_xo"].T))
        y = self.node("Add", of_h, of_x)
        return self._activated(y, layer.arrays.get("bias_o"), layer.output_nonlinearity)

    def _cell(self, layer: Recurrent, level: int, x: str, states: Sequence[str]) -> list[str]:
        """One node: its outputs on the features, and its final states."""
        weights = [
            self.constant(f"{name}_l{level}", array) if array is not None else ""
            for name, array in zip("WRBP", onnx_weights(layer, level), strict=True)
        ]
        inputs = [x, *weights[:3], "", *states]
        attributes = activations.attributes(layer)
        if layer.cell == "gru":
            attributes["linear_before_reset"] = int(layer.reset_after)
        elif layer.peephole:
            inputs.append(weights[3])
        outputs = [self._fresh("Y"), *(self._fresh(f"Y_{name}") for name in layer.state_names)]
        self._nodes.append(
            self._helper.make_node(
                layer.cell.upper(),
                inputs,
                outputs,
                f"{self.prefix}{layer.cell}_l{level}",
                hidden_size=layer.hidden_size,
                direction=layer.direction,
                **attributes,
            )
        )
        y, *finals = outputs
        last = not layer.return_sequences and level == layer.num_layers - 1
        return [
            self._on_features(layer, finals[0], 0) if last else self._on_features(layer, y, 1),
            *finals,
        ]

    def _on_features(self, layer: Recurrent, y: str, axis: int) -> str:
        """[..., batch, features] of [..., directions, batch, features], where ``axis`` is that of
        the directions: of Y or, without time, of Y_h."""
        if layer.num_directions == 1:
            return self.node("Squeeze", y, self.constant("axis", np.array([axis])))
        y = self.node("Transpose", y, perm=[*range(axis), axis + 1, axis, axis + 2])
        shape = [0] * (axis + 1) + [layer.num_directions * layer.hidden_size]
        return self.node("Reshape", y, self.constant("shape", np.array(shape)))

    def _initial(self, layer: Recurrent, name: str) -> list[str]:
        """The initial state of each layer of the stack, rows of one optional input."""
        rows = layer.num_layers * layer.num_directions
        given = f"{self.prefix}{name}_0"
        zeros = np.zeros((rows, layer.hidden_size), self.dtype)
        own = layer.arrays.get(array_name(name), zeros)[:, None]
        self._constants.append(self._onnx.numpy_helper.from_array(own, given))
        shape = [rows, "state_batch", layer.hidden_size]  # that of x, or 1 for all of its rows
        self._describe(self._inputs, given, shape, self._element)
        state = self.node("Expand", given, self._batch)
        if layer.num_layers == 1:
            return [state]
        parts = [self._fresh(given) for _ in range(layer.num_layers)]
        self._nodes.append(
            self._helper.make_node("Split", [state], parts, f"{given}_split", axis=0)
        )
        return parts

    def _final(self, layer: Recurrent, name: str, parts: Sequence[str]) -> None:
        self._nodes.append(self._helper.make_node("Concat", parts, [name], name, axis=0))
        rows = layer.num_layers * layer.num_directions
        self._describe(self._states, name, [rows, "batch", layer.hidden_size], self._element)

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = self._fresh(op.lower())
        self._nodes.append(self._helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def number(self, value: float) -> str:
        """A constant of the type of the weights."""
        with np.errstate(over="ignore"):
            array = np.array(value).astype(self.dtype)
        if not np.isfinite(array):
            raise UnsupportedError(
                f"{value}: beyond {self.dtype}, the type of this model's weights"
            )
        return self.constant("number", array)

    def constant(self, name: str, array: NDArray[Any]) -> str:
        name = self._fresh(name)
        self._constants.append(
            self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        )
        return name

    def _fresh(self, name: str) -> str:
        while True:
            self._count += 1
            fresh = f"{self.prefix}{name}.{self._count}"
            if fresh not in self._reserved:
                return fresh

    def _describe(self, where: list[Any], name: str, shape: list[Any], element: int) -> None:
        if name in self._names:
            raise UnsupportedError(
                f"{name!r} would be two inputs or outputs of an ONNX file, with those of states"
            )
        self._names.add(name)
        where.append(self._helper.make_tensor_value_info(name, element, shape))


_HANDLERS: Final[Mapping[type[Layer], Callable[..., str]]] = {
    **WRITERS,
    **conv_writing.WRITERS,
    **norms.WRITERS,
    **norms_over_time.WRITERS,
    **reductions.WRITERS,
    **softmax_writing.WRITERS,
    Combine: _Writer.combine,
    Expand: _Writer.expand,
    Linear: _Writer.linear,
    Merge: _Writer.merge,
    Recurrent: _Writer.recurrent,
}
