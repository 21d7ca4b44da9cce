"""What a comparison has to run: jobs, each of which is one cell learning one task from one seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .contenders import Contender
from .task import Task

SEARCH_SEED: Final = 1_000_003
"""Of the runs that choose a learning rate: none of those that are judged."""

RATES: Final = {"full": (1e-3, 3e-3, 1e-2), "quick": (3e-3, 1e-2), "tiny": (3e-3, 1e-2)}
"""The learning rates that every cell is offered on every task."""

SEARCH_SHARE: Final = 3
"""A run of the search has one epoch for so many of the real one's."""


@dataclass(frozen=True)
class Job:
    """One run. ``role``: ``"search"`` to choose a learning rate, ``"run"`` with as many units as
    the task's budget allows, ``"size"`` with a size that all cells have."""

    role: str
    task: Task
    contender: Contender
    units: int
    seed: int
    learning_rate: float

    @property
    def name(self) -> str:
        return (
            f"{self.task.name}.{self.contender.name}.{self.units}."
            f"{self.role}.{self.learning_rate:g}.{self.seed}"
        )

    @property
    def title(self) -> str:
        seed = f"seed {self.seed}"
        if self.role == "search":
            seed = f"trying a learning rate of {self.learning_rate:g}"
        return f"{self.task.title}: {self.contender.title}, {self.units} units, {seed}"

    @property
    def learning(self) -> dict[str, object]:
        """The arguments of ``fit``."""
        given = replace(self.task.learning, learning_rate=self.learning_rate)
        if self.role == "search":
            given = replace(given, epochs=max(1, given.epochs // SEARCH_SHARE))
        if self.contender.kind != "lstm":
            given = replace(given, forget_bias=None)
        return vars(given).copy()

    def effort(self, rows: int) -> float:
        """How long it takes, in a unit of its own; ``rows`` sequences to learn from."""
        weights = self.contender.parameters(self.task.input_dim, self.units, self.task.output_dim)
        epochs = self.learning["epochs"]
        assert isinstance(epochs, int)
        return epochs * rows * self.task.steps * (weights + 2_000.0)


def budget_units(task: Task, contender: Contender) -> int:
    return contender.hidden_units(task.budget, task.input_dim, task.output_dim)


def searches(task: Task, contenders: Iterable[Contender], scale: str) -> Iterator[Job]:
    """A short run for each cell and rate."""
    for contender in contenders:
        for rate in RATES[scale]:
            units = budget_units(task, contender)
            yield Job("search", task, contender, units, SEARCH_SEED, rate)


def runs(task: Task, contender: Contender, rate: float, seeds: Sequence[int]) -> Iterator[Job]:
    """What is judged: from every seed at the budget's size, and at the task's own ``units``."""
    for seed in seeds:
        yield Job("run", task, contender, budget_units(task, contender), seed, rate)
    if contender.cell == "standard":
        for units in task.units:
            for seed in seeds:
                yield Job("size", task, contender, units, seed, rate)
