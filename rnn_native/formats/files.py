"""Writing a file as a whole or not at all, whatever stands at its path.

The new content is written to a temporary file (:mod:`temporaries`) in the same folder, which then
takes the place of the old file in one step and gets its permissions, owner and attributes. Where
that cannot be, a complete temporary file is copied into what stands there:

- a file that has several names (hard links), whose owner or attributes a new one could not have,
  or in whose folder nothing can be made or replaced. The room for it is taken first, so that a full
  disk leaves the old content; whoever kills the process while it copies leaves a part;
- a FIFO, a device, an open descriptor (``/dev/stdout``).

Links are followed. A file that its permissions protect from writing is refused, as ``open`` does.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final

from . import temporaries

_MOST_LINKS: Final = 40  # that lead to each other, as Linux has it
_DESCRIPTORS: Final = re.compile(r"/dev/fd|/proc/(?:[^/]+/)+fd")
_NOT_BESIDE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_NOT_IN_PLACE: Final = (*_NOT_BESIDE, errno.EBUSY, errno.EXDEV)
_PIECE: Final = 2**20


class Placing(os.PathLike[str]):
    """A file that is being written for ``path``, which it stands for in messages.

    ``file`` takes the content, which lies at ``temporary`` until it is complete.
    """

    def __init__(self, path: str, temporary: str, file: BinaryIO) -> None:
        self.path, self.temporary, self.file = path, temporary, file

    def __fspath__(self) -> str:
        return self.path


@contextmanager
def placing(path: str | os.PathLike[str]) -> Iterator[Placing]:
    """A file to be written, which takes the place of ``path`` when the block ends without an error.

    An error leaves ``path`` as it was and no file behind. One of the file system names ``path``.
    """
    place = _Place(os.fsdecode(path))
    try:
        with _naming(place.path):
            file = place.open()
        yield Placing(place.path, place.temporary, file)
        with _naming(place.path):
            place.take()
    except BaseException as error:
        place.give_up()
        if isinstance(error, OSError) and error.filename == place.temporary:
            raise _named(error, place.path) from None
        raise


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path``, as :func:`placing` has it; a ``Placing``
    goes on being written."""
    if isinstance(path, Placing):
        yield path.file
        path.file.flush()
        return
    with placing(path) as new:
        yield new.file


class _Place:
    """What stands at a path, and the temporary file for it."""

    def __init__(self, path: str) -> None:
        self.path, self.temporary = path, ""
        self._file: BinaryIO | None = None
        self._through: int | None = None
        self._target: str | None = None
        self._there: os.stat_result | None = None

    def open(self) -> BinaryIO:
        """The temporary file. Raises what is known already to keep it from its place."""
        self._target = _resolve(self.path)
        self._there = _stat(self.path)
        if self._there is not None:
            if self._target is None or not stat.S_ISREG(self._there.st_mode):
                self._through = _open_through(self.path, self._there)
            else:
                _check_writable(self.path)
        file = io.BufferedRandom(_File(self.path, self._create()))
        self._file = file
        return file

    def _create(self) -> int:
        if self._through is None and self._target is not None:
            try:
                return self._create_in(*os.path.split(self._target))
            except OSError as error:
                if self._there is None or error.errno not in _NOT_BESIDE:
                    raise
        name = self._target or os.path.abspath(self.path)
        return self._create_in(tempfile.gettempdir(), name.replace(os.sep, "-"))

    def _create_in(self, folder: str, name: str) -> int:
        temporaries.sweep(folder, name)
        mode = 0o666 if self._there is None else 0o600  # not for more eyes than the old one
        while True:
            self.temporary = temporaries.path_for(folder, name)
            file = temporaries.create(self.temporary, mode)
            if file is not None:
                return file

    def take(self) -> None:
        """The complete file gets to its place."""
        assert self._file is not None
        self._file.flush()
        if self._through is None and self._put(self._file):
            temporaries.release(self._file)
            return
        self._copy(self._file)
        self._file.close()
        with suppress(FileNotFoundError):  # somebody else's sweep
            os.unlink(self.temporary)

    def give_up(self) -> None:
        """What there is of the new file is removed."""
        with suppress(OSError, ValueError):  # of what was still to be written
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            os.unlink(self.temporary)
        if self._through is not None:
            os.close(self._through)

    def _put(self, file: BinaryIO) -> bool:
        """The new file in the place of the old one; False where it has to be copied into that."""
        assert self._target is not None
        os.fsync(file.fileno())
        there = _stat(self._target)
        if there is not None and (not stat.S_ISREG(there.st_mode) or there.st_nlink > 1):
            return False
        old = there or self._there
        if old is not None and not _dress(file.fileno(), old, self._target):
            return False
        if os.name == "nt":
            file.close()  # Windows moves no file that is open
        try:
            os.replace(self.temporary, self._target)
        except OSError as error:
            if there is None or os.name == "nt" or error.errno not in _NOT_IN_PLACE:
                raise
            return False
        return True

    def _copy(self, new: BinaryIO) -> None:
        through, self._through = self._through, None
        if through is None:
            assert self._target is not None
            through = _open_through(self._target, os.stat(self._target))
        with os.fdopen(through, "wb") as file:
            regular = stat.S_ISREG(os.fstat(through).st_mode)
            size = new.seek(0, os.SEEK_END)
            if regular:
                temporaries.wait(file)  # so that two do not mix
                _reserve(through, os.fstat(through).st_size, size)
            new.seek(0)
            shutil.copyfileobj(new, file, _PIECE)
            file.flush()
            if regular:
                os.truncate(through, size)
                os.fsync(through)
            temporaries.release(file)


