"""ONNX's backend interface (https://onnx.ai/onnx/api/backend.html): runs a graph as it is.

``rn.load`` reads a graph into a model of our own; here a graph keeps its inputs and outputs, in
ONNX's shapes: weights may be inputs, Y has an axis of directions, any tensor may be an output.
RNN, GRU and LSTM run in the core, NumPy calculates the other operators that recurrent models are
written with, convolutions and quantized products among them, and If, Loop and Scan run their
bodies. Anything else is refused by the name of the node::

    prepared = rnn_native.onnx_backend.prepare(onnx.load("model.onnx"))
    y, y_h = prepared.run([x])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

try:
    import onnx.checker
    from onnx import helper
    from onnx.backend import base
except ImportError as error:
    raise ImportError(
        "rnn_native.onnx_backend needs the onnx package: pip install rnn_native[onnx]"
    ) from error

from ..errors import FormatError, OptionError, ShapeError, UnsupportedError
from ..formats.onnx.graph import OPSETS, File
from ..formats.onnx.tensors import Contents
from .prepared import Prepared, refused

Array = NDArray[Any]

_OPTIONS: Final = ("matmul", "num_threads")  # of Model
_OF_THE_RUNNER: Final = ("rtol", "atol")  # ONNX's test runner hands its own to prepare as well


class Backend(base.Backend):  # type: ignore[misc]
    """Models and single nodes, of RNN, GRU and LSTM and of what may stand around them.

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
        raise refused(error) from error
