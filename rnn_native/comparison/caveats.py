"""What a reader must know before a number is trusted: runs that were cut short, rates that might
lie outside of those tried, how many pairs come apart by chance, how little a test set tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .statistics import TaskResult, apart_pairs, chance, records_of

Results = Mapping[str, Any]

STILL: Final = "†"
EDGE: Final = "‡"
LAST: Final = 0.1
GAIN: Final = 0.01
"""A run was still improving where the last tenth of its epochs lowered the validation loss by more
than a hundredth."""


def still_improving(task: TaskResult, cell: str) -> bool:
    """Whether any seed used all its epochs and its loss still fell in the last of them."""
    epochs = int(task["learning"]["epochs"]) if "learning" in task else 0
    last = max(1, int(LAST * epochs))
    for record in records_of(task, cell):
        losses = record.get("history", {}).get("val_loss", [])
        if last < len(losses) == epochs and (
            min(losses[-last:]) < (1 - GAIN) * min(losses[:-last])
        ):  # fmt: skip
            return True
    return False


def at_the_edge(task: TaskResult, cell: str) -> bool:
    """Whether the rate that was chosen is the lowest or highest of at least three that were tried:
    of two, each is one of them."""
    found = task.get("rates", {}).get(cell)
    if found is None or len(found["tried"]) < 3:
        return False
    rates = [rate for rate, _ in found["tried"]]
    return found["rate"] in (min(rates), max(rates))


def marks(task: TaskResult, cell: str) -> str:
    """What is set behind a cell's number."""
    return STILL * still_improving(task, cell) + EDGE * at_the_edge(task, cell)


def legend(results: Results, tasks: Sequence[TaskResult], cells: Sequence[str]) -> str:
    """What the marks mean, of those that there are."""
    found = "".join(marks(task, cell) for task in tasks for cell in cells)
    rates = results["choice"].get("rates", ())
    parts = []
    if STILL in found:
        parts.append(
            f"{STILL} still improving when its epochs ended (the last tenth of them lowered the "
            f"validation loss by over {GAIN:.0%}): more epochs might give a better result."
        )
    if EDGE in found:
        parts.append(
            f"{EDGE} its learning rate is the lowest or highest that was tried "
            f"({', '.join(f'{rate:g}' for rate in rates)}): one beyond might be better."
        )
    if 0 < len(rates) < 3:
        parts.append(
            f"Only {' and '.join(f'{rate:g}' for rate in rates)} were tried as learning rates: "
            "another might be better for any cell."
        )
    return " ".join(parts)


def many_pairs(results: Results) -> str:
    """How many pairs are compared and how many would come apart if all cells were equal."""
    seeds = len(results["choice"]["seeds"])
    number, apart = apart_pairs(results["tasks"], results["choice"]["cells"])
    if seeds < 2 or not number:
        return ""
    return (
        f"Chance: {number} pairs of cells are compared here, and {apart} come apart (no seed of "
        f"one lies in the range of the other). Were all cells equal, {chance(seeds):.0%} would, "
        f"about {number * chance(seeds):.0f}."
    )


def test_size(task: TaskResult) -> str:
    """How many answers the test data ask for, and how many of them one percent is."""
    sizes = task.get("sizes")
    if sizes is None:
        return ""
    asked, sequences = sizes["asked"], sizes["test"]
    if task["metric"]["of"] == "loss":
        whole = "" if asked == sequences else f"steps of {sequences:,} sequences "
        return f"{asked:,} {whole}to test"
    one = f"1 % is {asked / 100:.0f}" if asked >= 200 else f"each {100 / asked:.2g} %"
    return f"{asked:,} {'to test' if asked == sequences else 'answers'}, {one}"
