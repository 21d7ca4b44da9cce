"""Results as rows: ``comparison.csv``, ``costs.csv`` and ``gradients.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..formats.files import replacing

Results = Mapping[str, Any]

RUN_FIELDS: Final = (
    "task", "family", "variant", "lag", "cell", "role", "seed", "hidden_units", "learning_rate",
    "parameters", "metric", "result", "test_loss", "epochs", "best_epoch", "seconds_per_epoch",
    "failure",
)  # fmt: skip


def write_csv(results: Results, out: Path) -> None:
    _write(out / "comparison.csv", RUN_FIELDS, _run_rows(results))
    rows = [
        {"view": view, "cell": name, **row}
        for view, table in results["costs"].items()
        for name, row in table.items()
    ]
    _write(out / "costs.csv", tuple(rows[0]) if rows else ("view", "cell"), iter(rows))
    _write(
        out / "gradients.csv",
        ("task", "cell", "seed", "when", "lag", "state_norm", "hidden_norm"),
        _gradient_rows(results),
    )


def _run_rows(results: Results) -> Iterator[dict[str, Any]]:
    for task in results["tasks"]:
        for record in task["records"]:
            settings = record["settings"]
            seconds = record.get("history", {}).get("seconds", ())
            yield {
                **{key: record.get(key, "") for key in RUN_FIELDS},
                **{key: settings[key] for key in ("task", "cell", "role", "seed", "hidden_units")},
                "learning_rate": settings["learning"]["learning_rate"],
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
