"""How long a call takes: the one way of measuring, the same for every runtime."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from itertools import repeat
from time import perf_counter
from typing import Any, Final

Call = Callable[[], Any]

SAMPLE_SECONDS: Final = 0.010
"""What a sample lasts at least: the clock's own cost and steps no longer count."""


def sample(call: Call, calls: int) -> float:
    """Seconds per call over ``calls`` calls in a row, with the garbage collector off."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = perf_counter()
        for _ in repeat(None, calls):
            call()
        return (perf_counter() - start) / calls
    finally:
        if collecting:
            gc.enable()


def calls_per_sample(call: Call, seconds: float = SAMPLE_SECONDS) -> int:
    """How many calls last ``seconds``, found after a warm-up of as long and of two calls at least.

    The first calls compile, allocate and start threads, so their time is not looked at.
    """
    start = perf_counter()
    call()
    call()
    while perf_counter() - start < seconds:
        call()
    calls = 1
    while (enough := _enough(calls, sample(call, calls), seconds)) > calls:
        calls = enough
    return calls


def _enough(calls: int, per_call: float, seconds: float) -> int:
    """``calls`` if they last ``seconds``, else about as many as do, at most tenfold."""
    if calls * per_call >= seconds:
        return calls
    return math.ceil(calls * min(10.0, max(1.5, 1.2 * seconds / (calls * max(per_call, 1e-9)))))


def samples(call: Call, calls: int, count: int, seconds: float = SAMPLE_SECONDS) -> list[float]:
    """``count`` samples of ``calls`` calls or, where those no longer last ``seconds``, of more.

    Before them goes one that is thrown away: it fetches the weights back into the caches.
    """
    while (enough := _enough(calls, sample(call, calls), seconds)) > calls:
        calls = enough
    return [sample(call, calls) for _ in range(count)]
