"""ONNX's backend interface (https://onnx.ai/onnx/api/backend.html): runs a graph as it is.

``rn.load`` reads a graph into a model of our own; here a graph keeps its inputs and outputs, in
ONNX's shapes: weights may be inputs, Y has an axis of directions, any tensor may be an output.
RNN, GRU and LSTM run in the core, and NumPy calculates what else a chain of layers is written
with. Anything else is refused by the name of the node::

    prepared = rnn_native.onnx_backend.prepare(onnx.load("model.onnx"))
    y, y_h = prepared.run([x])
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import onnx.checker
    from onnx import helper
    from onnx.backend import base
except ImportError as error:
    raise ImportError(
        "rnn_native.onnx_backend needs the onnx package: pip install rnn_native[onnx]"
    ) from error

from .arrays import as_array
from .errors import DTypeError, FormatError, OptionError, RnnError, ShapeError, UnsupportedError
from .formats.onnx.evaluate import FUNCTIONS, evaluate, fold
from .formats.onnx.graph import OPSETS, File, Info, Node
from .formats.onnx.interpret import needed
from .formats.onnx.recurrent import layer_of
from .formats.onnx.tensors import Budget, Contents
from .model import Model
from .spec import ModelSpec

Array = NDArray[Any]

ELEMENTS: Final[Mapping[str, str]] = {
    "FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "BOOL": "bool",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
}  # fmt: skip
"""Types of inputs and outputs; a cell of float16 is calculated in float32, then rounded."""

INPUTS: Final[Mapping[str, int]] = {"RNN": 6, "GRU": 6, "LSTM": 8}
"""The operators that run in the core, and how many inputs they have at most."""

_UNKNOWN: Final = "no tensor"  # of a node's output that nothing describes
_ANY_SIZE: Final = 2**40  # at run time data may be as large as the caller has them
_OPTIONS: Final = ("matmul", "num_threads")  # of Model
_OF_THE_RUNNER: Final = ("rtol", "atol")  # ONNX's test runner hands its own to prepare as well


class Cell:
    """A recurrent node with its weights: a model for each type that is calculated in, at first
    that of the weights; ``constant`` says that it never gets others."""

    def __init__(
        self,
        node: Node,
        weights: Sequence[Array | None],
        options: Mapping[str, Any],
        constant: bool = False,
    ) -> None:
        self._weights = None if constant else [None if w is None else np.array(w) for w in weights]
        self._node, self._options = node, options
        self._layer, self._layout = layer_of(node, weights)
        wide = any(w is not None and w.dtype == np.float64 for w in weights)
        self._models: dict[str, Model] = {}
        self._model("float64" if wide else "float32")

    def _model(self, dtype: str) -> Model:
        if dtype not in self._models:
            spec = ModelSpec((self._layer,))
            self._models[dtype] = Model(spec, dtype=dtype, **self._options)
        return self._models[dtype]

    def has(self, weights: Sequence[Array | None]) -> bool:
        """Whether these are its weights."""
        return self._weights is None or all(
            (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
            for a, b in zip(self._weights, weights, strict=True)
        )

    def run(self, x: Array, lengths: Array | None, states: Sequence[Array | None]) -> list[Array]:
        """Y, Y_h and, of an LSTM, Y_c; x and states in ONNX's shapes, None where left out."""
        layer = self._layer
        if x.dtype.kind != "f" or x.ndim != 3 or x.shape[2] != layer.input_size:
            raise ShapeError(
                f"{self._node}: X: expected floats, 3 axes, {layer.input_size} features; "
                f"got {x.dtype} {x.shape}"
            )
        dtype = "float64" if x.dtype == np.float64 else "float32"
        data = (x.swapaxes(0, 1) if self._layout else x).astype(dtype, copy=False)
        given = [
            self._state(name, state, data.shape[1]).astype(dtype, copy=False)
            for name, state in zip(layer.state_names, states, strict=False)
        ]
        y: Array
        final: Any
        try:
            y, final = self._model(dtype)(
                data, tuple(given) if len(given) > 1 else given[0], lengths
            )
        except RnnError as error:
            raise type(error)(f"{self._node}: {error}") from error
        y = y.reshape(*y.shape[:2], layer.num_directions, layer.hidden_size)
        finals = list(final) if len(given) > 1 else [final]
        if self._layout:  # our own y is [T, B, D, H], our states are [D, B, H]
            results = [y.swapaxes(0, 1), *(state.swapaxes(0, 1) for state in finals)]
        else:
            results = [y.swapaxes(1, 2), *finals]
        return [result.astype(x.dtype, copy=False) for result in results]

    def _state(self, name: str, state: Array | None, batch: int) -> Array:
        directions, size = self._layer.num_directions, self._layer.hidden_size
        if state is None:
            return np.zeros((directions, batch, size), np.float32)
        shape = (batch, directions, size) if self._layout else (directions, batch, size)
        if state.shape != shape or state.dtype.kind != "f":
            raise ShapeError(
                f"{self._node}: initial_{name}: expected floats {shape}, "
                f"got {state.dtype} {state.shape}"
            )
        return state.swapaxes(0, 1) if self._layout else state


