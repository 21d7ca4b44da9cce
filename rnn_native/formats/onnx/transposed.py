"""ConvTranspose: over time, over positions inside a step, or over both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import RnnError
from ...spec.layer import Layer
from ...spec.layers.conv import Conv
from ...spec.layers.transposed import Phases, transposed
from ...spec.windowed import Windowed
from .constants import bias_of
from .convolution import Place, Values, Windows, operands, windows
from .graph import Anything, Node
from .layout import arranged
from .operators.windows import PLACES, at_ends, windows_of
from .padding import over_time
from .placing import with_channels_second
from .roles import Roles
from .timing import timed
from .unfold import fused
from .values import Data, Dim, Value, live, show, size_of


def conv_transpose(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Each number of X [batch, channels, ...] adds W [in, out / group, ...], times it, to Y."""
    options = node.options(
        **PLACES, group=("int", 1), output_padding=("ints", None), output_shape=("ints", None)
    )
    data, weight, bias = operands(node, inputs)
    kernel = list(weight.shape[2:])
    data = over_time(node, with_channels_second(node, data, roles), roles)
    if any(not padding.past for _, padding in data.padding):
        raise node.unsupported("features that are padded, which only a convolution reads")
    along = _phases(node, data, options, kernel)

    sizes = [size_of(dim) for dim in data.dims]

    def makes_one(place: Place) -> bool:
        size = sizes[place.position]
        return size is not None and along[place.position - 2].made(size) == 1

    over = windows(node, data, {**options, "auto_pad": "NOTSET", "pads": None}, kernel, makes_one)
    if over.tall is not None:
        raise node.unsupported(f"over two axes of the features {show(data.dims)}")
    if data.padding and over.time is not None:
        along[over.time.position - 2] = _with_past(node, along[over.time.position - 2])
    array = weight[:, :, :, None] if len(kernel) == 1 else weight
    if over.folded is not None:
        array = _folded(array, data, over.folded, along[over.folded.position - 2])
    elif over.inside is not None and over.inside.position == 2:
        array = np.swapaxes(array, 2, 3)
    order = (*over.axes(data, over.inside), *live(data.dims[1]), *over.axes(data, over.folded))
    data = arranged(node, data, order)
    time, within = (
        along[place.position - 2] if place else Phases() for place in (over.time, over.inside)
    )
    positions = size_of(over.axes(data, over.inside))
    channels, out, groups = len(array), array.shape[1] * options["group"], options["group"]
    if positions is None or size_of(data.features) != positions * channels:
        raise node.malformed(
            f"its weights take {channels} channels, {size_of(data.features)} features of "
            f"{positions} positions come"
        )
    width = time.extent * within.extent * time.stride * within.stride
    node.contents.budget.take(str(node), array.size * width * max(4, array.itemsize))
    try:
        layers = transposed(
            array, None if bias is None else bias_of(node, bias, out),
            groups=groups, time=time, within=within, positions=positions,
        )  # fmt: skip
    except RnnError as error:
        raise node.unsupported(str(error)) from error
    return [_made(node, data, layers, over, roles, within.made(positions), out)]


def _with_past(node: Node, along: Phases) -> Phases:
    """Over new frames and those of before: each new frame adds to itself and those behind it. In a
    call all others are cut off."""
    reach = (along.kernel - 1) * along.dilation
    if along != Phases(along.kernel, 1, along.dilation, reach, reach):
        raise node.unsupported(
            f"over a cache of past frames: expected stride 1 and pads of {reach} frames, which "
            "leave one for each new one"
        )
    return replace(along, before=0)


def _made(
    node: Node,
    data: Data,
    layers: Sequence[Layer],
    over: Windows,
    roles: Roles,
    positions: int,
    out: int,
) -> Data:
    """What the layers make, in the places where the operator has it."""
    if isinstance(layers[0], Conv):
        first, read = fused(layers[0], data)
        layers, data = (first, *layers[1:]), replace(read, dims=data.dims)
    for layer in layers[:-1]:
        data = _through(node, data, layer, over, roles, data.fresh(layer.output_size))
    own: Dim = data.fresh(positions) if over.inside is not None else ()
    channels = data.fresh(out)
    data = _through(node, data, layers[-1], over, roles, (*own, *channels))
    dims = list(data.dims)
    dims[1] = channels
    if over.inside is not None:
        dims[over.inside.position] = own
    if over.folded is not None:
        dims[over.folded.position] = ()
    return data.shaped(tuple(dims))


def _through(
    node: Node, data: Data, layer: Layer, over: Windows, roles: Roles, features: Dim
) -> Data:
    """One more layer, and the steps that it makes."""
    dims = data.dims
    if over.time is not None and isinstance(layer, Windowed):
        dims = timed(node, data, over.time.position, layer.window, roles)
    return data.then(layer, dims, features)


def _phases(node: Node, data: Data, options: dict[str, Any], kernel: Sequence[int]) -> list[Phases]:
    """What is done along each axis behind the channels."""
    rank = len(kernel)
    found = windows_of(node, options, [1] * rank, kernel)
    more = options["output_padding"] or [0] * rank
    shape = options["output_shape"]
    if shape and len(shape) != rank:
        raise node.malformed(f"attribute output_shape={shape}")
    made = [
        Phases(*one)
        for one in zip(found.kernel, found.strides, found.dilations, found.before, found.after,
                       more, strict=True)
    ]  # fmt: skip
    if not shape:
        return made
    sizes = [size_of(dim) for dim in data.dims[2:]]
    if None in sizes:
        raise node.unsupported(
            f"attribute output_shape={shape} of {show(data.dims)}, of which the file does not say "
            "how large it is"
        )
    whole = [
        replace(one, before=0, after=0).made(size or 0)
        for one, size in zip(made, sizes, strict=True)
    ]
    total = [max(0, w - n) for w, n in zip(whole, shape, strict=True)]
    ends = at_ends(found, total, options["auto_pad"] != "SAME_UPPER")
    return [
        replace(one, before=b, after=a, output_padding=one.output_padding + n - w + b + a)
        for one, n, w, b, a in zip(made, shape, whole, ends.before, ends.after, strict=True)
    ]


def _folded(array: Anything, data: Data, place: Place, along: Phases) -> Anything:
    """A weight over two axes of which one makes a single position: it is read as channels."""
    size = size_of(data.dims[place.position]) or 1
    array = np.moveaxis(array, place.position, 2)  # [in, out, the folded one, the other one]
    used = np.zeros((len(array), size, *array.shape[1:2], array.shape[3]), array.dtype)
    for position in range(size):
        k, rest = divmod(along.before - position * along.stride, along.dilation)
        if rest == 0 and 0 <= k < along.kernel:
            used[:, position] = array[:, :, k]
    return used.reshape(-1, array.shape[1], 1, array.shape[3])


OPERATORS: Final = MappingProxyType({"ConvTranspose": (conv_transpose, 2, 3)})
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
