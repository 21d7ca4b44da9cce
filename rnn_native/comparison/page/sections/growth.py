"""How time grows with hidden units, rows, steps and threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from ...answer import TITLES
from ...scaling import ABOUT
from .. import figures
from ..blocks import Block, Figure, Figures, Section, Table
from .costs import micro

AXES: Final = {
    "units": "hidden units",
    "rows": "sequences at once",
    "steps": "steps of a sequence",
    "threads": "threads",
}

Lines = Mapping[str, Sequence[Sequence[float]]]


def section(results: Mapping[str, Any]) -> Section | None:
    if not results["scaling"]:
        return None
    drawn = [
        Figure(f"Time over {AXES[what]}: {ABOUT[what]}", partial(_draw, what, lines))
        for what, lines in results["scaling"].items()
    ]
    blocks: list[Block] = [Figures(drawn)]
    blocks += [_table(what, lines) for what, lines in results["scaling"].items()]
    return Section("growth", "How time grows", blocks)


def _table(what: str, lines: Lines) -> Table:
    sizes = [int(size) for size, _ in next(iter(lines.values()))]
    rows = [
        [TITLES[cell], *(micro(seconds) for _, seconds in points)] for cell, points in lines.items()
    ]
    return Table([f"{AXES[what]} →", *map(str, sizes)], rows, note=f"µs: {ABOUT[what]}.")


def _draw(what: str, lines: Lines) -> str:
    def fill(axes: Any) -> None:
        ends = {}
        for cell, points in lines.items():
            sizes = [size for size, _ in points]
            micros = [1e6 * seconds for _, seconds in points]
            axes.plot(sizes, micros, marker="o", markersize=4, **figures.line_style(cell))
            ends[cell] = (float(sizes[-1]), micros[-1])
        axes.set_yscale("log")
        figures.plain_log(axes.yaxis)
        if what != "threads":
            axes.set_xscale("log")
        shown = sizes if len(sizes) < 6 else sizes[::2]
        axes.set_xticks(shown, [f"{int(size)}" for size in shown])
        axes.set_xticks([], minor=True)
        axes.set_xlabel(AXES[what])
        axes.set_ylabel("time (µs)")
        axes.set_title(f"Time over {AXES[what]}", loc="left")
        figures.label_ends(axes, ends)

    return figures.draw(fill, f"Time over {AXES[what]}: {ABOUT[what]}")
