"""What a pickle names and the table of ``values`` does not have: a stand-in that nobody calls.

Checkpoints have settings, callbacks and types of numbers beside their weights. None of them does
harm: one is an error only where an array is wanted in its place, or is inside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...errors import FormatError, OptionError, UnsupportedError

_SHOWN: Final = 3  # in one message
ADVICE: Final = (
    "Where it is an object that holds the model, save its weights: "
    "torch.save(model.state_dict(), ...)"
)


class Foreign:
    """``module.name``, which the table has not, or what a pickle would have made of it.

    ``parts`` are what was put into it: nobody calls it. The name is in two parts, which are the
    pickle's own, and no copy of them.
    """

    __slots__ = ("module", "name", "parts")

    def __init__(self, module: str, name: str, *parts: Any) -> None:
        self.module = module
        self.name = name
        self.parts = list(parts)

    def made_of(self, *parts: Any) -> Foreign:
        """What a call with these would give."""
        return Foreign(self.module, self.name, *parts)

    def __str__(self) -> str:
        return f"{f'{self.module}.{self.name}'!r:.200}"


class Unread:
    """What is known and cannot be read, and why: an error where an array is asked for."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def refused(where: str, foreign: Foreign | Unread) -> UnsupportedError:
    """Where an array is asked for, and this is there."""
    if isinstance(foreign, Unread):
        return UnsupportedError(f"{where}: {foreign.reason}")
    return UnsupportedError(
        f"{where}: expected numbers, and the pickle asks for {foreign}, a class or function that "
        "is not known: refused, and nothing was called"
    )


@contextlib.contextmanager
def told(named: Mapping[str, Any]) -> Iterator[None]:
    """Errors in reading these also say which of them were not looked into, and why."""
    try:
        yield
    except (FormatError, OptionError, UnsupportedError) as error:
        found = [(name, value) for name, value in named.items() if type(value) is Foreign]
        if not found or any(str(value) in str(error) for _, value in found):
            raise
        texts = [f"{name!r:.200}, for which the pickle asks for {f}" for name, f in found[:_SHOWN]]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise type(error)(
            f"{error}; not looked into: {', '.join(texts)}{more}. {ADVICE}"
        ) from error