class Prepared(base.BackendRep):  # type: ignore[misc]
    """A graph with its constants folded, and its cells packed where their weights are constant.

    Any number of threads may run one at once.
    """

    def __init__(self, file: File, options: Mapping[str, Any]) -> None:
        graph = file.graph()
        self._options = options
        self._inputs, self._optional, self._outputs = graph.inputs, graph.optional, graph.outputs
        for name in graph.outputs:
            if graph.infos[name].element != _UNKNOWN:
                _dtype(f"output {name!r}", graph.infos[name].element)
        for name, info in (*graph.inputs.items(), *graph.optional.items()):
            _dtype(f"input {name!r}", info.element)
        nodes = needed(graph, graph.outputs, None)
        for node in nodes:
            if node.domain or node.op not in (*INPUTS, *FUNCTIONS):
                raise node.unsupported("this operator is not supported")
        used = {*graph.outputs, *(name for node in nodes for name in node.inputs)}
        constants = {name: graph.constants[name] for name in graph.constants if name in used}
        self._defaults = {name: constants.pop(name) for name in graph.optional if name in constants}
        self._constants = constants
        self._cells: dict[Node, Cell] = {}
        self._nodes = [node for node in nodes if not self._settled(node)]
        file.contents.budget = Budget(_ANY_SIZE, steps=inf)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        """The graph's outputs, a tuple that can be indexed by their names too.

        Parameters
        ----------
        inputs
            Arrays in the order of the graph's inputs, or by name; one array for a graph of one
            input. An input that has an initializer may be left out, and can only be given by name.

        Raises
        ------
        ShapeError, DTypeError
            An input is missing, unknown, or of another shape or type than the graph says.
        OptionError
            There are no other options.
        """
        if kwargs:
            raise OptionError(f"run: unknown option {', '.join(kwargs)}; there is none")
        values = self._constants | self._defaults | self._given(inputs)
        for node in self._nodes:
            arrays = [_lookup(node, values, name) for name in node.inputs]
            try:
                results = self._run(node, arrays)
            except UnsupportedError as error:
                raise _refused(error) from error
            values.update(zip(node.outputs, results, strict=False))
        results = [np.array(values[name], order="C", copy=None) for name in self._outputs]
        names = list(self._outputs)
        outputs: tuple[Array, ...] = base.namedtupledict("Outputs", names)(*results)
        return outputs

    def _given(self, inputs: Any) -> dict[str, Array]:
        if isinstance(inputs, Mapping):
            named = dict(inputs)
        else:
            values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
            if len(values) != len(self._inputs):
                raise ShapeError(
                    f"inputs: expected {len(self._inputs)} ({', '.join(self._inputs)}), "
                    f"got {len(values)}"
                )
            named = dict(zip(self._inputs, values, strict=True))
        known = {**self._inputs, **self._optional}
        for problem, names in (
            ("missing", [name for name in self._inputs if name not in named]),
            ("unknown", [name for name in named if name not in known]),
        ):
            if names:
                raise ShapeError(f"inputs: {problem} {', '.join(map(str, names))}")
        return {name: _checked(name, value, known[name]) for name, value in named.items()}

    def _settled(self, node: Node) -> bool:
        """Does already what can be done without the inputs; True where nothing is left to do."""
        known = self._constants
        if node.op in FUNCTIONS:
            if any(name and name not in known for name in node.inputs):
                return False
            folded = fold(node, [known.get(name) for name in node.inputs]) or []
            known.update(zip(node.outputs, folded, strict=False))
            return True
        names = _of_weights(node.inputs)
        if all(not name or name in known for name in names):
            weights = [known.get(name or "") for name in names]
            self._cells[node] = Cell(node, weights, self._options, constant=True)
        return False

    def _run(self, node: Node, arrays: Sequence[Array | None]) -> list[Array]:
        if node.op in FUNCTIONS:
            return evaluate(node, arrays)
        if not 3 <= len(arrays) <= INPUTS[node.op] or arrays[0] is None:
            raise node.malformed(f"expected 3 to {INPUTS[node.op]} inputs, X among them")
        weights = _of_weights(arrays)
        cell = self._cells.get(node)
        if cell is None or not cell.has(weights):
            cell = self._cells[node] = Cell(node, weights, self._options)
        lengths, *states = [*arrays[4:7], None, None, None][:3]
        return cell.run(arrays[0], lengths, states)


