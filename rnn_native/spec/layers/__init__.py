"""The layers: ``LAYERS`` is the only list of their kinds, and ``__all__`` of their names in
``rnn_native``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..layer import Layer
from .combine import Add, Combine, Concat, Mul, Sub
from .elementwise import Elementwise
from .embedding import Embedding
from .last import Last
from .linear import Linear
from .merge import Merge
from .pool import AvgPool, MaxPool, Pool
from .prelu import PReLU
from .recurrent import Recurrent
from .scale import Scale

__all__ = [
    "Add",
    "AvgPool",
    "Concat",
    "Elementwise",
    "Embedding",
    "Last",
    "Linear",
    "MaxPool",
    "Merge",
    "Mul",
    "PReLU",
    "Recurrent",
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
            Last,
        )
    }
)
"""By the first word of their line in a file."""
