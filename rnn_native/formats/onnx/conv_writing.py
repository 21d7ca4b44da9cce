"""The writers of convolutions and views: Conv, with Transpose and Reshape around it, and Gather.

A step's features are [positions, channels], and Conv takes [batch, channels, time, positions]:

    x [time, batch, positions * channels]
    Reshape    [time, batch, positions, channels]     0 keeps time and batch
    Transpose  [batch, channels, time, positions]
    Pad        reflect or edge, over positions         padding_mode
    Conv       [batch, out, steps, positions made]
    Transpose  [steps, batch, positions made, out]
    the activation, over the channels
    Reshape    [steps, batch, positions made * out]

Of a single position Conv takes [batch, channels, time], and there is no Reshape. Behind a last state
alone there is no axis of time, and the batch stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from ...spec import Layer
from ...spec.layers.conv import Conv
from ...spec.layers.strided import Strided

PAD_MODES: Final = {"reflect": "reflect", "replicate": "edge"}


def conv(writer: Any, layer: Conv, x: str, has_time: bool) -> str:
    if layer.positions == layer.positions_made == layer.kernel_size == 1 and has_time:
        y = writer.node("Transpose", x, perm=[1, 2, 0])
        weight = layer.weight.reshape(layer.out_channels, layer.kernel_time, -1)
        options = {
            "strides": [layer.stride_time], "dilations": [layer.dilation_time],
            "pads": [layer.before, layer.after],
        }  # fmt: skip
        y = _product(writer, layer, y, weight.transpose(0, 2, 1), options)
        return writer.activated(writer.node("Transpose", y, perm=[2, 0, 1]), layer.activation)
    lead = [0, 0] if has_time else [1, 0]
    y = _reshape(writer, x, [*lead, layer.positions, layer.in_channels])
    y = writer.node("Transpose", y, perm=[1, 3, 0, 2])
    left, right = layer.left, layer.right
    if layer.padding_mode != "zeros" and (left or right):
        pads = writer.constant("pads", np.array([0, 0, 0, left, 0, 0, 0, right]))
        y = writer.node("Pad", y, pads, mode=PAD_MODES[layer.padding_mode])
        left = right = 0
    shape = (layer.out_channels, layer.kernel_time, layer.kernel_size, -1)
    options = {
        "strides": [layer.stride_time, layer.stride],
        "dilations": [layer.dilation_time, layer.dilation],
        "pads": [layer.before, left, layer.after, right],
    }
    y = _product(writer, layer, y, layer.weight.reshape(shape).transpose(0, 3, 1, 2), options)
    y = writer.activated(writer.node("Transpose", y, perm=[2, 0, 3, 1]), layer.activation)
    return _reshape(writer, y, [0, 0, layer.output_size], squeezed=not has_time)
