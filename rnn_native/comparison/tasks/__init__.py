"""The families of tasks. Each module has ``TITLE``, ``ABOUT``, ``NEEDS`` (packages beyond NumPy)
and ``tasks(scale)``, the tasks of the family at one of ``SCALES``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType, ModuleType
from typing import Final

from . import adding, chorales, copying, digits, vowels

SCALES: Final = ("full", "quick", "tiny")
"""``full`` is the comparison, ``quick`` takes two minutes, ``tiny`` seconds."""

FAMILIES: Final[Mapping[str, ModuleType]] = MappingProxyType({
    "adding": adding,
    "copying": copying,
    "digits": digits,
    "chorales": chorales,
    "vowels": vowels,
})  # fmt: skip


def missing(family: str) -> list[str]:
    """The packages that a family needs and that are not installed."""
    return [name for name in FAMILIES[family].NEEDS if find_spec(name) is None]
