"""Keras's pools, over the time and over positions inside a step."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ...errors import RnnError
from ...spec import AvgPool, MaxPool, PoolWithin
from .config import Layer
from .flow import Flow
from .layouts import along
from .shape import Shape
from .store import Store
from .windows import Along, numbers, windows_of


def pool(layer: Layer, store: Store, flow: Flow) -> None:
    """AveragePooling and MaxPooling: one axis after the other, of each channel by itself."""
    rank = _RANKS[layer.kind]
    sizes = numbers(layer, "pool_size", rank, 2)
    strides = numbers(layer, "strides", rank, sizes)
    shape, every = windows_of(layer, flow, rank, sizes, strides, [1] * rank)
    for own in every:
        if own.stays:
            continue
        try:
            if own.place == shape.time:
                _over_time(layer, flow, own)
            else:
                _within(layer, flow, own, shape)
        except RnnError as error:
            raise layer.unsupported(str(error)) from error
        shape = shape.with_size(own.place, own.made(shape.sizes[own.place]))
    flow.shape = shape


def _over_time(layer: Layer, flow: Flow, own: Along) -> None:
    sides = (own.after, own.before) if flow.flipped else (own.before, own.after)
    if layer.kind.startswith("Max"):
        flow.layers.append(MaxPool(own.size, own.stride, sides))
    else:
        flow.layers.append(AvgPool(own.size, own.stride, sides, count_include_pad=False))


def _within(layer: Layer, flow: Flow, own: Along, shape: Shape) -> None:
    """Over an axis inside a step."""
    flow.put_in_order()
    place = shape.features.index(own.place)
    sizes = [n for n in shape.inside if n is not None]
    if len(sizes) < len(shape.inside):
        raise layer.unsupported(f"the file does not say how large its input {shape} is")
    mode = "max" if layer.kind.startswith("Max") else "average"
    flow.layers += along(
        sizes,
        place,
        lambda count, channels: PoolWithin(
            mode, count, channels, own.size, own.stride, own.before, own.after, False
        ),
    )


_RANKS: Final = MappingProxyType({
    "AveragePooling1D": 1, "MaxPooling1D": 1, "AveragePooling2D": 2, "MaxPooling2D": 2,
})  # fmt: skip
POOLS: Final = MappingProxyType(dict.fromkeys(_RANKS, pool))
