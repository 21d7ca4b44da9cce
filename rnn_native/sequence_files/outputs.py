"""Outputs, which come into being beside their place and take it when they are complete."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..formats.files import replacing
from .lines import to_line

STDOUT = "-"


@dataclass(frozen=True)
class Form:
    """What an output looks like: ``time`` is None where only the end tells; ``flat``: without an
    axis of rows."""

    time: int | None
    batch: int
    features: int
    dtype: np.dtype[Any]
    batch_first: bool
    flat: bool

    def shape(self, time: int) -> tuple[int, ...]:
        if self.flat:
            return time, self.features
        rows = (self.batch, time) if self.batch_first else (time, self.batch)
        return *rows, self.features


class Output(Protocol):
    def write(self, y: NDArray[Any]) -> None:
        """The next steps, [time, batch, features]."""


@contextmanager
def open_output(path: Path, form: Form) -> Iterator[Output]:
    """The output at ``path``; an error in the block leaves what was there. ``OptionError`` for a
    suffix that cannot hold it."""
    name = str(path)
    kind = ".csv" if name == STDOUT else path.suffix.lower()
    if kind == ".csv" and not (form.flat or form.batch == 1):
        where = "standard output" if name == STDOUT else f"{name}: a .csv"
        raise OptionError(f"{where} holds one row, x has {form.batch}; give a .npy or .npz")
    if kind not in _KINDS:
        raise OptionError(f"{name}: expected the suffix {', '.join(_KINDS)}; got {kind!r}")
    if name == STDOUT:
        yield _Printed()
        return
    with replacing(path) as file:
        output = _KINDS[kind](file, form)
        yield output
        output.finish()


def write_states(path: Path, states: Mapping[str, NDArray[Any]]) -> None:
    """An .npz of named arrays; atomically."""
    with replacing(path) as file:
        np.savez(file, **states)  # type: ignore[arg-type]


class _Printed:
    def write(self, y: NDArray[Any]) -> None:
        sys.stdout.writelines(map(to_line, y[:, 0]))


class _Lines:
    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file = file

    def write(self, y: NDArray[Any]) -> None:
        self._file.writelines(to_line(step).encode() for step in y[:, 0])

    def finish(self) -> None:
        """Nothing is left to do."""


class _Npy:
    """The header says from the start how many steps there will be, where that is known. NumPy
    leaves room in it for the first axis to grow."""

    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file, self._form = file, form
        self._done = 0
        header = self._header(form.time or 0)
        self._start = len(header)
        file.write(header)

    def write(self, y: NDArray[Any]) -> None:
        form = self._form
        if form.batch_first and not form.flat:
            assert form.time is not None
            step = form.features * form.dtype.itemsize
            for row in range(form.batch):
                self._file.seek(self._start + (row * form.time + self._done) * step)
                self._file.write(_bytes(y[:, row]))
        else:
            self._file.write(_bytes(y))
        self._done += len(y)

    def finish(self) -> None:
        header = self._header(self._done)
        assert len(header) == self._start
        self._file.seek(0)
        self._file.write(header)

    def _header(self, time: int) -> bytes:
        described = {
            "descr": np.lib.format.dtype_to_descr(self._form.dtype),
            "fortran_order": False,
            "shape": self._form.shape(time),
        }
        memory = io.BytesIO()
        np.lib.format.write_array_header_1_0(memory, described)
        return memory.getvalue()


def _bytes(y: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(y).reshape(-1).view(np.uint8).data


class _Npz:
    """All of it is kept until the end."""

    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file, self._form = file, form
        self._pieces: list[NDArray[Any]] = []

    def write(self, y: NDArray[Any]) -> None:
        self._pieces.append(y)

    def finish(self) -> None:
        y = np.concatenate(self._pieces)
        if self._form.batch_first:
            y = np.swapaxes(y, 0, 1)
        np.savez(self._file, y=y.reshape(self._form.shape(sum(map(len, self._pieces)))))


_KINDS: dict[str, type[_Lines] | type[_Npy] | type[_Npz]] = {
    ".npy": _Npy,
    ".npz": _Npz,
    ".csv": _Lines,
}
