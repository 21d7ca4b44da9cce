"""What the seeds allow to be said: spreads, which cells are apart, what counts as solved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from statistics import mean
from typing import Any, Final

TaskResult = Mapping[str, Any]

SOLVED: Final = 0.1
"""A task is solved where at most this share of what is lost by chance is still lost."""


@dataclass(frozen=True)
class Spread:
    """The results of one cell on one task, over seeds."""

    mean: float
    low: float
    high: float
    count: int

    def apart(self, other: Spread) -> bool:
        """No seed of one lies within the range of the other."""
        return self.high < other.low or other.high < self.low


def records_of(
    task: TaskResult, cell: str, role: str = "run", units: int | None = None
) -> Iterator[Mapping[str, Any]]:
    """The records of one cell: those that are compared, or those at one of the task's sizes."""
    for record in task["records"]:
        settings = record["settings"]
        if (settings["cell"], settings["role"]) == (cell, role) and units in (
            None, settings["hidden_units"]
        ):  # fmt: skip
            yield record


def spread(
    task: TaskResult, cell: str, role: str = "run", units: int | None = None
) -> Spread | None:
    """None where a seed diverged, or none was run: what is left would be a choice of the best."""
    records = list(records_of(task, cell, role, units))
    if not records or any("failure" in record for record in records):
        return None
    values = [record["result"] for record in records]
    return Spread(mean(values), min(values), max(values), len(values))


def spreads(task: TaskResult, cells: Sequence[str]) -> dict[str, Spread]:
    """Of the cells that did not diverge."""
    found = {cell: spread(task, cell) for cell in cells}
    return {cell: given for cell, given in found.items() if given is not None}


def lower_is_better(task: TaskResult) -> bool:
    return bool(task["metric"]["of"] == "loss")


def ranked(task: TaskResult, cells: Sequence[str]) -> list[str]:
    """The cells from the best mean to the worst; those that diverged are left out."""
    found = spreads(task, cells)
    return sorted(found, key=lambda cell: found[cell].mean, reverse=not lower_is_better(task))


def leaders(task: TaskResult, cells: Sequence[str]) -> list[str]:
    """The cell with the best mean, and after it all that it is not ahead of."""
    order = ranked(task, cells)
    return [cell for cell in order if not ahead(task, order[0], cell)]


def ahead(task: TaskResult, one: str, other: str) -> bool:
    """Every seed of ``one`` is better than every seed of ``other``, or the other alone diverged.
    Where a task has a lag, the question is whether it is solved: two that solve it are equal."""
    a, b = spread(task, one), spread(task, other)
    if a is None or b is None:
        return a is not None
    if task["lag"] and solved(task, one) and solved(task, other):
        return False
    return a.apart(b) and (a.mean < b.mean) == lower_is_better(task)


def count(tasks: Iterable[TaskResult], one: str, other: str) -> tuple[int, int]:
    """On how many tasks ``one`` is ahead of ``other``, and on how many behind."""
    tasks = list(tasks)
    return sum(ahead(t, one, other) for t in tasks), sum(ahead(t, other, one) for t in tasks)


def apart_pairs(tasks: Iterable[TaskResult], cells: Sequence[str]) -> tuple[int, int]:
    """How many pairs of cells are compared on all tasks together, and how many are apart."""
    pairs = [
        one.apart(other)
        for task in tasks
        for one, other in combinations(spreads(task, cells).values(), 2)
    ]
    return len(pairs), sum(pairs)


def by_chance(wins: int, number: int, seeds: int) -> float:
    """How likely a cell is ahead of an equal one on at least ``wins`` of ``number`` tasks."""
    rate = chance(seeds) / 2  # the other half of what comes apart is behind
    return sum(
        comb(number, k) * rate**k * (1 - rate) ** (number - k) for k in range(wins, number + 1)
    )


def chance(count: int) -> float:
    """How often two cells that are equal come out apart, with so many seeds each: of the
    C(2n, n) equally likely ways in which 2n values fall to two, 2 have no overlap."""
    return 2 / comb(2 * count, count)


def solved(task: TaskResult, cell: str) -> bool:
    """Every seed has left at most a tenth of what is lost by chance: of the baseline's loss, or of
    the share between the baseline's score and 1."""
    base, found = task["metric"]["baseline"], spread(task, cell)
    if base is None or found is None:
        return False
    if lower_is_better(task):
        return found.high <= SOLVED * float(base)
    return found.low >= 1 - SOLVED * (1 - float(base))


def longest_lag(tasks: Sequence[TaskResult], cell: str) -> int | None:
    """The longest lag up to which, from the shortest on, every task is solved."""
    longest = None
    for task in sorted(tasks, key=lambda task: int(task["lag"])):
        if not solved(task, cell):
            break
        longest = int(task["lag"])
    return longest


def digits(task: TaskResult, given: Spread, between: str = " ") -> str:
    """The mean with, where there are several seeds, the lowest and the highest."""
    places = task["metric"]["digits"]
    text = f"{given.mean:.{places}f}"
    if given.count > 1:
        ends = f"{given.low:.{places}f}–{given.high:.{places}f}"
        text += f" ({ends})" if between == " " else between + ends
    return text


def apart_text(one: Spread, other: Spread) -> str:
    """Whether two ranges overlap, in words."""
    if one.count < 2:
        return "one seed, so no spread"
    return "apart" if one.apart(other) else "within the spread of the seeds"


def heat(task: TaskResult, cells: Sequence[str]) -> dict[str, float]:
    """How far each cell is behind, 0 to 1: the share of the other cells that are ahead of it.
    Cells within each other's spread so have the same colour or a near one."""
    found = spreads(task, cells)
    return {
        cell: sum(ahead(task, other, cell) for other in found) / max(1, len(found) - 1)
        for cell in found
    }
