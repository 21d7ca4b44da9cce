"""The parts of a file of ``torch.save``: its pickle, flattened, and where its storages are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Generic, TypeVar

from ...errors import FormatError, UnsupportedError
from . import legacy, script
from .archive import Archive
from .flat import Flat, flat
from .storages import Storages
from .unpickle import Machine
from .writing import DESCRIPTION, MAX_DESCRIPTION

Leaf = TypeVar("Leaf")


@dataclass
class Loaded(Generic[Leaf]):
    """What is in a file by name, and the bytes under the key of a storage; ``constants`` loads
    those of a program."""

    flat: Flat[Leaf]
    fetch: Callable[[str], memoryview]
    order: str = "<"
    container: str = "zip archive"
    metadata: dict[str, str] = field(default_factory=dict)
    constants: Callable[..., Loaded[Leaf]] | None = None


def load_file(data: bytes, *kinds: type[Leaf]) -> Loaded[Leaf]:
    """What is of these kinds; errors as of ``torch.unpack``."""
    if data.startswith(b"PK"):
        return _load_zip(data, *kinds)
    if data[257:262] == b"ustar":
        raise UnsupportedError(
            "the tar format of PyTorch before 0.2: load and save it with a newer PyTorch"
        )
    if not data.startswith(b"\x80"):
        raise FormatError(
            f"not a file of torch.save: expected a zip archive or a pickle, got {data[:8]!r}"
        )
    value, views = legacy.load(data)
    return Loaded(flat(value, len(data), *kinds), views.__getitem__, container="before 1.6")


def _load_zip(data: bytes, *kinds: type[Leaf]) -> Loaded[Leaf]:
    archive = Archive(data)
    pickles = [name for name in archive.names if name.endswith("/data.pkl")]
    roots = [name.removesuffix("/data.pkl") for name in pickles if name.count("/") == 1]
    if len(roots) != 1:
        raise FormatError("a zip archive, but not of torch.save: expected one record data.pkl")
    (root,) = roots
    found = load_pickle(data, archive, f"{root}/data", *kinds)
    order = b"little"
    if f"{root}/byteorder" in archive:
        order = bytes(archive.read(f"{root}/byteorder")[:10])
    if order not in (b"little", b"big"):
        raise FormatError(f"byteorder: expected little or big, got {order!r}")
    found.order = "<" if order == b"little" else ">"
    if f"{root}/{DESCRIPTION}" in archive:
        found.metadata = _description(archive.read(f"{root}/{DESCRIPTION}"))
    if script.is_program(archive, root):
        found.container = "TorchScript"
        found.constants = partial(load_pickle, data, archive, f"{root}/constants")
        script.add_said(archive, root, found.flat)
    return found


def load_pickle(data: bytes, archive: Archive, record: str, *kinds: type[Leaf]) -> Loaded[Leaf]:
    """The pickle of this name, whose storages are in the folder of this name."""
    storages = Storages()
    begin, end = archive.place(f"{record}.pkl")
    value = Machine(data, begin, end, storages.persistent).load()
    for key, storage in storages.roots.items():
        size = archive.size(f"{record}/{key}")
        if size != storage.nbytes:
            raise FormatError(f"storage {key!r:.100}: expected {storage.nbytes} bytes, got {size}")
    fetch = cache(lambda key: archive.read(f"{record}/{key}"))
    return Loaded(flat(value, end - begin, *kinds), fetch)


def _description(text: memoryview) -> dict[str, str]:
    if len(text) > MAX_DESCRIPTION:
        raise FormatError(f"{DESCRIPTION}: {len(text)} bytes, more than {MAX_DESCRIPTION}")
    try:
        value = json.loads(bytes(text).decode())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{DESCRIPTION}: not JSON: {error}") from error
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise FormatError(f"{DESCRIPTION}: expected an object of strings")
    return value
