"""Which rows of a batch are run together: those of nearly the same length.

A row of a group takes the time of the longest one, and a group once more the time to read the
weights at every step.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WEIGHTS: Final = 8  # rows that take as long as reading the weights does, about
_NUMBERS: Final = 2**21  # of x and y together in one group: some megabytes


def grouped(lengths: NDArray[Any], numbers_of_a_step: int) -> list[NDArray[np.intp]]:
    """The rows of each group, longest ones first; of no rows one group of none.

    A group ends where padding would cost more than to begin another one, or where it is large.
    """
    order = np.argsort(-lengths, kind="stable")
    if len(order) == 0:
        return [order]
    groups = []
    first, padding, longest = 0, 0, int(lengths[order[0]])
    most = _most_rows(longest, numbers_of_a_step)
    for place, steps in enumerate(lengths[order].tolist()):
        padding += longest - steps
        if padding > _WEIGHTS * steps or place - first >= most:
            groups.append(order[first:place])
            first, padding, longest = place, 0, steps
            most = _most_rows(longest, numbers_of_a_step)
    groups.append(order[first:])
    return groups


def _most_rows(steps: int, numbers_of_a_step: int) -> int:
    return max(1, _NUMBERS // max(1, steps * numbers_of_a_step))
