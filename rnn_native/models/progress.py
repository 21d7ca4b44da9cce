"""A progress bar over epochs, by tqdm where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from ..errors import UnsupportedError

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
        shown = {name: f"{history[name][-1]:.4g}" for name in _SHOWN if name in history}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def bars(wanted: bool) -> Callable[[int, int], Bar]:
    """Makes the bar for a number of epochs of which some are done.

    ``UnsupportedError`` where one is wanted and tqdm is not installed.
    """
    if not wanted:
        return lambda total, done: Bar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise UnsupportedError(
            "progress=True: needs tqdm, which pip install 'rnn_native[train]' brings"
        ) from None
    return lambda total, done: _Tqdm(tqdm(total=total, initial=done, unit="epoch"))
