"""Inputs: arrays in .npy and .npz files, and lines of text."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, OptionError, ShapeError

SUFFIXES: Final = (".npy", ".npz", ".csv")

_MALFORMED: Final = (
    ValueError, TypeError, SyntaxError, EOFError, tokenize.TokenError, RecursionError,
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
)  # fmt: skip


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
    """An array, in memory or mapped from a file."""

    def __init__(
        self, name: str, array: NDArray[Any], takes_indices: bool, batch_first: bool
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
        if self.flat:
            array = array[:, None]
        elif batch_first:
            array = np.swapaxes(array, 0, 1)
        self._array = array
        self.time: int | None = array.shape[0]
        self.batch = array.shape[1]

    def pieces(self, steps: int | None) -> Iterator[NDArray[Any]]:
        time = len(self._array)
        size = max(time, 1) if steps is None else steps
        for start in range(0, max(time, 1), size):
            yield self._array[start : start + size]


def open_npy(path: Path) -> NDArray[Any]:
    """The array in a file, mapped: nothing is read before it is used."""
    with _malformed(path):
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    return array


def open_npz(path: Path, key: str | None) -> NDArray[Any]:
    """One array of an archive, read as a whole."""
    with _archive(path) as archive:
        names = archive.files
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            found = ", ".join(names) or "none"
            what = "several arrays" if key is None else f"no array {key!r}"
            raise OptionError(f"{path}: {what}; --key chooses one of {found}")
        array: NDArray[Any] = archive[key]
    return array


def open_states(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an archive."""
    with _archive(path) as archive:
        return {name: archive[name] for name in archive.files}


def read_lengths(text: str) -> NDArray[Any]:
    """Lengths such as ``9,4``, or of a file: .npy, or text with commas or lines between them."""
    if not text:
        raise OptionError("--lengths: expected numbers such as 9,4, or a file of them; got ''")
    path = Path(text)
    if path.suffix.lower() == ".npy":
        return np.array(open_npy(path))
    stated = all(part.strip().isdecimal() for part in text.split(","))
    words = text if stated else path.read_text(encoding="utf-8", errors="replace")
    parts = words.replace(",", " ").split()
    wrong = next((part for part in parts if not part.isdecimal() or len(part) > 18), None)
    if wrong is not None:
        raise FormatError(f"{text}: expected lengths such as 9,4; found {wrong[:40]!r}")
    return np.array([int(part) for part in parts], np.int64)


@contextmanager
def _archive(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    with _malformed(path):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise FormatError(f"{path}: expected an archive of arrays, found one array")
        with archive:
            yield archive


@contextmanager
def _malformed(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (FormatError, OptionError):
        raise
    except _MALFORMED as error:
        raise FormatError(f"{os.fspath(path)}: not a readable array: {error}") from error
