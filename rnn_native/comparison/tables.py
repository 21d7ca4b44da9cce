"""Results as rows: CSV files, and the tables of the Markdown and the HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

from ..formats.files import replacing
from .contenders import CONTENDERS
from .cost import BATCH, TIMES
from .tasks import FAMILIES
from .tasks.chorales import CHUNG_2014

Results = Mapping[str, Any]

TITLES: Final = {contender.name: contender.title for contender in CONTENDERS}
RUN_FIELDS: Final = (
    "task", "family", "variant", "lag", "cell", "seed", "hidden_units", "parameters", "metric",
    "result", "test_loss", "epochs", "best_epoch", "seconds_per_epoch", "failure",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """``best`` are the places (row, column) to set off."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    note: str = ""

    def markdown(self) -> str:
        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cells) + " |"

        body = [
            [f"**{cell}**" if (r, c) in self.best else cell for c, cell in enumerate(row)]
            for r, row in enumerate(self.rows)
        ]
        rule = "|".join(["", "---", *["---:"] * (len(self.head) - 1), ""])
        note = f"\n\n{self.note}" if self.note else ""
        return "\n".join([line(self.head), rule, *map(line, body)]) + note


def costs(results: Results) -> Table:
    """What each cell costs: a row for each."""
    table = results["costs"]
    head = (
        "cell", "hidden units", "weights", "FLOPs per step", "memory of weights (KiB)",
        "of a state (bytes)", f"to learn from {BATCH} sequences (MiB)", *TIMES.values(),
    )  # fmt: skip
    rows = tuple(
        (
            TITLES[name],
            *(f"{row[key]:,}" for key in ("hidden_units", "parameters", "flops_per_step")),
            f"{row['weight_bytes'] / 1024:.0f}",
            f"{row['state_bytes']:,}",
            f"{row['tape_bytes'] / 2**20:.1f}",
            *(_micro(row[f"{what}_seconds"]) for what in TIMES),
        )
        for name, row in table.items()
    )
    return Table(head, rows)


def family(results: Results, name: str) -> Table:
    """Results of a family's tasks: a row for each cell, a column for each task."""
    tasks = [task for task in results["tasks"] if task["family"] == name]
    cells = results["choice"]["cells"]
    columns = [[_of_cell(task, cell) for cell in cells] for task in tasks]
    best = set()
    for number, (task, column) in enumerate(zip(tasks, columns, strict=True), 1):
        known = [value for value, _ in column if value is not None]
        choose = min if task["metric"]["of"] == "loss" else max
        best |= {
            (row, number) for row, (value, _) in enumerate(column)
            if known and value == choose(known)
        }  # fmt: skip
    rows = [
        (TITLES[cell], *(column[row][1] for column in columns)) for row, cell in enumerate(cells)
    ]
    head = ["cell", *(task["variant"] for task in tasks)]
    metric = tasks[0]["metric"]
    better = "less" if metric["of"] == "loss" else "more"
    note = f"{metric['name'].capitalize()}, {better} is better"
    many = len(results["choice"]["seeds"]) > 1
    note += "; mean of the seeds, in brackets the lowest and the highest." if many else "."
    if name == "chorales":
        head.append("Chung et al.")
        rows = [(*row, _chung(cell)) for row, cell in zip(rows, cells, strict=True)]
        note += (
            " Last column: test, on JSB Chorales, in table 2 of Chung et al. (2014): such pieces "
            "from another source in another split."
        )
    if any(task["metric"]["baseline"] for task in tasks):
        rows.append(("nothing learnt", *(_baseline(task) for task in tasks)))
    return Table(tuple(head), tuple(rows), frozenset(best), note)


def training(results: Results, name: str) -> Table:
    """How a family's tasks were learnt: seconds of an epoch, and how many there were."""
    tasks = [task for task in results["tasks"] if task["family"] == name]
    cells = results["choice"]["cells"]
    head = (
        "cell", "hidden units", "weights",
        *(f"{task['variant']}: s per epoch (epochs)" for task in tasks),
    )  # fmt: skip
    rows = []
    for cell in cells:
        first = next(records_of(tasks[0], cell))
        row = [TITLES[cell], str(first["settings"]["hidden_units"]), f"{first['parameters']:,}"]
        for task in tasks:
            done = [record for record in records_of(task, cell) if "failure" not in record]
            epochs = [len(record["history"]["seconds"]) for record in done]
            row.append(
                f"{mean(r['seconds_per_epoch'] for r in done):.2f} ({mean(epochs):.0f})"
                if done else "diverged"
            )  # fmt: skip
        rows.append(tuple(row))
    return Table(head, tuple(rows))


