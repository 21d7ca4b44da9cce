"""Model files that are given as bytes or as an open file, in the place of a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from .errors import FormatError, RnnError

Given: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, the bytes of a file, or a file that is open for reading bytes."""


@contextmanager
def as_path(given: Given) -> Iterator[str | os.PathLike[str]]:
    """The path; of bytes and of open files that of a copy, as long as it lasts. An open file is
    read from where it stands to its end. Errors name the file, or say ``<bytes>``."""
    if isinstance(given, (str, os.PathLike)):
        yield given
        return
    import tempfile  # which brings much

    content, name = _read(given)
    with tempfile.TemporaryDirectory(prefix="rnn_native-") as folder:
        path = Path(folder) / "model"
        path.write_bytes(content)
        try:
            yield path
        except RnnError as error:
            raise type(error)(str(error).replace(str(path), name)) from error


def _read(given: bytes | bytearray | memoryview | IO[bytes]) -> tuple[bytes | memoryview, str]:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return memoryview(given), "<bytes>"
    if not hasattr(given, "read"):
        raise TypeError(
            f"expected a path, bytes, or a file open for reading bytes, got {type(given).__name__}"
        )
    content = given.read()
    name = str(getattr(given, "name", "<file>"))
    if not isinstance(content, bytes):
        raise FormatError(
            f"{name}: expected a file that gives bytes, opened with mode 'rb', got one that gives "
            f"{type(content).__name__}"
        )
    return content, name
