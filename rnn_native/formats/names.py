"""Names in messages: some of many, and those that a wrong one may have meant.

The names come out of files and are of any number and length; a message stays short.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

SHOWN: Final = 12  # names in one message
_COMPARED: Final = 500  # names among which one is looked for
_LONGEST: Final = 100  # characters of such a name
_WIDEST: Final = 200  # characters of a name that is shown as it is


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """``a, b, c and 5 more``; ``none``."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return (", ".join(map(_printable, names[:shown])) or "none") + more


def similar(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Those of ``known`` that are much like ``name``, the likest first."""
    near = [other for other in islice(known, _COMPARED) if len(other) <= _LONGEST]
    return difflib.get_close_matches(name[:_LONGEST], near, count)


def suggest(name: str, known: Iterable[str]) -> str:
    """``; there is 'lstm_1', 'lstm_2'`` for names much like ``name``, or nothing."""
    near = similar(name, known)
    return f"; there is {', '.join(map(repr, near))}" if near else ""


def _printable(name: str) -> str:
    if len(name) > _WIDEST:
        name = f"{name[:_WIDEST]}..."
    return name if name.isprintable() else repr(name)
