"""Resize and Upsample to the nearest number: each step, or each place of an axis of the features,
several times."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...spec.keys import MAX_SIZE
from ...spec.layers.strided import Strided
from ...spec.layers.upsample import Upsample
from .constants import axis_of
from .convolution import Values
from .features import of_features
from .graph import Node
from .layout import sizes_of
from .placing import with_channels_second
from .roles import Roles
from .timing import timed
from .values import Constant, Data, Extent, Shape, Value, live, show, size_of

_EXACT: Final = (
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("half_pixel_symmetric", "round_prefer_floor"),
    ("half_pixel_symmetric", "round_prefer_ceil"),
)
"""Ways to find the nearest number that repeat each one where there are a whole number of times as
many, however many there are."""


def resize(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """A whole number of times as many steps or positions."""
    data = inputs[0]
    if not isinstance(data, Data) or len(data.dims) < 3:
        raise node.unsupported("expected the data, [batch, channels, ...]")
    data.check_floats(node)
    axes, times = _times(node, inputs, data)
    if all(n == 1 for n in times):
        return [data]
    data = with_channels_second(node, data, roles)
    for at, n in zip(axes, times, strict=True):
        if n == 1:
            continue
        data = _repeated(node, data, at, n, roles)
    return [data]


def _repeated(node: Node, data: Data, at: int, times: int, roles: Roles) -> Data:
    if of_features(data, at) or not live(data.dims[at]):
        return _inside(node, data, at, times)
    layer = Upsample(times)
    dims = timed(node, data, at, layer.window, roles)
    return data.then(layer, dims, data.features)


def _inside(node: Node, data: Data, at: int, times: int) -> Data:
    """Along an axis of the features."""
    sizes, dim = sizes_of(node, data), live(data.dims[at])
    if len(dim) != 1:
        raise node.unsupported(f"axis {at} of {show(data.dims)}: expected one axis of features")
    own = data.features.index(dim[0])
    before, count, behind = prod(sizes[:own]), sizes[own], prod(sizes[own + 1 :])
    if before * count * times * behind > MAX_SIZE:
        raise node.unsupported(f"makes more than {MAX_SIZE} features")
    layer = Strided(
        before * count * behind, (before, count, times, behind), (count * behind, behind, 0, 1)
    )
    wide = data.fresh(count * times)
    dims = (*data.dims[:at], wide, *data.dims[at + 1 :])
    return data.then(layer, dims, (*data.features[:own], *wide, *data.features[own + 1 :]))


def _times(node: Node, inputs: Values, data: Data) -> tuple[list[int], list[int]]:
    """Axes, and how many times as many places of each there are; refuses what is no such thing."""
    rank = len(data.dims)
    if node.op == "Upsample" and node.opset < 9:
        options = node.options(mode=("string", "nearest"), scales=("floats", None))
        return [*range(rank)], _whole(node, rank, options["scales"] or [])
    options = _options(node)
    if options["mode"] != "nearest":
        raise node.unsupported(f"attribute mode={options['mode']}: only nearest is supported")
    way = (options["coordinate_transformation_mode"], options["nearest_mode"])
    if way not in _EXACT:
        raise node.unsupported(
            f"attributes coordinate_transformation_mode={way[0]}, nearest_mode={way[1]}"
        )
    axes = [axis_of(node, axis, rank) for axis in options["axes"] or range(rank)]
    scales, sizes = (inputs[1], None) if node.opset < 11 else [*inputs, None, None, None][2:4]
    if isinstance(sizes, (Constant, Shape)) and not (
        isinstance(sizes, Constant) and sizes.array.size == 0
    ):
        return axes, _of_sizes(node, data, axes, sizes)
    if not isinstance(scales, Constant):
        raise node.unsupported("expected constant scales, or sizes")
    return axes, _whole(node, len(axes), scales.array.reshape(-1).tolist())


def _options(node: Node) -> dict[str, Any]:
    if node.opset < 11:
        options = node.options(mode=("string", "nearest"))
        return {**options, "axes": None, "coordinate_transformation_mode": "asymmetric",
                "nearest_mode": "floor"}  # fmt: skip
    options = node.options(
        mode=("string", "nearest"), nearest_mode=("string", "round_prefer_floor"),
        coordinate_transformation_mode=("string", "half_pixel"), axes=("ints", None),
        cubic_coeff_a=("float", -0.75), exclude_outside=("int", 0), antialias=("int", 0),
        extrapolation_value=("float", 0.0), keep_aspect_ratio_policy=("string", "stretch"),
    )  # fmt: skip
    if options["antialias"] or options["keep_aspect_ratio_policy"] != "stretch":
        raise node.unsupported("antialias, or a policy of the aspect ratio")
    return options


def _whole(node: Node, count: int, scales: Sequence[float]) -> list[int]:
    if len(scales) != count:
        raise node.malformed(f"scales {list(scales)}: expected {count} numbers")
    if any(not 1 <= scale <= 2**20 or scale != int(scale) for scale in scales):
        raise node.unsupported(f"scales {list(scales)}: only whole numbers from 1 on are supported")
    return [int(scale) for scale in scales]


def _of_sizes(node: Node, data: Data, axes: Sequence[int], sizes: Constant | Shape) -> list[int]:
    """Of the sizes that the result has."""
    if isinstance(sizes, Shape):
        wanted: Sequence[Extent] = sizes.extents
    else:
        wanted = [Extent(int(size)) for size in np.asarray(sizes.array).reshape(-1)]
    if len(wanted) != len(axes):
        raise node.malformed(f"sizes: expected {len(axes)} numbers, got {len(wanted)}")
    times = []
    for at, extent in zip(axes, wanted, strict=True):
        dim = data.dims[at]
        count = size_of(dim)
        if extent.known is not None and count is not None:
            n, rest = divmod(extent.known, count) if count else (0, 1)
        else:
            n, rest = extent.factor, int(live(extent.axes) != live(dim))
        if rest or n < 1:
            raise node.unsupported(
                f"sizes of axis {at} of {show(data.dims)}: only a whole number of times as many"
            )
        times.append(n)
    return times


OPERATORS: Final = MappingProxyType({"Resize": (resize, 1, 4), "Upsample": (resize, 1, 2)})
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
