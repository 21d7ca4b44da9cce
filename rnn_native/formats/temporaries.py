"""Temporary files that tell for whom they are and whether whoever writes them still lives.

The name of one begins in the same way for every save to the same path. Its writer holds a lock
(flock) on it until it is complete, and a lock ends with the process that holds it: one without is
what a killed writer left. Where there are no such locks, on Windows and some network file systems,
nothing is taken for left.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from typing import Any, BinaryIO, Final

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_SHOWN: Final = 80  # bytes of the name that are shown: with the rest within any file system's limit
_REST: Final = re.compile(r"[0-9a-f]{16}\.tmp")


def path_for(folder: str, name: str) -> str:
    """The path of one for ``name`` in ``folder``, where there is none yet."""
    return os.path.join(folder, f"{_start(name)}{os.urandom(8).hex()}.tmp")


def create(path: str, mode: int) -> int | None:
    """A new file, locked, open to read and write; None where it was taken for left in the moment
    before, and another path has to be tried."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, mode)
    if _hold(file):
        return file
    os.close(file)
    with suppress(OSError):
        os.unlink(path)
    return None


def sweep(folder: str, name: str) -> None:
    """Removes what killed writers left in ``folder`` for ``name``; whatever cannot be, stays."""
    if fcntl is None:
        return
    start = _start(name)
    with suppress(OSError):
        for entry in os.listdir(folder):
            if entry.startswith(start) and _REST.fullmatch(entry, len(start)):
                remove_if_left(os.path.join(folder, entry))


def remove_if_left(path: str) -> None:
    """Removes a file that is not locked, for nobody has it; whatever cannot be, stays."""
    with suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its writer lives
            found = os.fstat(file)
            # The writer may have ended, and the file be in its place, since it was opened.
            if stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.lstat(path)):
                os.unlink(path)
        finally:
            os.close(file)


def wait(file: BinaryIO) -> None:
    """Locks a file that others may write to, when they are done, where there are locks."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def release(file: BinaryIO) -> None:
    """Closes a file; its lock ends although a forked process may have it open still."""
    if fcntl is not None and not file.closed:
        with suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
    file.close()


def _start(name: str) -> str:
    """How the names of all temporary files for ``name`` begin: the name, and of one that is too
    long to be shown its digest makes the difference."""
    encoded = os.fsencode(name)
    shown = encoded[:_SHOWN]
    if len(encoded) > _SHOWN:  # not in the middle of a character
        shown = shown.decode("utf-8", "ignore").encode() if _is_utf8(encoded) else shown
    return f".{os.fsdecode(shown)}.{hashlib.sha256(encoded).hexdigest()[:16]}."


def _is_utf8(encoded: bytes) -> bool:
    try:
        encoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _hold(file: int) -> bool:
    """Locks a new file; False where somebody looks at it, or has removed it already."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return os.fstat(file).st_nlink > 0
