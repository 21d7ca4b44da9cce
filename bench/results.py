"""What the results of a case say: times, ratios, the share of the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnn_native.benchmark.rounds import Measured

OURS = "rnn_native"
FLOAT32 = "rnn_native float32"
"""Ours beside ours, where that is in another precision; no peer."""
Result = Mapping[str, Any]


def runtimes(result: Result) -> dict[str, Measured]:
    """The runtimes of a case that were measured."""
    every = {name: Measured(**fields) for name, fields in result["runtimes"].items()}
    return {name: it for name, it in every.items() if it.rounds}


def peers(result: Result) -> dict[str, Measured]:
    return {name: it for name, it in runtimes(result).items() if name not in (OURS, FLOAT32)}


def ratios(result: Result) -> dict[str, float]:
    """How many times faster than each peer ours is; nothing where ours was left out."""
    ours = runtimes(result).get(OURS)
    return {name: it.ratio_to(ours) for name, it in peers(result).items()} if ours else {}


def float32_ratio(result: Result) -> float | None:
    """How many times faster than ours in float32 ours is."""
    every = runtimes(result)
    return every[FLOAT32].ratio_to(every[OURS]) if {OURS, FLOAT32} <= every.keys() else None


def best_peer(result: Result) -> str | None:
    """The peer that comes closest, or is farthest ahead; the fastest where ours was left out."""
    found = ratios(result) or {name: it.seconds for name, it in peers(result).items()}
    return min(found, key=lambda name: found[name]) if found else None


def label(result: Result, name: str) -> str:
    """A runtime's name and, where there is a choice, the precision of its fastest form."""
    reduced = result["precision"] != "float32"
    return f"{name} {runtimes(result)[name].precision}" if reduced else name


def seconds(result: Result, name: str | None = OURS) -> float | None:
    every = runtimes(result)
    return every[name].seconds if name in every else None


def share(result: Result, name: str | None = OURS) -> float | None:
    """Of the limit: 1 is as fast as the machine could be in this precision."""
    time = seconds(result, name)
    return result["limit"] / time if result["limit"] and time else None


def packed_bytes(result: Result) -> float | None:
    """Of the model, of those in float32."""
    memory = result["memory"]
    reduced = memory.get(result["precision"])
    return reduced / memory["float32"] if reduced else None
