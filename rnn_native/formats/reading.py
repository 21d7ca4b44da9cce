"""Reading files that others may change meanwhile: an error that says so, and no wrong result.

Files are read, not mapped: a mapped file that another program cuts short ends the process.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import FormatError, RnnError

_LARGE: Final = 2**22  # bytes, from which it matters where they are read to


class Watch:
    """What a file is when it begins to be read. What is no regular file, such as a pipe, has no
    size or time, and cannot be watched."""

    def __init__(self, file: IO[Any]) -> None:
        self._before = _state(file)

    def check(self, file: IO[Any]) -> None:
        """``FormatError`` where it is another by now."""
        if _state(file) != self._before:
            raise FormatError("the file was changed while it was read")


def _state(file: IO[Any]) -> tuple[int, ...] | None:
    try:
        found = os.fstat(file.fileno())
    except (io.UnsupportedOperation, AttributeError):  # bytes in memory
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file open for reading. ``FormatError`` when the block ends, with or without another of
    ours, where it was changed in it."""
    with open(path, "rb") as file:
        watch = Watch(file)
        try:
            yield file
        except (RnnError, EOFError):
            watch.check(file)
            raise
        watch.check(file)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file; errors as of :func:`reading`."""
    with reading(path) as file:
        found = os.fstat(file.fileno())
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        return _read(file, size) + file.read()


def read_exactly(file: BinaryIO, begin: int, size: int) -> bytes:
    """``size`` bytes from ``begin`` on; ``FormatError`` where there are fewer."""
    file.seek(begin)
    data = _read(file, size)
    if len(data) != size:
        raise _cut(size, begin, len(data))
    return data


def _read(file: BinaryIO, size: int) -> bytes:
    return _core.read_bytes(file, size) if size >= _LARGE else file.read(size)


def read_into(file: io.FileIO, begin: int, array: NDArray[Any]) -> None:
    """Fills a C-contiguous array with the bytes from ``begin`` on; ``FormatError`` where there are
    too few."""
    view = array.reshape(-1).view(np.uint8).data
    file.seek(begin)
    done = 0
    while done < len(view):
        count = file.readinto(view[done:])
        if not count:
            raise _cut(len(view), begin, done)
        done += count


def _cut(size: int, begin: int, found: int) -> FormatError:
    return FormatError(
        f"the file was cut short while it was read: expected {size} bytes at {begin}, found {found}"
    )
