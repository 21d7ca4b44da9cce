"""Writing a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def placing(path: str | os.PathLike[str]) -> Iterator[str]:
    """The path of a file to be written, which takes the place of ``path`` when the block ends
    without an error.

    It lies in the same folder until then, so that taking the place is one atomic step; an error
    leaves ``path`` as it was and no file behind. A symbolic link stays one.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(8).hex()}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
        raise


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new binary file that takes the place of ``path`` when the block ends without an error, as
    :func:`placing` does. The permissions are those of any new file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with placing(path) as temporary, os.fdopen(os.open(temporary, flags, 0o666), "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
