"""Operators that are a layer, or a part of one: MatMul, Gemm, activations, Gather; and the
writers of layers that are one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ...spec import Elementwise, Embedding, Layer, PReLU, Scale
from ...spec.layers.conv import Conv
from ...spec.layers.pool import Pool
from ..folding import normalized
from . import given, softmaxes
from .activations import ELEMENTWISE
from .constants import axis_of, bias_of, integers
from .drafts import LinearDraft, SumDraft, is_product
from .features import of_features, picked
from .flattened import of_all_steps
from .functions import FUNCTIONS, operator
from .given import part_of
from .graph import INTEGERS, Anything, Node, element_of
from .joining import MODES
from .joining import elementwise as combined
from .last import last_step, one_step, scalar
from .layout import arranged, columns, spread
from .placing import claimed, with_fixed_sizes
from .roles import Roles
from .shapes import gather_shape
from .unfold import gathered
from .values import Axis, Constant, Data, Shape, Value, live, show, size_of

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
    if isinstance(data, Data) and isinstance(weight, Data):
        return [softmaxes.contracted(node, data, weight, roles)]
    if not (isinstance(data, Data) and isinstance(weight, Constant)):
        raise node.unsupported("expected A to be the data and B a constant")
    if weight.array.ndim == 1:
        made = _linear(node, data, weight.array[None], None, roles)
        return [made.shaped(made.dims[:-1])]
    if weight.array.ndim != 2:
        raise node.unsupported(f"B: expected shape (in, out), got {weight.array.shape}")
    return [_linear(node, data, weight.array.T, None, roles)]


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
        return [_linear(node, data, array, None, roles)]
    vector = _scaled(bias_of(node, bias, array.shape[0]), options["beta"])
    return [_linear(node, data, array, vector, roles)]


def activation(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Sigmoid, Tanh, Relu, Softmax or LogSoftmax: of the Linear before, or by itself."""
    data = inputs[0]
    alone = isinstance(data, Data) and not _takes_activation(data)
    if alone and node.op in ELEMENTWISE:
        return elementwise(node, inputs, roles)
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    draft = data.draft
    if node.op in ("Softmax", "LogSoftmax"):
        data.check_floats(node)
        at = softmaxes.axis_taken(node, data)
        several = isinstance(draft, Conv) and draft.height_made * draft.positions_made > 1
        if alone or several or live(data.dims[at]) != live(data.features):
            return [softmaxes.softmax(node, data, at, roles)]
    else:
        node.options()
    assert isinstance(draft, (Conv, LinearDraft, SumDraft))
    return [data.instead(replace(draft, activation=ACTIVATIONS[node.op]), data.step)]


