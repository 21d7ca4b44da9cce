"""Pad, and Resize by the nearest number or between two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axis_of, integers
from ..graph import Anything, Node
from ..values import Constant
from .common import Arrays, Entry, limit, padded, scalar


def _pad(node: Node, arrays: Arrays) -> Any:
    """Numbers before and after each axis; negative ones are taken away."""
    x, pads, fill, axes = padded(arrays, 4)
    if node.opset < 11:
        options = node.options(mode=("string", "constant"), pads=("ints", None), value=("float", 0))
        pads, fill = options["pads"], options["value"]
    else:
        options = node.options(mode=("string", "constant"))
        pads = None if pads is None else integers(node, Constant(pads), "pads")
        fill = 0 if fill is None else scalar(node, fill, "constant_value")
    named = range(x.ndim) if axes is None else integers(node, Constant(axes), "axes")
    places = [axis_of(node, axis, x.ndim) for axis in named]
    if pads is None or len(pads) != 2 * len(places) or len(set(places)) != len(places):
        raise node.malformed(f"pads={pads} of axes {places}")
    before, after = [0] * x.ndim, [0] * x.ndim
    for axis, first, last in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        before[axis], after[axis] = first, last
    cut = tuple(
        slice(max(0, -b), max(0, size - max(0, -a)))
        for size, b, a in zip(x.shape, before, after, strict=True)
    )
    x = x[cut]
    around = [(max(0, b), max(0, a)) for b, a in zip(before, after, strict=True)]
    limit(node, prod(size + b + a for size, (b, a) in zip(x.shape, around, strict=True)), x)
    mode = options["mode"]
    if mode == "constant":
        return np.pad(x, around, constant_values=np.asarray(fill).astype(x.dtype))
    if mode not in ("reflect", "edge", "wrap"):
        raise node.malformed(f"attribute mode={mode!r}")
    most = [size - (mode == "reflect") for size in x.shape]
    if mode != "edge" and any(max(pair) > size for pair, size in zip(around, most, strict=True)):
        raise node.malformed(f"mode={mode}: pads={pads} of a tensor of shape {x.shape}")
    return np.pad(x, around, mode)


def _resize(node: Node, arrays: Arrays) -> Any:
    """The number at each place of the result, which is a place between numbers of X."""
    known = {
        "mode": ("string", "nearest"), "nearest_mode": ("string", "round_prefer_floor"),
        "coordinate_transformation_mode": ("string", "half_pixel"),
        "cubic_coeff_a": ("float", -0.75), "exclude_outside": ("int", 0),
        "extrapolation_value": ("float", 0.0), "antialias": ("int", 0), "axes": ("ints", None),
        "keep_aspect_ratio_policy": ("string", "stretch"),
    }  # fmt: skip
    options = node.options(**known) if node.opset >= 11 else {
        **{name: default for name, (_, default) in known.items()},
        **node.options(mode=("string", "nearest")),
        "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor",
    }  # fmt: skip
    x = arrays[0]
    _, _, scales, sizes = padded(arrays, 4)
    if node.opset < 11:
        scales = arrays[1]
    axes = [axis_of(node, a, x.ndim) for a in options["axes"] or range(x.ndim)]
    plain = options["keep_aspect_ratio_policy"] == "stretch" and not options["antialias"]
    if not plain or options["mode"] not in ("nearest", "linear"):
        raise node.unsupported("only nearest and linear, without antialias, of stretched axes")
    given = sizes if sizes is not None and sizes.size else scales
    if given is None or given.size != len(axes):
        raise node.malformed("expected sizes or scales of its axes")
    for axis, number in zip(axes, given.tolist(), strict=True):
        size = x.shape[axis]
        made = int(number) if given is sizes else int(np.floor(size * number))
        limit(node, x.size // max(1, size) * made, x)
        scale = made / size if given is sizes else number
        corners = options["coordinate_transformation_mode"] == "align_corners"
        if corners and made != size * scale:  # ONNX and its runtimes differ
            raise node.unsupported(f"align_corners of {size} numbers by a scale of {scale}")
        if made != size or scale != 1:
            x = _resized(node, x, axis, made, scale, options)
    return x


_NEAREST: Final[Mapping[str, Callable[[Anything], Anything]]] = MappingProxyType(
    {
        "floor": lambda at: np.floor(at),
        "ceil": lambda at: np.ceil(at),
        "round_prefer_floor": lambda at: np.ceil(at - 0.5),
        "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    }
)


def _resized(
    node: Node, x: Anything, axis: int, made: int, scale: float, options: dict[str, Any]
) -> Anything:
    places = _places(node, options, x.shape[axis], made, scale)
    last = x.shape[axis] - 1
    if options["mode"] == "nearest":
        nearest = _NEAREST.get(options["nearest_mode"])
        if nearest is None:
            raise node.malformed(f"attribute nearest_mode={options['nearest_mode']!r}")
        return np.asarray(np.take(x, np.clip(nearest(places), 0, last).astype(np.int64), axis))
    places = np.clip(places, 0, last)
    low = np.floor(places).astype(np.int64)
    share = (places - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    one, two = np.take(x, low, axis), np.take(x, np.minimum(low + 1, last), axis)
    return np.asarray(one * (1 - share) + two * share, x.dtype)


def _places(node: Node, options: dict[str, Any], size: int, made: int, scale: float) -> Anything:
    """Where in X each number of the result lies."""
    at = np.arange(made, dtype=np.float64)
    mode = options["coordinate_transformation_mode"]
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and made > 1):
        return (at + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return np.zeros(made)
    if mode == "half_pixel_symmetric":
        shift = size / 2 * (1 - made / (scale * size))
        return shift + (at + 0.5) / scale - 0.5
    if mode == "asymmetric":
        return at / scale
    if mode == "align_corners":
        return at * (size - 1) / (made - 1) if made > 1 else np.zeros(made)
    raise node.unsupported(f"attribute coordinate_transformation_mode={mode} is not supported")


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {"Pad": (_pad, 1, 4), "Resize": (_resize, 1, 4)}
)
