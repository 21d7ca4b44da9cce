"""Which cell to take, in one sentence: by how far back each remembers, then by who is ahead on data
beyond chance, both at equal numbers of weights. Among those that are left the one whose step costs
less at equal units, where the others were learnt at equal units too and were no better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from .answer import TITLES, Sentence, names, of_lags, present, without_lag
from .cost import UNITS, cheaper
from .statistics import TaskResult, by_chance, count, longest_lag, lower_is_better, spread

Results = Mapping[str, Any]

RARE: Final = 0.05
"""A cell is passed over for data where an equal one would be so far ahead less often than that."""


def take(results: Results) -> Sentence:
    """What to take and on which condition; or why the results do not say."""
    cells = present(results)
    why_not = _nothing(results, cells)
    if why_not:
        return Sentence("No cell can be recommended:", why_not)
    reach = _reach(results, cells)
    far = [cell for cell in cells if not any(_further(reach[o], reach[cell]) for o in cells)]
    good = [cell for cell in far if not any(_beats(results, other, cell) for other in far)] or far
    chosen, by_cost = _cheapest(results, good)
    if len(chosen) == len(cells):
        return Sentence("No cell is ahead of the others:", f"{_alike(results, chosen)}.")
    reasons = [*_memory(reach, chosen, cells), *_data(results, chosen, far), *by_cost]
    return Sentence(
        f"Take the {' or the '.join(TITLES[cell] for cell in chosen)}:",
        f"{'; '.join(reasons)}.{_enough(reach, chosen, cells)}",
    )


def _nothing(results: Results, cells: Sequence[str]) -> str:
    """Why no cell can be recommended; empty if one can."""
    if results["choice"].get("scale") == "tiny":
        return "a tiny run only shows that everything works."
    if len(cells) < 2:
        return "fewer than two of RNN, GRU and LSTM were compared."
    if len(results["choice"]["seeds"]) < 2:
        return "with one seed no difference can be told from chance; use --seeds 0,1,2."
    if not any(_learnt(task, cell) for task in results["tasks"] for cell in cells):
        return "none of them learnt more than who looks at nothing would guess."
    return ""


def _learnt(task: TaskResult, cell: str) -> bool:
    """Every seed is better than what is reached by looking at nothing, where that is known."""
    found, base = spread(task, cell), task["metric"]["baseline"]
    if found is None or base is None:
        return found is not None
    return found.high < float(base) if lower_is_better(task) else found.low > float(base)


def _reach(results: Results, cells: Sequence[str]) -> dict[str, dict[str, int]]:
    """By cell and family the longest lag that it solves, 0 for none."""
    families = of_lags(results)
    return {
        cell: {title: longest_lag(tasks, cell) or 0 for title, tasks in families.items()}
        for cell in cells
    }


def _further(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Never less far, and somewhere further."""
    return all(one[title] >= other[title] for title in one) and one != other


def _beats(results: Results, one: str, other: str) -> bool:
    """Ahead on more of the tasks without a lag than chance would give."""
    tasks, seeds = without_lag(results), len(results["choice"]["seeds"])
    better, worse = count(tasks, one, other)
    return better > worse and by_chance(better, len(tasks), seeds) <= RARE * (1 + 1e-9)


def _cheapest(results: Results, cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Without those that cost more at equal units than one that is as good at equal units; and what
    was seen of these."""
    units = results["costs"]["units"]
    micros = {cell: units[cell]["step_seconds"] * 1e6 for cell in cells}
    left, told = list(cells), []
    for one, other in combinations(sorted(cells, key=lambda cell: micros[cell]), 2):
        if other not in left or not cheaper(micros[one], micros[other]):
            continue
        sizes, behind = _at_equal_units(results, one, other)
        seeds = len(results["choice"]["seeds"])
        if sizes and by_chance(behind, sizes, seeds) > RARE:
            left.remove(other)
            told.append(
                f"at equal units the {TITLES[other]} takes {micros[other]:.2f} µs a step against "
                f"{micros[one]:.2f} ({UNITS} units) and is ahead on {behind or 'none'} of {sizes} "
                "comparisons"
            )
    return left, told if len(left) == 1 else []


def _at_equal_units(results: Results, one: str, other: str) -> tuple[int, int]:
    """How many sizes and tasks both were learnt at, and on how many ``one`` is behind."""
    number = behind = 0
    for task in results["tasks"]:
        for units in task["units"]:
            a, b = (spread(task, cell, "size", units) for cell in (one, other))
            if a is not None and b is not None:
                number += 1
                behind += a.apart(b) and (b.mean < a.mean) == lower_is_better(task)
    return number, behind


def _memory(reach: Mapping[str, Mapping[str, int]], chosen: Sequence[str],
            cells: Sequence[str]) -> list[str]:  # fmt: skip
    """How far back the chosen remember, where any cell solved a lag."""
    best = {title: max(reach[cell][title] for cell in cells) for title in reach[chosen[0]]}
    own = {title: min(reach[cell][title] for cell in chosen) for title in best}
    told = [
        f"{title.lower()}: {f'a lag of {own[title]}' if own[title] else 'no lag'}"
        + ("" if own[title] == far else f", another {far}")
        for title, far in best.items()
        if far
    ]
    if not told:
        return []
    solve = "solves" if len(chosen) == 1 else "solve"
    text = "lags as long as any" if own == best else "long lags, but not everywhere the longest"
    return [f"{_they(chosen)} {solve} {text} ({'; '.join(told)})"]


def _data(results: Results, chosen: Sequence[str], far: Sequence[str]) -> list[str]:
    """Who was passed over for data, and that nobody else is ahead."""
    number = len(without_lag(results))
    if not number:
        return []
    tasks = f"({number} task{'' if number == 1 else 's'})"
    beaten = [c for c in far if c not in chosen and any(_beats(results, o, c) for o in chosen)]
    if beaten:
        be = "is" if len(chosen) == 1 else "are"
        return [
            f"{_they(chosen)} {be} ahead of {names(beaten)} on data {tasks} more often than by "
            "chance"
        ]
    better = [o for o in present(results) if any(_beats(results, o, cell) for cell in chosen)]
    if better:
        return [f"{names(better)} did better on data {tasks}, but remember less far"]
    return [f"no other is ahead on data {tasks} more often than by chance"]


def _they(chosen: Sequence[str]) -> str:
    return "it" if len(chosen) == 1 else "they"


def _alike(results: Results, cells: Sequence[str]) -> str:
    """What is known where all are left."""
    low, high = (
        pick(results["costs"]["weights"][cell]["step_seconds"] * 1e6 for cell in cells)
        for pick in (min, max)
    )
    return (
        f"{names(cells)} do as well as each other on these tasks as far as so few seeds can tell, "
        f"and with equal numbers of weights a step takes {low:.2f} to {high:.2f} µs"
    )


def _enough(
    reach: Mapping[str, Mapping[str, int]], chosen: Sequence[str], cells: Sequence[str]
) -> str:
    """Up to which lag the others do, too."""
    told = []
    for cell in cells:
        lags = reach[cell].values()
        if cell not in chosen and lags and 0 < min(lags) < min(reach[chosen[0]].values()):
            told.append(f"up to a lag of {min(lags)} the {TITLES[cell]} does as well")
    text = ", and ".join(told)
    return f" {text[0].upper()}{text[1:]}." if told else ""
