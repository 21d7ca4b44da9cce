"""Writing a .pt file without PyTorch: the ``state_dict`` of an equivalent ``torch.nn.Sequential``.

It is the archive that ``torch.save`` writes, so that ``torch.load`` reads it, and holds one more
record, strings that describe the layers, for ``rn.load``. What the pickle says is what ``unpickle``
reads.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ...spec import ModelSpec
from ..files import replacing
from ..metadata import to_metadata
from .names import sequential_arrays

DESCRIPTION: Final = "rnn_native.json"
MAX_DESCRIPTION: Final = 2**20
"""Bytes of that record."""

_ROOT: Final = "model"
_ALIGNMENT: Final = 64  # of PyTorch's records
_STORAGES: Final = {4: b"FloatStorage", 8: b"DoubleStorage"}


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file that ``torch.load(path, weights_only=True)`` reads; atomically.

    ``strings`` are kept beside those that describe the layers. Raises ``UnsupportedError`` for a
    model that PyTorch has no modules for, ``FormatError`` for more strings than are read.
    """
    arrays = sequential_arrays(spec)
    text = json.dumps({**to_metadata(spec), **(strings or {})}).encode()
    if len(text) > MAX_DESCRIPTION:
        raise FormatError(f"{DESCRIPTION} would be {len(text)} bytes, at most {MAX_DESCRIPTION}")
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        _put(archive, file, "data.pkl", _pickle(arrays))
        _put(archive, file, "byteorder", b"little")
        _put(archive, file, DESCRIPTION, text)
        for index, array in enumerate(arrays.values()):
            data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
            _put(archive, file, f"data/{index}", data.reshape(-1).view(np.uint8).data)
        _put(archive, file, "version", b"3\n")


def _put(archive: zipfile.ZipFile, file: BinaryIO, name: str, data: bytes | memoryview) -> None:
    """A record, stored, whose data begin at a multiple of the alignment."""
    info = zipfile.ZipInfo(f"{_ROOT}/{name}", (1980, 1, 1, 0, 0, 0))
    begin = file.tell() + 30 + len(info.filename) + 4  # behind a field of padding without any
    padding = -begin % _ALIGNMENT
    info.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    archive.writestr(info, data)


def _pickle(arrays: dict[str, NDArray[Any]]) -> bytes:
    """An OrderedDict of tensors, in protocol 2."""
    parts = [b"\x80\x02ccollections\nOrderedDict\n)R("]
    for index, (name, array) in enumerate(arrays.items()):
        stride = [math.prod(array.shape[axis + 1 :]) for axis in range(array.ndim)]
        storage = b"ctorch\n" + _STORAGES[array.itemsize] + b"\n"
        parts += [
            _text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            _text("storage") + storage + _text(str(index)) + _text("cpu") + _number(array.size),
            b"tQK\0(",
            *map(_number, array.shape),
            b"t(",
            *map(_number, stride),
            b"t\x89ccollections\nOrderedDict\n)RtR",
        ]
    return b"".join([*parts, b"u."])


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little")
