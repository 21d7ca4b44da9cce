"""Models whose weights processes share: a core that is made of a file of packed weights, and what
is sent of such a model to another process.

To a process of this host (``multiprocessing`` has a pickler of its own) the name of the file is
sent; to any other, by ``pickle`` or ``cloudpickle``, the weights as well, of which the receiver
makes such a file where it does not see the sender's.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple

from . import _core
from ._core import CoreModel, ForeignWeights
from .errors import FormatError
from .packed import Packing
from .shared_files import Bytes, Pieces, SharedFile, find_or_make, stores
from .warn import warn

_PIECE: Final = 2**22
"""Bytes of which a digest is made at once."""


class Place(NamedTuple):
    """Where a process of this host finds the weights of a model."""

    path: str
    key: bytes
    lasting: bool


def shared_core(
    parts: list[Bytes], packing: Packing, shared: bool | str
) -> tuple[CoreModel, SharedFile]:
    """The core of a model's safetensors file, in pieces, and the file of its weights: of the store
    of the system's memory (True), or of a folder."""
    folders = stores(None if shared is True else str(shared))
    key = _key(parts, packing)

    def pack() -> Pieces:
        weights = _core.share(parts, *packing.options)
        return _core.isa(), bytes(parts[0]), weights.data

    file = find_or_make(folders, key, pack)
    try:
        return core_of(file, packing), file
    except FormatError:  # of the right name, and not what is packed here
        file.remove()
    file = find_or_make(folders, key, pack)
    return core_of(file, packing), file


def core_of(file: SharedFile, packing: Packing) -> CoreModel:
    """The core of a file; ``FormatError`` where its weights are packed in another way than here."""
    return CoreModel(_without_arrays(file), *packing, weights=file.weights)


def _key(parts: list[Bytes], packing: Packing) -> bytes:
    """A digest of all that packed weights depend on."""
    here = (_core.version(), _core.packed_layout(), _core.isa(), _core.int8_at_once())
    sizes = [len(part) for part in parts]
    pieces = [
        memoryview(part)[at : at + _PIECE] for part in parts for at in range(0, len(part), _PIECE)
    ]
    if sum(sizes) <= _PIECE:
        digests = [*map(_digest, pieces)]
    else:  # one thread makes them slower than packing is
        with ThreadPoolExecutor(min(8, _core.get_num_threads())) as pool:
            digests = [*pool.map(_digest, pieces)]
    said = repr((sys.byteorder, here, packing.options, sizes))
    return _digest(said.encode() + b"".join(digests))


def _digest(data: Bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def _without_arrays(file: SharedFile) -> list[bytes | int]:
    """The header of a model's file, and how many bytes each array has that is not there."""
    try:
        header = json.loads(file.description[8:])
        header.pop("__metadata__", None)
        spans = [entry["data_offsets"] for entry in header.values()]
        sizes = [int(end - begin) for begin, end in spans]
        if not all(0 <= size < 2**62 for size in sizes):
            raise ValueError("an array of impossible size")
        return [file.description, *sizes]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(f"{file.path}: its description is not one of ours: {error}") from error


# ---- what is sent of a Model ----


def register(kind: type[Any]) -> None:
    """Has ``multiprocessing`` send models of a class by the names of their files."""
    from multiprocessing.reduction import ForkingPickler

    ForkingPickler.register(kind, _for_this_host)


def _for_this_host(model: Any) -> Any:
    file: SharedFile | None = model._file
    if file is None:
        return model.__reduce__()
    file.keep()
    return from_place, (type(model), model._without_core(), _place_of(file))


def for_any_host(model: Any) -> tuple[Any, ...]:
    """The same with all that makes the model anew."""
    sent = type(model), model._without_core(), _place_of(model._file)
    return from_weights, (*sent, model._arguments(), model._shared)


def _place_of(file: SharedFile) -> Place:
    return Place(file.path, file.key, file.lasting)


def from_place(kind: type[Any], state: dict[str, Any], place: Place) -> Any:
    """The model of a file. For another instruction set than it was packed for, its weights are
    unpacked, and packed anew."""
    file = SharedFile.open(*place)
    if file is None:
        raise FileNotFoundError(
            errno.ENOENT,
            "the weights that a Model shares are not here: the process that had them has ended, or "
            "is on another host; pickle.dumps(model) has the weights themselves",
            place.path,
        )
    model = object.__new__(kind)
    model.__dict__.update(state)
    register(kind)  # it may be sent on
    try:
        model._take(core_of(file, model._packing), file)
    except FormatError:
        options = model._packing.dtype, file.isa
        foreign = ForeignWeights(_without_arrays(file), *options, file.weights)
        model = kind(*model._arguments(foreign), shared=model._shared)
    return model


def from_weights(
    kind: type[Any],
    state: dict[str, Any],
    place: Place,
    arguments: tuple[Any, ...],
    shared: bool | str,
) -> Any:
    """The model of a file, where it is seen here, else of what came with it, which is shared with
    others here, too, where that can be."""
    with suppress(OSError, FormatError):
        return from_place(kind, state, place)
    if shared is not True and not os.path.isdir(shared):
        shared = True  # a folder of the sender's
    try:
        return kind(*arguments, shared=shared)
    except OSError as error:
        warn(f"this Model does not share its weights: {error}")
        return kind(*arguments)
