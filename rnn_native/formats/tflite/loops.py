"""WHILE, as ONNX's Loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .model import Model
from .writer import Writer

LOOPS: Final[Mapping[str, Callable[[Writer, Model], None]]] = {}
