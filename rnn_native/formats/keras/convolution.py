"""Keras's convolutions, over the time, over positions inside a step, or over both."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import FormatError, RnnError
from ...spec.layers.conv import Conv
from ...spec.layers.transposed import Phases, transposed
from .config import Layer
from .flow import Flow
from .functions import activated, check_activation
from .shape import total
from .store import Array, Part, Store
from .windows import Moves, moves, numbers, phases_of, windows_of


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


def transposed_convolution(layer: Layer, store: Store, flow: Flow) -> None:
    """Conv1DTranspose and Conv2DTranspose: kernel [..., out, in]. Of padding="same" more is cut off
    at the end, as TensorFlow and JAX have it."""
    rank = _RANKS[layer.kind]
    filters = layer.option("filters", int)
    check_activation(layer)
    biased = layer.option("use_bias", bool, True)
    (arrays,) = store.arrays(layer, [Part((), ("kernel", "bias")[: 1 + biased])])
    kernel, bias = arrays[0], arrays[1] if biased else None
    sizes = tuple(numbers(layer, "kernel_size", rank, None))
    if kernel.shape[:-1] != (*sizes, filters) or not kernel.size:
        raise FormatError(
            f"{layer}: kernel: expected shape ({', '.join(map(str, (*sizes, filters)))}, in), got "
            f"{kernel.shape}"
        )
    if bias is not None and bias.shape != (filters,):
        raise FormatError(f"{layer}: bias: expected shape ({filters},), got {bias.shape}")
    shape, every = phases_of(layer, flow, rank, sizes)
    time = every[shape.time] if shape.time is not None and shape.time < rank else Phases()
    inside = [axis for axis in range(rank) if axis != shape.time and not every[axis].is_still]
    positions = shape.positions
    others = [
        shape.sizes[axis] for axis in range(rank) if axis != shape.time and axis not in inside
    ]
    if positions is None or len(inside) > 1 or (inside and total(others) != 1):
        raise layer.unsupported(
            f"over two axes of {shape} inside a step, or over some of unknown size; over the time "
            "and one axis besides the channels is supported"
        )
    if flow.flipped and not time.is_still:
        raise layer.unsupported("after go_backwards=True, of steps that Keras turned round")
    within = every[inside[0]] if inside else Phases()
    first = [axis for axis in range(rank) if axis == shape.time]  # others have one place
    rest = [axis for axis in range(rank) if axis not in (*first, *inside)]
    taps = kernel.transpose(rank + 1, rank, *first, *inside, *rest)
    taps = taps.reshape(*taps.shape[:2], time.kernel, within.kernel)
    try:
        layers = transposed(taps, bias, groups=1, time=time, within=within, positions=positions)
    except RnnError as error:
        raise layer.unsupported(str(error)) from error
    flow.layers += layers
    for axis in range(rank):
        count = shape.sizes[axis]
        shape = shape.with_size(axis, None if count is None else every[axis].made(count))
    flow.shape = shape.with_channels(filters)
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
    moved = (over.time, over.tall, over.inside)
    spatial = [own.place for own in moved if own is not None]
    rest = [axis for axis in range(kernel.ndim) if axis not in spatial]
    options: dict[str, Any] = {}
    sizes = [1 if own is None else own.size for own in moved]
    if (own := over.time) is not None:
        if flow.flipped:
            kernel = np.flip(kernel, own.place)
        sides = (own.before, own.after)[:: -1 if flow.flipped else 1]
        options |= {
            "stride_time": own.stride, "dilation_time": own.dilation,
            "before": sides[0], "after": sides[1],
        }  # fmt: skip
    if (own := over.inside) is not None:
        options |= {
            "stride": own.stride, "dilation": own.dilation,
            "left": own.before, "right": own.after,
        }  # fmt: skip
    if (own := over.tall) is not None:
        options |= {
            "height": over.height, "stride_height": own.stride, "dilation_height": own.dilation,
            "top": own.before, "bottom": own.after,
        }  # fmt: skip
    taps = kernel.transpose(*spatial, *rest).reshape(*sizes, *kernel.shape[-2:])
    try:
        made = Conv(
            np.ascontiguousarray(np.moveaxis(taps, -1, 0)).reshape(kernel.shape[-1], -1), bias,
            in_channels=kernel.shape[-2] * groups, groups=groups, kernel_time=sizes[0],
            kernel_height=sizes[1], kernel_size=sizes[2], positions=over.positions, **options,
        )  # fmt: skip
    except RnnError as error:
        raise layer.unsupported(str(error)) from error
    flow.layers.append(made)
    flow.shape = over.shape.with_channels(made.out_channels)


_RANKS: Final = MappingProxyType({
    "Conv1D": 1, "DepthwiseConv1D": 1, "SeparableConv1D": 1,
    "Conv2D": 2, "DepthwiseConv2D": 2, "SeparableConv2D": 2,
    "Conv1DTranspose": 1, "Conv2DTranspose": 2,
})  # fmt: skip
CONVOLUTIONS: Final = MappingProxyType({
    **dict.fromkeys(("Conv1D", "Conv2D"), convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), depthwise),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), transposed_convolution),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), separable),
})  # fmt: skip
