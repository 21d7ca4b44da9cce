"""The report: one HTML file with everything in it, to be opened without a network."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path
from typing import Any

from ..formats.files import replacing
from . import tables
from .tables import Results
from .tasks import FAMILIES


def write_html(results: Results, out: Path) -> None:
    """``comparison.html``. Raises ``ImportError`` where jinja2 or matplotlib is not installed."""
    from jinja2 import Environment

    source = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(source).render(**_contents(results))
    with replacing(out / "comparison.html") as file:
        file.write(page.encode())


def _contents(results: Results) -> dict[str, Any]:
    from . import plots

    cells = results["choice"]["cells"]
    sections = []
    for name in tables.present(results):
        tasks = [task for task in results["tasks"] if task["family"] == name]
        overview, figures = [], []
        if len(tasks) > 1 and all(task["lag"] for task in tasks):
            overview.append(_figure("The result over the lag", plots.by_lag(tasks, cells)))
        for task in tasks:
            title = f"{FAMILIES[name].TITLE}, {task['variant']}"
            drawn = [("validation loss over epochs", plots.curves(task, cells))]
            drawn += [
                (f"norm of the gradient over the lag, {when} training",
                 plots.gradients(task, cells, when))
                for when in ("before", "after")
            ]  # fmt: skip
            figures += [_figure(f"{title}: {what}", svg) for what, svg in drawn]
        sections.append({
            "name": name,
            "title": FAMILIES[name].TITLE,
            "about": FAMILIES[name].ABOUT,
            "table": tables.family(results, name),
            "training": tables.training(results, name),
            "learning": tasks[0]["learning"],
            "overview": overview,
            "figures": figures,
        })  # fmt: skip
    return {
        "choice": results["choice"],
        "machine": results["machine"],
        "legend": _figure("Legend", plots.legend(cells)),
        "costs": tables.costs(results),
        "cost_figures": [_figure(title, svg) for title, svg in plots.costs(results)],
        "sections": sections,
        "skipped": {FAMILIES[name].TITLE: why for name, why in results["skipped"].items()},
    }


def _figure(title: str, svg: str) -> dict[str, str]:
    """As an image of its own: the names inside one drawing cannot meet those of another."""
    return {
        "title": title,
        "source": "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode(),
    }
