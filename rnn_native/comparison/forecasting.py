"""Series to forecast: cut into windows in the order of time, and forecast by simple means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .task import Data, Splits

SHARES: Final = (0.6, 0.8)
"""Where the part to learn from ends, and where that to watch does; the rest is to test."""


def windows(series: NDArray[Any], steps: int, stride: int | None = None) -> Splits:
    """A series [time, features] in windows of ``steps``, each step to say the next one.

    What is learnt from is scaled to a mean of 0 and a deviation of 1, the rest as that is. No
    window reaches over the bounds between the parts, so that nothing is tested that was learnt.
    """
    time = len(series)
    one, two = (round(share * time) for share in SHARES)
    if min(one, two - one, time - two) <= steps:
        raise ShapeError(
            f"expected a series of at least {int(steps / (1 - SHARES[1])) + 2} steps for windows "
            f"of {steps}, got {time}"
        )
    known = series[:one]
    scale = known.std(axis=0)
    scaled = (series - known.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    parts = (scaled[:one], scaled[one:two], scaled[two:])
    return Splits(*(_cut(part, steps, stride or max(1, steps // 4)) for part in parts))


def _cut(part: NDArray[Any], steps: int, stride: int) -> Data:
    starts = range(0, len(part) - steps, stride)
    x = np.stack([part[start : start + steps] for start in starts]).astype(np.float32)
    y = np.stack([part[start + 1 : start + steps + 1] for start in starts])
    return Data(x, y.astype(np.float64))


def autoregression(splits: Splits, order: int) -> Mapping[str, float]:
    """Mean squared errors of the test data, for who says the last value again, and for a linear
    model of the last ``order`` steps (of those that there are: fewer at a window's beginning)."""
    test = splits.test
    known, asked = (data.counted(data.y) for data in (splits.train, test))
    again = np.mean((test.counted(test.x) - asked) ** 2)
    weights = np.linalg.lstsq(_lags(splits.train, order), known, rcond=None)[0]
    linear = np.mean((_lags(test, order) @ weights - asked) ** 2)
    return {"the last value again": float(again), f"linear in {order} steps": float(linear)}


def _lags(data: Data, order: int) -> NDArray[Any]:
    """[steps that count, order * features + 1]; zeros, the mean, before a window begins."""
    rows, steps, features = data.x.shape
    lags = np.zeros((rows, steps, order, features))
    for lag in range(min(order, steps)):
        lags[:, lag:, lag] = data.x[:, : steps - lag]
    flat = data.counted(lags.reshape(rows, steps, order * features))
    return np.column_stack([flat, np.ones(len(flat))])
