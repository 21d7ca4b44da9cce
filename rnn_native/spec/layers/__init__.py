"""The layers: ``LAYERS`` is the only list of their kinds, and ``__all__`` of their names in
``rnn_native``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..layer import Layer
from .combine import Add, Combine, Concat, Div, Max, Min, Mul, Sub
from .elementwise import Elementwise
from .embedding import Embedding
from .linear import Linear
from .merge import Merge
from .norm import LayerNorm, RMSNorm
from .pool import AvgPool, MaxPool, Pool
from .prelu import PReLU
from .recurrent import Recurrent
from .reduce import Reduce
from .scale import Scale

__all__ = [
    "Add",
    "AvgPool",
    "Concat",
    "Div",
    "Elementwise",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Max",
    "MaxPool",
    "Merge",
    "Min",
    "Mul",
    "PReLU",
    "RMSNorm",
    "Recurrent",
    "Reduce",
    "Scale",
    "Sub",
]

LAYERS: Final[Mapping[str, type[Layer]]] = MappingProxyType(
    {
        layer.kind: layer
        for layer in (
            Embedding,
            Recurrent,
            Linear,
            Merge,
            Combine,
            Elementwise,
            Pool,
            Scale,
            PReLU,
            LayerNorm,
            Reduce,
        )
    }
)
"""By the first word of their line in a file."""