def write_csv(results: Results, out: Path) -> None:
    """``comparison.csv``, ``costs.csv`` and ``gradients.csv``."""
    _write(out / "comparison.csv", RUN_FIELDS, _run_rows(results))
    rows = [{"cell": name, **row} for name, row in results["costs"].items()]
    _write(out / "costs.csv", tuple(rows[0]) if rows else ("cell",), iter(rows))
    _write(
        out / "gradients.csv",
        ("task", "cell", "seed", "when", "lag", "state_norm", "hidden_norm"),
        _gradient_rows(results),
    )


def write_markdown(results: Results, out: Path) -> None:
    """``comparison.md``."""
    choice, machine = results["choice"], results["machine"]
    parts = [
        "# Comparison of recurrent cells",
        f"Scale {choice['scale']}, seeds {', '.join(map(str, choice['seeds']))}, "
        f"{choice['threads']} thread(s); {machine['cpu']}, {machine['isa']}, "
        f"rnn_native {machine['rnn_native']}.",
        "## What each cell costs",
        costs(results).markdown(),
    ]
    for name in present(results):
        module = FAMILIES[name]
        parts += [f"## {module.TITLE}", module.ABOUT, family(results, name).markdown()]
        parts += [training(results, name).markdown()]
    if results["skipped"]:
        parts += ["## Skipped"]
        parts += [f"- {FAMILIES[name].TITLE}: {why}" for name, why in results["skipped"].items()]
    with replacing(out / "comparison.md") as file:
        file.write(("\n\n".join(parts) + "\n").encode())


def present(results: Results) -> list[str]:
    """The families that have results, in their order."""
    return list(dict.fromkeys(task["family"] for task in results["tasks"]))


def records_of(task: Mapping[str, Any], cell: str) -> Iterator[Mapping[str, Any]]:
    return (record for record in task["records"] if record["settings"]["cell"] == cell)


def _of_cell(task: Mapping[str, Any], cell: str) -> tuple[float | None, str]:
    """The mean over seeds, and how it is shown."""
    values = [record["result"] for record in records_of(task, cell) if "failure" not in record]
    if not values:
        return None, "diverged"
    text = _digits(task, mean(values))
    if len(values) > 1:
        text += f" ({_digits(task, min(values))}–{_digits(task, max(values))})"
    return mean(values), text


def _baseline(task: Mapping[str, Any]) -> str:
    level = task["metric"]["baseline"]
    return "" if level is None else _digits(task, level)


def _digits(task: Mapping[str, Any], value: float) -> str:
    return f"{value:.{task['metric']['digits']}f}"


def _chung(cell: str) -> str:
    return f"{CHUNG_2014[cell]:.2f}" if cell in CHUNG_2014 else ""


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}" if seconds >= 1e-4 else f"{seconds * 1e6:.3g}"


def _run_rows(results: Results) -> Iterator[dict[str, Any]]:
    for task in results["tasks"]:
        for record in task["records"]:
            settings = record["settings"]
            seconds = record.get("history", {}).get("seconds", ())
            yield {
                **{key: record.get(key, "") for key in RUN_FIELDS},
                **{key: settings[key] for key in ("task", "cell", "seed", "hidden_units")},
                "metric": task["metric"]["name"],
                "epochs": len(seconds),
            }


def _gradient_rows(results: Results) -> Iterator[dict[str, Any]]:
    for task in results["tasks"]:
        for record in task["records"]:
            settings = record["settings"]
            for when, norms in record["gradients"].items():
                columns = zip(norms["lag"], norms["state"], norms["hidden"], strict=True)
                for lag, state, hidden in columns:
                    yield {
                        **{key: settings[key] for key in ("task", "cell", "seed")},
                        "when": when, "lag": lag, "state_norm": state, "hidden_norm": hidden,
                    }  # fmt: skip


def _write(path: Path, head: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, head)
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
