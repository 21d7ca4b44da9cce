"""Operators that are a layer normalisation, and what is written for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...errors import UnsupportedError
from ...spec import InstanceNorm, Layer, LayerNorm, Linear
from .constants import axis_of
from .graph import Anything, Node
from .layout import arranged, is_order_of
from .norms_over_time import groups_over_time, input_placed, over_time, reads_steps
from .placing import with_fixed_sizes
from .roles import Roles
from .values import Constant, Data, Dim, Value, live, show, size_of

if TYPE_CHECKING:
    from .layers import NodeWriter

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]


def layer_normalization(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """LayerNormalization, and RMSNormalization, over the features from an axis on."""
    options = node.options(axis=("int", -1), epsilon=("float", 1e-5), stash_type=("int", 1))
    data = _floats(node, inputs[0])
    at = axis_of(node, options["axis"], len(data.dims))
    data = with_fixed_sizes(data, roles)
    own = [axis for dim in data.dims[at:] for axis in live(dim)]
    if is_order_of([*(a for a in live(data.features) if a not in own), *own], data):
        data = arranged(node, data, (*(a for a in live(data.features) if a not in own), *own))
    groups, size = _blocks(node, data, data.dims[at:])
    scale, bias = (_numbers(node, value, size, groups) for value in (*inputs[1:], None)[:2])
    layer = LayerNorm(
        groups * size,
        scale,
        bias,
        groups,
        options["epsilon"],
        subtract_mean=node.op == "LayerNormalization",
    )
    return [data.then(layer, data.dims, data.features)]


def group_normalization(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """GroupNormalization of [batch, features] of one step, or over all steps; before set 21 its
    numbers are those of a group each."""
    options = node.options(epsilon=("float", 1e-5), num_groups=("int", None), stash_type=("int", 1))
    data, groups = input_placed(node, _floats(node, inputs[0]), roles), options["num_groups"]
    steps = reads_steps(data)
    if steps:
        size = size_of(data.dims[1])
        if size is None:
            raise node.unsupported("normalises features of which the file does not say how many")
    else:
        _, size = _blocks(node, data, data.dims[1:])
    if groups is None or groups < 1 or size % groups:
        raise node.malformed(f"attribute num_groups={groups} of {size} features")
    count = groups if node.opset < 21 else size
    vectors = []
    for value in inputs[1:]:
        if not isinstance(value, Constant) or value.array.shape != (count,):
            raise node.unsupported(f"expected scale and bias to be constants of shape ({count},)")
        vectors.append(np.repeat(value.array, size // count))
    if steps:
        return [groups_over_time(node, data, groups, vectors, options["epsilon"], roles)]
    scale, bias = vectors
    layer = LayerNorm(size, scale, bias, groups, options["epsilon"])
    return [data.then(layer, data.dims, data.features)]


def instance_normalization(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """InstanceNormalization of [batch, groups, features of a group] of one step, or over all
    steps of [batch, channels, ...]."""
    epsilon = node.options(epsilon=("float", 1e-5))["epsilon"]
    data = input_placed(node, _floats(node, inputs[0]), roles)
    steps = reads_steps(data)
    if steps:
        groups, size = size_of(data.dims[1]) or 0, 1
    else:
        groups, size = _blocks(node, data, data.dims[2:])
    vectors = []
    for value in inputs[1:]:
        if not isinstance(value, Constant) or value.array.shape != (groups,):
            raise node.unsupported(f"expected scale and B to be constants of shape ({groups},)")
        vectors.append(np.repeat(value.array, size))
    if steps:
        return [over_time(node, data, vectors, epsilon, roles)]
    scale, bias = vectors
    layer = LayerNorm(groups * size, scale, bias, groups, epsilon)
    return [data.then(layer, data.dims, data.features)]


def _floats(node: Node, value: Value | None) -> Data:
    if not isinstance(value, Data):
        raise node.unsupported("expected X to be the data")
    value.check_floats(node)
    return value


def _blocks(node: Node, data: Data, dims: Sequence[Dim]) -> tuple[int, int]:
    """How many blocks of features, of how many each, these dimensions are: the last axes of the
    features and nothing else."""
    own, features = [axis for dim in dims for axis in live(dim)], live(data.features)
    if own != [*features[len(features) - len(own) :]]:
        raise node.unsupported(
            f"normalises {show(dims)} of {show(data.dims)}; only features of one step can be"
        )
    groups, size = size_of(features[: len(features) - len(own)]), size_of(own)
    if groups is None or size is None:
        raise node.unsupported("normalises features of which the file does not say how many")
    return groups, size


def _numbers(node: Node, value: Value | None, size: int, groups: int) -> Anything | None:
    """A constant for each feature of a block, repeated for each block."""
    if value is None:
        return None
    if not isinstance(value, Constant) or value.array.size not in (1, size):
        raise node.unsupported(f"expected Scale and B to be constants of {size} numbers")
    return np.tile(np.broadcast_to(value.array.reshape(-1), (size,)), groups)


def mean_of_features(node: Node, data: Data, places: Sequence[int], keep: bool) -> Data:
    """The mean over all features, which are these dimensions, as a Linear."""
    if len(places) == 1:
        data.check_features(node, places[0])
    data.check_floats(node)
    count = size_of(data.features)
    if count is None or not keep:
        why = "keepdims=0" if count else "features of which the file does not say how many"
        raise node.unsupported(f"the mean over the features, with {why}")
    dtype = np.float64 if data.element == "DOUBLE" else np.float32
    node.contents.budget.take(str(node), 8 * count)
    features = data.fresh(1)
    gone: Dim = ()
    dims = tuple(
        features if at == places[-1] else gone if at in places else dim
        for at, dim in enumerate(data.dims)
    )
    return data.then(Linear(np.full((1, count), 1 / count, dtype)), dims, features)


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {
        "GroupNormalization": (group_normalization, 3, 3),
        "InstanceNormalization": (instance_normalization, 3, 3),
        "LayerNormalization": (layer_normalization, 2, 3),
        "RMSNormalization": (layer_normalization, 2, 2),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""


def with_options(layer: Layer, options: Mapping[str, Any]) -> Layer:
    """Without the ones that are written for a LayerNorm without a weight, and the zeros for an
    InstanceNorm without a bias."""
    if type(layer) not in (InstanceNorm, LayerNorm):
        return layer
    for name, plain in (("weight", 1), ("bias", 0)):
        array = layer.arrays.get(name)
        if array is not None and not options.get(name, True) and bool(np.all(array == plain)):
            layer = layer.make({n: a for n, a in layer.arrays.items() if n != name}, layer.options)
    return layer


def write_norm(writer: NodeWriter, layer: LayerNorm, x: str) -> str:
    """LayerNormalization, of blocks as well; its parts for RMSNorm, which set 17 has not, and for
    float64, whose epsilon an attribute would round."""
    size, whole, y = layer.features // layer.groups, layer.groups == 1, x
    has_operator = layer.subtract_mean and writer.dtype == np.float32
    if not whole and not has_operator:
        raise UnsupportedError(
            f"LayerNorm groups={layer.groups} of {writer.dtype}, subtract_mean="
            f"{layer.subtract_mean}: ONNX's LayerNormalization is of float32, less the mean"
        )
    weight = np.ones(layer.features, writer.dtype) if layer.weight is None else layer.weight
    more = {"Mul": weight, "Add": layer.bias}
    if not whole:
        y = writer.node("Reshape", y, writer.constant("shape", np.array([-1, layer.groups, size])))
    if has_operator:
        if layer.epsilon > np.finfo(np.float32).max:
            raise UnsupportedError(f"LayerNorm epsilon={layer.epsilon}: beyond float32")
        numbers = [more.pop("Mul"), more.pop("Add")] if whole else [np.ones(size, writer.dtype)]
        names = [writer.constant("norm", array) for array in numbers if array is not None]
        y = writer.node("LayerNormalization", y, *names, axis=-1, epsilon=layer.epsilon)
    else:
        if layer.subtract_mean:
            y = writer.node("Sub", y, writer.node("ReduceMean", y, axes=[-1], keepdims=1))
        variance = writer.node("ReduceMean", writer.node("Mul", y, y), axes=[-1], keepdims=1)
        variance = writer.node("Add", variance, writer.number(layer.epsilon))
        y = writer.node("Div", y, writer.node("Sqrt", variance))
    if not whole:
        y = writer.node("Reshape", y, writer.node("Shape", x))
    for op, array in more.items():
        if array is not None:
            y = writer.node(op, y, writer.constant("norm", array))
    return y


WRITERS: Final[Mapping[type[Layer], Callable[[Any, Any, str], str]]] = {LayerNorm: write_norm}
"""What writes a layer that reads the tensor of this name."""
