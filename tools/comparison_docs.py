#!/usr/bin/env python3
"""Put the texts, tables and pictures of a comparison into docs/comparison.md.

    rnn-native compare --out build/comparison
    python tools/comparison_docs.py build/comparison

What stands there between <!-- full --> and <!-- /full --> (or quick, as the comparison was) is
replaced, as are docs/comparison/full-*.svg, and docs/comparison.png, the page's first screen, where
Chromium is installed. Needs the package with its extra compare.
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

from rnn_native.comparison.page import write_html
from rnn_native.comparison.page.blocks import Figure, Figures, Section
from rnn_native.comparison.page.figures import alone
from rnn_native.comparison.page.markdown import section_text
from rnn_native.comparison.page.sections import sections, subtitle

DOCS = Path(__file__).parents[1] / "docs"
TITLES = {"quick": "A quick run", "full": "The full run"}
COMMANDS = {
    "quick": "rnn-native compare --quick --out build/comparison-quick",
    "full": "rnn-native compare --out build/comparison",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the --out of rnn-native compare")
    results = json.loads((parser.parse_args().folder / "results.json").read_text())
    scale = results["choice"]["scale"]
    if scale not in TITLES:
        parser.error(f"expected a comparison that is {' or '.join(TITLES)}, got a {scale} one")
    page = DOCS / "comparison.md"
    before, rest = page.read_text().split(f"<!-- {scale} -->\n")
    _, after = rest.split(f"<!-- /{scale} -->\n")
    body = "\n\n".join(block(results, scale))
    page.write_text(f"{before}<!-- {scale} -->\n{body}\n<!-- /{scale} -->\n{after}")
    print(page)
    screenshot(results)


def block(results: dict[str, Any], scale: str) -> Iterator[str]:
    """The answer; then each task, with pictures of the one that shows most."""
    yield f"## {TITLES[scale]}"
    yield f"    {COMMANDS[scale]}"
    yield subtitle(results)
    for old in (DOCS / "comparison").glob(f"{scale}-*.svg"):
        old.unlink()
    for section in sections(results):
        title, *parts = section_text(section)
        if section.name == "answer":
            yield from parts
        elif scale == "full" and section.name != "how":
            yield f"##{title}"
            yield from parts
        images = [
            image(figure, DOCS / "comparison" / f"{scale}-{section.name}-{number}.svg")
            for number, figure in enumerate(chosen(section, results), 1)
        ]
        if images:
            yield "\n".join(images)


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
    about = f"{figure.title}. {figure.about}".strip().replace('"', "&quot;")
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
