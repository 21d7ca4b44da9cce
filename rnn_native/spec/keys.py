"""The options of layers and cells: each one's name, kind and default, in a file's line too.

A line of a file has the keys of its layer in their order, ``linear in_features=8 ...``
(``formats.metadata`` writes and reads it); keywords of the constructors have the same names
wherever there is such a keyword.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from ..activations import finite
from ..errors import OptionError

MAX_SIZE: Final = 2**24
"""Of every size of a layer, in the file format and the C core too."""


@dataclass(frozen=True)
class Key:
    """One option.

    Parameters
    ----------
    name
        Of the option, and of the key in a file's line.
    kind
        ``"natural"`` (an integer of at least ``least``), ``"flag"``, ``"word"`` (one of ``words``,
        or any), ``"number"`` (finite, above 0) or ``"activations"``.
    default
        Where the option is not given.
    optional
        Whether a line has the key only where the value is another than the default.
    beside, unless
        Another key, with or without which alone a line has this one.
    only_runs
        Whether a layer that uses it cannot be trained.
    version
        Of the files whose lines may have it.
    """

    name: str
    kind: Literal["natural", "flag", "word", "number", "activations"]
    default: Any = None
    optional: bool = False
    words: tuple[str, ...] = ()
    least: int = 0
    beside: str = ""
    unless: str = ""
    only_runs: bool = False
    version: int = 1

    def is_used(self, value: Any) -> bool:
        """Whether the value is another than the default."""
        return value is not None if self.default is None else bool(value != self.default)

    def checked(self, layer: str, value: Any) -> Any:
        """The value in its plain form; ``OptionError`` for one that the option cannot have."""
        where = f"{layer} {self.name}"
        if self.kind == "natural":
            return size(where, value, self.least)
        if self.kind == "flag":
            return flag(where, value)
        if self.kind == "word" and self.words:
            return one_of(where, value, self.words)
        if self.kind == "number" and value is not None:
            bound = finite(where, value)
            if bound <= 0:
                raise OptionError(f"{where}: expected a number above 0, or None; got {value!r}")
            return bound
        return value


def in_line(keys: Iterable[Key], there: Container[str]) -> tuple[Key, ...]:
    """Those of a line in which, of the optional keys, these are there."""
    return tuple(
        key
        for key in keys
        if (key.name in there or not key.optional)
        and (key.beside in there or not key.beside)
        and not (key.unless and key.unless in there)
    )


def one_of(where: str, value: str, allowed: tuple[str, ...] | list[str]) -> str:
    if value not in allowed:
        raise OptionError(f"{where}: expected one of {', '.join(allowed)}; got {value!r}")
    return value


def size(where: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{where}: expected an integer, got {value!r}")
    if not least <= value <= MAX_SIZE:
        raise OptionError(f"{where}: expected {least} to {MAX_SIZE}, got {value}")
    return int(value)


def flag(where: str, value: object) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{where}: expected True or False, got {value!r}")
    return bool(value)
