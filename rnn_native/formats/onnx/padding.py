"""Pad: kept in mind until something reads it: a convolution pads, or a layer of its own does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ...errors import RnnError
from ...spec.layers.pad import Pad
from .constants import axis_of, integers
from .features import of_features
from .graph import Node, Past
from .placing import with_channels_second
from .roles import Roles
from .timing import timed
from .values import Constant, Data, Padding, Value, live, show, size_of

Values = Sequence[Value | None]

_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
)


def pad(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Padding that is kept in mind until something reads it."""
    data = inputs[0]
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    if node.opset < 11:
        options = node.options(mode=("string", "constant"), pads=("ints", None), value=("float", 0))
        pads, value = options["pads"] or [], options["value"]
    else:
        options = node.options(mode=("string", "constant"))
        pads, value = integers(node, inputs[1], "pads"), _number(node, [*inputs, None, None][2])
    rank = len(data.dims)
    axes = list(range(rank))
    if len(inputs) > 3 and inputs[3] is not None:
        axes = [axis_of(node, axis, rank) for axis in integers(node, inputs[3], "axes")]
    if len(pads) != 2 * len(axes):
        raise node.malformed(f"pads: expected {2 * len(axes)} integers, got {len(pads)}")
    mode = _MODES.get(options["mode"])
    if mode is None or (mode == "zeros" and value != 0):
        what = f"attribute mode={options['mode']}" if mode is None else f"constant_value={value}"
        raise node.unsupported(f"{what}: expected constant zeros, reflect, edge or wrap")
    sides = zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True)
    moved = [(axis, before, after) for axis, before, after in sides if before or after]
    if any(own in data.dims[axis] for own, _ in data.padding for axis, *_ in moved):
        data = over_time(node, data, roles)
    padding = list(data.padding)
    for axis, before, after in moved:
        if before < 0 or after < 0:
            raise node.unsupported(f"pads {pads}: below 0, which cuts")
        if len(data.dims[axis]) != 1 or any(data.dims[axis][0] == one for one, _ in padding):
            raise node.unsupported(f"pads axis {axis} of {show(data.dims)}")
        padding.append((data.dims[axis][0], Padding(before, after, mode)))
    return [replace(data, padding=tuple(padding))]


def with_past(node: Past, data: Value | None, roles: Roles) -> Data:
    """Frames of before in front of the time, kept in mind like other padding: at first zeros."""
    if not isinstance(data, Data) or node.axis >= len(data.dims):
        raise node.unsupported("expected the data behind a cache of past frames")
    data.check_floats(node)
    time = roles.bind(node, data, node.axis, "time")
    padding = (*data.padding, (time, Padding(node.count, 0, "zeros", past=True)))
    dims = (*data.dims[: node.axis], (time,), *data.dims[node.axis + 1 :])
    return replace(data, dims=dims, padding=padding)


def _number(node: Node, value: Value | None) -> float:
    if value is None:
        return 0.0
    if not isinstance(value, Constant) or value.array.size != 1:
        raise node.unsupported("constant_value: expected one constant number")
    return float(value.array.reshape(()))


def over_time(
    node: Node,
    data: Data,
    roles: Roles,
    needed: Callable[[Padding], bool] = lambda padding: True,
) -> Data:
    """The same, of whose padding that over time is layers of its own, as far as they are
    ``needed``."""
    for axis, padding in data.padding:
        at = next((i for i, dim in enumerate(data.dims) if axis in dim), None)
        if at is None or padding.past:
            continue
        if data.step is None and at > 1 and axis.size is None:  # which no feature is
            data = with_channels_second(node, data, roles)
        others = [one for dim in (*data.dims[:at], *data.dims[at + 1 :]) for one in dim]
        within = not live(data.dims[at]) or of_features(data, at)
        if not within and needed(padding) and all(one.role != "time" for one in others):
            data = as_layer(node, data, at, padding, roles)
    return data


def as_layers(node: Node, data: Data, roles: Roles) -> Data:
    """The same with all of its padding made, for what reads steps as they are."""
    data = over_time(node, data, roles)
    if data.padding:
        raise node.unsupported("features that are padded, which only a convolution reads")
    return data


def as_layer(node: Node, data: Data, at: int, padding: Padding, roles: Roles) -> Data:
    """The same with dimension ``at``, the time, padded by a layer."""
    data.check_floats(node)
    features = size_of(data.features)
    if any(axis.role == "batch" for axis in data.dims[at]):
        raise node.unsupported(f"its input is padded along the batch, {show(data.dims)}")
    if features is None:
        raise node.unsupported("pads the time, and the file does not say how many features it has")
    try:
        layer = Pad(features, padding.before, padding.after, padding.mode)
    except RnnError as error:
        raise node.unsupported(str(error)) from error
    left = tuple(one for one in data.padding if one[1] is not padding)
    dims = timed(node, data, at, layer.window, roles)
    return replace(data.then(layer, dims, data.features), padding=left)


READS_PADDING: Final = (
    "Conv", "ConvTranspose", "Gather", "Identity", "Pad", "Slice", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip
"""The operators that may read what is padded."""
OPERATORS: Final = MappingProxyType({"Pad": (pad, 1, 4)})
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
