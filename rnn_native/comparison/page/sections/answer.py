"""The first screen: what to take, sentences, tasks × cells; then the article's claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...answer import TITLES, Sentence, sentences
from ...caveats import legend, many_pairs, marks, test_size
from ...claims import claims
from ...recommend import take
from ...statistics import digits, heat, leaders, spreads
from ..blocks import Block, Figure, Section, Table, Text
from . import size

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Screen:
    """``take`` stands over all; ``figures``: the quality that a step's time buys, where sizes were
    compared."""

    take: Sentence
    sentences: Sequence[Sentence]
    table: Table
    figures: Sequence[Figure]


def screen(results: Results) -> Screen:
    return Screen(
        take(results), sentences(results), heat_table(results), size.pictures(results)[:2]
    )


def heat_table(results: Results) -> Table:
    """A row for each task, a column for each cell."""
    cells = results["choice"]["cells"]
    many = len(results["choice"]["seeds"]) > 1
    rows, strong, colours = [], set(), {}
    for number, task in enumerate(results["tasks"]):
        found, behind, best = spreads(task, cells), heat(task, cells), leaders(task, cells)
        arrow = "↓" if task["metric"]["of"] == "loss" else "↑"
        row = [
            "\n".join(
                filter(None, (f"{task['title']}, {task['variant']} {arrow}", test_size(task)))
            )
        ]
        for place, cell in enumerate(cells, 1):
            mean, between, ends = (
                digits(task, found[cell], "\n") if cell in found else "diverged"
            ).partition("\n")
            row.append(mean + marks(task, cell) + between + ends)
            if cell in found and many:
                colours[number, place] = behind[cell]
            if cell in best and len(best) == 1 and many:
                strong.add((number, place))
        rows.append(row)
    note = "↓ less is better, ↑ more is better. " + (
        "Each number is the mean of the seeds, below it the lowest and the highest. The stronger "
        "the green, the fewer cells are ahead; a cell is ahead of another if each of its seeds is "
        "better than every seed of the other, but two that solve a lag are equal. Bold: ahead of "
        "all others." if many
        else "One seed: differences are not judged."
    )  # fmt: skip
    more = (legend(results, results["tasks"], cells), many_pairs(results))
    note = " ".join(filter(None, (note, *more)))
    return Table(
        ["task", *(TITLES[cell].replace("article", "art.") for cell in cells)],
        rows,
        frozenset(strong),
        colours,
        note,
    )


def section(results: Results) -> Section:
    given = (take(results), *sentences(results))
    blocks: list[Block] = [Text(sentence.text, sentence.lead) for sentence in given]
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
