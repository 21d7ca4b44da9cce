"""The layers: ``LAYERS`` is the only list of their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..layer import Layer
from .combine import Combine as Combine
from .embedding import Embedding as Embedding
from .linear import Linear as Linear
from .merge import Merge as Merge
from .recurrent import Recurrent as Recurrent

LAYERS: Final[Mapping[str, type[Layer]]] = MappingProxyType(
    {layer.kind: layer for layer in (Embedding, Recurrent, Linear, Merge, Combine)}
)
"""By the first word of their line in a file."""
