#!/usr/bin/env python3
"""Put what a full comparison says into docs/comparison.md, and its answer into docs/choosing.md.

    rnn-native compare --out build/comparison
    python tools/comparison_docs.py build/comparison

What stands there between <!-- full --> and <!-- /full -->, and so for answer and reasons, is
replaced, as are docs/comparison/full-*.svg, and docs/comparison.png, the
page's first screen, where Chromium is installed. Numbers stand there once: what each task's own
tables have beyond them is in the page that the command writes. Needs the package with its extra
compare.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from rnn_native.comparison.answer import sentences
from rnn_native.comparison.page import write_html
from rnn_native.comparison.page.blocks import Figure, Figures, Section, Table
from rnn_native.comparison.page.figures import alone
from rnn_native.comparison.page.markdown import section_text, table
from rnn_native.comparison.page.sections import sections, subtitle
from rnn_native.comparison.recommend import take

DOCS = Path(__file__).parents[1] / "docs"
COMMAND = "rnn-native compare --out build/comparison"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the --out of rnn-native compare")
    results = json.loads((parser.parse_args().folder / "results.json").read_text())
    scale = results["choice"]["scale"]
    if scale != "full":
        parser.error(f"expected a comparison that is full, got a {scale} one")
    first, *reasons = answer(results)
    replace(DOCS / "choosing.md", "answer", first)
    replace(DOCS / "choosing.md", "reasons", "\n\n".join(reasons))
    replace(DOCS / "comparison.md", "full", "\n\n".join(block(results)))
    screenshot(results)


def replace(page: Path, mark: str, body: str) -> None:
    """What stands between the marks."""
    before, rest = page.read_text().split(f"<!-- {mark} -->\n")
    _, after = rest.split(f"<!-- /{mark} -->\n")
    page.write_text(f"{before}<!-- {mark} -->\n\n{body}\n\n<!-- /{mark} -->\n{after}")
    print(page)


def answer(results: dict[str, Any]) -> list[str]:
    """What to take; then a paragraph for each thing that was asked."""
    told = (take(results), *sentences(results))
    return [f"**{sentence.lead}** {sentence.text}" for sentence in told]


def block(results: dict[str, Any]) -> Iterator[str]:
    """Claims and results of all tasks; what is reached without learning; costs, and pictures."""
    yield "## The full run"
    yield f"    {COMMAND}"
    first = take(results)
    yield f"{subtitle(results)} **{first.lead}** {first.text}"
    for old in (DOCS / "comparison").glob("full-*.svg"):
        old.unlink()
    for section in sections(results):
        if section.name == "answer":
            yield from (part for part in texts(section) if part.startswith("|") or "↓" in part)
            yield from reached_without_learning(results)
        elif section.name in ("costs", "device"):
            yield f"### {section.title}"
            yield from texts(section)
        images = [
            image(figure, DOCS / "comparison" / f"full-{section.name}-{number}.svg")
            for number, figure in enumerate(chosen(section, results), 1)
        ]
        if images:
            yield f"### {section.title}"
            yield "\n".join(images)


def texts(section: Section) -> Iterator[str]:
    """Texts and tables without the section's title."""
    _, *parts = section_text(section)
    yield from parts


def reached_without_learning(results: dict[str, Any]) -> Iterator[str]:
    """Chance and simple methods, by task."""
    rows = [
        [f"{task['title']}, {task['variant']}", *told]
        for task in results["tasks"]
        if (told := _levels(task))
    ]
    if rows:
        yield table(Table(["task", "reached with little or nothing learnt"], rows))


def _levels(task: dict[str, Any]) -> list[str]:
    known = dict(task["references"])
    if task["metric"]["baseline"] is not None:
        known["nothing learnt"] = task["metric"]["baseline"]
    told = [f"{name} {value:.{task['metric']['digits']}f}" for name, value in known.items()]
    return ["; ".join(told)] if told else []


def chosen(section: Section, results: dict[str, Any]) -> Iterator[Figure]:
    """Of a task's figures those over the lag, and gradients and gates of the longest lag; of sizes
    and of how time grows all."""
    figures = [f for part in section.blocks if isinstance(part, Figures) for f in part.figures]
    if section.name in ("size", "growth"):
        yield from figures
    tasks = [task for task in results["tasks"] if section.name == f"task-{task['family']}"]
    if not tasks or not tasks[0]["lag"]:
        return
    longest = max(tasks, key=lambda task: task["lag"])
    start = f"{longest['title']}, {longest['variant']}: how"
    for figure in figures:
        if figure.title.endswith("over the lag") or figure.title.startswith(start):
            yield figure


def image(figure: Figure, path: Path) -> str:
    """Its SVG in a file, and the line that shows it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(alone(figure.draw(), colours()), encoding="utf-8")
    about = figure.title.replace('"', "&quot;")
    return f'<img src="comparison/{path.name}" width="400" alt="{about}">'


def colours() -> str:
    """The page's own, light and dark."""
    source = resources.files("rnn_native.comparison.page").joinpath("page.html")
    style = source.read_text(encoding="utf-8").partition("<style>")[2]
    return style[: style.index("* {")].strip()


def screenshot(results: dict[str, Any]) -> None:
    """The page's first screen."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"docs/comparison.png stays as it is: none of {', '.join(BROWSERS)} is installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        write_html(results, Path(folder))
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={folder}/profile", "--window-size=1280,900",
                f"--screenshot={DOCS / 'comparison.png'}", f"file://{folder}/comparison.html",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    print(DOCS / "comparison.png")


if __name__ == "__main__":
    main()
