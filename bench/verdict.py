"""Whether one build is slower than another: ratios of rounds, their interval, and the page of both.

docs/benchmarks.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any, Final

from report import micro, table, threads_text
from scipy.stats import quantile_test

LIMIT: Final = 0.98
"""Below this, a build is slower: 2 %."""
CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Run:
    """Seconds of each build, round by round."""

    before: Sequence[float]
    after: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """How many times as fast the second build is, in each round."""
        return [a / b for a, b in zip(self.before, self.after, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the median of the ratios, whatever their distribution: two of the ratios themselves,
        between which it lies with at least ``CONFIDENCE`` (with ten rounds the second least and
        the second largest, which have it at 97.9 %)."""
        found = quantile_test(self.ratios, p=0.5).confidence_interval(CONFIDENCE)
        return float(found.low), float(found.high)

    @property
    def falls_short(self) -> bool:
        return self.interval[1] < LIMIT


@dataclass
class Outcome:
    """What came of one case. ``failures``: by build, why it could not be measured."""

    kind: str
    cell: str
    case: str
    threads: int
    runs: list[Run] = field(default_factory=list)
    same_bits: bool = True
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.cell} {self.case}, {threads_text(self.threads)}"

    @property
    def falls_short(self) -> bool:
        """In two runs; a case that did so in one is only under suspicion."""
        return len(self.runs) > 1 and all(run.falls_short for run in self.runs)

    @property
    def is_broken(self) -> bool:
        """What the first build runs, the second does not."""
        return set(self.failures) == {"B"}


Measure = Callable[[Sequence[Outcome]], None]
"""Adds a run to each of these, by processes that nothing else has used."""


def judge(outcomes: Sequence[Outcome], measure: Measure) -> None:
    """Measure all, and those that fall short once more."""
    measure(outcomes)
    if again := [outcome for outcome in outcomes if outcome.runs and outcome.runs[0].falls_short]:
        measure(again)


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """0 if the second build is nowhere slower, else 1."""
    return int(any(outcome.falls_short or outcome.is_broken for outcome in outcomes))


def findings(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A line for every case that is not as it should be, the worst ones first."""
    every = list(outcomes)
    for outcome in every:
        if outcome.falls_short:
            yield f"falls short twice: {outcome.name}: {' and '.join(map(_said, outcome.runs))}"
    for outcome in every:
        if outcome.is_broken:
            yield f"fails in B alone: {outcome.name}: {outcome.failures['B']}"
        elif outcome.failures:
            why = "; ".join(f"{name}: {text}" for name, text in outcome.failures.items())
            yield f"not compared: {outcome.name}: {why}"
    for outcome in every:
        if not outcome.same_bits:
            yield f"other bits: {outcome.name}"


def _said(run: Run) -> str:
    low, high = run.interval
    return f"{run.ratio:.3f} ({low:.3f} to {high:.3f})"


def page(results: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """report.md."""
    lines = ["# Two builds\n", *(f"- {k}: {v}" for k, v in results["machine"].items())]
    lines += [f"- {name}: {what}" for name, what in results["builds"].items()]
    lines += [f"- left out: {name}: {why}" for name, why in results["missing"].items()]
    lines.append(
        f"- rounds: {results['rounds']}, in each the best of up to {results['samples']} samples; "
        f"a ratio is A's time over B's, the median of those within the rounds, with its interval "
        f"of {CONFIDENCE:.0%}; a case falls short when that lies below {LIMIT} in two runs\n"
    )
    short = list(findings(outcomes))
    lines += [f"- {line}" for line in short] or [f"No case falls below {LIMIT}."]
    lines.append("\n## How many times as fast B is\n")
    groups: dict[tuple[str, str, int], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.runs:
            groups.setdefault((outcome.kind, outcome.cell, outcome.threads), []).append(outcome)
    lines += table(("", "geometric mean", "least", "cases"), map(_group, groups.values()))
    for (kind, cell, threads), group in groups.items():
        lines.append(f"## {kind}, {cell}, {threads_text(threads)}\n")
        lines += table(("case", "A µs", "B µs", "ratio", "again", ""), map(_row, group))
    return "\n".join(lines).rstrip() + "\n"


def _group(group: Sequence[Outcome]) -> tuple[str, ...]:
    first = group[0]
    ratios = {outcome.case: outcome.runs[-1].ratio for outcome in group}
    least = min(ratios, key=lambda case: ratios[case])
    name = f"{first.kind}, {first.cell}, {threads_text(first.threads)}"
    mean = geometric_mean(ratios.values())
    return name, f"{mean:.3f}", f"{ratios[least]:.3f} ({least})", str(len(group))


def _row(outcome: Outcome) -> tuple[str, ...]:
    last, *_ = reversed(outcome.runs)
    again = _said(outcome.runs[1]) if len(outcome.runs) > 1 else "–"
    note = "falls short" if outcome.falls_short else "" if outcome.same_bits else "other bits"
    return (
        outcome.case, micro(median(last.before)), micro(median(last.after)),
        _said(outcome.runs[0]), again, note,
    )  # fmt: skip


def write(path: Path, results: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    path.write_text(page(results, outcomes))
