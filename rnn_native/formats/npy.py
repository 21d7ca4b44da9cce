"""NumPy's .npy, alone or in an .npz: what its header says, checked before any array is made.

Arrays of numbers and text are read, and no pickles. The format is that of ``numpy.lib.format``.
"""

from __future__ import annotations

import io
import math
import os
import sys
import tokenize
from dataclasses import dataclass
from typing import IO, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError
from .reading import Watch, read_into

_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_MAX_RANK: Final = 64  # of NumPy 2


@dataclass(frozen=True)
class Header:
    """Of an array: ``size`` is how many bytes it takes. ``where`` is for messages."""

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def check_size(self, size: int) -> None:
        """``FormatError`` unless there are as many bytes behind the header as it says."""
        if size != self.size:
            raise FormatError(
                f"{self.where}: {self.dtype} of shape {self.shape} takes {self.size} bytes; "
                f"there are {size}"
            )


def read_header(file: IO[bytes], where: str) -> Header:
    """The header at the place where ``file`` is, which then is at the first byte of the array.

    ``FormatError`` for one that is malformed, or of an array that no machine could hold;
    ``UnsupportedError`` for a type that is neither number nor text, such as Python's objects.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"unknown version {version} of .npy")
        shape, fortran, dtype = _HEADERS[version](file)
    except (
        ValueError, TypeError, LookupError, SyntaxError, tokenize.TokenError, RecursionError,
        MemoryError,
    ) as error:  # fmt: skip
        raise FormatError(f"{where}: not an array: {error}") from error
    if dtype.itemsize == 0:
        raise FormatError(f"{where}: expected numbers or text, got dtype {dtype}")
    if dtype.hasobject or dtype.kind not in "biufcU":
        raise UnsupportedError(f"{where}: expected numbers or text, got dtype {dtype}")
    if any(type(size) is not int or size < 0 for size in shape):
        raise FormatError(f"{where}: expected sizes of at least 0, got shape {shape}")
    widest = math.prod(max(size, 1) for size in shape) * dtype.itemsize
    if len(shape) > _MAX_RANK or widest > sys.maxsize:
        raise FormatError(f"{where}: no array can have the shape {shape} of {dtype}")
    return Header(where, shape, dtype, "F" if fortran else "C")


def array_of(header: Header, data: bytes) -> NDArray[Any]:
    """The array of these bytes; ``FormatError`` unless there are as many as the header says, and
    those of a text are characters: NumPy makes a ``str`` of any number, and Python fails on it."""
    header.check_size(len(data))
    if header.dtype.kind == "U" and data:
        codes = np.frombuffer(data, f"{header.dtype.byteorder}u4")
        if codes.max() > sys.maxunicode:
            raise FormatError(f"{header.where}: {codes.max()} in its text is no character")
    flat = np.frombuffer(data, header.dtype) if data else np.zeros(0, header.dtype)
    return flat.reshape(header.shape, order=header.order)


class Stored:
    """The array in a file that is open, of which parts are read when they are asked for."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._watch = Watch(file)
        self._header = read_header(file, "npy")
        self._begin = file.tell()
        self._header.check_size(os.fstat(file.fileno()).st_size - self._begin)
        self.shape = self._header.shape
        self.ndim = len(self.shape)

    def read(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        """The array from index ``start`` of an axis to ``stop``. ``FormatError`` where the file
        has been changed."""
        backwards = self._header.order == "F"  # in the file the last axis is the outermost
        shape = list(reversed(self.shape) if backwards else self.shape)
        place = self.ndim - 1 - axis if backwards else axis
        whole, shape[place] = shape[place], stop - start
        part = np.empty(shape, self._header.dtype)
        if part.size:
            inner = math.prod(shape[place + 1 :]) * part.itemsize
            runs = part.reshape(1 if whole == stop - start else math.prod(shape[:place]), -1)
            for index, run in enumerate(runs):
                read_into(self._file, self._begin + (index * whole + start) * inner, run)
        self._watch.check(self._file)
        return part.transpose() if backwards else part

    def read_all(self) -> NDArray[Any]:
        """As a whole; of an array that is one number, too."""
        if self.ndim:
            return self.read(0, 0, self.shape[0])
        number = np.empty((), self._header.dtype)
        read_into(self._file, self._begin, number)
        self._watch.check(self._file)
        return number
