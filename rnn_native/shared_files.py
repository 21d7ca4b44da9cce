"""Files of packed weights, which processes map instead of having them each.

One is made under another name, complete before it gets its own, never written to again, and mapped
to be read only, by whoever made it, too. It begins with what it is:

    8 bytes   MAGIC
    32        its key, a digest of all that its weights depend on, which is its name as well
    16        the instruction set that they were packed for, in zeros
    8, 8, 8   bytes of the description, where the weights begin, and bytes of these; little-endian
    ...       the description: the header of the model's safetensors file
    ...       the weights, at a page

A file is used where this user owns it and nobody else can write to it; no other is even read.

In the store of the system's memory it lives as long as a process has it mapped: each holds a lock
on it (flock), which children by fork have in common with their parent, and the last one to end
removes it. What killed processes leave has no lock, and goes when the next file is made. In a
folder that the user names files stay.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from .errors import FormatError
from .formats import temporaries
from .formats.temporaries import fcntl

MAGIC: Final = b"rnnatsh1"
_HEAD: Final = struct.Struct("<8s32s16sQQQ")
_PAGE: Final = 4096
_ENDING: Final = ".weights"
_MEMORY: Final = "/dev/shm"
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK})

Bytes = bytes | memoryview
Pieces = tuple[str, bytes, memoryview]
"""Instruction set, description and weights."""


class SharedFile:
    """One that is mapped. ``lasting``: it stays where it is when nobody has it any more."""

    def __init__(self, path: str, key: bytes, file: int, lasting: bool) -> None:
        """Of an open file, which is closed when nothing maps it any more; ``FormatError`` where it
        is not the file of that key."""
        self.path, self.key, self.lasting = path, key, lasting
        head, size = os.read(file, _HEAD.size), os.fstat(file).st_size
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            raise FormatError(f"{path}: expected weights packed by rnn_native, got other content")
        _, own, isa, text, begin, count = _HEAD.unpack(head)
        if own != key:
            raise FormatError(f"{path}: expected the weights of its name, got those of {own.hex()}")
        if begin % _PAGE or _HEAD.size + text > begin or begin + count != size:
            raise FormatError(f"{path}: expected {begin + count} bytes, got {size}")
        mapping = mmap.mmap(file, size, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # of a system without such pages
                mapping.madvise(mmap.MADV_HUGEPAGE)
        self.isa = isa.rstrip(b"\0").decode("ascii", "replace")
        self.description = mapping[_HEAD.size : _HEAD.size + text]
        self.weights = memoryview(mapping)[begin:]
        self._end = weakref.finalize(mapping, _end, path, file, os.getpid(), lasting)
        self._is_kept = False

    @classmethod
    def open(cls, path: str, key: bytes, lasting: bool) -> SharedFile | None:
        """The file at a path; None where there is none. ``PermissionError`` where others could
        have written it, ``FormatError`` where it is another one."""
        while True:
            try:
                file = os.open(path, _flags("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"))
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK) and os.path.islink(path):
                    raise _refused("a symbolic link", path) from None
                raise
            try:
                _check_owner(file, path)
                if not lasting:
                    _lock(file)
                if not lasting and not _is_at(file, path):  # removed before it was locked
                    os.close(file)
                    continue
                return cls(path, key, file, lasting)
            except BaseException:
                os.close(file)
                raise

    def keep(self) -> None:
        """Keeps it until this process has ended and those that ``multiprocessing`` started: others
        have been told of it that may not have it open yet."""
        if self.lasting or self._is_kept:
            return
        from multiprocessing.util import Finalize  # when an exit has waited for its processes

        self._is_kept = True
        self._end.atexit = False
        _kept.append(self)
        Finalize(None, self._end, exitpriority=-100)

    def remove(self) -> None:
        """Removes it; others that have it mapped keep that."""
        _remove(self.path)


_kept: Final[list[SharedFile]] = []


class Store:
    """A folder with such files: the user's, ``lasting``, or a private one of the system's."""

    def __init__(self, folder: str, lasting: bool) -> None:
        self.folder, self.lasting = folder, lasting

    def find(self, key: bytes) -> SharedFile | None:
        """The file of a key; one with other content is removed. ``PermissionError`` as of
        ``SharedFile.open``."""
        path = self._path(key)
        try:
            return SharedFile.open(path, key, self.lasting)
        except FormatError as error:
            if not _remove(path):
                raise error from None
            return None

    def make(self, key: bytes, pieces: Pieces) -> SharedFile:
        """The file of these; where another process is faster, that one's. ``OSError`` where there
        is no room, or no right, for it: nothing is left then."""
        self._prepare()
        name = os.path.basename(self._path(key))
        temporaries.sweep(self.folder, name)
        if not self.lasting:
            self._sweep()
        while True:
            temporary = temporaries.path_for(self.folder, name)
            file = temporaries.create(temporary, 0o600)
            if file is None:
                continue
            try:
                _write(file, key, pieces)
                _give_name(temporary, self._path(key))
                if fcntl is not None:
                    with suppress(OSError):
                        fcntl.flock(file, fcntl.LOCK_SH)  # as whoever maps it
                made = self.find(key)
            finally:
                os.close(file)
                with suppress(OSError):
                    os.unlink(temporary)
            if made is not None:
                return made

    def _path(self, key: bytes) -> str:
        return os.path.join(self.folder, key.hex() + _ENDING)

    def _prepare(self) -> None:
        os.makedirs(self.folder, 0o700, exist_ok=True)
        if not self.lasting:
            found = os.lstat(self.folder)
            if not stat.S_ISDIR(found.st_mode) or not _is_own(found):
                raise PermissionError(errno.EPERM, "not this user's alone", self.folder)

    def _sweep(self) -> None:
        """Removes what nobody has any more."""
        with suppress(OSError):
            for name in os.listdir(self.folder):
                if name.endswith(_ENDING):
                    path = os.path.join(self.folder, name)
                    if fcntl is not None:
                        temporaries.remove_if_left(path)
                    else:  # Windows removes no file that is mapped
                        _remove(path)


def stores(folder: str | None) -> list[Store]:
    """The folder that is named or, of None, those to be tried: of the system's memory, of its
    temporary files."""
    if folder is not None:
        return [Store(os.path.abspath(folder), lasting=True)]
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    roots = [_MEMORY] if os.path.isdir(_MEMORY) else []
    roots += [tempfile.gettempdir()]
    return [Store(os.path.join(root, f"rnn_native{user}"), lasting=False) for root in roots]


def find_or_make(folders: Sequence[Store], key: bytes, pack: Callable[[], Pieces]) -> SharedFile:
    """The file of a key, in whichever folder has it, else in the first one with room for it."""
    for store in folders:
        if (found := store.find(key)) is not None:
            return found
    pieces, refused = pack(), []
    for store in folders:
        try:
            return store.make(key, pieces)
        except OSError as error:
            refused.append((store.folder, error))
    why = "; ".join(f"{folder}: {error.strerror or error}" for folder, error in refused)
    need = len(pieces[2])
    raise OSError(
        refused[-1][1].errno,
        f"the {need} bytes of weights to be shared cannot be written: {why}; shared='FOLDER' has "
        "them elsewhere, shared=False for this process alone",
    )


def _write(file: int, key: bytes, pieces: Pieces) -> None:
    isa, description, weights = pieces
    text = len(description)
    begin = (_HEAD.size + text + _PAGE - 1) // _PAGE * _PAGE
    head = _HEAD.pack(MAGIC, key, isa.encode(), text, begin, len(weights))
    gap = bytes(begin - _HEAD.size - text)
    for piece in (head + description + gap, weights):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(file, rest) :]
    os.fsync(file)  # what has its name is whole, after a power cut as well


def _give_name(temporary: str, path: str) -> None:
    """Gives a complete file its name, unless there is one already."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS and os.name != "nt":
            raise
        with suppress(FileExistsError):
            if not os.path.lexists(path):
                os.rename(temporary, path)


