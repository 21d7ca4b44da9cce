"""How figures are drawn: SVG whose text is text, in the colours of the page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..answer import TITLES

# Colours that stand for the page's own: matplotlib wants real ones, and no other place has these.
_INK, _LINE = "#010203", "#040506"
_CELLS: Final = {"rnn": "#070809", "gru": "#0a0b0c", "lstm": "#0d0e0f"}
_VARIABLES: Final = {
    _INK: "var(--ink)",
    _LINE: "var(--line)",
    **{colour: f"var(--{kind})" for kind, colour in _CELLS.items()},
}

WIDTH, HEIGHT = 4.0, 2.9
"""Inches: 384 pixels of the page, at which text has 14."""

_STYLE: Final = {
    "axes.edgecolor": _INK,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11.5,
    "font.family": "sans-serif",
    "font.size": 10.8,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "rnn_native",  # the same figure, the same text
    "text.color": _INK,
    "xtick.color": _INK,
    "xtick.labelsize": 10.5,
    "ytick.color": _INK,
    "ytick.labelsize": 10.5,
}


def kind_of(cell: str) -> str:
    return cell.partition("-")[0]


def line_style(cell: str) -> dict[str, Any]:
    """The article's cells are dashed."""
    return {
        "color": _CELLS[kind_of(cell)],
        "linestyle": (0, (4, 1.6)) if "-" in cell else "-",
    }


def colour(cell: str) -> str:
    return _CELLS[kind_of(cell)]


def ink() -> str:
    return _INK


def draw(fill: Callable[[Any], None], name: str, height: float = HEIGHT) -> str:
    """The SVG of a figure with one pair of axes; ``name`` is read out by a screen reader."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        fill(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return _inline(text.getvalue(), name)


def _inline(svg: str, name: str) -> str:
    """What may stand in a page: no prologue, no fixed size or font, the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font: (?:[a-z0-9]+ )*([0-9.]+px)[^;\"]*", r"font-size: \1", svg)
    for colour_, variable in _VARIABLES.items():
        svg = svg.replace(colour_, variable)
    label = name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def alone(svg: str, style: str) -> str:
    """A drawing as a file of its own: ``style`` has the colours of the page."""
    css = f"<style>{style} svg {{ background: var(--paper); font-family: sans-serif; }}</style>"
    return re.sub(r"(<svg[^>]*>)", lambda start: start[1] + css, svg, count=1) + "\n"


def plain_log(axis: Any) -> None:
    """A logarithmic axis with plain numbers: 0.5, 1, 2, 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_ends(
    axes: Any, ends: Mapping[str, tuple[float, float]], colour: str | None = None
) -> None:
    """The names of cells (or of other lines, which have one ``colour``) at the ends of their lines,
    moved apart where they would touch."""
    if not ends:
        return
    figure = axes.figure
    figure.canvas.draw()
    to_pixels = axes.transData.transform
    order = sorted(ends, key=lambda cell: ends[cell][1])
    heights = [float(to_pixels((ends[cell][0], ends[cell][1]))[1]) for cell in order]
    gap = 11 * figure.dpi / 72
    low, high = axes.bbox.y0, axes.bbox.y1
    places = _apart(heights, gap, low + gap / 2, max(high - gap / 2, low + gap))
    right = max(x for x, _ in ends.values())
    x_pixels = float(to_pixels((right, next(iter(ends.values()))[1]))[0]) + 5
    for cell, y in zip(order, places, strict=True):
        x_data, y_data = axes.transData.inverted().transform((x_pixels, y))
        axes.text(
            x_data, y_data, TITLES.get(cell, cell).replace("article", "art."),
            color=_CELLS[kind_of(cell)] if colour is None else colour,
            va="center", ha="left", fontsize=10.5, clip_on=False,
        )  # fmt: skip


def _apart(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The nearest places at least ``gap`` apart, in the same order, from below to above."""
    placed: list[float] = []
    for value in values:
        placed.append(max(value, placed[-1] + gap if placed else low))
    over = placed[-1] - high if placed else 0
    if over > 0:
        for index in range(len(placed) - 1, -1, -1):
            limit = high if index == len(placed) - 1 else placed[index + 1] - gap
            placed[index] = min(placed[index], limit)
    return placed