class _File(io.FileIO):
    """Errors of writing name the path that is written for."""

    def __init__(self, path: str, file: int) -> None:
        super().__init__(file, "r+b")
        self._path = path

    def write(self, data: Any) -> int:
        with _naming(self._path):
            return super().write(data)


def _stat(path: str) -> os.stat_result | None:
    """None where there is nothing, or a link to nothing."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _resolve(path: str) -> str | None:
    """The place itself, all links followed, from the root; None for an open descriptor."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = os.path.realpath(folder or os.curdir, strict=True)
        if _DESCRIPTORS.fullmatch(folder):
            return None
        place = os.path.join(folder, name)
        if not os.path.islink(place):
            return place
        path = os.path.join(folder, os.readlink(place))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _open_through(path: str, there: os.stat_result) -> int:
    """What is there, whatever it is, open for writing."""
    flags = ("O_NONBLOCK", "O_NOCTTY", "O_BINARY")  # as far as the system has them
    try:
        file = os.open(path, sum((getattr(os, flag, 0) for flag in flags), os.O_WRONLY))
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(there.st_mode):
            raise OSError(error.errno, "a FIFO that nobody reads; start its reader first") from None
        if error.errno == errno.ENXIO and stat.S_ISSOCK(there.st_mode):
            raise OSError(error.errno, "a socket, which no file can be written to") from None
        raise
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(file, True)
    return file


def _check_writable(path: str) -> None:
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.W_OK, effective_ids=effective):
        os.close(os.open(path, os.O_WRONLY))  # raises what is the matter


def _dress(file: int, old: os.stat_result, path: str) -> bool:
    """Gives a new file the owner, extended attributes and permissions of the old one at ``path``;
    False where that is not allowed."""
    if os.name != "posix":
        return True
    try:
        new = os.fstat(file)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(file, old.st_uid, old.st_gid)
        if hasattr(os, "listxattr"):
            _copy_attributes(file, path)
        if os.fstat(file).st_mode != old.st_mode:
            os.fchmod(file, stat.S_IMODE(old.st_mode))
    except OSError:
        return False
    return True


def _copy_attributes(file: int, path: str) -> None:
    """Access lists above all. Those that the system keeps for itself go as far as it allows."""
    try:
        names, others = os.listxattr(path), os.listxattr(file)
    except OSError:  # none on this file system; or no file any more
        return
    for name in others:
        if name not in names and name.startswith("system."):  # what the folder gives new files
            os.removexattr(file, name)
    for name in names:
        try:
            os.setxattr(file, name, os.getxattr(path, name))
        except OSError:
            if not name.startswith("security."):
                raise


def _reserve(file: int, size: int, wanted: int) -> None:
    """Room for ``wanted`` bytes in a file of ``size``, or an error that leaves it as it was."""
    if wanted <= size or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, wanted)
    except OSError as error:
        os.truncate(file, size)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _named(error, path) from None


def _named(error: OSError, path: str) -> OSError:
    if error.errno is None:
        return error
    return OSError(error.errno, error.strerror, path)  # of the class that belongs to the number
