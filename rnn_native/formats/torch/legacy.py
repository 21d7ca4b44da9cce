"""The file that ``torch.save`` wrote before PyTorch 1.6, and writes still if it is asked to.

Five pickles one after another: a magic number, the version, facts about the machine, the object,
the keys of its storages; then, in the order of the keys, each storage: the number of its elements
(8 bytes) and these. All is little-endian.
"""

from __future__ import annotations

from typing import Any, Final

from ...errors import FormatError, UnsupportedError
from .storages import Storages
from .unpickle import Machine
from .values import Pairs, describe

MAGIC: Final = 0x1950A86A20F9469CFC6C
VERSION: Final = 1001
_START: Final = 32  # bytes at the beginning that have the magic number


def is_legacy(data: bytes) -> bool:
    """Whether it begins with the magic number."""
    return data.startswith(b"\x80") and MAGIC.to_bytes(10, "little") in data[:_START]


def load(data: bytes) -> tuple[Any, dict[str, memoryview]]:
    """The object in the file, and the bytes of its storages by their keys."""
    storages = Storages()
    machine = Machine(data, 0, len(data), storages.persistent)
    magic = machine.load()
    if type(magic) is not int or magic != MAGIC:
        raise FormatError(
            f"a pickle, but not of torch.save: expected its magic number, got {describe(magic)}; "
            "format='pickle' reads one of NumPy's arrays"
        )
    version = machine.load()
    if type(version) is not int or version != VERSION:
        raise UnsupportedError(f"expected version {VERSION} of torch.save, got {describe(version)}")
    facts = machine.load()
    if type(facts) is not Pairs:
        raise FormatError(f"expected facts about the machine, got {describe(facts)}")
    for name, value in facts.items():
        if type(name) is str and name == "little_endian" and value is not True:
            raise UnsupportedError("a file of the old format from a big-endian machine")
    value = machine.load()
    keys = machine.load()
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise FormatError("expected a list of the storages' keys")
    return value, _split(data, machine.position, keys, storages)


def _split(
    data: bytes, position: int, keys: list[str], storages: Storages
) -> dict[str, memoryview]:
    views: dict[str, memoryview] = {}
    for key in keys:
        root = storages.roots.get(key)
        if root is None or key in views:
            raise FormatError(
                f"storage {describe(key)}: {'nothing refers to it' if root is None else 'twice'}"
            )
        numel = int.from_bytes(data[position : position + 8], "little")
        position += 8
        end = position + root.nbytes
        if numel != root.numel or end > len(data):
            raise FormatError(
                f"storage {describe(key)}: expected {root.numel} elements, {root.nbytes} bytes; "
                f"it says {numel}, and {max(0, len(data) - position)} bytes are left"
            )
        views[key] = memoryview(data)[position:end]
        position = end
    missing = [key for key in storages.roots if key not in views]
    if missing:
        raise FormatError(f"storage {describe(missing[0])}: not in the file")
    if position != len(data):
        raise FormatError(f"{len(data) - position} bytes follow the last storage")
    return views
