"""Convolutions of PyTorch's as ``chain=`` has them: over time, positions, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from ...activations import finite
from ...errors import OptionError, ShapeError, UnsupportedError
from ...spec import (
    Array,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Layer,
)
from ...spec.keys import one_of
from ...spec.layers.convolutions import ends
from ...spec.layers.pad import PAD_MODES
from .kinds import Here, Kind, Made, parameters
from .layout import Layout
from .paddings import over_time


def each(here: Here, name: str, count: int, least: int = 0) -> list[int]:
    """An argument of one number, or of one for each axis."""
    value = here.said[name]
    numbers = value if isinstance(value, tuple) else (value,) * count
    if len(numbers) != count or any(type(n) is not int or n < least for n in numbers):
        raise OptionError(
            f"{here.where}: {name}: expected a number from {least}, or {count} of them; "
            f"got {value!r}"
        )
    return list(numbers)


def _conv(here: Here, count: int) -> Made:
    weight, bias = here.arrays["weight"], here.arrays.get("bias")
    if weight.ndim != count + 2:
        raise ShapeError(
            f"{here.where}: expected a weight of {count + 2} axes, (out, in / groups, "
            f"{'kernel' if count == 1 else 'kernel rows, kernel columns'}), got {weight.shape}"
        )
    here.check_arrays(bias=bias is not None)
    groups = here.says("groups")
    here.check(in_channels=weight.shape[1] * groups, out_channels=len(weight))
    _check_kernel(here, weight, count)
    return _convolve(here, weight, bias, count)


def _check_kernel(here: Here, weight: Array, count: int) -> None:
    if here.said["kernel_size"] is not None:
        here.said["kernel_size"] = tuple(each(here, "kernel_size", count, 1))
        here.check(kernel_size=weight.shape[2:])


def _convolve(here: Here, weight: Array, bias: Array | None, count: int) -> Made:
    """Over so many axes, one of which may be the time."""
    layout, groups = here.layout.of_axes(here.where, count), here.says("groups")
    if here.features is not None:
        come = layout.channels(here.where, here.features)
        if come != weight.shape[1] * groups:
            more = (
                f"; groups={come // weight.shape[1]} would" if come % weight.shape[1] == 0 else ""
            )
            raise ShapeError(
                f"{here.where}: its weight {weight.shape} with groups={groups} takes "
                f"{weight.shape[1] * groups} channels, and {come} come{more}"
            )
    strides, dilations = each(here, "stride", count, 1), each(here, "dilation", count, 1)
    padding: list[Any] = [here.said["padding"]] * count
    if padding[0] == "valid":
        padding = [0] * count
    elif padding[0] != "same":
        padding = list(each(here, "padding", count))
    mode, time = here.said["padding_mode"], layout.time
    one_of(f"{here.where}: padding_mode", mode, PAD_MODES)
    before: list[Layer] = []
    if time is not None:
        reach = (weight.shape[2 + time] - 1) * dilations[time]
        sides = ends(here.where, padding[time], reach)
        if mode != "zeros" or max(sides) > reach:
            features = weight.shape[1] * groups * layout.positions
            before, padding[time] = over_time(features, sides, mode), 0
    if count == 1:
        layer = Conv1d(
            weight, bias, stride=strides[0], padding=padding[0], dilation=dilations[0],
            groups=groups, padding_mode=mode, positions=layout.axes[0],
        )  # fmt: skip
        return [*before, layer], Layout((None if time == 0 else layer.positions_made,))
    if time is None:
        return _picture(here, weight, bias, layout, (strides, padding, dilations))
    if time == 1:
        weight = np.swapaxes(weight, 2, 3)
        strides, dilations, padding = strides[::-1], dilations[::-1], padding[::-1]
    (positions,) = layout.inside
    layer = Conv2d(
        weight, bias, positions=positions, stride=(strides[0], strides[1]),
        padding=(padding[0], padding[1]), dilation=(dilations[0], dilations[1]), groups=groups,
        padding_mode=mode if padding[1] else "zeros",
    )  # fmt: skip
    made = layer.positions_made
    return [*before, layer], Layout((None, made) if time == 0 else (made, None))


def _picture(
    here: Here, weight: Array, bias: Array | None, layout: Layout, options: tuple[list[Any], ...]
) -> Made:
    """Over both axes of a picture inside each step."""
    strides, padding, dilations = options
    height, width = layout.inside
    layer = Conv2d(
        weight, bias, positions=(height, width), stride=(strides[0], strides[1]),
        padding=(padding[0], padding[1]), dilation=(dilations[0], dilations[1]),
        groups=here.says("groups"), padding_mode=here.said["padding_mode"],
    )  # fmt: skip
    return [layer], Layout((layer.height_made, layer.positions_made))


def _transposed(here: Here, count: int) -> Made:
    """Of a weight [in, out / groups, kernel ...]."""
    weight, bias = here.arrays["weight"], here.arrays.get("bias")
    layout, groups = here.layout.of_axes(here.where, count), here.says("groups")
    if weight.ndim != count + 2:
        raise ShapeError(
            f"{here.where}: expected a weight of {count + 2} axes, (in, out / groups, kernel ...), "
            f"got {weight.shape}"
        )
    out = weight.shape[1] * groups
    here.check_arrays(bias=bias is not None)
    here.check(in_channels=len(weight), out_channels=out)
    _check_kernel(here, weight, count)
    here.check_channels(len(weight))
    names = ("stride", "padding", "output_padding", "dilation")
    options = {name: tuple(each(here, name, count)) for name in names}
    if here.said["padding_mode"] != "zeros":
        raise UnsupportedError(f"{here.where}: expected padding_mode=zeros")
    if count == 1:
        one: dict[str, Any] = {name: value[0] for name, value in options.items()}
        layers = ConvTranspose1d(weight, bias, groups=groups, positions=layout.axes[0], **one)
    elif layout.time is None:
        raise UnsupportedError(
            f"{here.where}: two axes inside a step, {layout.inside}; one of both has to be the time"
        )
    else:
        turned = -1 if layout.time == 1 else 1
        both: dict[str, Any] = {name: value[::turned] for name, value in options.items()}
        both["padding"] = tuple((n, n) for n in both["padding"])
        over = np.swapaxes(weight, 2, 3) if layout.time == 1 else weight
        (positions,) = layout.inside
        layers = ConvTranspose2d(over, bias, groups=groups, positions=positions, **both)
    axes = list(layout.axes)
    for axis, size in enumerate(axes):
        if size is not None:
            stride, pad, more, dilation = (options[name][axis] for name in names)
            reach = (weight.shape[2 + axis] - 1) * dilation
            axes[axis] = (size - 1) * stride - 2 * pad + reach + more + 1
    return list(layers), Layout(tuple(axes))


def _sinc(here: Here) -> Made:
    """asteroid-filterbanks' ParamSincFB, whose filters are band passes of two frequencies each.

    Its arrays are the halves of a window and of a time axis, and what the frequencies are made of;
    it is the convolution of the filters, of cosines first and of sines then. All is calculated in
    the type of the arrays, as the package does: the argument of a sine is large, and its rounding
    is part of what was trained.
    """
    low_hz, band_hz, window, n = (here.arrays[name] for name in _SINC_ARRAYS)
    least, width, rate = (
        _real(here, name) for name in ("min_low_hz", "min_band_hz", "sample_rate")
    )
    filters, half = len(low_hz), n.shape[-1]
    if low_hz.shape != (filters, 1) or band_hz.shape != low_hz.shape:
        raise ShapeError(
            f"{here.where}: expected low_hz_ and band_hz_ of shape (filters, 1), got "
            f"{low_hz.shape} and {band_hz.shape}"
        )
    if n.shape != (1, half) or window.shape != (half,):
        raise ShapeError(
            f"{here.where}: expected n_ of shape (1, half) and window_ (half,), got {n.shape} and "
            f"{window.shape}"
        )
    here.check(n_filters=2 * filters, kernel_size=2 * half + 1)
    low = least + np.abs(low_hz)
    high = np.clip(low + width + np.abs(band_hz), least, rate / 2)
    band = high - low
    even = (_rounded(np.sin, high * n) - _rounded(np.sin, low * n)) / (n / 2) * window
    odd = (_rounded(np.cos, low * n) - _rounded(np.cos, high * n)) / (n / 2) * window
    cosines = np.concatenate([even, 2 * band, even[:, ::-1]], axis=1)
    sines = np.concatenate([odd, 0 * band, -odd[:, ::-1]], axis=1)
    weight = np.concatenate([cosines / (2 * band), sines / (2 * band)])
    here.said |= {"dilation": 1, "groups": 1, "padding": 0, "padding_mode": "zeros"}
    if here.said["stride"] is None:
        here.said["stride"] = half
    return _convolve(here, weight[:, None], None, 1)


def _rounded(function: Callable[[Any], Any], x: Array) -> Array:
    """In the type of x, and rounded once."""
    made: Array = function(x.astype(np.float64)).astype(x.dtype)
    return made


def _real(here: Here, name: str) -> float:
    return finite(f"{here.where}: {name}", here.said[name])


_SINC_ARRAYS: Final = ("low_hz_", "band_hz_", "window_", "n_")
_CONV: Final = parameters(
    "in_channels out_channels kernel_size", stride=1, padding=0, dilation=1, groups=1, bias=None,
    padding_mode="zeros",
)  # fmt: skip
_TRANSPOSED: Final = parameters(
    "in_channels out_channels kernel_size", stride=1, padding=0, output_padding=0, groups=1,
    bias=None, dilation=1, padding_mode="zeros",
)  # fmt: skip
CLASSES: Final[Mapping[str, Kind]] = {
    "ParamSincFB": Kind(
        _sinc,
        parameters(
            "n_filters kernel_size stride", sample_rate=16000.0, min_low_hz=50, min_band_hz=50
        ),
        _SINC_ARRAYS,
    ),
    **{
        f"{name}{n}d": Kind(partial(make, count=n), own, ("weight",), ("bias",))
        for n in (1, 2)
        for name, make, own in (
            ("Conv", _conv, _CONV),
            ("ConvTranspose", _transposed, _TRANSPOSED),
        )
    },
}
