"""From probabilities to stretches of speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Segment(NamedTuple):
    """Somebody speaks, from ``start`` to ``end``, in seconds."""

    start: float
    end: float


def segments_of(
    speech: Sequence[float],
    step: float,
    *,
    begins: float = 0.5,
    goes_on: float = 0.35,
    silence: float = 0.1,
) -> list[Segment]:
    """The stretches that begin at a probability of ``begins`` and end where it has been below
    ``goes_on`` for ``silence`` seconds; ``step`` is the time from one probability to the next."""
    found: list[Segment] = []
    start, heard = -1, -1  # the first step of a stretch, and the last one with speech
    for index, probability in enumerate(speech):
        if start < 0 and probability >= begins:
            start = index
        if start >= 0 and probability >= goes_on:
            heard = index
        if start >= 0 and (index - heard) * step >= silence:
            found.append(Segment(start * step, (heard + 1) * step))
            start = -1
    if start >= 0:
        found.append(Segment(start * step, (heard + 1) * step))
    return found
