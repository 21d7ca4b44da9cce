"""Keras's convolutions, over the time, over positions inside a step, or over both."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import FormatError, RnnError
from ...spec.layers.conv import Conv
from .config import Layer
from .flow import Flow
from .functions import activated, check_activation
from .store import Array, Part, Store
from .windows import Moves, moves, numbers, windows_of


def convolution(layer: Layer, store: Store, flow: Flow) -> None:
    """Conv1D and Conv2D: kernel [..., in / groups, out]."""
    rank = _RANKS[layer.kind]
    kernel, bias = _arrays(layer, store, ("kernel",), rank, layer.option("filters", int))
    groups = layer.option("groups", int, 1)
    _add(layer, flow, kernel[0], bias, groups, _moves(layer, flow, rank, kernel[0]))
    activated(layer, store, flow)


def depthwise(layer: Layer, store: Store, flow: Flow) -> None:
    """DepthwiseConv1D and DepthwiseConv2D: kernel [..., in, times]."""
    rank = _RANKS[layer.kind]
    kernel, bias = _arrays(layer, store, ("kernel",), rank, None)
    groups, wide = kernel[0].shape[rank], _of_depth(kernel[0])
    _add(layer, flow, wide, bias, groups, _moves(layer, flow, rank, wide))
    activated(layer, store, flow)


def separable(layer: Layer, store: Store, flow: Flow) -> None:
    """SeparableConv1D and SeparableConv2D: a depthwise one, and one of the channels alone."""
    rank = _RANKS[layer.kind]
    names = ("depthwise_kernel", "pointwise_kernel")
    kernel, bias = _arrays(layer, store, names, rank, layer.option("filters", int))
    groups, wide = kernel[0].shape[rank], _of_depth(kernel[0])
    _add(layer, flow, wide, None, groups, _moves(layer, flow, rank, wide))
    flow.pointwise(layer, kernel[1].reshape(kernel[1].shape[-2:]), bias)
    activated(layer, store, flow)


def _arrays(
    layer: Layer, store: Store, names: tuple[str, ...], rank: int, filters: int | None
) -> tuple[list[Array], Array | None]:
    """The kernels and the bias, of shapes that fit each other and the options."""
    check_activation(layer)
    biased = layer.option("use_bias", bool, True)
    (arrays,) = store.arrays(layer, [Part((), (*names, "bias")[: len(names) + biased])])
    kernels, bias = arrays[: len(names)], arrays[-1] if biased else None
    sizes = (tuple(numbers(layer, "kernel_size", rank, None)), (1,) * rank)
    for name, kernel, size in zip(names, kernels, sizes, strict=False):
        if kernel.ndim != rank + 2 or kernel.shape[:rank] != size or not kernel.size:
            raise FormatError(
                f"{layer}: {name}: expected shape ({', '.join(map(str, size))}, in, out), "
                f"got {kernel.shape}"
            )
    out = filters or kernels[0].shape[rank] * kernels[0].shape[rank + 1]
    if filters and kernels[-1].shape[-1] != filters:
        raise FormatError(f"{layer}: filters={filters}, but its kernel is {kernels[-1].shape}")
    if bias is not None and bias.shape != (out,):
        raise FormatError(f"{layer}: bias: expected shape ({out},), got {bias.shape}")
    return kernels, bias


def _of_depth(kernel: Array) -> Array:
    """[..., in, times] as [..., 1, in * times], the channels in groups of one."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def _moves(layer: Layer, flow: Flow, rank: int, kernel: Array) -> Moves:
    flow.put_in_order()
    strides = numbers(layer, "strides", rank, 1)
    dilations = numbers(layer, "dilation_rate", rank, 1)
    return moves(layer, *windows_of(layer, flow, rank, kernel.shape[:rank], strides, dilations))


def _add(
    layer: Layer, flow: Flow, kernel: Array, bias: Array | None, groups: int, over: Moves
) -> None:
    """A Conv of a kernel [..., in / groups, out]."""
    spatial = [own.place for own in (over.time, over.inside) if own is not None]
    rest = [axis for axis in range(kernel.ndim) if axis not in spatial]
    options: dict[str, Any] = {}
    sizes = [1, 1]
    if (own := over.time) is not None:
        if flow.flipped:
            kernel = np.flip(kernel, own.place)
        sides = (own.before, own.after)[:: -1 if flow.flipped else 1]
        sizes[0] = own.size
        options |= {
            "stride_time": own.stride, "dilation_time": own.dilation,
            "before": sides[0], "after": sides[1],
        }  # fmt: skip
    if (own := over.inside) is not None:
        sizes[1] = own.size
        options |= {
            "stride": own.stride, "dilation": own.dilation,
            "left": own.before, "right": own.after,
        }  # fmt: skip
    taps = kernel.transpose(*spatial, *rest).reshape(*sizes, *kernel.shape[-2:])
    try:
        made = Conv(
            np.ascontiguousarray(taps.transpose(3, 0, 1, 2)).reshape(kernel.shape[-1], -1), bias,
            in_channels=kernel.shape[-2] * groups, groups=groups, kernel_time=sizes[0],
            kernel_size=sizes[1], positions=over.positions, **options,
        )  # fmt: skip
    except RnnError as error:
        raise layer.unsupported(str(error)) from error
    flow.layers.append(made)
    flow.shape = over.shape.with_channels(made.out_channels)


_RANKS: Final = MappingProxyType({
    "Conv1D": 1, "DepthwiseConv1D": 1, "SeparableConv1D": 1,
    "Conv2D": 2, "DepthwiseConv2D": 2, "SeparableConv2D": 2,
})  # fmt: skip
CONVOLUTIONS: Final = MappingProxyType({
    **dict.fromkeys(("Conv1D", "Conv2D"), convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), separable),
})  # fmt: skip
