"""ONNX graphs made node by node, and onnxruntime's numbers for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rnn_native import formats, reference
from rnn_native.spec import Linear, ModelSpec, Recurrent

Array = NDArray[Any]

ATOL = 5e-6
"""What onnxruntime, in float32, may differ by from the float64 reference on the models made here.

A gate sums at most 12 products below 2 and a bias; each rounding errs by at most 2**-24 of the
sum, so the sum by sqrt(13) * 26 * 2**-24 = 6e-6 if it were as large as can be, a tenth of that as
it is; onnxruntime's activations err by some 3e-7; the few steps of these recurrences, with weights
within 1 / sqrt(H), pass on less than they get. Another order of gates, bias, reset or direction
makes differences of 1e-2 and more.
"""

# Blocks of gates by the letters of the equations.
TORCH_GATES = {"rnn": "h", "gru": "rzn", "lstm": "ifgo"}
ONNX_GATES = {"rnn": "h", "gru": "zrn", "lstm": "iofg"}


class Builder:
    """Collects nodes; every method gives back the name of the tensor it adds."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.count = 0

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def input(
        self, name: str, shape: Sequence[Any] | None, element: int = TensorProto.FLOAT
    ) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def output(
        self, name: str, element: int = TensorProto.FLOAT, shape: Sequence[Any] | None = None
    ) -> str:
        self.outputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, value: Any, dtype: Any = None, name: str | None = None) -> str:
        name = name or self.fresh("constant")
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def op(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        return self.ops(op, *inputs, count=1, name=name, **attributes)[0]

    def ops(
        self, op: str, *inputs: str, count: int, name: str | None = None, **attributes: Any
    ) -> list[str]:
        outputs = [self.fresh(op.lower()) for _ in range(count)]
        self.nodes.append(
            helper.make_node(op, inputs, outputs, name=name or f"the {outputs[0]}", **attributes)
        )
        return outputs

    def squeeze(self, x: str, axis: int) -> str:
        if self.opset < 13:
            return self.op("Squeeze", x, axes=[axis])
        return self.op("Squeeze", x, self.integers(axis))

    def unsqueeze(self, x: str, axis: int) -> str:
        if self.opset < 13:
            return self.op("Unsqueeze", x, axes=[axis])
        return self.op("Unsqueeze", x, self.integers(axis))

    def recurrent(
        self, x: str, layer: Recurrent, lengths: str = "", *states: str, **attributes: Any
    ) -> list[str]:
        """Y and the final states of a Recurrent of one layer."""
        w, r, b, p = onnx_weights(layer)
        inputs = [x, self.constant(w), self.constant(r), "" if b is None else self.constant(b)]
        inputs += [lengths, *states]
        if p is not None:
            inputs += [""] * (7 - len(inputs)) + [self.constant(p)]
        attributes.setdefault("hidden_size", layer.hidden_size)
        if layer.direction != "forward":
            attributes.setdefault("direction", layer.direction)
        if layer.cell == "gru" and layer.reset_after:
            attributes.setdefault("linear_before_reset", 1)
        if layer.cell == "rnn" and layer.nonlinearity == "relu":
            attributes.setdefault("activations", ["Relu"] * layer.num_directions)
        count = 3 if layer.cell == "lstm" else 2
        return self.ops(layer.cell.upper(), *inputs, count=count, **attributes)

    def concatenated(self, y: str, directions: int) -> str:
        """[T, B, D * H] of Y [T, D, B, H], as the exporters write it."""
        if directions == 1:
            return self.squeeze(y, 1)
        y = self.op("Transpose", y, perm=[0, 2, 1, 3])
        return self.op("Reshape", y, self.integers(0, 0, -1))

    def linear(self, x: str, layer: Linear) -> str:
        y = self.op("MatMul", x, self.constant(layer.weight.T))
        return y if layer.bias is None else self.op("Add", y, self.constant(layer.bias))

    def model(self) -> Any:
        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.constants)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("custom", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def save(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        onnx.save(self.model(), path)
        return path


def onnx_weights(layer: Recurrent) -> tuple[Array, Array, Array | None, Array | None]:
    """W, R, B and P of a Recurrent of one layer."""
    assert layer.num_layers == 1

    def reordered(array: Array) -> Array:
        gates = TORCH_GATES[layer.cell]
        blocks = dict(zip(gates, np.split(array, len(gates)), strict=True))
        return np.concatenate([blocks[gate] for gate in ONNX_GATES[layer.cell]])

    def stacked(*names: str) -> Array:
        return np.stack(
            [
                np.concatenate([reordered(layer.arrays[f"{n}_l0{end}"]) for n in names])
                for end in layer.suffixes
            ]
        )

    p = None
    if layer.peephole:
        p = np.stack(
            [
                np.concatenate([layer.arrays[f"weight_c{g}_l0{end}"] for g in "iof"])
                for end in layer.suffixes
            ]
        )
    b = stacked("bias_ih", "bias_hh") if layer.bias else None
    return stacked("weight_ih"), stacked("weight_hh"), b, p


def make_recurrent(
    cell: str, input_size: int = 3, hidden_size: int = 4, seed: int = 0, **options: Any
) -> Recurrent:
    """One layer with random weights."""
    rng = np.random.default_rng(seed)
    bound = 1 / np.sqrt(hidden_size)
    rows = len(TORCH_GATES[cell]) * hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    ends = {"forward": [""], "reverse": ["_reverse"]}.get(
        options.get("direction", "forward"), ["", "_reverse"]
    )
    for end in ends:
        shapes[f"weight_ih_l0{end}"] = (rows, input_size)
        shapes[f"weight_hh_l0{end}"] = (rows, hidden_size)
        if options.get("bias", True):
            shapes[f"bias_ih_l0{end}"] = shapes[f"bias_hh_l0{end}"] = (rows,)
        if options.get("peephole"):
            shapes |= {f"weight_c{gate}_l0{end}": (hidden_size,) for gate in "ifo"}
    weights = {
        name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()
    }
    return Recurrent(cell, input_size, hidden_size, weights, **options)


def make_linear(in_features: int, out_features: int, seed: int = 0, **options: Any) -> Linear:
    rng = np.random.default_rng(seed)
    weight = rng.uniform(-0.5, 0.5, (out_features, in_features)).astype(np.float32)
    bias = rng.uniform(-0.5, 0.5, out_features).astype(np.float32)
    return Linear(weight, bias, **options)


def run(path: Path, feeds: dict[str, Array]) -> list[Array]:
    """onnxruntime's outputs, single-threaded and without its messages."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def uniform(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def check(path: Path, x: Any, **options: Any) -> ModelSpec:
    """Equal numbers for x [time, batch, ...], which is how the file has it too."""
    spec = formats.read(path, **options)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(spec, x)
    np.testing.assert_allclose(y, want.reshape(y.shape), rtol=0, atol=ATOL)
    return spec
