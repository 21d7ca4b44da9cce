"""Padding that no convolution reads is a layer of its own; inside a step a convolution of ones."""

from __future__ import annotations

from math import prod

import numpy as np

from ...errors import RnnError
from ...spec import MAX_SIZE, Pad
from ...spec.layers.conv import Conv
from .config import Layer
from .flow import Flow
from .layouts import along


def settle(layer: Layer, flow: Flow) -> None:
    """Adds the padding that is still to be made, of what ``layer`` reads or gives."""
    padding, flow.padding = flow.padding, {}
    for axis, sides in padding.items():
        shape = flow.shape
        assert shape is not None
        sizes = [n for n in shape.inside if n is not None]
        if len(sizes) < len(shape.inside):
            raise layer.unsupported(f"the file does not say how large its input {shape} is")
        over_time = axis == shape.time
        first, last = sides[::-1] if over_time and flow.flipped else sides
        if prod(sizes) * (first + last + 1) > MAX_SIZE:
            raise layer.unsupported(f"padding {first} and {last} of {shape}: too large")
        flow.put_in_order()
        try:
            if over_time:
                flow.layers.append(Pad(prod(sizes), first, last))
            else:
                flow.layers += along(
                    sizes,
                    shape.features.index(axis),
                    lambda count, channels: Conv(
                        np.ones((channels, 1), flow.dtype), in_channels=channels, groups=channels,
                        positions=count, left=first, right=last,  # noqa: B023
                    ),
                )  # fmt: skip
        except RnnError as error:
            raise layer.unsupported(str(error)) from error
        size = shape.sizes[axis]
        flow.shape = shape.with_size(axis, None if size is None else size + first + last)
