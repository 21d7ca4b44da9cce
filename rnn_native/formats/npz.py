"""NumPy's .npz: a zip archive with one .npy file per array.

Ours hold the arrays under the names they have in every format of ours, and the strings that
describe the layers as 0-d arrays of text, so that ``np.load`` shows them too. No pickles are
read or written.
"""

from __future__ import annotations

import lzma
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..spec import ModelSpec
from .files import replacing
from .metadata import PREFIX, from_tensors, to_arrays, to_metadata

_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a file: ours, or one that holds a PyTorch ``state_dict`` (see ``formats.plain``)."""
    arrays = _arrays(path)
    metadata = _take_strings(arrays)
    return from_tensors(metadata, arrays, **options)


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """The strings of ours in a file; its other arrays are not read."""
    return _take_strings(_arrays(path, PREFIX))


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file, not compressed, as ``np.savez`` does; atomically. ``strings`` are kept beside
    those that describe the layers."""
    texts = {**to_metadata(spec), **(strings or {})}
    members: dict[str, Any] = {name: np.array(text) for name, text in texts.items()}
    members.update(to_arrays(spec))
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
    """The arrays whose names begin with ``prefix``."""
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _members(archive, prefix)
        # NotImplementedError: compression methods; RuntimeError: encryption; OSError: seeks.
        except (
            zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
            UnicodeDecodeError,
        ) as error:  # fmt: skip
            raise FormatError(f"npz: not a readable archive: {error}") from error


def _members(archive: zipfile.ZipFile, prefix: str) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    seen: set[str] = set()
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name == member.filename:
            raise FormatError(f"npz: expected only .npy files, found {member.filename!r}")
        if name in seen:
            raise FormatError(f"npz: {name!r} is there twice")
        seen.add(name)
        if name.startswith(prefix):
            arrays[name] = _array(archive, member, name)
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """One array, of which no more is read than its header says."""
    with archive.open(member) as file:
        try:
            version = np.lib.format.read_magic(file)
            if version not in _HEADERS:
                raise FormatError(f"npz: {name!r}: unknown version {version} of .npy")
            shape, fortran, dtype = _HEADERS[version](file)
        except FormatError:
            raise
        except (
            ValueError, TypeError, LookupError, SyntaxError, tokenize.TokenError, RecursionError,
            MemoryError,
        ) as error:  # fmt: skip
            raise FormatError(f"npz: {name!r}: not an array: {error}") from error
        if dtype.hasobject or dtype.kind not in "biufcU":
            raise FormatError(f"npz: {name!r}: expected numbers or text, got dtype {dtype}")
        if any(type(n) is not int or n < 0 for n in shape):
            raise FormatError(f"npz: {name!r}: shape {shape}: expected sizes")
        size = math.prod(shape) * dtype.itemsize
        data = file.read(size + 1)  # at most: what more there is must not fill the memory
        if len(data) != size:
            more = "more" if len(data) > size else str(len(data))
            raise FormatError(
                f"npz: {name!r}: {dtype} of shape {shape} takes {size} bytes; there are {more}"
            )
    if size == 0:
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
