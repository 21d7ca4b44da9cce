"""The plots of the report, each an SVG of its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .tables import TITLES, records_of

Task = Mapping[str, Any]
Results = Mapping[str, Any]

# Distinct to colour-blind eyes too (Okabe and Ito); dashes for the article's cells.
COLOURS: Final = {"rnn": "#009E73", "gru": "#D55E00", "lstm": "#0072B2"}
SIZE: Final = (5.0, 3.3)
_STYLE: Final = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.5,
    "axes.labelsize": 9.5,
    "font.size": 9.5,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.7,
    "svg.hashsalt": "rnn_native",  # the same figure, the same bytes
}


def _draw(fill: Callable[[Any], None], size: tuple[float, float] = SIZE) -> str:
    """The SVG text of a figure with one pair of axes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return text.getvalue()


def _style(cell: str) -> dict[str, Any]:
    kind, _, article = cell.partition("-")
    return {"color": COLOURS[kind], "linestyle": (0, (4, 1.6)) if article else "-"}


def legend(cells: Sequence[str]) -> str:
    """The lines' meaning, once for all plots."""

    def fill(axes: Any) -> None:
        for cell in cells:
            axes.plot([], [], label=TITLES[cell], **_style(cell))
        axes.axis("off")
        axes.legend(loc="center", ncols=3, fontsize=9.5, handlelength=2.6, borderpad=0)

    return _draw(fill, (5.0, 0.55))


def curves(task: Task, cells: Sequence[str]) -> str:
    """The validation loss over epochs, of every seed."""

    def fill(axes: Any) -> None:
        lowest = np.inf
        for cell in cells:
            for record in records_of(task, cell):
                losses = record.get("history", {}).get("val_loss", [])
                epochs = range(1, len(losses) + 1)
                axes.plot(epochs, losses, alpha=0.85, **_style(cell))
                lowest = min([lowest, *losses])
        if task["metric"]["of"] == "loss" and task["metric"]["baseline"]:
            level = task["metric"]["baseline"] / task["metric"]["factor"]
            axes.axhline(level, color="#777777", linewidth=0.9, linestyle=":")
        if lowest > 0:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_title(f"{task['variant']}: loss of the validation data")

    return _draw(fill)


def by_lag(tasks: Sequence[Task], cells: Sequence[str]) -> str:
    """The metric over the lag, a mark for each seed."""

    def fill(axes: Any) -> None:
        for cell in cells:
            points = [
                (task["lag"], record["result"])
                for task in tasks
                for record in records_of(task, cell)
                if "failure" not in record
            ]
            lags = sorted({lag for lag, _ in points})
            means = [np.mean([value for at, value in points if at == lag]) for lag in lags]
            axes.plot(lags, means, **_style(cell))
            filled = "none" if "-" in cell else COLOURS[cell]
            axes.plot(
                *zip(*points, strict=True), "o", color=COLOURS[cell.partition("-")[0]],
                markersize=4, markerfacecolor=filled,
            ) if points else None  # fmt: skip
        metric = tasks[0]["metric"]
        if metric["baseline"]:
            axes.axhline(metric["baseline"], color="#777777", linewidth=0.9, linestyle=":")
        if metric["of"] == "loss":
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.03)
        axes.set_xscale("log")
        lags = [task["lag"] for task in tasks]
        axes.set_xticks(lags, [str(lag) for lag in lags])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("lag (steps)")
        axes.set_title(f"{metric['name'].capitalize()} over the lag")

    return _draw(fill)


def gradients(task: Task, cells: Sequence[str], when: str) -> str:
    """The norm of dL/ds_{T-k} over k, the geometric mean over seeds."""

    def fill(axes: Any) -> None:
        for cell in cells:
            norms = [
                record["gradients"][when]
                for record in records_of(task, cell)
                if when in record["gradients"]
            ]
            if norms:
                values = np.array([norm["state"] for norm in norms])
                with np.errstate(divide="ignore"):
                    level = np.exp(np.mean(np.log(values), axis=0))
                axes.plot(norms[0]["lag"], np.where(level > 0, level, np.nan), **_style(cell))
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 1e-16), min(high, 1e6))
        axes.set_xlabel("lag k (steps before the last)")
        axes.set_title(f"{task['variant']}: norm of ∂L/∂s(T−k) {when} training")

    return _draw(fill)


def costs(results: Results) -> list[tuple[str, str]]:
    """Bars of what each cell costs, (what, SVG)."""
    table = results["costs"]

    def bars(values: Mapping[str, float], title: str) -> str:
        def fill(axes: Any) -> None:
            for place, (cell, value) in enumerate(values.items()):
                article = "-" in cell
                colour = COLOURS[cell.partition("-")[0]]
                axes.barh(
                    place, value, height=0.7, color="white" if article else colour,
                    edgecolor=colour, hatch="////" if article else None,
                )  # fmt: skip
                axes.text(value, place, f" {value:,.3g}", va="center", fontsize=8.5)
            axes.set_yticks(range(len(values)), [TITLES[cell] for cell in values])
            axes.set_ylim(len(values) - 0.4, -0.6)
            axes.set_xlim(0, 1.18 * max(values.values()))
            axes.grid(visible=False, axis="y")
            axes.set_title(title)

        return _draw(fill)

    pictures = (
        ("step_seconds", 1e6, "One step, streamed (µs)"),
        ("batch_seconds", 1e3, "32 sequences of 100 steps (ms)"),
        ("update_seconds", 1e3, "Learning from the same 32 sequences (ms)"),
        ("hidden_units", 1, "Hidden units for the same number of weights"),
    )
    return [
        (title, bars({cell: row[key] * unit for cell, row in table.items()}, title))
        for key, unit, title in pictures
    ]
