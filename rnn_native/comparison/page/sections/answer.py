"""The first screen: sentences, tasks × cells, the article's claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...answer import TITLES, Sentence, claims, sentences
from ...statistics import digits, heat, leaders, spreads
from ..blocks import Block, Figure, Section, Table, Text
from . import size

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Screen:
    """``figures``: the quality that a step's time buys, where sizes were compared."""

    sentences: Sequence[Sentence]
    table: Table
    figures: Sequence[Figure]


def screen(results: Results) -> Screen:
    return Screen(sentences(results), heat_table(results), size.pictures(results)[:2])


def heat_table(results: Results) -> Table:
    """A row for each task, a column for each cell."""
    cells = results["choice"]["cells"]
    many = len(results["choice"]["seeds"]) > 1
    rows, strong, colours = [], set(), {}
    for number, task in enumerate(results["tasks"]):
        found, behind, best = spreads(task, cells), heat(task, cells), leaders(task, cells)
        arrow = "↓" if task["metric"]["of"] == "loss" else "↑"
        row = [f"{task['title']}, {task['variant']} {arrow}"]
        for place, cell in enumerate(cells, 1):
            row.append(digits(task, found[cell], "\n") if cell in found else "diverged")
            if cell in found and many:
                colours[number, place] = behind[cell]
            if cell in best and len(best) == 1 and many:
                strong.add((number, place))
        rows.append(row)
    note = "↓ less is better, ↑ more is better. " + (
        "Mean of the seeds (lowest–highest). A cell is the paler the more others are ahead of it "
        "by more than the spread; bold is alone in front." if many
        else "One seed: differences are not judged."
    )  # fmt: skip
    return Table(
        ["task", *(TITLES[cell].replace("article", "art.") for cell in cells)],
        rows,
        frozenset(strong),
        colours,
        note,
    )


def section(results: Results) -> Section:
    blocks: list[Block] = [Text(given.text, given.lead) for given in sentences(results)]
    blocks.append(heat_table(results))
    found = claims(results)
    if found:
        blocks.append(
            Table(
                ["the article says", "section", "here it", "by what"],
                [[claim.claim, claim.section, claim.verdict, claim.found] for claim in found],
            )
        )
    if results["skipped"]:
        told = "; ".join(f"{title} ({why})" for title, why in results["skipped"].items())
        blocks.append(Text(f"{told}.", "Skipped:"))
    return Section("answer", "The answer", blocks)
