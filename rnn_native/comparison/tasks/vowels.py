"""JapaneseVowels: nine speakers known by two vowels, 12 coefficients a step, 7 to 29 steps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...models import pad
from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Japanese vowels"
ABOUT: Final = (
    "Which of nine men says /ae/: 12 LPC cepstrum coefficients a step, 7 to 29 steps (Kudo et al. "
    "1999; aeon's JapaneseVowels with its own split into 270 to learn from and 370 to test)."
)
NEEDS: Final = ("aeon",)
SEED: Final = 9
UNITS: Final = {"full": (16, 32, 64, 128, 256), "quick": (16, 64), "tiny": ()}


def _load(_: Path, most: int | None) -> Splits:
    from aeon.datasets import load_japanese_vowels

    known = _data(*load_japanese_vowels(split="train"))
    test = _data(*load_japanese_vowels(split="test"))
    order = np.random.default_rng(SEED).permutation(len(known.x))
    cut = round(0.8 * len(order))
    return Splits(
        _rows(known, order[:cut][:most]),
        _rows(known, order[cut:][:most]),
        _rows(test, np.arange(len(test.x))[:most]),
    )


def _data(cases: list[NDArray[Any]], labels: NDArray[Any]) -> Data:
    x, lengths = pad([np.asarray(case, dtype=np.float32).T for case in cases])
    return Data(x, labels.astype(np.int64) - 1, lengths)


def _rows(data: Data, rows: NDArray[Any]) -> Data:
    assert data.lengths is not None
    return Data(data.x[rows], data.y[rows], data.lengths[rows])


def tasks(scale: str) -> list[Task]:
    most, epochs = {"full": (None, 60), "quick": (None, 20), "tiny": (40, 2)}[scale]
    return [
        Task(
            "vowels", "9 speakers", 12, 9, "softmax", 20_000,
            Metric("share of speakers right", "score", baseline=1 / 9, digits=3),
            Learning(epochs, 16, 3e-3, "cosine", forget_bias=1.0),
            partial(_load, most=most), 7, units=UNITS[scale],
        )
    ]  # fmt: skip
