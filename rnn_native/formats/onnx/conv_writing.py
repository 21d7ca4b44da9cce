"""The writers of convolutions, pools of positions and views: Conv, MaxPool and AveragePool, with
Reshape and Transpose around them; Slice, Gather.

A step's features are [positions, channels], channels last; Conv takes them first. Over time:

    x [time, batch, positions * channels]
    Reshape    [time, batch, positions, channels]      0 keeps time and batch
    Transpose  [batch, channels, time, positions]
    Pad        over positions, reflect or edge         where padding_mode is not zeros
    Conv       [batch, out, steps, positions made]
    Transpose  [steps, batch, positions made, out]
    the activation, over the channels
    Reshape    [steps, batch, positions made * out]

Of a single position there is no Reshape; of pictures there are two axes of positions. What makes
each step of that step alone, as a pool of positions does, takes any axes before the features as
one, [all, channels, positions], and gives them back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...spec import Layer
from ...spec.layers.conv import Conv
from ...spec.layers.pad import Pad
from ...spec.layers.pool_within import PoolWithin
from ...spec.layers.strided import Strided
from ...spec.layers.upsample import Upsample
from .layers import ACTIVATIONS

_OPERATORS: Final = {name: op for op, name in ACTIVATIONS.items()}
_PADS: Final = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}
_LAST: Final = 2**62


def _write_conv(writer: Any, layer: Conv, x: str) -> str:
    if not layer.needs_steps:
        return _within(writer, layer, x)
    alone = layer.positions == layer.kernel_size == 1 and not (layer.left or layer.right)
    if alone and not layer.is_tall:
        return _over_time(writer, layer, x)
    axes = _inside(layer)
    rank = len(axes.sizes)
    shape = [0, 0, *axes.sizes, layer.in_channels]
    inside = [*range(2, 2 + rank)]
    y = writer.node("Transpose", _reshape(writer, x, shape), perm=[1, 2 + rank, 0, *inside])
    y, before, after = _padded(writer, layer, axes, y)
    weight = layer.weight.reshape(-1, layer.kernel_time, *axes.kernel, _own(layer))
    y = _product(
        writer, layer, y, np.moveaxis(weight, -1, 1),
        strides=[layer.stride_time, *axes.strides],
        dilations=[layer.dilation_time, *axes.dilations],
        pads=[layer.before, *before, layer.after, *after],
    )  # fmt: skip
    behind = [at + 1 for at in inside]
    y = _activated(writer, layer, writer.node("Transpose", y, perm=[2, 0, *behind, 1]))
    return _reshape(writer, y, [0, 0, layer.output_size])


class _Axes(NamedTuple):
    """Those inside a step: of positions or, of pictures, of rows and positions."""

    sizes: list[int]
    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    before: list[int]
    after: list[int]


def _inside(layer: Conv) -> _Axes:
    row = (layer.positions, layer.kernel_size, layer.stride, layer.dilation, layer.left,
           layer.right)  # fmt: skip
    if not layer.is_tall:
        return _Axes(*([n] for n in row))
    tall = (layer.height, layer.kernel_height, layer.stride_height, layer.dilation_height,
            layer.top, layer.bottom)  # fmt: skip
    return _Axes(*([m, n] for m, n in zip(tall, row, strict=True)))


def _over_time(writer: Any, layer: Conv, x: str) -> str:
    weight = layer.weight.reshape(-1, layer.kernel_time, _own(layer))
    y = _product(
        writer, layer, writer.node("Transpose", x, perm=[1, 2, 0]), weight.transpose(0, 2, 1),
        strides=[layer.stride_time], dilations=[layer.dilation_time],
        pads=[layer.before, layer.after],
    )  # fmt: skip
    return _activated(writer, layer, writer.node("Transpose", y, perm=[2, 0, 1]))


def _within(writer: Any, layer: Conv, x: str) -> str:
    axes = _inside(layer)
    rank = len(axes.sizes)
    y = _reshape(writer, x, [-1, *axes.sizes, layer.in_channels])
    y = writer.node("Transpose", y, perm=[0, 1 + rank, *range(1, 1 + rank)])
    y, before, after = _padded(writer, layer, axes, y)
    weight = layer.weight.reshape(-1, *axes.kernel, _own(layer))
    y = _product(
        writer, layer, y, np.moveaxis(weight, -1, 1),
        strides=axes.strides, dilations=axes.dilations, pads=[*before, *after],
    )  # fmt: skip
    y = _activated(writer, layer, writer.node("Transpose", y, perm=[0, *range(2, 2 + rank), 1]))
    return _as_features(writer, layer, x, y)


def _as_features(writer: Any, layer: Layer, x: str, y: str) -> str:
    """y [all, positions, channels] with the axes that x has before its features."""
    features = writer.constant("features", np.array([layer.output_size]))
    lead = writer.node("Shape", x, end=-1)
    return writer.node("Reshape", y, writer.node("Concat", lead, features, axis=0))  # type: ignore[no-any-return]


def _write_pool_within(writer: Any, layer: PoolWithin, x: str) -> str:
    y = _reshape(writer, x, [-1, layer.positions, layer.channels])
    y = writer.node("Transpose", y, perm=[0, 2, 1])
    options = {
        "kernel_shape": [layer.kernel_size], "strides": [layer.stride],
        "pads": [layer.left, layer.right],
    }  # fmt: skip
    if layer.mode == "max":
        y = writer.node("MaxPool", y, **options)
    else:
        counts = int(layer.count_include_pad)
        y = writer.node("AveragePool", y, count_include_pad=counts, **options)
    return _as_features(writer, layer, x, writer.node("Transpose", y, perm=[0, 2, 1]))


def _own(layer: Conv) -> int:
    """Channels that each one of the output is made of."""
    return layer.in_channels // layer.groups


def _padded(writer: Any, layer: Conv, axes: _Axes, x: str) -> tuple[str, list[int], list[int]]:
    """Positions, the last axes, with padding that Conv does not have; and what is left to it."""
    if layer.padding_mode == "zeros" or not any(axes.before + axes.after):
        return x, axes.before, axes.after
    lead, none = [0] * (3 if layer.needs_steps else 2), [0] * len(axes.sizes)
    pads = writer.constant("pads", np.array([*lead, *axes.before, *lead, *axes.after]))
    return writer.node("Pad", x, pads, mode=_PADS[layer.padding_mode]), none, none


def _product(writer: Any, layer: Conv, x: str, weight: NDArray[Any], **options: list[int]) -> str:
    bias = [] if layer.bias is None else [writer.constant("bias", layer.bias)]
    named = {"group": layer.groups, "kernel_shape": list(weight.shape[2:]), **options}
    return writer.node("Conv", x, writer.constant("weight", weight), *bias, **named)  # type: ignore[no-any-return]


def _activated(writer: Any, layer: Conv, y: str) -> str:
    if layer.activation == "identity":
        return y
    axis = {"axis": -1} if "softmax" in layer.activation else {}
    return writer.node(_OPERATORS[layer.activation], y, **axis)  # type: ignore[no-any-return]


def _reshape(writer: Any, x: str, shape: list[int]) -> str:
    return writer.node("Reshape", x, writer.constant("shape", np.array(shape)))  # type: ignore[no-any-return]


def _write_strided(writer: Any, layer: Strided, x: str) -> str:
    """Slice of an axis alone, else Gather."""
    (size, stride), more = (layer.sizes[-1], layer.strides[-1]), layer.sizes[:-1]
    if stride == 0 or any(count > 1 for count in more):
        return writer.node("Gather", x, writer.constant("features", layer.read), axis=-1)  # type: ignore[no-any-return]
    ends = [layer.offset, layer.offset + (size - 1) * stride + 1, -1, stride]
    names = ("first", "end", "axis", "stride")
    given = [writer.constant(n, np.array([end])) for n, end in zip(names, ends, strict=True)]
    return writer.node("Slice", x, *given)  # type: ignore[no-any-return]


def _write_upsample(writer: Any, layer: Upsample, x: str) -> str:
    """Resize of [batch, features, time], or parts as an axis that is put behind that of time."""
    if layer.mode == "nearest":
        y = writer.node("Transpose", x, perm=[1, 2, 0])
        scales = writer.constant("scales", np.array([1, 1, layer.factor], np.float32))
        y = writer.node(
            "Resize", y, "", scales, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        y = writer.node("Transpose", y, perm=[2, 0, 1])
    else:
        y = _reshape(writer, x, [0, 0, layer.factor, -1])
        y = _reshape(writer, writer.node("Transpose", y, perm=[3, 1, 0, 2]), [0, 0, -1])
        y = writer.node("Transpose", y, perm=[2, 1, 0])
    return _steps(writer, y, 0, -layer.cut) if layer.cut else y


def _steps(writer: Any, x: str, first: int, end: int) -> str:
    """Some of the steps."""
    ends = [writer.constant(n, np.array([at])) for n, at in (("first", first), ("end", end))]
    return writer.node("Slice", x, *ends, writer.constant("axis", np.array([0])))  # type: ignore[no-any-return]


def _write_pad(writer: Any, layer: Pad, x: str) -> str:
    """Pad; what goes around, which opsets before 19 have not, is steps of both ends."""
    if layer.mode != "circular":
        pads = writer.constant("pads", np.array([layer.before, 0, 0, layer.after, 0, 0]))
        return writer.node("Pad", x, pads, mode=_PADS[layer.mode])  # type: ignore[no-any-return]
    before = [_steps(writer, x, -layer.before, _LAST)] if layer.before else []
    after = [_steps(writer, x, 0, layer.after)] if layer.after else []
    return writer.node("Concat", *before, x, *after, axis=0)  # type: ignore[no-any-return]


WRITERS: Final[Mapping[type[Layer], Callable[[Any, Any, str], str]]] = MappingProxyType(
    {
        Conv: _write_conv,
        Pad: _write_pad,
        PoolWithin: _write_pool_within,
        Strided: _write_strided,
        Upsample: _write_upsample,
    }
)
