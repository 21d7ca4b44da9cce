"""The families of tasks. Each module has ``TITLE``, ``ABOUT``, ``NEEDS`` (packages beyond NumPy)
and ``tasks(scale)``, the tasks of the family at one of ``SCALES``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from ..task import Family
from . import adding, chorales, copying, digits, sunspots, tunes, vowels

SCALES: Final = ("full", "quick", "tiny")
"""``full`` is the comparison, ``quick`` takes two minutes, ``tiny`` seconds."""

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({
    "adding": adding,
    "copying": copying,
    "digits": digits,
    "chorales": chorales,
    "vowels": vowels,
    "sunspots": sunspots,
    "tunes": tunes,
})  # fmt: skip


def missing(family: Family) -> list[str]:
    """The packages that a family needs and that are not installed."""
    return [name for name in family.NEEDS if find_spec(name) is None]
