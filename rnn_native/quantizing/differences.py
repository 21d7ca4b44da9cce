"""How far numbers are from others, over any number of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """Of numbers from those of the float32 model.

    Parameters
    ----------
    largest
        The largest magnitude of a difference.
    rms
        The root mean square of all.
    signal
        The root mean square of the float32 model's numbers.

    Example
    -------
    >>> one = Difference(largest=0.02, rms=0.01, signal=1.0)
    >>> one.relative, one.sqnr
    (0.01, 40.0)
    """

    largest: float
    rms: float
    signal: float

    @property
    def relative(self) -> float:
        """``rms`` in units of the signal's: 0 where nothing differs, infinite where there is no
        signal."""
        return _ratio(self.rms, self.signal)

    @property
    def sqnr(self) -> float:
        """The ratio of signal to difference in dB, -20 log10 of ``relative``: infinite where
        nothing differs."""
        return decibel(self.relative)

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers; None for what is infinite."""
        values = {
            "largest": self.largest,
            "rms": self.rms,
            "signal": self.signal,
            "relative": self.relative,
            "sqnr": self.sqnr,
        }
        return {name: finite(value) for name, value in values.items()}


@dataclass(frozen=True)
class Drift:
    """How far a state is from the float32 model's, over time: ``relative`` has the root mean square
    of the differences in units of the signal's, of blocks of steps; ``first`` the number of each
    block's first step."""

    first: tuple[int, ...]
    relative: tuple[float, ...]

    @property
    def growth(self) -> float:
        """That of the last block in units of the first one's: about 1 where errors do not add up.
        1 where there is none at all."""
        return _ratio(self.relative[-1], self.relative[0]) if any(self.relative) else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers; None for what is infinite."""
        return {
            "first": list(self.first),
            "relative": [finite(value) for value in self.relative],
            "growth": finite(self.growth),
        }


def decibel(relative: float) -> float:
    return math.inf if relative == 0 else -20.0 * math.log10(relative) + 0.0


def finite(value: float) -> float | None:
    """What JSON has a number for."""
    return value if math.isfinite(value) else None


def _ratio(part: float, whole: float) -> float:
    if part == 0:
        return 0.0
    return math.inf if whole == 0 or math.isinf(part) else part / whole


class Sums:
    """The sums that a :class:`Difference` is made of."""

    def __init__(self) -> None:
        self._count, self._largest = 0, 0.0
        self._differences, self._signal = 0.0, 0.0

    def add(self, signal: NDArray[Any], other: NDArray[Any], count: int | None = None) -> None:
        """Arrays of one shape, of which ``count`` numbers are some, the rest being 0 in both; None:
        all are."""
        off = np.subtract(other, signal, dtype=np.float64).ravel()
        wide = signal.astype(np.float64).ravel()
        self._count += signal.size if count is None else count
        self._differences += square_sum(off)
        self._signal += float(wide @ wide)
        if off.size:
            largest = float(np.abs(off).max())
            self._largest = max(self._largest, largest if math.isfinite(largest) else math.inf)

    def difference(self) -> Difference:
        count = max(1, self._count)
        return Difference(
            self._largest, math.sqrt(self._differences / count), math.sqrt(self._signal / count)
        )


class StepSums:
    """The sums that a :class:`Drift` is made of, a number a step."""

    def __init__(self, steps: int) -> None:
        self._differences, self._signal = np.zeros(steps), np.zeros(steps)

    def add(self, signal: NDArray[Any], other: NDArray[Any]) -> None:
        """Arrays [time, batch, features] of one shape."""
        off = np.subtract(other, signal, dtype=np.float64)
        wide = signal.astype(np.float64)
        differences = np.einsum("tbf,tbf->t", off, off)
        differences[~np.isfinite(differences)] = np.inf
        self._differences[: len(off)] += differences
        self._signal[: len(off)] += np.einsum("tbf,tbf->t", wide, wide)

    def drift(self, blocks: int) -> Drift:
        """Of at most so many blocks of equally many steps, the last one maybe of fewer."""
        steps = len(self._signal)
        first = range(0, steps, max(1, -(-steps // blocks)))
        sums: Sequence[NDArray[Any]] = [
            np.sqrt(np.add.reduceat(each, list(first)))
            for each in (self._differences, self._signal)
        ]
        return Drift(
            tuple(first), tuple(_ratio(float(a), float(b)) for a, b in zip(*sums, strict=True))
        )


def square_sum(off: NDArray[np.float64]) -> float:
    """The sum of squares; infinite where one is no number."""
    total = float(off @ off)
    return total if math.isfinite(total) else math.inf
