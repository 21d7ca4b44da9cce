"""Sunspots of each year from 1700 on, as statsmodels has them: the next year is asked each time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..forecasting import autoregression, windows
from ..task import Learning, Metric, Splits, Task

TITLE: Final = "Sunspots"
ABOUT: Final = (
    "A forecast: how many sunspots the next year has, from the years before it (1700 to 2008, "
    "statsmodels); the first 60 % of the years to learn from, 20 % to watch, 20 % to test. Numbers "
    "are in units of the deviation of the years learnt from."
)
NEEDS: Final = ("statsmodels",)
STEPS: Final = 44  # four cycles of 11 years


def read() -> NDArray[Any]:
    """[years]"""
    from statsmodels.datasets import sunspots

    return np.asarray(sunspots.load_pandas().data["SUNACTIVITY"], dtype=np.float64)


def _load(_: Path, steps: int) -> Splits:
    return windows(read()[:, None], steps)


def by_hand(splits: Splits) -> Mapping[str, float]:
    """The year before, and a linear model of the nine before (Yule 1927 had two)."""
    return autoregression(splits, order=9)


def tasks(scale: str) -> list[Task]:
    steps, epochs = {"full": (STEPS, 150), "quick": (STEPS, 60), "tiny": (12, 2)}[scale]
    return [
        Task(
            "sunspots", "next year", 1, 1, "identity", 5_000,
            Metric("mean squared error", "loss", digits=3),
            Learning(epochs, 16, 3e-3, "constant", patience=40, forget_bias=1.0),
            partial(_load, steps=steps), steps - 4, references=by_hand,
        )
    ]  # fmt: skip
