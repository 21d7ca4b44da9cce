"""What each cell costs, at equal weights and at equal hidden units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...answer import TITLES
from ...cost import BATCH, INPUT, OUTPUT, TIME, TIMES, VIEWS
from .. import figures
from ..blocks import Block, Figure, Figures, Section, Table, Text

PICTURES = (
    ("step_seconds", 1e6, "One step, streamed (µs)"),
    ("batch_seconds", 1e3, f"{BATCH} sequences of {TIME} steps (ms)"),
    ("update_seconds", 1e3, "Learning from the same (ms)"),
    ("weight_bytes", 1 / 1024, "Memory of weights (KiB)"),
)


def section(results: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [
        Text(
            f"{INPUT} features in, {OUTPUT} out, float32, one sequence at a time where nothing "
            f"else is said. {_measured(results)}"
        )
    ]
    for view, title in VIEWS.items():
        table = results["costs"][view]
        blocks += [Text("", f"{title[0].upper()}{title[1:]}:"), _table(table)]
        blocks.append(
            Figures([
                Figure(f"{what}, {title}", partial(_bars, table, key, unit, what))
                for key, unit, what in PICTURES
            ])
        )  # fmt: skip
    return Section("costs", "What each cell costs", blocks)


def _measured(results: Mapping[str, Any]) -> str:
    """How quiet the machine was, as far as that is known."""
    machine, jobs = results["machine"], results["choice"]["processes"]
    text = (
        f"Times were taken after the last run of this comparison had ended (--jobs {jobs}): of "
        "each the best of 3 samples, the median over rounds in which all took turns."
    )
    if None in machine.get("load", (None,)):
        return f"{text} What else ran on the machine is not known."
    before, after = machine["load"]
    return (
        f"{text} The machine's load average of the last minute was {before:.1f} before, with these "
        f"runs in it, and {after:.1f} after, with this measuring in it, on "
        f"{machine['processors']} processors: other programs may have run."
    )


def _table(table: Mapping[str, Mapping[str, Any]]) -> Table:
    head = (
        "cell", "hidden units", "weights", "FLOPs per step", "memory of weights (KiB)",
        "of a state (bytes)", f"to learn from {BATCH} sequences (MiB)", *TIMES.values(),
    )  # fmt: skip
    rows = [
        [
            TITLES[name],
            *(f"{row[key]:,}" for key in ("hidden_units", "parameters", "flops_per_step")),
            f"{row['weight_bytes'] / 1024:.0f}",
            f"{row['state_bytes']:,}",
            f"{row['tape_bytes'] / 2**20:.1f}",
            *(micro(row[f"{what}_seconds"]) for what in TIMES),
        ]
        for name, row in table.items()
    ]
    return Table(head, rows)


def micro(seconds: float) -> str:
    """Microseconds, three digits of them."""
    return f"{seconds * 1e6:,.0f}" if seconds >= 1e-4 else f"{seconds * 1e6:.3g}"


def _bars(table: Mapping[str, Mapping[str, Any]], key: str, unit: float, title: str) -> str:
    values = {cell: row[key] * unit for cell, row in table.items()}

    def fill(axes: Any) -> None:
        for place, (cell, value) in enumerate(values.items()):
            article = "-" in cell
            axes.barh(
                place, value, height=0.7, color="none" if article else figures.colour(cell),
                edgecolor=figures.colour(cell), linewidth=1.5,
                hatch="////" if article else None,
            )  # fmt: skip
            axes.annotate(
                f"{value:,.3g}", (value, place), (4, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(values)), [TITLES[cell] for cell in values])
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.set_xlim(0, 1.25 * max(values.values()))
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(title, loc="left")

    return figures.draw(fill, title, 0.9 + 0.33 * len(values))
