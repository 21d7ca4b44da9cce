"""NumPy's .npy, alone or in an .npz: what its header says, checked before any array is made.

Arrays of numbers and text are read, and no pickles. The format is that of ``numpy.lib.format``.
"""

from __future__ import annotations

import math
import os
import sys
import tokenize
from dataclasses import dataclass
from typing import IO, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError

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

    ``FormatError`` for one that is malformed, of a type that is neither number nor text, or of an
    array that no machine could hold.
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
    if dtype.hasobject or dtype.kind not in "biufcU" or dtype.itemsize == 0:
        raise FormatError(f"{where}: expected numbers or text, got dtype {dtype}")
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


def map_file(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in a file, mapped: nothing is read before it is used."""
    with open(path, "rb") as file:
        header = read_header(file, "npy")
        begin = file.tell()
        header.check_size(os.fstat(file.fileno()).st_size - begin)
        if header.size == 0:  # nothing to map
            return array_of(header, b"")
        return np.memmap(file, header.dtype, "r", begin, header.shape, header.order)
