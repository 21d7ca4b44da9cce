"""Operators that are a layer, or a part of one: MatMul, Gemm, Add, activations, Gather; and the
writers of layers that are one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ...activations import CONSTANTS
from ...errors import UnsupportedError
from ...spec import Elementwise, Embedding, Layer, Recurrent
from ...spec.layers.pool import Pool
from .activations import ELEMENTWISE
from .drafts import LinearDraft, OutputDraft
from .graph import INTEGERS, Anything, Node, element_of
from .last import last_step, scalar
from .merge import merge
from .shapes import gather_shape
from .values import Axis, Constant, Data, Half, Roles, Shape, Value, live

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]

ACTIVATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu",
        "Softmax": "softmax", "LogSoftmax": "log_softmax",
    }
)  # fmt: skip


def matmul(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Y = A B, with B [in, out] of the file."""
    node.options()
    data, weight = inputs[0], inputs[1]
    if not (isinstance(data, Data) and isinstance(weight, Constant)):
        raise node.unsupported("expected A to be the data and B a constant")
    if weight.array.ndim != 2:
        raise node.unsupported(f"B: expected shape (in, out), got {weight.array.shape}")
    return [_linear(node, data, weight.array.T, None)]


def gemm(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Y = alpha A B + beta C, with B [in, out], or [out, in] if transB, of the file."""
    options = node.options(
        alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0)
    )
    if options["transA"]:
        raise node.unsupported(f"attribute transA={options['transA']} is not supported")
    data, weight = inputs[0], inputs[1]
    if not (isinstance(data, Data) and isinstance(weight, Constant)):
        raise node.unsupported("expected A to be the data and B a constant")
    if len(data.dims) != 2 or weight.array.ndim != 2:
        raise node.malformed("expected A and B to be matrices")
    array = weight.array if options["transB"] else weight.array.T
    array = _scaled(array, options["alpha"])
    bias = inputs[2] if len(inputs) > 2 else None
    if bias is None:
        return [_linear(node, data, array, None)]
    return [_linear(node, data, array, _scaled(_bias(node, bias, array.shape[0]), options["beta"]))]


def add(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """The bias of the product just before; or two products of an RNN's output layer."""
    node.options()
    left, right = inputs[0], inputs[1]
    if isinstance(left, Half) and isinstance(right, Half):
        return [merge(node, left, right, "sum")]
    if isinstance(left, Data) and isinstance(right, Data):
        return [_output_layer(node, *sorted((left, right), key=lambda data: -len(data.layers)))]
    data, bias = (left, right) if isinstance(left, Data) else (right, left)
    if not (isinstance(data, Data) and isinstance(bias, Constant)):
        raise node.unsupported("expected the data and a constant")
    draft = data.layers[-1] if data.layers else None
    if not isinstance(draft, LinearDraft) or draft.bias is not None or _activated(draft):
        raise node.unsupported("only the bias right after a MatMul can be added")
    data.check_features(node, -1)
    if bias.array.ndim > len(data.dims):
        raise node.unsupported(f"its constant of shape {bias.array.shape} adds dimensions")
    vector = _bias(node, bias, draft.weight.shape[0])
    return [_replace_last(data, replace(draft, bias=vector))]


def activation(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Sigmoid, Tanh, Relu, Softmax or LogSoftmax: of the Linear before, or by itself."""
    data = inputs[0]
    alone = isinstance(data, Data) and not _takes_activation(data)
    if alone and node.op in ELEMENTWISE:
        return elementwise(node, inputs, roles)
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    if node.op in ("Softmax", "LogSoftmax"):
        # Before operator set 13 everything from the axis on is one: the last axis it has to be.
        axis = node.options(axis=("int", -1 if node.opset >= 13 else 1))["axis"]
        if node.opset < 13 and axis not in (-1, len(data.dims) - 1):
            raise node.unsupported(f"attribute axis={axis} is not the last one")
        data.check_features(node, axis)
    else:
        node.options()
    if not _takes_activation(data):
        raise node.unsupported("an activation is only supported right after a Linear")
    draft = data.layers[-1]
    assert isinstance(draft, LinearDraft)
    return [_replace_last(data, replace(draft, activation=ACTIVATIONS[node.op]))]


def elementwise(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """An operator that is a function of each number, with its constants."""
    name = ELEMENTWISE[node.op]
    constants = node.options(**{key: ("float", value) for key, value in CONSTANTS[name].items()})
    data = inputs[0]
    if not isinstance(data, Data) or data.element in INTEGERS:
        raise node.unsupported("expected the data, of a float type")
    return [data.then(Elementwise(name, **constants), data.dims, data.features)]


def gather(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """An Embedding: rows of a table [num_embeddings, embedding_dim] of the file."""
    axis = node.options(axis=("int", 0))["axis"]
    table, indices = inputs[0], inputs[1]
    if isinstance(table, Shape):
        return gather_shape(node, table, indices, axis)
    if isinstance(table, Data):
        return [last_step(node, table, scalar(indices), axis, roles)]
    if not (isinstance(table, Constant) and isinstance(indices, Data)):
        raise node.unsupported("expected a constant table and the data")
    if indices.element not in INTEGERS or indices.layers:
        raise node.unsupported("an Embedding can only be the first layer, of integers")
    if axis not in (0, -table.array.ndim) or table.array.ndim != 2:
        raise node.unsupported(f"attribute axis={axis} of a table of shape {table.array.shape}")
    node.contents.budget.take(str(node), table.array.size * max(4, table.array.itemsize))
    features = (Axis("features", table.array.shape[1], "features"),)
    after = indices.then(Embedding(table.array), (*indices.dims, features), features)
    return [replace(after, element=element_of(table.array))]


def pool(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """AveragePool and MaxPool of [batch, features, time], over time."""
    average = {"count_include_pad": ("int", 0)} if node.op == "AveragePool" else {}
    options = node.options(
        kernel_shape=("ints", None), strides=("ints", None), pads=("ints", None),
        auto_pad=("string", "NOTSET"), ceil_mode=("int", 0), dilations=("ints", None),
        storage_order=("int", 0), **average,
    )  # fmt: skip
    data = inputs[0]
    if not isinstance(data, Data) or len(data.dims) != 3:
        raise node.unsupported("expected the data, [batch, features, time]")
    data.check_features(node, 1)
    roles.bind(node, data, 0, "batch")
    time = roles.bind(node, data, 2, "time")
    for name, plain in (("ceil_mode", 0), ("storage_order", 0), ("dilations", None)):
        if options[name] != plain and options[name] != [1]:
            raise node.unsupported(f"attribute {name}={options[name]} is not supported")
    size, stride = _one(node, options, "kernel_shape", None), _one(node, options, "strides", 1)
    before, after = options["pads"] or (0, 0)
    if options["auto_pad"] in ("SAME_UPPER", "SAME_LOWER") and stride == 1:
        less, more = (size - 1) // 2, size // 2
        before, after = (less, more) if options["auto_pad"] == "SAME_UPPER" else (more, less)
    elif options["auto_pad"] not in ("NOTSET", "VALID"):
        raise node.unsupported(f"attribute auto_pad={options['auto_pad']} with stride {stride}")
    mode = "average" if average else "max"
    counts = bool(options.get("count_include_pad", 1)) or before == after == 0
    layer = Pool(mode, size, stride, before, after, counts)
    steps = None if time.size is None else layer.window.steps(time.size)
    roles.axes["time"] = Axis("time", steps, "time")  # what is after it has other steps
    return [data.then(layer, (*data.dims[:2], (roles.axes["time"],)), data.features)]


def _one(node: Node, options: Mapping[str, Any], name: str, default: int | None) -> int:
    """The only element of an attribute, that of the only axis."""
    values = options[name] or ([] if default is None else [default])
    if len(values) != 1:
        raise node.malformed(f"attribute {name}: expected one integer, got {values}")
    return int(values[0])


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {
        **dict.fromkeys(ELEMENTWISE, (elementwise, 1, 1)),
        **dict.fromkeys(ACTIVATIONS, (activation, 1, 1)),
        "Add": (add, 2, 2),
        "Gather": (gather, 2, 2),
        "Gemm": (gemm, 2, 3),
        "MatMul": (matmul, 2, 2),
        **dict.fromkeys(("AveragePool", "MaxPool"), (pool, 1, 1)),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""


class NodeWriter(Protocol):
    """Takes the nodes of a graph; what a method returns is the name of what it adds."""

    def node(self, op: str, *inputs: str, **attributes: Any) -> str: ...
    def constant(self, name: str, array: NDArray[Any]) -> str: ...


def _write_embedding(writer: NodeWriter, layer: Embedding, x: str) -> str:
    return writer.node("Gather", writer.constant("weight", layer.weight), x)


def _write_elementwise(writer: NodeWriter, layer: Elementwise, x: str) -> str:
    op = {name: op for op, name in ELEMENTWISE.items()}.get(layer.function)
    if op is None:
        raise UnsupportedError(
            f"Elementwise function={layer.function}: ONNX has no such operator; it has "
            f"{', '.join(ELEMENTWISE)}"
        )
    constants = {"alpha": layer.alpha, "beta": layer.beta}
    return writer.node(op, x, **{key: v for key, v in constants.items() if v is not None})


def _write_pool(writer: NodeWriter, layer: Pool, x: str) -> str:
    average = layer.mode == "average"
    y = writer.node(
        "AveragePool" if average else "MaxPool",
        writer.node("Transpose", x, perm=[1, 2, 0]),
        kernel_shape=[layer.kernel_size], strides=[layer.stride], pads=[layer.before, layer.after],
        **({"count_include_pad": int(layer.count_include_pad)} if average else {}),
    )  # fmt: skip
    return writer.node("Transpose", y, perm=[2, 0, 1])


WRITERS: Final[Mapping[type[Layer], Callable[[Any, Any, str], str]]] = MappingProxyType(
    {Elementwise: _write_elementwise, Embedding: _write_embedding, Pool: _write_pool}
)
"""What writes a layer that reads the tensor of this name."""


def _output_layer(node: Node, top: Data, bottom: Data) -> Data:
    """W_ho h + W_xo x, where h is what RNNs make of x."""
    count = max(0, len(bottom.layers) - 1)
    *stack, on_h = top.layers[count:] or [None]
    on_x = bottom.layers[-1] if bottom.layers else None
    rnns = [layer for layer in stack if isinstance(layer, Recurrent) and layer.cell == "rnn"]
    options = [{**layer.options, "input_size": 0, "bias": True} for layer in rnns]
    if not (
        top.source == bottom.source
        and all(a is b for a, b in zip(top.layers, bottom.layers[:-1], strict=False))
        and 0 < len(rnns) == len(stack)
        and all(option == options[0] for option in options)
        and _is_product(on_h)
        and _is_product(on_x)
        and [live(dim) for dim in top.dims[:-1]] == [live(dim) for dim in bottom.dims[:-1]]
    ):
        raise node.unsupported(
            "adds data to data; only an RNN's outputs and inputs can be, each times a matrix"
        )
    assert isinstance(on_h, LinearDraft)
    assert isinstance(on_x, LinearDraft)
    draft = OutputDraft(on_h.weight, stack=tuple(rnns), weight_xo=on_x.weight)
    return replace(top, layers=(*top.layers[:count], draft))


def _takes_activation(data: Data) -> bool:
    draft = data.layers[-1] if data.layers else None
    return isinstance(draft, LinearDraft) and not _activated(draft)


def _is_product(draft: object) -> bool:
    """A matrix and nothing else."""
    return type(draft) is LinearDraft and draft.bias is None and not _activated(draft)


def _linear(node: Node, data: Data, weight: Anything, bias: Anything | None) -> Data:
    node.contents.budget.take(str(node), weight.size * max(4, weight.itemsize))
    data.expect_features(node, weight.shape[1])
    features = (Axis("features", weight.shape[0], "features"),)
    return data.then(LinearDraft(weight, bias), (*data.dims[:-1], features), features)


def _bias(node: Node, value: Value, size: int) -> Anything:
    """A constant as a vector [size], if all it broadcasts to is the features."""
    if not isinstance(value, Constant):
        raise node.unsupported("expected the bias to be a constant")
    shape = value.array.shape
    if value.array.size not in (1, size) or (shape and value.array.size != shape[-1]):
        raise node.unsupported(f"a bias of shape {shape} for {size} features")
    return np.broadcast_to(value.array.reshape(-1), (size,))


def _scaled(array: Anything, factor: float) -> Anything:
    return array if factor == 1.0 else (array * array.dtype.type(factor))


def _activated(draft: LinearDraft) -> bool:
    return draft.activation != "identity"


def _replace_last(data: Data, draft: LinearDraft) -> Data:
    return replace(data, layers=(*data.layers[:-1], draft))
