"""Operators that normalise over all steps, and what is written for such a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ...errors import UnsupportedError
from ...spec import InstanceNorm, Layer
from .graph import Anything, Node
from .layout import arranged
from .roles import Roles
from .timing import placed
from .values import Data, Dim, live, show, size_of

if TYPE_CHECKING:
    from .layers import NodeWriter


class _Axes(NamedTuple):
    """The dimension that is the time, and the features of [batch, channels, ...]."""

    time: int
    channels: Dim
    rest: Dim


def reads_steps(data: Data) -> bool:
    """Whether an operator on [batch, channels, ...] normalises over something besides features."""
    axes = [axis for dim in data.dims[2:] for axis in live(dim)]
    return any(axis not in data.features for axis in axes)


def _axes(node: Node, data: Data, roles: Roles) -> _Axes:
    channels = live(data.dims[1])
    behind = [axis for dim in data.dims[2:] for axis in live(dim)]
    rest = tuple(axis for axis in behind if axis in data.features)
    steps = [axis for axis in behind if axis not in data.features]
    whole = len(channels) + len(rest) == len(live(data.features))
    if len(steps) != 1 or not whole or any(axis not in data.features for axis in channels):
        raise node.unsupported(
            f"normalises {show(data.dims[2:])} of {show(data.dims)}; only features, and the time, "
            "can be"
        )
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    at = next(i for i, dim in enumerate(data.dims) if i > 1 and steps[0] in dim)
    roles.bind(node, data, 0, "batch")
    if live(data.dims[at]) == (steps[0],):
        roles.bind(node, data, at, "time")
    else:  # merged with features, such as those of a group
        alone = data.shaped((data.dims[0], data.dims[1], (steps[0],)))
        roles.bind(node, alone, 2, "time")
    return _Axes(at, channels, rest)


def over_time(
    node: Node, data: Data, numbers: Sequence[Anything], epsilon: float, roles: Roles
) -> Data:
    """InstanceNormalization of [batch, channels, ...], where the time is among what is behind;
    ``numbers``: scale and B, one of each channel."""
    axes = _axes(node, data, roles)
    channels, rest = size_of(axes.channels), size_of(axes.rest)
    if channels is None or rest is None:
        raise node.unsupported("normalises features of which the file does not say how many")
    own, count = live(data.features), len(axes.channels)
    first = own.index(axes.channels[0]) if count else 0
    if own[first : first + count] != axes.channels:
        data, first = arranged(node, data, (*axes.rest, *axes.channels)), len(axes.rest)
    each = size_of(live(data.features)[first + count :]) or 1  # of a channel, one behind the other
    vectors = [np.repeat(array, each) for array in numbers]
    groups = channels if count else 1
    weight, shift = vectors
    layer = InstanceNorm(channels * rest, weight, shift, epsilon, rest // each, groups)
    return data.then(layer, data.dims, data.features)


def groups_over_time(
    node: Node, data: Data, groups: int, numbers: Sequence[Anything], epsilon: float, roles: Roles
) -> Data:
    """GroupNormalization likewise; ``numbers`` [channels]."""
    axes = _axes(node, data, roles)
    channels, rest = size_of(axes.channels), size_of(axes.rest)
    if channels is None or rest is None:
        raise node.unsupported("normalises features of which the file does not say how many")
    if channels % groups:
        raise node.malformed(f"attribute num_groups={groups} of {channels} features")
    data = arranged(node, data, (*axes.rest, *axes.channels)) if axes.rest else data
    weight, shift = numbers
    layer = InstanceNorm(channels * rest, weight, shift, epsilon, rest, groups)
    return data.then(layer, data.dims, data.features)


def input_placed(node: Node, data: Data, roles: Roles) -> Data:
    """An input of the graph of [batch, channels, ...], with its channels as features."""
    return placed(node, data, roles) if len(data.dims) > 2 else data


def write_instance_norm(writer: NodeWriter, layer: InstanceNorm, x: str) -> str:
    """InstanceNormalization of [batch, channels, time], with positions behind them; of groups, of
    what a Reshape makes one behind the other."""
    channels, positions, groups = layer.channels, layer.positions, layer.groups
    name = f"InstanceNorm groups={groups} positions={positions} of {writer.dtype}"
    if writer.dtype != np.float32:
        raise UnsupportedError(f"{name}: ONNX's runtimes have InstanceNormalization of float32")
    if groups != channels and positions > 1:
        raise UnsupportedError(f"{name}: operator set 17 has no GroupNormalization of positions")
    if layer.epsilon > float(np.finfo(np.float32).max):
        raise UnsupportedError(f"InstanceNorm epsilon={layer.epsilon}: beyond float32")
    ones, zeros = np.ones(channels, writer.dtype), np.zeros(channels, writer.dtype)
    weight = ones if layer.weight is None else layer.weight
    bias = zeros if layer.bias is None else layer.bias
    numbers = [weight, bias] if groups == channels else [ones[:groups], zeros[:groups]]
    y = x
    if positions > 1:
        y = writer.node("Reshape", y, _shape(writer, 0, 0, positions, channels))
        y = writer.node("Transpose", y, perm=[1, 3, 0, 2])
    else:
        y = writer.node("Transpose", y, perm=[1, 2, 0])
    whole = y
    if groups != channels:
        y = writer.node("Reshape", y, _shape(writer, 0, groups or 1, -1))
    names = [writer.constant("norm", array) for array in numbers]
    y = writer.node("InstanceNormalization", y, *names, epsilon=layer.epsilon)
    if groups != channels:
        y = writer.node("Reshape", y, writer.node("Shape", whole))
    if positions > 1:
        y = writer.node("Transpose", y, perm=[2, 0, 3, 1])
        return writer.node("Reshape", y, _shape(writer, 0, 0, layer.features))
    y = writer.node("Transpose", y, perm=[2, 0, 1])
    more = {} if groups == channels else {"Mul": weight, "Add": layer.bias}
    for op, array in more.items():
        if array is not None:
            y = writer.node(op, y, writer.constant("norm", array))
    return y


def _shape(writer: NodeWriter, *sizes: int) -> str:
    return writer.constant("shape", np.array(sizes))


WRITERS: Final[Mapping[type[Layer], Callable[[Any, Any, str], str]]] = {
    InstanceNorm: write_instance_norm
}
"""What writes a layer that reads the tensor of this name."""
