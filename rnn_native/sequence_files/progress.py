"""A progress bar on standard error, where that is a terminal and tqdm is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_DELAY: Final = 1.0  # seconds before it shows: what is done by then needs none


@contextmanager
def steps_bar(total: int | None, long: bool) -> Iterator[Callable[[int], object]]:
    """To be told of steps done; ``total`` where it is known. Shows nothing unless ``long``."""
    tqdm = _tqdm() if long else None
    if tqdm is None:
        yield lambda steps: None
        return
    with tqdm(
        total=total, unit="step", unit_scale=True, delay=_DELAY, leave=False, file=sys.stderr
    ) as bar:
        yield bar.update


def _tqdm() -> Any:
    """None where there is no terminal, or no tqdm."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
