"""What ``fit`` shows of its epochs: a bar by tqdm, or a line for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from ..errors import OptionError

_SHOWN = ("loss", "val_loss", "val_score")


class Bar(AbstractContextManager["Bar"]):
    """Shows nothing."""

    def advance(self, history: Mapping[str, Sequence[float]]) -> None:
        """One more epoch, the last of this history."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the bar; what it counted stays on the screen."""


class _Tqdm(Bar):
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, history: Mapping[str, Sequence[float]]) -> None:
        self._bar.set_postfix(_latest(history), refresh=False)
        self._bar.update()

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class _Lines(Bar):
    def __init__(self, total: int) -> None:
        self._total = total

    def advance(self, history: Mapping[str, Sequence[float]]) -> None:
        values = "  ".join(f"{name} {value}" for name, value in _latest(history).items())
        epoch, seconds = len(history["seconds"]), history["seconds"][-1]
        line = f"epoch {epoch}/{self._total}  {values}  {seconds:.2g} s"
        print(line, file=sys.stderr, flush=True)


def _latest(history: Mapping[str, Sequence[float]]) -> dict[str, str]:
    return {name: f"{history[name][-1]:.4g}" for name in _SHOWN if name in history}


def bars(wanted: bool | str) -> Callable[[int, int], Bar]:
    """Makes what shows a number of epochs, of which some are done: nothing, a bar where tqdm is
    installed and lines where it is not, or, for ``"lines"``, these anyway."""
    if wanted is False:
        return lambda total, done: Bar()
    if wanted is not True and wanted != "lines":
        raise OptionError(f"progress: expected False, True or 'lines', got {wanted!r}")
    if wanted == "lines":
        return lambda total, done: _Lines(total)
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lambda total, done: _Lines(total)
    return lambda total, done: _Tqdm(tqdm(total=total, initial=done, unit="epoch"))
