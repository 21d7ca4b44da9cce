"""What the results say, in words.

Every number and every verdict is calculated from the results; nothing is written down before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from .contenders import CONTENDERS
from .cost import BUDGET, INPUT, UNITS
from .device import CODE_BYTES
from .statistics import (
    TaskResult,
    ahead,
    apart_text,
    digits,
    longest_lag,
    ranked,
    spread,
)

Results = Mapping[str, Any]

TITLES: Final = {contender.name: contender.title for contender in CONTENDERS}
STANDARD: Final = ("rnn", "gru", "lstm")


@dataclass(frozen=True)
class Sentence:
    """``lead`` is set off; ``text`` follows."""

    lead: str
    text: str


def present(results: Results) -> list[str]:
    """The standard cells that were compared."""
    return [cell for cell in STANDARD if cell in results["choice"]["cells"]]


def names(cells: Sequence[str]) -> str:
    """``RNN``, ``GRU and LSTM``, ``RNN, GRU and LSTM``."""
    titles = [TITLES[cell] for cell in cells]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def of_lags(results: Results) -> dict[str, list[TaskResult]]:
    """The families whose tasks differ in their lag, by title, and have a chance level."""
    found: dict[str, list[TaskResult]] = {}
    for task in results["tasks"]:
        if task["lag"] and task["metric"]["baseline"] is not None:
            found.setdefault(task["title"], []).append(task)
    return found


def without_lag(results: Results) -> list[TaskResult]:
    return [task for task in results["tasks"] if not task["lag"]]


# ---- the first screen ----


def sentences(results: Results) -> list[Sentence]:
    """After what to take (``recommend``): how far each cell remembers, where they differ on data,
    and what they cost."""
    parts = (_memory(results), _differences(results), _price(results), _device(results))
    return [part for part in parts if part is not None]


def _memory(results: Results) -> Sentence | None:
    cells, told = present(results), []
    for title, tasks in of_lags(results).items():
        lags = sorted(int(task["lag"]) for task in tasks)
        reach = {cell: longest_lag(tasks, cell) for cell in cells}
        by_reach: dict[int | None, list[str]] = {}
        for cell in cells:
            by_reach.setdefault(reach[cell], []).append(cell)
        order = sorted(by_reach, key=lambda lag: -(lag or 0))
        words = [
            f"{names(by_reach[lag])} " + (
                "at no lag that was tried" if lag is None
                else f"up to a lag of {lag}" + (", the longest tried" if lag == lags[-1] else "")
            )
            for lag in order
        ]  # fmt: skip
        told.append(f"{title}: {'; '.join(words)} (tried: {', '.join(map(str, lags))}).")
    if not told:
        return None
    return Sentence("How far back each remembers.", " ".join(told))


def _differences(results: Results) -> Sentence | None:
    cells, differ, same = present(results), [], []
    seeds = len(results["choice"]["seeds"])
    for task in without_lag(results):
        order = ranked(task, cells)
        if len(order) < 2:
            continue
        label = f"{task['title']}, {task['variant']}"
        pairs = [pair for pair in combinations(order, 2) if ahead(task, *pair)]
        if not pairs:
            same.append(label)
            continue
        told = "; ".join(
            f"{TITLES[one]} ahead of {names([b for a, b in pairs if a == one])}"
            for one in dict.fromkeys(one for one, _ in pairs)
        )
        differ.append(f"{label}: {told}")
    if not differ and not same:
        return None
    if seeds < 2:
        return Sentence(
            "Differences are not judged:", "one seed has no spread; --seeds 0,1,2 gives one."
        )
    text = []
    if differ:
        text.append(f"{'. '.join(differ)}.")
    if same:
        text.append(f"No difference: {'; '.join(same)}.")
    if differ:
        text.append(
            f"(Ahead: each of the {seeds} seeds is better than every one of the other cell. Pairs "
            "that are not named show no difference.)"
        )
    return Sentence("Where they differ on data.", " ".join(text))


def _price(results: Results) -> Sentence | None:
    cells = present(results)
    units, weights = results["costs"]["units"], results["costs"]["weights"]
    if not cells:
        return None
    by_time = sorted(cells, key=lambda cell: units[cell]["step_seconds"])
    steps = ", ".join(
        f"{TITLES[cell]} {units[cell]['step_seconds'] * 1e6:.2f} µs"
        f" ({units[cell]['parameters']:,} weights)" for cell in by_time
    )  # fmt: skip
    text = f"{steps}."
    if len(cells) > 1:
        low, high = _ends([weights[cell]["step_seconds"] * 1e6 for cell in cells])
        text = (
            f"Fastest first: {text} With about {BUDGET:,} weights each, they all take "
            f"{low:.2f} to {high:.2f} µs."
        )
    return Sentence(f"What one step costs at {UNITS} units.", text)


def _device(results: Results) -> Sentence | None:
    sizes = results.get("device", {})
    known = [cell for cell in present(results) if "128" in sizes.get(cell, {})]
    if not known:
        return None
    flash = "; ".join(
        f"{TITLES[cell]} {sizes[cell]['128']['weight_bytes'] / 1024:.0f} KiB of flash, "
        f"{sizes[cell]['128']['ram_bytes'] / 1024:.1f} of RAM"
        for cell in known
    )
    return Sentence(
        "On a Cortex-M, 128 units in float32:",
        f"{flash}, with {INPUT} inputs. The code takes about {CODE_BYTES // 1000} KB more of "
        "flash.",
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def head_to_head(results: Results) -> Iterator[tuple[str, str]]:
    """GRU and LSTM on each task without a lag: the task, and who is ahead and whether beyond the
    spread of seeds."""
    if not {"gru", "lstm"} <= set(present(results)):
        return
    for task in without_lag(results):
        gru, lstm = spread(task, "gru"), spread(task, "lstm")
        if gru is not None and lstm is not None:
            yield (
                f"{task['title']}, {task['variant']}",
                f"LSTM {digits(task, lstm)}, GRU {digits(task, gru)}: {apart_text(lstm, gru)}",
            )
