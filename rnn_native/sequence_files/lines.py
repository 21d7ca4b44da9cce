"""Comma-separated values: one line a step, one number a feature."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..formats import naming
from ..formats.reading import Watch

_WIDEST: Final = 64  # bytes of one number with what stands around it


class LinesInput:
    """One row of steps, read line by line: no more than a piece is in memory.

    Parameters
    ----------
    name
        For messages.
    file
        Open for reading bytes.
    features
        Numbers of a line; None: one index a line.
    dtype
        What numbers are read as.
    header
        Whether the first line is one of names, which is skipped.
    """

    time: int | None = None
    batch = 1
    flat = True

    def __init__(
        self,
        name: str,
        file: BinaryIO,
        features: int | None,
        dtype: np.dtype[Any],
        header: bool = False,
    ) -> None:
        self.name = name
        self._file = file
        self._watch = Watch(file)
        self._features = features
        self._dtype = np.dtype(np.int64) if features is None else dtype
        self._header = header
        self._longest = 1024 + _WIDEST * (features or 1)

    def pieces(self, steps: int | None) -> Iterator[NDArray[Any]]:
        """``FormatError`` also where the file is changed meanwhile, be it by more lines."""
        try:
            yield from self._pieces(steps)
        except FormatError:
            self._check()
            raise

    def _check(self) -> None:
        with naming(self.name):
            self._watch.check(self._file)

    def _pieces(self, steps: int | None) -> Iterator[NDArray[Any]]:
        lines: list[str] = []
        first = 2 if self._header else 1
        given = False
        for line in self._lines():
            lines.append(line)
            if len(lines) == steps:
                yield self._parse(lines, first)
                first, lines, given = first + len(lines), [], True
        if lines or not given:
            yield self._parse(lines, first)

    def _lines(self) -> Iterator[str]:
        number = empty = 0
        while raw := self._file.readline(self._longest + 1):
            number += 1
            if len(raw) > self._longest:
                raise FormatError(
                    f"{self.name}: line {number}: longer than {self._longest} bytes, "
                    f"for {self._features or 1} numbers"
                )
            if number == 1 and (self._header or raw.startswith(b"\xef\xbb\xbf")):
                if self._header:
                    continue
                raw = raw[3:]
            text = raw.decode("latin-1").strip()
            if not text:
                empty = empty or number
                continue
            if empty:
                raise FormatError(f"{self.name}: line {empty}: empty, with more behind it")
            yield text
        self._check()

    def _parse(self, lines: Sequence[str], first: int) -> NDArray[Any]:
        """[steps, 1, features] or [steps, 1]."""
        columns = self._features or 1
        shape = (len(lines), 1) if self._features is None else (len(lines), 1, columns)
        if not lines:
            return np.zeros(shape, self._dtype)
        array = self._array(lines)
        if array is None or array.shape != (len(lines), columns):
            for number, line in enumerate(lines, first):
                one = self._array([line])
                if one is None or one.shape != (1, columns):
                    raise FormatError(self._complaint(number, line))
            raise FormatError(f"{self.name}: lines {first} to {first + len(lines) - 1}: not read")
        return array.reshape(shape)

    def _array(self, lines: Sequence[str]) -> NDArray[Any] | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return np.loadtxt(lines, self._dtype, comments=None, delimiter=",", ndmin=2)
        except (ValueError, OverflowError, Warning):
            return None

    def _complaint(self, number: int, line: str) -> str:
        found = f"{line[:60]!r}{'...' if len(line) > 60 else ''}"
        if self._features is None:
            expected = "an index"
        else:
            expected = f"{self._features} number{'s' * (self._features > 1)}, commas between them"
        hint = "; a first line of names is skipped with --header" if number == 1 else ""
        return f"{self.name}: line {number}: expected {expected}; got {found}{hint}"


def to_line(numbers: NDArray[Any]) -> str:
    """The numbers of one step, with as many digits as bring back the same bits."""
    digits = 9 if numbers.dtype.itemsize == 4 else 17
    return ",".join([f"{number:.{digits}g}" for number in numbers.tolist()]) + "\n"
