"""Learning-rate schedules: the factor of the learning rate at each update, from 0 on.

A schedule is a plain function of the update's number, so there is nothing to store and resume.

    schedule = warm_up(100, cosine(1000))
    optimizer.learning_rate = 1e-3 * schedule(update)
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from ..errors import OptionError
from .checks import finite, whole

Schedule = Callable[[int], float]


def constant() -> Schedule:
    """1 throughout."""
    return lambda update: 1.0


def step_decay(every: int, factor: float = 0.1) -> Schedule:
    """factor^(update // every): a step down at each multiple of ``every``."""
    every = whole("every", every, 1)
    if not 0 < finite("factor", factor) <= 1:
        raise OptionError(f"factor: expected more than 0 and at most 1, got {factor!r}")
    return lambda update: float(factor) ** (update // every)


def cosine(total: int, floor: float = 0.0) -> Schedule:
    """floor + (1 - floor) (1 + cos(pi update / total)) / 2, then floor.

    Loshchilov and Hutter (2017), equation 5, without restarts.
    """
    total = whole("total", total, 1)
    if not 0 <= finite("floor", floor) <= 1:
        raise OptionError(f"floor: expected 0 to 1, got {floor!r}")
    return lambda update: floor + (1 - floor) * (1 + cos(pi * min(update / total, 1.0))) / 2


def warm_up(updates: int, then: Schedule | None = None) -> Schedule:
    """Rises in a line, (update + 1) / updates, and goes on with ``then`` from its start."""
    updates = whole("updates", updates, 1)
    after = constant() if then is None else then
    return lambda update: (update + 1) / updates if update < updates else after(update - updates)
