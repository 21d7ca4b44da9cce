"""Layers that become one with the layer before."""

from __future__ import annotations

from dataclasses import replace

from ..spec import Scale
from ..spec.layer import float64
from ..spec.layers.conv import Conv


def normalized(conv: Conv, by: Scale) -> Conv:
    """A convolution and a Scale of its channels as one, in float64 and rounded once."""
    dtype = conv.weight.dtype
    weight = conv.weight * float64(by.scale)[:, None]
    bias = by.shift if conv.bias is None else conv.bias * float64(by.scale) + by.shift
    return replace(conv, weight=weight.astype(dtype), bias=bias.astype(dtype))
