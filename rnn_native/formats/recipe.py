"""What a tensor is calculated of: the names of its parts, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..spec import Array


@dataclass(frozen=True)
class Recipe:
    """``calculate`` takes the name that messages begin with, the arrays of ``parts``, and those of
    ``beside``, which are tensors of their own. ``leaves`` are names that it takes the place of."""

    what: str
    parts: tuple[str, ...]
    calculate: Callable[..., Array]
    beside: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


Found = list[tuple[str, Recipe]]
"""Recipes by the names of what they make."""
