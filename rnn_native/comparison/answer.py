"""What the results say, in words: sentences, an answer to each of the article's claims.

Every number and every verdict is calculated from the results; nothing is written down before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from .contenders import CONTENDERS
from .cost import BUDGET, INPUT, UNITS
from .device import CODE_BYTES
from .statistics import (
    TaskResult,
    apart_text,
    chance,
    digits,
    longest_lag,
    lower_is_better,
    ranked,
    spread,
    spreads,
)

Results = Mapping[str, Any]

TITLES: Final = {contender.name: contender.title for contender in CONTENDERS}
STANDARD: Final = ("rnn", "gru", "lstm")
FEW_STEPS: Final = 20
"""Fewer are no long dependency."""


@dataclass(frozen=True)
class Sentence:
    """``lead`` is set off; ``text`` follows."""

    lead: str
    text: str


@dataclass(frozen=True)
class Claim:
    """What the article says, where, whether these results show it, and by what."""

    claim: str
    section: str
    verdict: str
    found: str


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
    """How far each cell remembers, where they differ beyond chance, and what they cost."""
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
    cells, ahead, same = present(results), [], []
    seeds = len(results["choice"]["seeds"])
    for task in without_lag(results):
        found, order = spreads(task, cells), ranked(task, cells)
        if len(order) < 2:
            continue
        label = f"{task['title']}, {task['variant']}"
        pairs = [
            (one, other) for one, other in combinations(order, 2) if found[one].apart(found[other])
        ]
        if not pairs:
            same.append(label)
            continue
        told = "; ".join(
            f"{TITLES[one]} ahead of {names([b for a, b in pairs if a == one])}"
            for one in dict.fromkeys(one for one, _ in pairs)
        )
        ahead.append(f"{label}: {told}")
    if not ahead and not same:
        return None
    if seeds < 2:
        return Sentence(
            "Differences are not judged:", "one seed has no spread; --seeds 0,1,2 gives one."
        )
    text = []
    if ahead:
        text.append(f"Beyond the spread of {seeds} seeds, {'. '.join(ahead)}.")
    if same:
        text.append(f"Within it, so that no difference is shown: {'; '.join(same)}.")
    text.append(f"(A pair of equal cells comes apart so in {chance(seeds):.0%} of cases.)")
    return Sentence("Where they differ on data.", " ".join(text))


def _price(results: Results) -> Sentence | None:
    cells = present(results)
    units, weights = results["costs"]["units"], results["costs"]["weights"]
    if not cells:
        return None
    by_time = sorted(cells, key=lambda cell: units[cell]["step_seconds"])
    base = min(units[cell]["parameters"] for cell in cells)
    steps = ", ".join(
        f"{TITLES[cell]} {units[cell]['step_seconds'] * 1e6:.2f} µs" for cell in by_time
    )
    sizes = " : ".join(f"{units[cell]['parameters'] / base:.1f}" for cell in cells)
    low, high = _ends([weights[cell]["step_seconds"] * 1e6 for cell in cells])
    return Sentence(
        f"What a step costs at {UNITS} units.",
        f"{steps}; weights of {names(cells)} are {sizes}. With {BUDGET:,} weights each they take "
        f"{low:.2f} to {high:.2f} µs.",
    )


def _device(results: Results) -> Sentence | None:
    sizes = results.get("device", {})
    known = [cell for cell in present(results) if "128" in sizes.get(cell, {})]
    if not known:
        return None
    flash = ", ".join(
        f"{TITLES[cell]} {sizes[cell]['128']['weight_bytes'] / 1024:.0f} KiB of flash and "
        f"{sizes[cell]['128']['ram_bytes'] / 1024:.1f} KiB of RAM"
        for cell in known
    )
    return Sentence(
        "On a Cortex-M, 128 units in float32:",
        f"{flash} ({INPUT} inputs; about {CODE_BYTES // 1000} KB of code come on top once).",
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


# ---- the article's claims ----


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
    faster = gru["step_seconds"] < lstm["step_seconds"]
    return Claim(
        "The GRU is simpler than the LSTM.", "2, 6",
        "holds" if less and faster else "holds in part" if less or faster else "not seen",
        f"at {UNITS} units {gru['parameters']:,} weights against {lstm['parameters']:,}, a step "
        f"{gru['step_seconds'] * 1e6:.2f} µs against {lstm['step_seconds'] * 1e6:.2f}",
    )  # fmt: skip


def _as_good(results: Results) -> Claim | None:
    if not {"gru", "lstm"} <= set(present(results)) or not results["tasks"]:
        return None
    better, worse = _count(results, "gru", "lstm")
    total = len(results["tasks"])
    equal = total - better - worse
    verdict = "holds" if worse == 0 else "holds in part" if better + equal >= worse else "not seen"
    return Claim(
        "The GRU does as well as the LSTM on many tasks.", "2, 6", verdict,
        f"of {total} tasks the GRU is ahead on {better}, within the spread on {equal}, behind on "
        f"{worse}",
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
        better, worse = _count(results, literal, standard)
        kept += better >= worse
        told.append(f"{TITLES[literal]} ahead of {TITLES[standard]} on {better}, behind on {worse}")
    verdict = "holds" if kept == len(pairs) else "holds in part" if kept else "not seen"
    return Claim(
        "Its equations, taken literally, are networks as good as the field's.", "3",
        verdict, f"tasks whose seeds are apart, of {len(results['tasks'])}: {'; '.join(told)}",
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


def _count(results: Results, one: str, other: str) -> tuple[int, int]:
    """On how many tasks ``one`` is ahead of ``other`` beyond the spread, and on how many behind."""
    better = worse = 0
    for task in results["tasks"]:
        a, b = spread(task, one), spread(task, other)
        if a is None or b is None:
            better += a is not None and b is None
            worse += a is None and b is not None
        elif a.apart(b):
            ahead = (a.mean < b.mean) == lower_is_better(task)
            better += ahead
            worse += not ahead
    return better, worse


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
