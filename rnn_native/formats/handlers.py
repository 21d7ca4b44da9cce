"""What a format does with a layer, by the layer's class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ..errors import UnsupportedError
from ..spec import Layer

T = TypeVar("T")


def handler_of(handlers: Mapping[type[Layer], T], layer: Layer, where: str) -> T:
    """That of the layer; ``UnsupportedError`` where there is none."""
    handler = handlers.get(type(layer))
    if handler is None:
        known = ", ".join(kind.__name__ for kind in handlers)
        raise UnsupportedError(f"{where}: no {type(layer).__name__} there; what goes is {known}")
    return handler
