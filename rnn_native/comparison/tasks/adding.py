"""The adding problem (Hochreiter and Schmidhuber 1997, in the form of Le et al. 2015).

Each step brings a number from 0 to 1 and a mark, which is 1 at one step of the first half and at
one of the second, else 0. At the end the sum of the two marked numbers is asked. Who always says 1
has a mean squared error of 1/6: twice the variance 1/12 of a uniform number.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Adding problem"
ABOUT: Final = (
    "Two marked numbers of a long sequence are to be added at its end. "
    "Who always says 1 has a mean squared error of 1/6."
)
NEEDS: Final[tuple[str, ...]] = ()
BASELINE: Final = 1 / 6
SEED: Final = 1997


def sequences(lag: int, number: int, rng: np.random.Generator) -> Data:
    """x [number, lag, 2] and the sums [number, 1]."""
    half = lag // 2
    values = rng.random((number, lag), dtype=np.float32)
    marks = np.zeros((number, lag), np.float32)
    rows = np.arange(number)
    first, second = rng.integers(half, size=number), rng.integers(half, lag, size=number)
    marks[rows, first] = marks[rows, second] = 1
    sums = values[rows, first] + values[rows, second]
    return Data(np.stack([values, marks], axis=-1), sums[:, None].astype(np.float64))


def _load(_: Path, lag: int, sizes: tuple[int, int, int]) -> Splits:
    rng = np.random.default_rng([SEED, lag])
    return Splits(*(sequences(lag, size, rng) for size in sizes))


def tasks(scale: str) -> list[Task]:
    lags, sizes, epochs, rows, budget = {
        "full": ((10, 25, 50, 100), (5_000, 1_000, 2_000), 30, 50, 17_000),
        "quick": ((10, 40), (2_000, 400, 500), 25, 20, 3_000),
        "tiny": ((6,), (32, 16, 16), 2, 50, 17_000),
    }[scale]
    return [
        Task(
            "adding", f"lag {lag}", 2, 1, "identity", budget,
            Metric("mean squared error", "loss", baseline=BASELINE, digits=5),
            Learning(epochs, rows, 5e-3, "cosine", forget_bias=1.0),
            partial(_load, lag=lag, sizes=sizes), lag, lag,
        )
        for lag in lags
    ]  # fmt: skip
