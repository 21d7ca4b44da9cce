"""Keras's pools, over the time."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ...errors import RnnError
from ...spec import AvgPool, MaxPool
from .config import Layer
from .flow import Flow
from .store import Store
from .windows import moves, numbers


def pool(layer: Layer, store: Store, flow: Flow) -> None:
    """AveragePooling and MaxPooling, of each feature by itself."""
    rank = _RANKS[layer.kind]
    sizes = numbers(layer, "pool_size", rank, 2)
    strides = numbers(layer, "strides", rank, sizes)
    over = moves(layer, flow, rank, sizes, strides, [1] * rank)
    if over.inside is not None:
        raise layer.unsupported(
            f"of axis {over.inside.place + 1}, inside a step; over the time is supported"
        )
    if (own := over.time) is not None:
        first, last = (own.before, own.after)[:: -1 if flow.flipped else 1]
        try:
            flow.layers.append(
                MaxPool(own.size, own.stride, (first, last))
                if layer.kind.startswith("Max")
                else AvgPool(own.size, own.stride, (first, last), count_include_pad=False)
            )
        except RnnError as error:
            raise layer.unsupported(str(error)) from error
    flow.shape = over.shape


_RANKS: Final = MappingProxyType({
    "AveragePooling1D": 1, "MaxPooling1D": 1, "AveragePooling2D": 2, "MaxPooling2D": 2,
})  # fmt: skip
POOLS: Final = MappingProxyType(dict.fromkeys(_RANKS, pool))
