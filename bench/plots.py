"""Three plots of results: speed-ups, shares of the limit, and how both scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from grid import Case
from results import best_peer, label, ratios, seconds, share

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Result = Mapping[str, Any]
# Distinct to colour-blind eyes too (Okabe and Ito).
OURS, SLOWER, PEER = "#0072B2", "#D55E00", "#555555"
CELLS = {"lstm": "#0072B2", "gru": "#E69F00", "rnn": "#009E73"}


def draw(cases: Sequence[Result], out: Path) -> list[Path]:
    """The plots for which there are results."""
    drawn = []
    for name, make in (("speedup", _speedups), ("limit", _shares), ("scaling", _scaling)):
        figure = make(cases)
        if figure is None:
            continue
        path = out / f"{name}.png"
        figure.savefig(path, dpi=130, bbox_inches="tight")
        plt.close(figure)
        drawn.append(path)
    return drawn


def _panels(cases: Sequence[Result]) -> tuple[Any, list[tuple[Any, list[Result]]]]:
    """A figure with a row for each number of threads and a column for each cell."""
    threads = sorted({case["threads"] for case in cases})
    cells = [cell for cell in CELLS if any(case["cell"] == cell for case in cases)]
    height = 1.2 + 0.27 * len({case["case"] for case in cases})
    figure, axes = plt.subplots(
        len(threads), len(cells), squeeze=False, sharex=True,
        figsize=(1.5 + 3.6 * len(cells), height * len(threads)), layout="constrained",
    )  # fmt: skip
    panels = []
    for row, number in zip(axes, threads, strict=True):
        for column, (axis, cell) in enumerate(zip(row, cells, strict=True)):
            mine = [c for c in cases if (c["threads"], c["cell"]) == (number, cell)]
            axis.set_title(f"{cell.upper()}, {number} thread{'s' * (number > 1)}", fontsize=10)
            axis.set_yticks(range(len(mine)), [c["case"] for c in mine] if column == 0 else [])
            axis.tick_params(labelsize=8, length=0, labelbottom=True)
            axis.set_ylim(len(mine) - 0.4, -0.6)
            axis.grid(axis="x", linewidth=0.5, alpha=0.4)
            axis.set_axisbelow(True)
            axis.spines[["top", "right", "left"]].set_visible(False)
            panels.append((axis, mine))
    return figure, panels


def _speedups(cases: Sequence[Result]) -> Any:
    cases = [case for case in cases if ratios(case)]
    if not cases:
        return None
    figure, panels = _panels(cases)
    every = [min(ratios(case).values()) for case in cases]
    low, high = min(0.8, *every), max(1.5, *every)
    for axis, mine in panels:
        best = [min(ratios(case).values()) for case in mine]
        colours = [OURS if ratio >= 1 else SLOWER for ratio in best]
        # From 1 on: a bar to the right is faster, one to the left slower.
        axis.barh(range(len(mine)), [r - 1 for r in best], left=1, color=colours, height=0.7)
        axis.axvline(1, color="black", linewidth=0.8)
        _speed_axis(axis, low, high)
        for place, (case, ratio) in enumerate(zip(mine, best, strict=True)):
            text = f" {ratio:.2f}  {label(case, best_peer(case) or '')}"
            axis.text(max(ratio, 1), place, text, va="center", fontsize=6.5)
    title = f"How many times faster than the best peer (log scale){_in_precision(cases)}"
    figure.suptitle(title, fontsize=11)
    return figure


def _in_precision(cases: Sequence[Result]) -> str:
    precision = cases[0]["precision"]
    return "" if precision == "float32" else f", {precision}"


def _speed_axis(axis: Any, low: float, high: float) -> None:
    """A log axis with plain numbers and room for the text behind the longest bar."""
    room = (high / low) ** 0.45
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low / 1.1 <= t <= high * room]
    axis.set_xscale("log")
    axis.set_xlim(low / 1.1, high * room)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)


def _shares(cases: Sequence[Result]) -> Any:
    cases = [case for case in cases if share(case)]
    if not cases:
        return None
    figure, panels = _panels(cases)
    for axis, mine in panels:
        axis.barh(range(len(mine)), [100 * (share(c) or 0) for c in mine], color=OURS, height=0.7)
        peers = [(place, share(case, best_peer(case))) for place, case in enumerate(mine)]
        known = [(place, 100 * value) for place, value in peers if value]
        axis.plot(
            [value for _, value in known], [place for place, _ in known],
            "d", color=PEER, markerfacecolor="white", markersize=5, label="best peer",
        )  # fmt: skip
        axis.set_xlim(0, 105)
        axis.set_xlabel("% of the limit", fontsize=8)
    panels[0][0].plot([], [], "s", color=OURS, label="rnn_native")
    panels[0][0].legend(fontsize=7, frameon=False, loc="lower right")
    title = f"Share of what the machine could do at most{_in_precision(cases)}"
    figure.suptitle(title, fontsize=11)
    return figure


def _scaling(cases: Sequence[Result]) -> Any:
    plain = [case for case in cases if not Case.parse(case["case"]).bidirectional]
    one = [case for case in plain if case["threads"] == min(c["threads"] for c in plain)]
    if not one:
        return None

    def rate(case: Result, time: float) -> float:
        return float(case["flops"]) / time * 1e-9

    def per_step(case: Result, time: float) -> float:
        return time * 1e6 / Case.parse(case["case"]).time

    figure, grid = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    axes = grid.ravel()
    _lines(axes[0], one, "hidden size", lambda c: c.hidden, per_step,
           lambda c: c.batch == 1 and not c.is_step)  # fmt: skip
    axes[0].set_ylabel("µs a step, batch 1")
    _lines(axes[1], one, "batch", lambda c: c.batch, rate,
           lambda c: c.hidden == 256 and not c.is_step)  # fmt: skip
    axes[1].set_ylabel("GFLOP/s, H256")
    _lines(axes[2], one, "steps of a call", lambda c: c.time, per_step,
           lambda c: c.hidden == 256 and c.batch == 1)  # fmt: skip
    axes[2].set_ylabel("µs a step, H256, batch 1")
    _threads(axes[3], cases)
    axes[0].set_yscale("log")
    axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes[0].yaxis.set_minor_formatter(lambda value, _: "")
    for axis in axes[1:]:
        axis.set_ylim(bottom=0)
    for axis in axes[:3]:
        axis.set_xscale("log", base=2)
        if not axis.lines:
            axis.text(0.5, 0.5, "no such case measured", ha="center", transform=axis.transAxes)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for axis in axes:
        axis.grid(linewidth=0.5, alpha=0.4)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    legends = [axis for axis in axes if axis.get_legend_handles_labels()[0]]
    for axis in legends[:1]:  # none where a single case was measured
        axis.legend(fontsize=7, frameon=False)
    few = one[0]["threads"]
    title = f"With {few} thread{'s' * (few > 1)}{_in_precision(cases)}"
    title += "; bottom right: what more threads gain"
    figure.suptitle(title, fontsize=11)
    return figure


def _lines(
    axis: Any,
    cases: Sequence[Result],
    label: str,
    place: Callable[[Case], int],
    value: Callable[[Result, float], float],
    wanted: Callable[[Case], bool],
) -> None:
    """A line of ours and a dashed one of the best peer for each cell."""
    for cell, colour in CELLS.items():
        mine = [c for c in cases if c["cell"] == cell and wanted(Case.parse(c["case"]))]
        mine.sort(key=lambda case: place(Case.parse(case["case"])))
        for whose, style in (("rnn_native", "o-"), ("best peer", "d--")):
            points = [
                (place(Case.parse(case["case"])), value(case, time))
                for case in mine
                if (time := seconds(case, "rnn_native" if style == "o-" else best_peer(case)))
            ]
            if points:
                axis.plot(
                    *zip(*points, strict=True), style, color=colour, markersize=4,
                    markerfacecolor=colour if style == "o-" else "white",
                    linewidth=1.6 if style == "o-" else 1, label=f"{cell.upper()} {whose}",
                )  # fmt: skip
    axis.set_xlabel(label)


def _threads(axis: Any, cases: Sequence[Result]) -> None:
    """How many times faster the most threads are than the fewest, ours and the best peers'."""
    numbers = sorted({case["threads"] for case in cases})
    few, many = numbers[0], numbers[-1]
    axis.set_xlabel(f"case: speed of {many} threads, {few} being 1")
    if few == many:
        axis.text(0.5, 0.5, f"measured with {few} only", ha="center", transform=axis.transAxes)
        return
    by = {(c["cell"], c["case"], c["threads"]): c for c in cases}
    names = list(dict.fromkeys(case["case"] for case in cases))
    for cell, colour in CELLS.items():
        for style, peer in (("o", False), ("d", True)):
            points = []
            for place, name in enumerate(names):
                pair = [by.get((cell, name, number)) for number in (few, many)]
                if None in pair:
                    continue
                times = [seconds(c, best_peer(c) if peer else "rnn_native") for c in pair if c]
                if times[0] and times[1]:
                    points.append((place, times[0] / times[1]))
            if points:
                axis.plot(
                    *zip(*points, strict=True), style, color=colour, markersize=4,
                    markerfacecolor="white" if peer else colour,
                    label=f"{cell.upper()} {'best peer' if peer else 'rnn_native'}",
                )  # fmt: skip
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_xticks(range(len(names)), names, rotation=90)
