"""What reduced precision is to reach, and whether results do.

Ratios are the best peer's time over ours, or float32's of ours, shares are of the limit of that
precision; each goal is one of every cell and number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

from grid import CASES, Case
from results import Result, float32_ratio, packed_bytes, ratios, share

from rnn_native.benchmark.precision import PRECISIONS

Value = Callable[[Result], float | None]
MEANS = {
    "bfloat16": {"lstm": 1.35, "gru": 1.6, "rnn": 1.9},
    "int8": {"lstm": 1.5, "gru": 2.1, "rnn": 3.0},
}
ONE_ROW = {"float16": 1.35, "bfloat16-widened": 1.35, "bfloat16": 1.75, "int8": 3.0}
ONE_ROW_INT8_RNN = 2.7
ONE_STEP_WIDENED = 1.6
MANY_ROWS = {"bfloat16": 1.8, "int8": 2.5}
BYTES = {2: 0.53, 1: 0.29}
"""By the bytes of a weight."""


@dataclass(frozen=True)
class Goal:
    """``value`` of every case that ``of`` takes, or their mean, is at least ``bound``; at most,
    where it says so."""

    name: str
    value: Value
    bound: float
    of: Callable[[Case], bool] = lambda case: True
    mean: bool = False
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Verdict:
    """``found``: the mean, or the value of the worst case, which is ``case``."""

    goal: Goal
    threads: int
    cell: str
    found: float
    case: str
    measured: int

    @property
    def is_met(self) -> bool:
        return self.goal.is_met(self.found)

    @property
    def in_grid(self) -> int:
        return sum(map(self.goal.of, CASES))


def best_ratio(result: Result) -> float | None:
    return min(ratios(result).values(), default=None)


def _one_row(case: Case) -> bool:
    return case.batch == 1 and case.hidden >= 256 and case.time >= 50


def _one_step(case: Case) -> bool:
    return case.batch == 1 and case.hidden >= 256 and case.is_step


def _many_rows(case: Case) -> bool:
    return case.batch >= 32 and case.hidden >= 256


def goals_of(precision: str, cell: str) -> list[Goal]:
    """Nothing of float32."""
    if precision == "float32":
        return []
    goals = []
    if precision in MEANS:
        mean = MEANS[precision][cell]
        goals += [
            Goal("times the best peer, every case", best_ratio, 1.0),
            Goal("times the best peer, mean", best_ratio, mean, mean=True),
        ]
    one_row = ONE_ROW_INT8_RNN if (precision, cell) == ("int8", "rnn") else ONE_ROW[precision]
    goals.append(
        Goal("times float32, batch 1, H 256 on, T 50 on", float32_ratio, one_row, _one_row)
    )
    if precision in MANY_ROWS:
        many = MANY_ROWS[precision]
        goals += [
            Goal("times float32, batch 32 on, H 256 on", float32_ratio, many, _many_rows),
            Goal("of the limit, batch 1, H 256 on, T 50 on", share, 0.8, _one_row),
            Goal(
                "of the limit, batch 32 on, H 512 on", share, 0.8,
                lambda case: _many_rows(case) and case.hidden >= 512,
            ),
            Goal(
                "of the limit, batch 32 on, H 256", share, 0.65,
                lambda case: _many_rows(case) and case.hidden == 256,
            ),
        ]  # fmt: skip
    else:
        goals.append(
            Goal("times float32, one step, H 256 on", float32_ratio, ONE_STEP_WIDENED, _one_step)
        )
    most = BYTES[PRECISIONS[precision].weight_bytes]
    return [
        *goals,
        Goal(
            "bytes of float32's, H 128 on", packed_bytes, most,
            lambda case: case.hidden >= 128, at_most=True,
        ),
    ]  # fmt: skip


def verdicts(cases: Sequence[Result]) -> Iterator[Verdict]:
    """Of all goals for which something was measured, those of a cell and its threads together."""
    groups: dict[tuple[int, str, str], list[Result]] = {}
    for case in cases:
        key = (case["threads"], case["cell"], case["precision"])
        groups.setdefault(key, []).append(case)
    for (threads, cell, precision), group in groups.items():
        for goal in goals_of(precision, cell):
            values = {
                case["case"]: value
                for case in group
                if goal.of(Case.parse(case["case"])) and (value := goal.value(case)) is not None
            }
            if not values:
                continue
            worst = (max if goal.at_most else min)(values, key=lambda name: values[name])
            found = geometric_mean(values.values()) if goal.mean else values[worst]
            yield Verdict(goal, threads, cell, found, "" if goal.mean else worst, len(values))
