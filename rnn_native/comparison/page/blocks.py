"""What a section is made of: texts, tables, figures. How they look is the page's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph; ``lead`` is set off before it."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Table:
    """``strong`` are the places (row, column) to set off, ``heat`` those with a colour, from 0 (the
    best) to 1. What follows a line's end in a cell is a smaller second line."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: frozenset[tuple[int, int]] = frozenset()
    heat: Mapping[tuple[int, int], float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """``draw()`` gives an SVG (it needs matplotlib, and takes its time); ``about`` says in a
    sentence how to read it."""

    title: str
    draw: Callable[[], str]
    about: str = ""


@dataclass(frozen=True)
class Figures:
    """Side by side where there is room."""

    figures: Sequence[Figure]


Block = Text | Table | Figures


@dataclass(frozen=True)
class Section:
    """``name`` is that of its place in the page."""

    name: str
    title: str
    blocks: Sequence[Block]
