"""Handwritten digits as sequences: scikit-learn's 1797 images of 8 x 8, row by row or by pixels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Sequential digits"
ABOUT: Final = (
    "Images of handwritten digits (scikit-learn's load_digits, 8 x 8) come row by row, in 8 steps "
    "of 8, or pixel by pixel, in 64 steps of 1; at the end the digit is asked."
)
NEEDS: Final = ("sklearn",)
SEED: Final = 8
UNITS: Final = {"full": (16, 32, 64, 128, 256), "quick": (16, 64), "tiny": (4,)}


def _load(_: Path, steps: int, most: int | None) -> Splits:
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images / 16).astype(np.float32).reshape(-1, steps, 64 // steps)
    order = np.random.default_rng(SEED).permutation(len(images))[:most]
    x, y = images[order], data.target[order].astype(np.int64)
    one, two = round(0.7 * len(x)), round(0.85 * len(x))
    return Splits(Data(x[:one], y[:one]), Data(x[one:two], y[one:two]), Data(x[two:], y[two:]))


def tasks(scale: str) -> list[Task]:
    forms, most, epochs = {
        "full": ((8, 64), None, 80),
        "quick": ((8,), None, 20),
        "tiny": ((8,), 100, 2),
    }[scale]
    return [
        Task(
            "digits", "by rows" if steps == 8 else "by pixels", 64 // steps, 10, "softmax",
            20_000, Metric("share of digits right", "score", baseline=0.1, digits=3),
            Learning(epochs, 32, 5e-3, "cosine", forget_bias=1.0),
            partial(_load, steps=steps, most=most), steps,
            units=UNITS[scale] if steps == 8 else (),
        )
        for steps in forms
    ]  # fmt: skip
