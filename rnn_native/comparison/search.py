"""The learning rate of each cell on each task: the same short search for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

Record = Mapping[str, Any]


def lowest_loss(record: Record) -> float:
    """The least loss of the validation data; infinite for a run that diverged."""
    return inf if "failure" in record else min(record["history"]["val_loss"])


def choose(records: Iterable[Record]) -> dict[str, Any]:
    """The rate whose short run came lowest (of equals the smallest), with all that were tried:
    ``{"rate": r, "tried": [[rate, loss], ...]}``, None in the place of a loss that diverged."""
    tried = sorted((record["settings"]["learning"]["learning_rate"], lowest_loss(record))
                   for record in records)  # fmt: skip
    best, _ = min(tried, key=lambda pair: pair[1])
    return {
        "rate": best,
        "tried": [[rate, None if loss == inf else loss] for rate, loss in tried],
    }
