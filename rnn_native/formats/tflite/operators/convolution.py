"""Convolutions and pools over two axes, which are [batch, height, width, channels] here, and in
ONNX [batch, channels, height, width]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from ..schema import Conv2D, DepthwiseConv2D, Pool2D
from ..writer import Writer

_PADDING: Final = ("SAME_UPPER", "VALID")


def _conv(w: Writer) -> None:
    """Weights are [out, height, width, in]; of groups, in is what one group takes."""
    weight = w.sizes(1)
    if len(weight) != 4:
        raise w.malformed(f"weights: expected rank 4, got the shape {weight}")
    channels, per_group = w.sizes(0)[-1] if w.sizes(0) else None, weight[3]
    groups = 1
    if channels and per_group and channels % per_group == 0:
        groups = channels // per_group
    made = _over(w, Conv2D, w.add("Transpose", w.required(1), perm=[0, 3, 1, 2]), groups)
    w.give(w.activated(made, Conv2D.FUSED_ACTIVATION_FUNCTION))


def _depthwise(w: Writer) -> None:
    """Weights are [1, height, width, out], a group each channel."""
    weight, channels = w.sizes(1), w.sizes(0)[-1] if w.sizes(0) else None
    if len(weight) != 4 or not channels:
        raise w.malformed(f"weights: expected rank 4 and known channels, got the shape {weight}")
    made = _over(w, DepthwiseConv2D, w.add("Transpose", w.required(1), perm=[3, 0, 1, 2]), channels)
    w.give(w.activated(made, DepthwiseConv2D.FUSED_ACTIVATION_FUNCTION))


def _over(w: Writer, fields: Any, weight: str, groups: int) -> str:
    bias = [w.input(2)] if w.input(2) else []
    dilations = [
        w.operator.option(field, "int32", 1) for field in (fields.DILATION_H, fields.DILATION_W)
    ]
    made = w.add(
        "Conv", _channels_first(w), weight, *bias,
        group=groups, dilations=dilations, **_window(w, fields),
    )  # fmt: skip
    return _channels_last(w, made)


def _pool(op: str, w: Writer) -> None:
    kernel = [
        w.operator.option(field, "int32") for field in (Pool2D.FILTER_HEIGHT, Pool2D.FILTER_WIDTH)
    ]
    made = w.add(op, _channels_first(w), kernel_shape=kernel, **_window(w, Pool2D))
    w.give(w.activated(_channels_last(w, made), Pool2D.FUSED_ACTIVATION_FUNCTION))


def _window(w: Writer, fields: Any) -> dict[str, Any]:
    padding = w.operator.option(fields.PADDING, "int8")
    strides = [w.operator.option(field, "int32") for field in (fields.STRIDE_H, fields.STRIDE_W)]
    if not 0 <= padding < len(_PADDING):
        raise w.malformed(f"padding {padding}: expected 0 or 1")
    return {"auto_pad": _PADDING[padding], "strides": strides}


def _channels_first(w: Writer) -> str:
    return w.add("Transpose", w.required(0), perm=[0, 3, 1, 2])


def _channels_last(w: Writer, name: str) -> str:
    return w.add("Transpose", name, perm=[0, 2, 3, 1])


OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": partial(_pool, "AveragePool"),
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "MAX_POOL_2D": partial(_pool, "MaxPool"),
    }
)
