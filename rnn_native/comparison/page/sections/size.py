"""Quality over what a step costs: a dot for each cell and size, and those that nothing beats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from ...answer import TITLES, present
from ...statistics import Spread, digits, lower_is_better, spread
from .. import figures
from ..blocks import Figure, Figures, Section, Table, Text

Results = Mapping[str, Any]


ABOUT = (
    "A dot is a cell with that many hidden units, the line through it from the lowest to the "
    "highest seed. The thick grey line joins the best: no dot is both faster and better."
)


class Dot(NamedTuple):
    cell: str
    units: int
    micros: float
    result: Spread


def dots(results: Results, task: Mapping[str, Any]) -> Iterator[Dot]:
    """What was learnt at each size, and what a step of it takes."""
    times = results["steps"].get(task["name"], {})
    for cell in present(results):
        for units in task["units"]:
            found = spread(task, cell, "size", units)
            if found is not None:
                yield Dot(cell, units, 1e6 * times[cell][str(units)], found)


def pareto(given: list[Dot], lower: bool) -> list[Dot]:
    """Those to which no other is both as fast and as good, from the fastest on."""
    sign = 1 if lower else -1
    line: list[Dot] = []
    for dot in sorted(given, key=lambda dot: (dot.micros, sign * dot.result.mean)):
        if not line or sign * dot.result.mean < sign * line[-1].result.mean:
            line.append(dot)
    return line


def pictures(results: Results) -> list[Figure]:
    """One for each task that was learnt at several sizes."""
    drawn = []
    for task in results["tasks"]:
        given = list(dots(results, task))
        title = f"{task['title']}, {task['variant']}"
        if given:
            drawn.append(
                Figure(f"{title}: {task['metric']['name']} over the time of a step",
                       partial(_scatter, given, task, title), ABOUT)
            )  # fmt: skip
    return drawn


def section(results: Results) -> Section | None:
    drawn = pictures(results)
    if not drawn:
        return None
    about = Text(
        "What a slower step buys: the standard cells, each learnt with several numbers of hidden "
        "units. The time is that of one step of one sequence on this machine."
    )
    tables = [
        _table(given, task, f"{task['title']}, {task['variant']}")
        for task in results["tasks"]
        if (given := list(dots(results, task)))
    ]
    return Section("size", "Quality for the time of a step", [about, Figures(drawn), *tables])


def _table(given: list[Dot], task: Mapping[str, Any], title: str) -> Table:
    best = set(pareto(given, lower_is_better(task)))
    sizes = sorted({dot.units for dot in given})
    by_place = {(dot.cell, dot.units): dot for dot in given}
    rows: list[list[str]] = []
    strong = set()
    for cell in dict.fromkeys(dot.cell for dot in given):
        row = [TITLES[cell]]
        for units in sizes:
            dot = by_place.get((cell, units))
            row.append("" if dot is None else f"{digits(task, dot.result)}\n{dot.micros:.2f} µs")
            if dot in best:
                strong.add((len(rows), len(row) - 1))
        rows.append(row)
    head = [title, *(f"{units} units" for units in sizes)]
    return Table(
        head,
        rows,
        frozenset(strong),
        note="Bold: on the grey line, with nothing both faster and better.",
    )


def _scatter(given: list[Dot], task: Mapping[str, Any], title: str) -> str:
    lower = lower_is_better(task)

    def fill(axes: Any) -> None:
        line = pareto(given, lower)
        axes.plot(
            [dot.micros for dot in line], [dot.result.mean for dot in line],
            color=figures.ink(), alpha=0.35, linewidth=3, zorder=1,
        )  # fmt: skip
        for cell in dict.fromkeys(dot.cell for dot in given):
            own = [dot for dot in given if dot.cell == cell]
            x, y = [dot.micros for dot in own], [dot.result.mean for dot in own]
            ends = ([v - dot.result.low for v, dot in zip(y, own, strict=True)],
                    [dot.result.high - v for v, dot in zip(y, own, strict=True)])  # fmt: skip
            axes.errorbar(
                x, y, yerr=ends, fmt="o", markersize=5, elinewidth=1.2, zorder=3,
                color=figures.colour(cell), label=TITLES[cell],
            )  # fmt: skip
            for dot in own:
                axes.annotate(
                    str(dot.units), (dot.micros, dot.result.mean), (4, 4), fontsize=10.5,
                    textcoords="offset points", color=figures.colour(cell),
                )  # fmt: skip
        axes.set_xscale("log")
        figures.plain_log(axes.xaxis)
        axes.set_xlabel("time of one step (µs)")
        axes.set_title(title, loc="left")
        axes.legend(
            frameon=False, fontsize=10.5, handletextpad=0.1, ncols=3, loc="upper center",
            bbox_to_anchor=(0.45, -0.2),
        )  # fmt: skip

    return figures.draw(fill, f"{title}: quality over the time of a step", 3.3)
