"""NumPy's .npz: a zip archive with one .npy file per array.

Ours hold the arrays under the names they have in every format of ours, and the strings that
describe the layers as 0-d arrays of text, so that ``np.load`` shows them too. No pickles are
read or written. What a model file may unpack to is bounded by its size (docs/file-format.md).
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, RnnError, UnsupportedError
from ..spec import ModelSpec
from . import npy
from .calling import WEIGHT_DTYPE
from .files import replacing
from .metadata import PREFIX, read_tensors, to_arrays, to_metadata
from .narrow import has_integers, narrowed
from .reading import reading
from .stored import Stored, gathered

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EXPANSION: Final = 8  # weights, which are noise to deflate, hardly shrink by half
_FREE: Final = 2**24  # bytes that an archive of any size may hold: zeros, ones and the like


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a file: ours, or one that holds a PyTorch ``state_dict`` (see ``formats.plain``)."""
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and the strings of ours in the file."""
    arrays = _arrays(path)
    metadata = _take_strings(arrays)
    return read_tensors(metadata, arrays, **options)


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Every array but the strings of ours."""
    with open_archive(path) as archive:
        names = [name for name in archive.names if not name.startswith(PREFIX)]
        _check_size(archive, names, path)
        return gathered(names, archive.read)


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """The strings of ours in a file; its other arrays are not read."""
    return _take_strings(_arrays(path, PREFIX))


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file, not compressed, as ``np.savez`` does; atomically. ``strings`` are kept beside
    those that describe the layers; matrices have the weight dtype that these state, but bfloat16,
    of which they are float32."""
    strings = strings or {}
    weight_dtype = strings.get(WEIGHT_DTYPE)
    if weight_dtype == "bfloat16":  # which NumPy has not
        weight_dtype = None
    arrays = narrowed(to_arrays(spec), spec, weight_dtype)
    texts = {**to_metadata(spec, has_integers(arrays)), **strings}
    members: dict[str, Any] = {name: np.array(text) for name, text in texts.items()}
    members.update(arrays)
    with replacing(path) as file:
        np.savez(file, **members)


def _take_strings(arrays: dict[str, NDArray[Any]]) -> dict[str, str]:
    """Those that begin with ``PREFIX`` go from ``arrays`` into the result."""
    found = {}
    for name in [name for name in arrays if name.startswith(PREFIX)]:
        text = arrays.pop(name)
        if text.shape != () or text.dtype.kind != "U":
            raise FormatError(
                f"npz: {name!r}: expected text of shape (), got {text.dtype} {text.shape}"
            )
        found[name] = str(text)
    return found


def _arrays(path: str | os.PathLike[str], prefix: str = "") -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, in bounded memory."""
    with open_archive(path) as archive:
        names = [name for name in archive.names if name.startswith(prefix)]
        _check_size(archive, names, path)
        return {name: archive.read(name) for name in names}


def _check_size(archive: Archive, names: list[str], path: str | os.PathLike[str]) -> None:
    unpacked, packed = sum(map(archive.size, names)), os.stat(path).st_size
    if unpacked > _FREE + _EXPANSION * packed:
        raise FormatError(
            f"npz: {unpacked} bytes of arrays in an archive of {packed}: more than "
            f"{_EXPANSION} times as many and {_FREE >> 20} MiB"
        )


class Archive:
    """The arrays of an archive by name, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                raise FormatError(f"npz: expected only .npy files, found {member.filename!r}")
            if name in self._members:
                raise FormatError(f"npz: {name!r} is there twice")
            if member.compress_type not in _METHODS:
                raise UnsupportedError(
                    f"npz: {name!r}: expected to find it stored or deflated, as NumPy writes; it "
                    f"is compressed by method {member.compress_type}"
                )
            self._members[name] = member

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def size(self, name: str) -> int:
        """Bytes of an array and its header. No more are ever unpacked."""
        return self._members[name].file_size

    def read(self, name: str) -> NDArray[Any]:
        """One array, of which nothing is read unless its header agrees with the archive."""
        member = self._members[name]
        with self._archive.open(member) as file:
            header = npy.read_header(file, f"npz: {name!r}")
            header.check_size(member.file_size - file.tell())
            return npy.array_of(header, file.read(header.size))


@contextmanager
def open_archive(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """The archive in a file; ``FormatError`` for what is malformed, here and when it is read."""
    with reading(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield Archive(archive)
        except RnnError:
            raise
        # RuntimeError: encryption; OSError: seeks; ValueError: names that are not UTF-8.
        except (
            zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError
        ) as error:  # fmt: skip
            raise FormatError(f"npz: not a readable archive: {error}") from error
