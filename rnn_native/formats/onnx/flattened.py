"""A product with all steps of a row at once, whose number the file fixes: Flatten, then Dense."""

from __future__ import annotations

import numpy as np

from ...spec.layers.conv import Conv
from .graph import Anything, Node
from .last import one_step
from .layout import arranged
from .roles import Roles
from .values import Data, live, size_of


def of_all_steps(
    node: Node, data: Data, weight: Anything, bias: Anything | None, roles: Roles
) -> Data | None:
    """A weight [out, steps * features], or with these the other way round, as a window over as many
    steps, of which the last one counts; None where that is not what the last dimension is."""
    dims = data.dims
    axes = live(dims[-1]) if dims else ()
    times = [axis for axis in axes if axis not in data.features]
    inside = tuple(axis for axis in axes if axis in data.features)
    if len(times) != 1 or times[0].role != "time" or len(inside) != len(live(data.features)):
        return None
    (time,) = times
    channels = size_of(inside)
    if time.size is None or channels is None or time.size * channels != weight.shape[1]:
        return None
    place = axes.index(time)
    if place not in (0, len(axes) - 1):
        return None
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    roles.check_streamed(node)
    data.check_floats(node)
    if place:
        weight = weight.reshape(-1, channels, time.size).swapaxes(1, 2)
    data = arranged(node, data, inside)
    window = Conv(
        np.ascontiguousarray(weight).reshape(len(weight), -1), bias,
        in_channels=channels, kernel_time=time.size,
    )  # fmt: skip
    features = data.fresh(len(weight))
    steps = roles.windowed(time, window.window)
    made = data.shaped((*dims[:-1], (steps,), inside))
    made = made.then(window, (*dims[:-1], (steps,), features), features)
    return one_step(node, made, -1, len(dims) - 1)
