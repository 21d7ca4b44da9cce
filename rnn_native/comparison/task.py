"""What a task is: data, how it is learnt, and how success is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Data(NamedTuple):
    """X [batch, time, features], y as the models take it, lengths [batch] or None."""

    x: NDArray[Any]
    y: NDArray[Any]
    lengths: NDArray[Any] | None = None

    def counted(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of ``values`` [batch, time, ...] those of steps that are not padding, [n, ...]."""
        if self.lengths is None:
            return values.reshape(-1, *values.shape[2:])
        return values[np.arange(values.shape[1]) < self.lengths[:, None]]


def answers(data: Data) -> int:
    """How many targets there are: one a sequence, or one for each valid step that asks."""
    if data.y.ndim < 2 or data.x.shape[1] == 1 or data.y.shape[1] != data.x.shape[1]:
        return len(data.x)
    counted = data.counted(data.y)
    if counted.ndim == 1:  # classes: below 0 there is nothing to say
        counted = counted[counted >= 0]
    return len(counted)


class Splits(NamedTuple):
    """Learnt from, watched while learning, and asked once at the end."""

    train: Data
    validation: Data
    test: Data


@dataclass(frozen=True)
class Metric:
    """How a trained model is judged on the test data: by its ``"loss"`` times a factor, or its
    ``"score"``; ``baseline`` is what one reaches who looks at nothing."""

    name: str
    of: str
    factor: float = 1.0
    baseline: float | None = None
    digits: int = 4


@dataclass(frozen=True)
class Learning:
    """How a task is learnt: the arguments of ``fit``, the same for all cells but for the rate,
    which a search chooses for each (``search``); ``learning_rate`` is what stands where none is
    made."""

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    patience: int | None = None
    max_norm: float = 1.0
    forget_bias: float | None = None
    """For the cells that have a forget gate."""


@dataclass(frozen=True)
class Task:
    """One thing to learn: a family such as ``adding`` has several, mostly of growing lag.

    ``load(cache)`` gives the data, the same each time; what took long to read it may keep in the
    folder ``cache``. ``steps`` is the number of steps over which gradients are looked at.
    ``units`` are hidden sizes at which the standard cells learn it too, beside that of the budget.
    ``references`` tells from the data what simple predictors reach, by name. ``about`` says how
    the data were read, where that is not the family's to say.
    """

    family: str
    variant: str
    input_dim: int
    output_dim: int
    output: str
    budget: int
    metric: Metric
    learning: Learning
    load: Callable[[Path], Splits]
    steps: int
    lag: int | None = None
    units: tuple[int, ...] = ()
    references: Callable[[Splits], Mapping[str, float]] | None = None
    about: str = ""

    @property
    def name(self) -> str:
        return f"{self.family}-{self.variant}".replace(" ", "-")

    @property
    def title(self) -> str:
        return f"{self.family}, {self.variant}"


class Family(Protocol):
    """Tasks of one kind: what a module in ``tasks`` has. ``NEEDS`` are packages beyond NumPy."""

    @property
    def TITLE(self) -> str: ...  # noqa: N802
    @property
    def ABOUT(self) -> str: ...  # noqa: N802
    @property
    def NEEDS(self) -> Sequence[str]: ...  # noqa: N802
    def tasks(self, scale: str) -> list[Task]:
        """The tasks of the family at one of ``tasks.SCALES``."""
