"""``comparison.md``: the sections' texts and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...formats.files import replacing
from .blocks import Section, Table, Text
from .sections import sections, subtitle


def write_markdown(results: Mapping[str, Any], out: Path) -> None:
    parts = ["# Comparison of recurrent cells", subtitle(results)]
    for section in sections(results):
        parts += section_text(section)
    with replacing(out / "comparison.md") as file:
        file.write(("\n\n".join(parts) + "\n").encode())


def section_text(section: Section) -> Iterator[str]:
    """A section's title, texts and tables, without its figures."""
    yield f"## {section.title}"
    for block in section.blocks:
        if isinstance(block, Text):
            yield f"**{block.lead}** {block.text}" if block.lead else block.text
        elif isinstance(block, Table):
            yield table(block)
            if block.note:
                yield block.note


def table(given: Table) -> str:
    """A table as Markdown has them, what is set off in bold."""

    def line(cells: Sequence[str]) -> str:
        return (
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )

    body = [
        [f"**{cell}**" if (r, c) in given.strong else cell for c, cell in enumerate(row)]
        for r, row in enumerate(given.rows)
    ]
    columns = [[row[at] for row in given.rows] for at in range(1, len(given.head))]
    rule = "|".join(["", "---", *("---:" if _numbers(c) else "---" for c in columns), ""])
    return "\n".join([line(given.head), rule, *map(line, body)])


def _numbers(column: Sequence[str]) -> bool:
    """Whether a column has numbers and no words, so that it is read from the right."""
    return all(re.match(r"\W*\d|\W*$|diverged", cell) for cell in column)