class Backend(base.Backend):  # type: ignore[misc]
    """Models and single nodes of the operators RNN, GRU and LSTM, and of what may stand between.

    Devices are ``"CPU"``; options are ``Model``'s ``matmul`` and ``num_threads``. What is not
    supported raises ``UnsupportedError``; within ONNX's test runner this also counts as a test of
    something that the backend is not supposed to implement.
    """

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether ``prepare`` takes the model."""
        try:
            cls.prepare(model, device, **kwargs)
        except (FormatError, UnsupportedError):
            return False
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> Prepared:
        """What runs the model: checked, its constants folded, its weights packed.

        Raises ``FormatError`` for what ``onnx.checker`` refuses, ``UnsupportedError`` for an
        operator, an attribute or an element type that is not supported.
        """
        try:
            onnx.checker.check_model(model)
        except (onnx.checker.ValidationError, ValueError) as error:
            raise FormatError(f"not a valid ONNX model: {error}") from error
        return _prepare(model, device, kwargs)

    @classmethod
    def run_model(
        cls, model: Any, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Array, ...]:
        """``prepare`` and ``run`` once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: Any,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Array, ...]:
        """One node, a ``NodeProto``, with arrays for the inputs that it names, by name or in order.

        ``outputs_info``, a type and a shape for each output, is checked against what comes out.
        ``opset_version`` states the version of the operators, by default the newest.
        """
        newest = min(onnx.defs.onnx_opset_version(), OPSETS[1])
        opset = kwargs.pop("opset_version", newest)
        try:
            super().run_node(node, inputs, device, opset_version=opset)
        except onnx.checker.ValidationError as error:
            raise FormatError(f"not a valid ONNX node: {error}") from error
        names = list(dict.fromkeys(name for name in node.input if name))
        named = inputs if isinstance(inputs, Mapping) else dict(zip(names, inputs, strict=False))
        described = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), None
            )
            for name, value in named.items()
        ]
        made = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "node", described, made)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        results = _prepare(model, device, kwargs).run(inputs)
        for result, (dtype, shape) in zip(results, outputs_info or (), strict=False):
            if result.dtype != dtype or result.shape != tuple(shape):
                raise ShapeError(
                    f"outputs_info: {dtype} {shape}, but {result.dtype} {result.shape}"
                )
        return results

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPUs only."""
        return device.partition(":")[0] == "CPU"


prepare = Backend.prepare
run_model = Backend.run_model
run_node = Backend.run_node
is_compatible = Backend.is_compatible
supports_device = Backend.supports_device


def _prepare(model: Any, device: str, options: Mapping[str, Any]) -> Prepared:
    unknown = [name for name in options if name not in _OPTIONS + _OF_THE_RUNNER]
    if unknown:
        raise OptionError(f"unknown option {', '.join(unknown)}; known are {', '.join(_OPTIONS)}")
    of_model = {name: options[name] for name in _OPTIONS if name in options}
    try:
        if not Backend.supports_device(device):
            raise UnsupportedError(f"device {device!r}: expected 'CPU'")
        return Prepared(File(model, Contents(None, model.ByteSize())), of_model)
    except UnsupportedError as error:
        raise _refused(error) from error


def _refused(error: UnsupportedError) -> UnsupportedError:
    """The error; where ONNX's test runner is loaded, one that it also takes for a refusal."""
    runner = sys.modules.get("onnx.backend.test.runner")
    if runner is None:
        return error
    kinds = (UnsupportedError, runner.BackendIsNotSupposedToImplementIt)
    made: UnsupportedError = type("Refused", kinds, {})(str(error))
    return made


def _of_weights(inputs: Sequence[Any]) -> list[Any]:
    """W, R, B and P among the inputs of a recurrent node, or their names."""
    padded = [*inputs, *[None] * 8]
    return [padded[i] for i in (1, 2, 3, 7)]


def _lookup(node: Node, values: Mapping[str, Array], name: str) -> Array | None:
    if name and name not in values:
        raise node.malformed(f"its input {name!r} is made by nothing before it")
    return values[name] if name else None


def _dtype(where: str, element: str) -> np.dtype[Any]:
    if element not in ELEMENTS:
        raise UnsupportedError(f"{where}: element type {element}")
    return np.dtype(ELEMENTS[element])


def _checked(name: str, value: ArrayLike, info: Info) -> Array:
    array = as_array(f"input {name!r}", value)
    dtype = _dtype(f"input {name!r}", info.element)
    if array.dtype != dtype:
        raise DTypeError(f"input {name!r}: expected {dtype}, got {array.dtype}")
    sizes = info.sizes
    if sizes is not None and (
        len(sizes) != array.ndim
        or any(size not in (None, got) for size, got in zip(sizes, array.shape, strict=True))
    ):
        raise ShapeError(f"input {name!r}: expected shape {sizes}, got {array.shape}")
    return array