def _end(path: str, file: int, pid: int, lasting: bool) -> None:
    """What is done when a process maps a file no more."""
    with suppress(OSError):
        if not lasting and pid == os.getpid() and fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where another one has it
            if _is_at(file, path):
                os.unlink(path)
    os.close(file)
    if not lasting and pid == os.getpid() and fcntl is None:
        _remove(path)


def _lock(file: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_SH)


def _flags(*names: str) -> int:
    """As far as the system has them."""
    return sum((getattr(os, name, 0) for name in (*names, "O_BINARY")), os.O_RDONLY)


def _is_at(file: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), os.lstat(path))
    return False


def _is_own(found: os.stat_result) -> bool:
    """Whether this user owns it and no other can write to it; Windows keeps that elsewhere."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _check_owner(file: int, path: str) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise _refused("a folder" if stat.S_ISDIR(found.st_mode) else "no regular file", path)
    if not _is_own(found):
        mode = stat.S_IMODE(found.st_mode)
        raise _refused(f"one of user {found.st_uid} with permissions {mode:o}", path)


def _refused(came: str, path: str) -> OSError:
    return PermissionError(
        errno.EPERM,
        f"expected a file that this user alone can write to, got {came}; remove it, or share in "
        "another folder",
        path,
    )


def _remove(path: str) -> bool:
    """Whether a file could be removed, or is not there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
