"""Differences over time, block by block, and the power of time they grow with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RANDOM_WALK = 0.5
"""The power of time that independent errors grow with, where none is ever forgotten."""


def edges(steps: int) -> list[int]:
    """Where blocks begin and end, two to an octave: 0, 1, 2, 3, 4, 6, 8, 11, 16, ..., steps."""
    inner = np.rint(2.0 ** np.arange(0, np.log2(steps), 0.5)).astype(int)
    return sorted({0, *inner.tolist(), steps})


@dataclass
class Difference:
    """The rms and the largest difference within each block; ``steps`` is how many have passed."""

    rms: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    _squares: float = 0.0
    _count: int = 0
    _most: float = 0.0

    def add(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
        apart = np.abs(np.subtract(one, other, dtype=np.float64))
        self._squares += float(np.sum(apart**2))
        self._count += apart.size
        self._most = max(self._most, float(apart.max()))

    def end_block(self) -> None:
        self.rms.append(float(np.sqrt(self._squares / self._count)))
        self.most.append(self._most)
        self._squares, self._count, self._most = 0.0, 0, 0.0


def exponent(ends: Sequence[int], rms: Sequence[float]) -> float:
    """p of the power t^p that is nearest, in logarithms, to ``rms`` of blocks that end at ``ends``:
    0 for what stays, 0.5 for a random walk. 0 where nothing differs."""
    known = [
        (np.log(end), np.log(value)) for end, value in zip(ends, rms, strict=True) if value > 0
    ]
    if len(known) < 2:
        return 0.0
    time, size = np.transpose(known)
    return float(np.polyfit(time, size, 1)[0])


def verdict(power: float) -> str:
    """The nearest of three."""
    if power < RANDOM_WALK / 2:
        return "bounded"
    return "random walk" if power < 1.5 * RANDOM_WALK else "grows faster"
