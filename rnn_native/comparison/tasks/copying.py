"""Copy memory (Hochreiter and Schmidhuber 1997, in the form of Arjovsky et al. 2016).

Some symbols out of eight, then blanks, then a sign, at which the symbols have to be said again in
their order. Only the steps at which they are said count. Who guesses has 1/8 of them right.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Copy memory"
ABOUT: Final = (
    "Five symbols out of eight are shown, and after a pause have to be said again in their order. "
    "Who guesses has 1/8 of them right."
)
NEEDS: Final[tuple[str, ...]] = ()
SYMBOLS: Final = 8
BLANK, SIGN = SYMBOLS, SYMBOLS + 1
LENGTH: Final = 5
SEED: Final = 2016


def sequences(lag: int, number: int, rng: np.random.Generator) -> Data:
    """x [number, lag + 2 * LENGTH, SYMBOLS + 2], one-hot; y: the symbols, -1 before they count.

    ``lag`` steps lie between a symbol and the step before the one at which it is said: LENGTH - 1
    of other symbols, then of blanks and the sign, so it is at least LENGTH.
    """
    symbols = rng.integers(SYMBOLS, size=(number, LENGTH))
    time = lag + LENGTH
    codes = np.full((number, time), BLANK)
    codes[:, :LENGTH] = symbols
    codes[:, lag - 1] = SIGN
    y = np.full((number, time), -1)
    y[:, lag:] = symbols
    return Data(np.eye(SYMBOLS + 2, dtype=np.float32)[codes], y)


def _load(_: Path, lag: int, sizes: tuple[int, int, int]) -> Splits:
    rng = np.random.default_rng([SEED, lag])
    return Splits(*(sequences(lag, size, rng) for size in sizes))


def tasks(scale: str) -> list[Task]:
    lags, sizes, epochs = {
        "full": ((10, 20, 50), (5_000, 1_000, 2_000), 30),
        "quick": ((), (0, 0, 0), 0),  # what it takes to learn it is too long for a quick look
        "tiny": ((6,), (32, 16, 16), 2),
    }[scale]
    return [
        Task(
            "copying", f"lag {lag}", SYMBOLS + 2, SYMBOLS, "softmax", 17_000,
            Metric("share of symbols right", "score", baseline=1 / SYMBOLS, digits=3),
            Learning(epochs, 50, 5e-3, "cosine", forget_bias=1.0),
            partial(_load, lag=lag, sizes=sizes), lag + LENGTH, lag,
        )
        for lag in lags
    ]  # fmt: skip
