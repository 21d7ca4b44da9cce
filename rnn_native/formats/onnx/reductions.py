"""Operators that make one number of many: over the features of a step, or over all steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...errors import UnsupportedError
from ...spec import Elementwise, Layer, Reduce
from .constants import axis_of, integers
from .features import of_features
from .graph import Node
from .joining import whole
from .layout import is_order_of
from .norms import mean_of_features
from .pooling import whole_axis
from .roles import Roles
from .softmaxes import summed
from .values import Data, Value, live, show, size_of

if TYPE_CHECKING:
    from .layers import NodeWriter

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]

MODES: Final = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max",
    "GlobalAveragePool": "mean", "GlobalMaxPool": "max",
}  # fmt: skip


def reduced(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """ReduceMean, ReduceSum or ReduceMax of all steps, of features of each, or of both.

    Attributes say which axes before operator set 18, of ReduceSum before 13.
    """
    data = inputs[0]
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    data.check_floats(node)
    if node.opset < (13 if node.op == "ReduceSum" else 18):
        options = node.options(axes=("ints", None), keepdims=("int", 1))
        axes = options["axes"]
    else:
        options = node.options(keepdims=("int", 1), noop_with_empty_axes=("int", 0))
        given = len(inputs) > 1 and inputs[1] is not None
        axes = integers(node, inputs[1], "axes") if given else None
    if not axes:
        raise node.unsupported(f"axes={axes}: expected the steps, features, or both")
    places = sorted({axis_of(node, axis, len(data.dims)) for axis in axes})
    is_mean = node.op == "ReduceMean" and places == [len(data.dims) - 1] == [whole(data)]
    if is_mean and of_features(data, places[0]) and options["keepdims"]:
        return [mean_of_features(node, data, places, True)]
    of_all = sum((live(data.dims[at]) for at in places), start=())
    is_mean = node.op == "ReduceMean" and whole(data) is None and is_order_of(of_all, data)
    if is_mean and options["keepdims"]:
        return [mean_of_features(node, data, places, True)]
    inside = [at for at in places if of_features(data, at)]
    for at in inside:
        data = of_positions(node, data, at, MODES[node.op])
    for at in places:
        if live(data.dims[at]):
            data = over_time(node, data, at, MODES[node.op], roles, keep=True)
    if not options["keepdims"]:
        dims = tuple(dim for at, dim in enumerate(data.dims) if at not in places)
        data = replace(data, dims=dims)
    return [data]


def of_positions(node: Node, data: Data, at: int, mode: str) -> Data:
    """One number of all along an axis of the features, which stays, of size 1."""
    count = size_of(data.dims[at])
    found = whole_axis(node, data, at, "max" if mode == "max" else "average")
    if mode != "sum" or not count:
        return found
    return found.then(Elementwise("affine", float(count), 0.0), found.dims, found.features)


def global_pool(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """GlobalAveragePool or GlobalMaxPool of [batch, channels, ...]: time, features, or both."""
    node.options()
    data = inputs[0]
    if not isinstance(data, Data) or len(data.dims) < 3:
        raise node.unsupported("expected the data, [batch, features, time]")
    if len(data.dims) == 3 and not of_features(data, 2):
        data.check_features(node, 1)
        roles.bind(node, data, 0, "batch")
        return [over_time(node, data, 2, MODES[node.op], roles, keep=True)]
    data.check_floats(node)
    if live(data.dims[1]) and not of_features(data, 1):
        raise node.unsupported(f"dimension 1 of {show(data.dims)} should be features")
    axes = range(2, len(data.dims))
    for at in axes:
        if of_features(data, at):
            data = of_positions(node, data, at, MODES[node.op])
    for at in axes:
        if live(data.dims[at]):
            roles.bind(node, data, 0, "batch")
            data = over_time(node, data, at, MODES[node.op], roles, keep=True)
    return [data]


def over_time(node: Node, data: Data, at: int, mode: str, roles: Roles, keep: bool) -> Data:
    """All steps, dimension ``at``, as one; ``keep`` says whether that stays, of size 1."""
    if of_features(data, at):
        raise node.unsupported(f"reduces dimension {at} of {show(data.dims)}, which are features")
    if roles.framed and not live(data.dims[at]):  # the only step of a call
        return data if keep else data.shaped(data.dims[:at] + data.dims[at + 1 :])
    roles.check_streamed(node)
    roles.bind(node, data, at, "time")
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    dims = data.dims[:at] + ((),) * keep + data.dims[at + 1 :]
    if mode == "sum":
        return summed(node, data, dims)
    return data.then(Reduce(mode), dims, data.features)


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {
        **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax"), (reduced, 1, 2)),
        **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), (global_pool, 1, 1)),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""


def write_reduce(writer: NodeWriter, layer: Reduce, x: str) -> str:
    """ReduceMean, ReduceSum or ReduceMax; Gather of the first or the last step, as a vector of one,
    which no last state is read out of."""
    if layer.mode in ("first", "last"):
        if x in writer.inputs:
            raise UnsupportedError(
                f"Reduce mode={layer.mode}: of an input of the model, a part of which is a state "
                "in an ONNX file; behind another layer it can be written"
            )
        index = writer.constant("index", np.array([0 if layer.mode == "first" else -1]))
        step = writer.node("Gather", x, index, axis=0)
        return writer.node("Squeeze", step, writer.constant("axis", np.array([0])))
    if layer.mode == "sum":
        return writer.node("ReduceSum", x, writer.constant("axis", np.array([0])), keepdims=0)
    op = "ReduceMean" if layer.mode == "mean" else "ReduceMax"
    return writer.node(op, x, axes=[0], keepdims=0)


WRITERS: Final[Mapping[type[Layer], Callable[[Any, Any, str], str]]] = {Reduce: write_reduce}
"""What writes a layer that reads the tensor of this name."""