def elementwise(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """An operator that is a function of each number, with its constants; Max or Min of values."""
    values = [value for value in inputs if isinstance(value, Data)]
    if node.op in MODES and len(values) == len(inputs):
        node.options()
        return [combined(node, values)]
    if node.op in ("Max", "Min") and isinstance(inputs[0], Constant):
        inputs = inputs[::-1]
    data, *more = inputs
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    data.check_floats(node)
    f = FUNCTIONS[node.op][0](node, inputs)
    for constant in more:
        if isinstance(constant, Constant) and constant.array.ndim > len(data.dims):
            raise node.unsupported(f"a number of shape {constant.array.shape} adds dimensions")
    if f.name == "identity":
        return [data]
    return [data.then(Elementwise(f.name, *f.constants), data.dims, data.features)]


def batch_normalization(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Y = scale (X - mean) / sqrt(var + epsilon) + B, over dimension 1, which are the features."""
    options = node.options(
        epsilon=("float", 1e-5),
        momentum=("float", 0.9),
        training_mode=("int", 0),
        spatial=("int", 1),
    )
    if options["training_mode"] or not options["spatial"]:
        raise node.unsupported("expected training_mode=0, and statistics of a feature each")
    data, *numbers = inputs
    if not isinstance(data, Data):
        raise node.unsupported("expected X to be the data")
    vectors = [value.array for value in numbers if isinstance(value, Constant)]
    if len(data.dims) < 2 or (live(data.dims[1]) and not of_features(data, 1)):
        data.check_features(node, 1)
    whole = live(data.dims[1]) == live(data.features)
    count = size_of(data.dims[1])
    if whole:
        _expect_vectors(node, data, ("scale", "B", "mean", "var"), vectors)
    elif len(vectors) < 4 or any(array.shape != (count,) for array in vectors):
        raise node.unsupported(f"expected scale, B, mean, var to be constants of shape ({count},)")
    gamma, beta, mean, variance = vectors
    layer = Scale.normalizing(mean, variance, gamma, beta, options["epsilon"])
    draft = data.draft
    if isinstance(draft, Conv) and draft.activation == "identity" and _is_channels(data, draft):
        return [data.instead(normalized(draft, layer))]
    if not whole:
        shape = (-1, *[1] * (len(data.dims) - 2))
        scale, shift = (spread(data, a.reshape(shape)) for a in (layer.scale, layer.shift))
        if scale is None or shift is None:
            raise node.unsupported(f"the file does not say how large {show(data.dims)} is")
        layer = Scale(scale, shift)
    return [data.then(layer, data.dims, data.features)]


def _is_channels(data: Data, draft: Conv) -> bool:
    """Whether dimension 1 is the channels that a convolution makes, not its positions."""
    own = live(data.dims[1]) == live(data.features[-1:])
    return own and size_of(data.dims[1]) == draft.out_channels


def _expect_vectors(
    node: Node, data: Data, names: Sequence[str], vectors: Sequence[Anything]
) -> None:
    """Refuses unless each of these is there, a number of each feature."""
    count = size_of(data.features)
    if count is None and vectors and len(data.features) == 1:
        count = vectors[0].size
        data.features[0].learn(count)
    if len(vectors) < len(names) or any(array.shape != (count,) for array in vectors):
        raise node.unsupported(f"expected {', '.join(names)} to be constants of shape ({count},)")


def prelu(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Y = X where X >= 0, else slope X: one slope, or one of each feature."""
    node.options()
    data, slope = inputs
    if not (isinstance(data, Data) and isinstance(slope, Constant)):
        raise node.unsupported("expected X to be the data and slope a constant")
    array = slope.array
    if array.ndim > len(data.dims):
        raise node.unsupported(f"a slope of shape {array.shape} adds dimensions")
    own = [axis for axis, size in enumerate(array.shape) if size != 1]
    vector = spread(data, array)
    if not own:
        layer: Layer = Elementwise("leaky_relu", float(array.reshape(())))
    elif vector is not None:
        layer = PReLU(vector)
    elif len(own) > 1:
        raise node.unsupported(f"a slope of shape {array.shape}: expected one of each feature")
    else:
        data.check_features(node, own[0] - array.ndim)
        _expect_vectors(node, data, ("slope",), [array.reshape(-1)])
        layer = PReLU(array.reshape(-1))
    return [data.then(layer, data.dims, data.features)]


def gather(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """An Embedding: rows of a table [num_embeddings, embedding_dim] of the file."""
    axis = node.options(axis=("int", 0))["axis"]
    table, indices = inputs[0], inputs[1]
    if isinstance(table, Shape):
        return gather_shape(node, table, indices, axis)
    if isinstance(table, Data):
        return [_gathered(node, table, indices, axis, roles)]
    if not (isinstance(table, Constant) and isinstance(indices, Data)):
        raise node.unsupported("expected a constant table and the data")
    if indices.element not in INTEGERS or indices.step:
        raise node.unsupported("an Embedding can only be the first layer, of integers")
    if table.array.dtype.kind in "biu":
        raise node.unsupported(f"expected a table of floats, got {table.array.dtype}")
    if axis not in (0, -table.array.ndim) or table.array.ndim != 2:
        raise node.unsupported(f"attribute axis={axis} of a table of shape {table.array.shape}")
    node.contents.budget.take(str(node), table.array.size * max(4, table.array.itemsize))
    features = (Axis("features", table.array.shape[1], "features"),)
    after = indices.then(Embedding(table.array), (*indices.dims, features), features)
    return [replace(after, element=element_of(table.array))]


def _gathered(node: Node, data: Data, indices: Value | None, axis: int, roles: Roles) -> Value:
    """Some of the features, a part of an input that is a state, or the last step."""
    at = axis_of(node, axis, len(data.dims))
    if _is_one(data, at, indices, roles):  # its axis goes, or others of size 1 come
        assert isinstance(indices, Constant)
        dims = (((),) * indices.array.ndim + (data.dims[at],))[1:] if indices.array.ndim else ()
        return data.shaped((*data.dims[:at], *dims, *data.dims[at + 1 :]))
    if data.padding:
        if not isinstance(indices, Constant) or indices.array.ndim > 2:
            raise node.unsupported("takes a part of what is padded; only by constant indices")
        return gathered(node, data, at, indices.array)
    if of_features(data, at):
        rows, size = integers(node, indices, "indices"), size_of(data.dims[at])
        if not isinstance(indices, Constant):
            raise node.unsupported("takes features by a size of another tensor")
        if size is None or indices.array.ndim > 1 or any(not -size <= row < size for row in rows):
            raise node.unsupported(f"takes features {rows} of {size}")
        found = picked(node, data, at, [row % size for row in rows], indices.array.ndim == 1)
        if found is None:
            raise node.unsupported(f"takes a part of axis {at} of {show(data.dims)}")
        return found
    part = part_of(data)
    if part is not None:
        return given.moved(node, part, [indices])[0]
    return _step_of(node, data, indices, at, roles)


def _is_one(data: Data, at: int, indices: Value | None, roles: Roles) -> bool:
    """Whether a Gather takes the only one of a dimension: no step, or the only one of a call."""
    if live(data.dims[at]) or not isinstance(indices, Constant):
        return False
    if not roles.framed:
        return data.dims[at] == () and scalar(indices) in (0, -1)
    return indices.array.size == 1 and indices.array.item() in (0, -1)


def _step_of(node: Node, data: Data, indices: Value | None, at: int, roles: Roles) -> Value:
    """One step, by a number; by a vector of one number its axis stays, and it is that of any
    layer."""
    if not isinstance(indices, Constant) or indices.array.shape != (1,):
        return last_step(node, data, scalar(indices), at, roles)
    roles.check_streamed(node)
    roles.bind(node, data, at, "time")
    index = int(indices.array[0]) if roles.lengths is None else None
    return one_step(node, data, index, at, keep=True)


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {
        **{op: (elementwise, least, most) for op, (_, least, most) in FUNCTIONS.items()},
        **dict.fromkeys(ACTIVATIONS, (activation, 1, 1)),
        "BatchNormalization": (batch_normalization, 5, 5),
        "Gather": (gather, 2, 2),
        "Gemm": (gemm, 2, 3),
        "MatMul": (matmul, 2, 2),
        "PRelu": (prelu, 2, 2),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""


class NodeWriter(Protocol):
    """Takes the nodes of a graph; what a method returns is the name of what it adds."""

    dtype: np.dtype[Any]
    inputs: frozenset[str]
    features: int  # of what the layer reads

    def node(self, op: str, *inputs: str, **attributes: Any) -> str: ...
    def constant(self, name: str, array: NDArray[Any]) -> str: ...
    def number(self, value: float) -> str: ...


def _write_embedding(writer: NodeWriter, layer: Embedding, x: str) -> str:
    return writer.node("Gather", writer.constant("weight", layer.weight), x)


def _write_elementwise(writer: NodeWriter, layer: Elementwise, x: str) -> str:
    if layer.function == "affine":
        y = writer.node("Mul", x, writer.number(layer.alpha or 0.0))
        return writer.node("Add", y, writer.number(layer.beta)) if layer.beta else y
    op, attributes, more = operator(layer.as_activation)
    inputs = [writer.number(value) for value in more]
    return writer.node(op, x, *inputs, **attributes)


def _write_scale(writer: NodeWriter, layer: Scale, x: str) -> str:
    y = writer.node("Mul", x, writer.constant("scale", layer.scale))
    return writer.node("Add", y, writer.constant("shift", layer.shift))


def _write_prelu(writer: NodeWriter, layer: PReLU, x: str) -> str:
    return writer.node("PRelu", x, writer.constant("slope", layer.slope))


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
    {
        Elementwise: _write_elementwise,
        Embedding: _write_embedding,
        Pool: _write_pool,
        PReLU: _write_prelu,
        Scale: _write_scale,
    }
)
"""What writes a layer that reads the tensor of this name."""


def _takes_activation(data: Data) -> bool:
    draft = data.draft
    if isinstance(draft, Conv):
        return draft.activation == "identity"
    if isinstance(draft, SumDraft):  # of an RNN's output layer, perhaps
        assert data.step is not None
        products = all(is_product(value.draft) for value in data.step.inputs)
        return draft.activation == "identity" and (products or draft.bias is not None)
    return isinstance(draft, LinearDraft) and draft.activation == "identity"


def _of_positions(node: Node, data: Data, weight: Anything, bias: Anything | None) -> Data:
    """A product of each position: a convolution over one."""
    data.expect_channels(node, weight.shape[1])
    channels = live(data.dims[-1])
    positions = tuple(axis for axis in live(data.features) if axis not in channels)
    count = size_of(positions)
    if count is None:
        raise node.unsupported(f"the file does not say how large {show([positions])} is")
    data = arranged(node, data, (*positions, *channels))
    layer = Conv(weight, bias, in_channels=weight.shape[1], positions=count)
    made = data.fresh(weight.shape[0])
    return data.then(layer, (*data.dims[:-1], made), (*positions, *made))


def _linear(node: Node, data: Data, weight: Anything, bias: Anything | None, roles: Roles) -> Data:
    node.contents.budget.take(str(node), weight.size * max(4, weight.itemsize))
    data = claimed(with_fixed_sizes(data, roles), -1, roles)
    inside = live(data.dims[-1]) if data.dims else ()
    if inside and len(inside) < len(live(data.features)) and of_features(data, -1):
        return _of_positions(node, data, weight, bias)
    flat = of_all_steps(node, data, weight, bias, roles)
    if flat is not None:
        return flat
    data.expect_features(node, weight.shape[1])
    weight = columns(node, data, data.dims[-1], weight)
    features = (Axis("features", weight.shape[0], "features"),)
    return data.then(LinearDraft(weight, bias), (*data.dims[:-1], features), features)


def _scaled(array: Anything, factor: float) -> Anything:
    return array if factor == 1.0 else (array * array.dtype.type(factor))
