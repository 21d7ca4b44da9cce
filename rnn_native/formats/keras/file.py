"""A Keras file opened: what describes the model, and where its weights are.

``.keras`` is a zip archive of ``config.json``, ``metadata.json`` and ``model.weights.h5``; ``.h5``
is HDF5, with the description as an attribute where the whole model was saved. Which one it is, is
told by the bytes, as Keras 2 gave HDF5 files either name.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ...errors import FormatError, RnnError, UnsupportedError
from ..reading import read_bytes
from .config import MAX_CONFIG, MODELS, of_class, parse_json
from .hdf5 import File
from .store import NamedStore, NumberedStore

_MEMBERS: Final = ("config.json", "metadata.json", "model.weights.h5")
_EXPANSION: Final = 8  # Keras does not compress; floats hardly can be


@dataclass(frozen=True)
class KerasFile:
    """``config`` is None in a file of weights alone, ``version`` where the file does not tell;
    ``own_class`` is the class of a model whose configuration does not say what it is made of."""

    store: NamedStore | NumberedStore
    config: Mapping[str, Any] | None
    version: str | None
    own_class: str | None = None

    def major(self, beside: object = None) -> int:
        """Keras's major version; ``beside`` is what a JSON beside the file says, if this does not.
        ``UnsupportedError`` for none and for others than 1, 2 and 3."""
        version = self.version or beside
        if version is None and isinstance(self.store, NumberedStore):
            return 3  # weights alone, which do not tell
        match = re.match(r"(\d{1,4})(\.|$)", version) if isinstance(version, str) else None
        if match is None or int(match[1]) not in (1, 2, 3):
            raise UnsupportedError(f"keras_version {version!r}: expected 1, 2 or 3")
        return int(match[1])


def open_file(path: str | os.PathLike[str]) -> KerasFile:
    data = read_bytes(path)
    return _archive(data) if data[:2] == b"PK" else _hdf5(data)


@contextmanager
def _opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive
    # NotImplementedError: compression methods; RuntimeError: encryption; OSError: seeks.
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError
    ) as error:  # fmt: skip
        if isinstance(error, RnnError):
            raise
        raise FormatError(f"not a readable archive: {error}") from error


def _archive(data: bytes) -> KerasFile:
    with _opened(data) as archive:
        config, metadata, weights = (_member(archive, name, len(data)) for name in _MEMBERS)
    version = parse_json(metadata, "metadata.json").get("keras_version")
    store = NumberedStore(File(weights))
    described = parse_json(config, "config.json")
    kind, _ = of_class(described, "the model")
    if kind not in MODELS:
        return KerasFile(store, None, version, kind)
    return KerasFile(store, described, version)


def weights(path: str | os.PathLike[str]) -> File:
    """The HDF5 file with the arrays, whether or not a model is described beside it."""
    data = read_bytes(path)
    if data[:2] != b"PK":
        return File(data)
    with _opened(data) as archive:
        return File(_member(archive, _MEMBERS[2], len(data)))


def _member(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """One file of the archive, of which no more is read than fits its size."""
    infos = [info for info in archive.infolist() if info.filename == name]
    if len(infos) != 1:
        raise FormatError(f"expected one file {name} in the archive, found {len(infos)}")
    if infos[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsupportedError(
            f"{name}: compressed by method {infos[0].compress_type}; Keras does not"
        )
    limit = max(_EXPANSION * size, 2**16)
    if name != _MEMBERS[2]:
        limit = min(limit, MAX_CONFIG)
    with archive.open(infos[0]) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise FormatError(f"{name}: more than {limit} bytes in an archive of {size}")
    return data


def _hdf5(data: bytes) -> KerasFile:
    file = File(data)
    text = file.text("", "model_config")
    root = "model_weights" if "model_weights" in file.groups else ""
    version = file.text("", "keras_version") or file.text(root, "keras_version")
    if not root and _is_numbered(file):
        return KerasFile(NumberedStore(file), None, version)
    config = None if text is None else parse_json(text, "model_config")
    return KerasFile(NamedStore(file, root), config, version)


def _is_numbered(file: File) -> bool:
    """Whether the file lists no layers, and has its arrays as Keras 3 does."""
    if any(file.names("", name) is not None for name in ("layer_names", "layer_names0")):
        return False
    return any(path.rpartition("/")[0].rpartition("/")[2] == "vars" for path in file.datasets)
