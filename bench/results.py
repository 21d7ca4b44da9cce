"""What the results of a case say: times, ratios, the share of the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnn_native.benchmark.rounds import Measured

OURS = "rnn_native"
Result = Mapping[str, Any]


def runtimes(result: Result) -> dict[str, Measured]:
    """The runtimes of a case that were measured."""
    every = {name: Measured(**fields) for name, fields in result["runtimes"].items()}
    return {name: it for name, it in every.items() if it.rounds}


def ratios(result: Result) -> dict[str, float]:
    """How many times faster than each peer ours is."""
    every = runtimes(result)
    ours = every.pop(OURS)
    return {name: it.ratio_to(ours) for name, it in every.items()}


def best_peer(result: Result) -> str | None:
    """The peer that comes closest, or is farthest ahead."""
    found = ratios(result)
    return min(found, key=lambda name: found[name]) if found else None


def seconds(result: Result, name: str | None = OURS) -> float | None:
    every = runtimes(result)
    return every[name].seconds if name in every else None


def share(result: Result, name: str | None = OURS) -> float | None:
    """Of the limit: 1 is as fast as the machine could be."""
    time = seconds(result, name)
    return result["limit"] / time if result["limit"] and time else None
