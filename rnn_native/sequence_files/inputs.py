"""Inputs: arrays in .npy and .npz files, and lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, OptionError, ShapeError
from ..formats import naming, npy
from ..formats.npz import open_archive
from ..formats.reading import read_bytes

SUFFIXES: Final = (".npy", ".npz", ".csv")


class Input(Protocol):
    """Where x comes from.

    ``name`` is for messages. ``time`` is None where only the end tells. ``flat``: the file has no
    axis of rows, there is one.
    """

    name: str
    time: int | None
    batch: int
    flat: bool

    def pieces(self, steps: int | None) -> Iterator[NDArray[Any]]:
        """x in pieces of that many steps, the last maybe shorter; None: all of it in one piece.
        At least one piece, maybe of no steps."""


class ArrayInput:
    """An array, in memory or in a file that is read as it is needed."""

    def __init__(
        self,
        name: str,
        array: NDArray[Any] | npy.Stored,
        takes_indices: bool,
        batch_first: bool,
    ) -> None:
        axes = 2 if takes_indices else 3
        if array.ndim not in (axes - 1, axes):
            full = "batch, time" if batch_first else "time, batch"
            tail = "" if takes_indices else ", features"
            raise ShapeError(
                f"{name}: expected [{full}{tail}], or [time{tail}] of one row; "
                f"got shape {array.shape}"
            )
        self.name = name
        self.flat = array.ndim < axes
        self._array = array
        self._axis = 1 if batch_first and not self.flat else 0
        self._time = array.shape[self._axis]
        self.time: int | None = self._time
        self.batch = 1 if self.flat else array.shape[1 - self._axis]

    def pieces(self, steps: int | None) -> Iterator[NDArray[Any]]:
        size = max(self._time, 1) if steps is None else steps
        for start in range(0, max(self._time, 1), size):
            piece = self._piece(start, min(start + size, self._time))
            yield piece[:, None] if self.flat else np.moveaxis(piece, self._axis, 0)

    def _piece(self, start: int, stop: int) -> NDArray[Any]:
        if isinstance(self._array, npy.Stored):
            with naming(self.name):
                return self._array.read(self._axis, start, stop)
        return self._array[:, start:stop] if self._axis else self._array[start:stop]


@contextmanager
def open_npy(path: Path) -> Iterator[npy.Stored]:
    """The array in a file, of which nothing is read before it is used."""
    with open(path, "rb", buffering=0) as file:
        with naming(path):
            array = npy.Stored(file)
        yield array


def open_npz(path: Path, key: str | None) -> NDArray[Any]:
    """One array of an archive, read as a whole."""
    with naming(path), open_archive(path) as archive:
        names = archive.names
        if key is None and len(names) == 1:
            key = names[0]
        if key is None or key not in names:
            found = ", ".join(names) or "none"
            what = "several arrays" if key is None else f"no array {key!r}"
            raise OptionError(f"{what}; --key chooses one of {found}")
        return archive.read(key)


def open_states(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an archive."""
    with naming(path), open_archive(path) as archive:
        return {name: archive.read(name) for name in archive.names}


def read_lengths(text: str) -> NDArray[Any]:
    """Lengths such as ``9,4``, or of a file: .npy, or text with commas or lines between them."""
    if not text:
        raise OptionError("--lengths: expected numbers such as 9,4, or a file of them; got ''")
    path = Path(text)
    if path.suffix.lower() == ".npy":
        with open_npy(path) as array, naming(path):
            return array.read_all()
    stated = all(part.strip().isdecimal() for part in text.split(","))
    words = text if stated else _text(path)
    parts = words.replace(",", " ").split()
    wrong = next((part for part in parts if not part.isdecimal() or len(part) > 18), None)
    if wrong is not None:
        raise FormatError(f"{text}: expected lengths such as 9,4; found {wrong[:40]!r}")
    return np.array([int(part) for part in parts], np.int64)


def _text(path: Path) -> str:
    with naming(path):
        return read_bytes(path).decode("utf-8", "replace")
