"""What the article says of the three cells, and whether the results show it.

Every verdict is calculated from the results; nothing is written down before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .answer import STANDARD, TITLES, of_lags, present
from .cost import MARGIN, UNITS, cheaper
from .statistics import TaskResult, count, longest_lag, solved

Results = Mapping[str, Any]

FEW_STEPS: Final = 20
"""Fewer are no long dependency."""


@dataclass(frozen=True)
class Claim:
    """What the article says, where, whether these results show it, and by what."""

    claim: str
    section: str
    verdict: str
    found: str


def claims(results: Results) -> list[Claim]:
    """Those that can be judged by what was run: where there is one seed, none of the results."""
    if len(results["choice"]["seeds"]) < 2:
        judges: Iterable[Callable[[Results], Claim | None]] = (_vanishing, _simpler)
    else:
        judges = _JUDGES
    found = (judge(results) for judge in judges)
    return [claim for claim in found if claim is not None]


def _vanishing(results: Results) -> Claim | None:
    tasks = _longest(results) or list(results["tasks"])
    if not tasks or "rnn" not in present(results):
        return None
    task = max(tasks, key=lambda task: len(_untrained_norms(task, "rnn")))
    norms = _untrained_norms(task, "rnn")
    if len(norms) < FEW_STEPS:
        return None
    first, last = norms[0], norms[-1]
    return Claim(
        "Gradients of the traditional RNN vanish or explode over long dependencies.", "1, 6",
        "holds" if last < 1e-3 * first or last > 1e3 * first else "not seen",
        f"untrained, on {task['title'].lower()}, {task['variant']}: the norm of the gradient is "
        f"{first:.2g} one step back and {last:.1g} after {len(norms)} steps",
    )  # fmt: skip


def _gates_keep(results: Results) -> Claim | None:
    tasks = _longest(results)
    cells = [cell for cell in ("gru", "lstm") if cell in present(results)]
    if tasks is None or not cells or "rnn" not in present(results):
        return None
    reach = {cell: longest_lag(tasks, cell) or 0 for cell in ("rnn", *cells)}
    better = [cell for cell in cells if reach[cell] > reach["rnn"]]
    verdict = "holds" if len(better) == len(cells) else "holds in part" if better else "not seen"
    text = ", ".join(f"{TITLES[cell]} {lag or 'none'}" for cell, lag in reach.items())
    return Claim(
        "Gates let GRU and LSTM learn long dependencies.", "1, 2, 6", verdict,
        f"longest lag solved by every seed, {tasks[0]['title'].lower()}: {text}",
    )  # fmt: skip


def _simpler(results: Results) -> Claim | None:
    units = results["costs"]["units"]
    if not {"gru", "lstm"} <= set(present(results)):
        return None
    gru, lstm = units["gru"], units["lstm"]
    less = gru["parameters"] < lstm["parameters"]
    faster = cheaper(gru["step_seconds"], lstm["step_seconds"])
    return Claim(
        "The GRU is simpler than the LSTM.", "2, 6",
        "holds" if less and faster else "holds in part" if less or faster else "not seen",
        f"at {UNITS} units {gru['parameters']:,} weights against {lstm['parameters']:,}, a step "
        f"{gru['step_seconds'] * 1e6:.2f} µs against {lstm['step_seconds'] * 1e6:.2f} (a "
        f"difference below {MARGIN:.0%} would not count)",
    )  # fmt: skip


def _as_good(results: Results) -> Claim | None:
    if not {"gru", "lstm"} <= set(present(results)):
        return None
    open_tasks = _open(results["tasks"], "gru", "lstm")
    if not open_tasks:
        return None
    better, worse = count(open_tasks, "gru", "lstm")
    equal = len(open_tasks) - better - worse
    verdict = "holds" if worse == 0 else "holds in part" if better + equal >= worse else "not seen"
    return Claim(
        "The GRU does as well as the LSTM on many tasks.", "2, 6", verdict,
        f"of {len(open_tasks)} tasks the GRU is ahead on {better} and behind on {worse}, and on "
        f"{equal} no difference is shown{_left_out(results, open_tasks)}",
    )  # fmt: skip


def _stronger_memory(results: Results) -> Claim | None:
    families = of_lags(results)
    if not families or not {"gru", "lstm"} <= set(present(results)):
        return None
    wins = {"gru": 0, "lstm": 0}
    told = []
    for title, tasks in families.items():
        gru, lstm = (longest_lag(tasks, cell) or 0 for cell in ("gru", "lstm"))
        wins["gru"] += gru > lstm
        wins["lstm"] += lstm > gru
        told.append(f"{title.lower()}: LSTM {lstm or 'none'}, GRU {gru or 'none'}")
    verdict = "not seen" if wins["gru"] else "not decided"
    if wins["lstm"] and not wins["gru"]:
        verdict = "holds"
    elif wins["lstm"]:
        verdict = "holds in part"
    return Claim(
        "The LSTM has the stronger memory.", "6", verdict,
        f"longest lag solved by every seed: {'; '.join(told)}",
    )  # fmt: skip


def _article_cells(results: Results) -> Claim | None:
    cells = results["choice"]["cells"]
    pairs = [(c, f"{c}-article") for c in STANDARD if c in cells and f"{c}-article" in cells]
    if not pairs:
        return None
    told, kept = [], 0
    for standard, literal in pairs:
        open_tasks = _open(results["tasks"], standard, literal)
        better, worse = count(open_tasks, literal, standard)
        kept += better >= worse
        told.append(
            f"{TITLES[literal]} ahead of {TITLES[standard]} on {better} of {len(open_tasks)}, "
            f"behind on {worse}"
        )
    verdict = "holds" if kept == len(pairs) else "holds in part" if kept else "not seen"
    return Claim(
        "Its equations, taken literally, are networks as good as the field's.", "3", verdict,
        f"tasks that the two do not both solve: {'; '.join(told)}",
    )  # fmt: skip


_JUDGES: Final[tuple[Callable[[Results], Claim | None], ...]] = (
    _vanishing, _gates_keep, _simpler, _as_good, _stronger_memory, _article_cells,
)  # fmt: skip


def _longest(results: Results) -> list[TaskResult] | None:
    """The family with the longest lag."""
    families = of_lags(results)
    if not families:
        return None
    return max(families.values(), key=lambda tasks: max(int(task["lag"]) for task in tasks))


def _untrained_norms(task: TaskResult, cell: str) -> list[float]:
    """Of the first seed, by the lag; none where the cell was not run."""
    for record in task["records"]:
        if record["settings"]["cell"] == cell and "before" in record["gradients"]:
            return list(record["gradients"]["before"]["state"])
    return []


def _open(tasks: Iterable[TaskResult], one: str, other: str) -> list[TaskResult]:
    """Without the lags that both solve, which tell nothing of who is better."""
    return [t for t in tasks if not (t["lag"] and solved(t, one) and solved(t, other))]


def _left_out(results: Results, open_tasks: list[TaskResult]) -> str:
    number = len(results["tasks"]) - len(open_tasks)
    return f" ({number} more, which both solve, {'is' if number == 1 else 'are'} not counted)" if (
        number
    ) else ""  # fmt: skip
