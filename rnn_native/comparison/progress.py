"""What is done and how long the rest takes, told in a line for each job."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

Say = Callable[[str], None]


def duration(seconds: float) -> str:
    """Words for a time: ``40 s``, ``12 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


class Progress:
    """Of ``number`` jobs, whose efforts add up to ``effort``; what stood before is not counted."""

    def __init__(self, say: Say, number: int, effort: float) -> None:
        self._say, self._number, self._effort = say, number, effort
        self._done, self._spent, self._began = 0, 0.0, monotonic()

    def skip(self, effort: float) -> None:
        """One job stood before."""
        self._done += 1
        self._effort -= effort

    def add(self, effort: float, text: str) -> None:
        """One job is finished."""
        self._done += 1
        self._spent += effort
        rest = self._effort - self._spent
        taken = monotonic() - self._began
        left = f", {duration(taken * rest / self._spent)} left" if rest > 0 and self._spent else ""
        self._say(f"[{self._done} of {self._number}{left}] {text}")
