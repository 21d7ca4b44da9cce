"""An HDF5 file: its groups, their attributes of text, and its arrays."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import NDArray

from ....errors import FormatError, UnsupportedError
from .bounded import SIGNATURE, Bytes, decoded, unpacked
from .dense import ATTRIBUTES, objects
from .headers import Message, messages_of
from .links import LONGEST_PATH, links_of
from .messages import Dataset, Text, attribute, attribute_name, dataset

_ATTRIBUTE, _ATTRIBUTE_INFO = 0x0C, 0x15
_NEWER: Final = "<9xBBxQ8xQQ"
_SUPERBLOCKS: Final = {0: "<13xBB9xQ8xQ16xQ", 2: _NEWER, 3: _NEWER}
"""By version: bytes of an offset and a length, the base, the end, the root's header."""


class File:
    """The groups and datasets of a file, by path: ``layers/lstm/vars/0``; ``""`` is the root."""

    def __init__(self, data: bytes) -> None:
        self._data = Bytes(data)
        self._given: dict[str, NDArray[Any]] = {}
        self._given_bytes = 0
        self._attributes: dict[str, dict[str, bytes]] = {}
        self._children: dict[str, list[str]] = {}
        self._datasets: dict[str, Dataset] = {}
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._walk(self._superblock())

    @property
    def groups(self) -> Mapping[str, object]:
        """Their paths, in the file's order."""
        return self._attributes

    def children(self, group: str) -> list[str]:
        """The names of what a group holds; none where there is no such group."""
        return self._children.get(group, [])

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        return self._datasets

    def array(self, path: str) -> NDArray[Any]:
        """A float array of the file, read-only, not copied where it lies aligned.

        Raises ``FormatError`` where there is none, or none of floats.
        """
        if path not in self._datasets:
            raise FormatError(f"no dataset {path!r}")
        if path not in self._given:
            self._give(path, self._datasets[path].array(self._data, path))
        return self._given[path]

    def stored(self, path: str) -> NDArray[Any]:
        """An array of the file, of floats or not; ``UnsupportedError`` for one of no numbers."""
        if path not in self._given:
            self._give(path, self._datasets[path].stored(self._data, path))
        return self._given[path]

    def _give(self, path: str, array: NDArray[Any]) -> None:
        if self._datasets[path].chunked is None:  # the others are bounded by themselves
            self._given_bytes += array.nbytes
        if self._given_bytes > 2 * len(self._data.whole):  # bfloat16 takes twice its bytes
            raise FormatError(f"dataset {path!r} overlaps with others")
        self._given[path] = array

    def names(self, group: str, name: str) -> list[str] | None:
        """An attribute that is a list of texts; None where the group has none of this name."""
        texts = self._texts(group, name)
        if texts is None:
            return None
        if texts.shape is None or len(texts.shape) != 1:
            raise FormatError(f"attribute {name!r} of {group!r}: expected a list of texts")
        return self._resolve(texts, f"attribute {name!r} of {group!r}")

    def text(self, group: str, name: str) -> str | None:
        """An attribute that is one text; None where the group has none of this name."""
        texts = self._texts(group, name)
        if texts is None:
            return None
        if texts.shape not in ((), (1,)):
            raise FormatError(f"attribute {name!r} of {group!r}: expected a text")
        return self._resolve(texts, f"attribute {name!r} of {group!r}")[0]

    # The structures of the file

    def _superblock(self) -> int:
        """Where the header of the root group is."""
        whole = self._data.whole
        if whole[:8] != SIGNATURE:
            raise FormatError("not an HDF5 file: it does not begin as one")
        version = self._data.take(8, 1, "superblock")[0]
        if version not in _SUPERBLOCKS:
            raise UnsupportedError(f"HDF5 superblock of version {version}: expected 0, 2 or 3")
        form = _SUPERBLOCKS[version]
        offsets, lengths, base, end, root = struct.unpack(
            form, self._data.take(0, struct.calcsize(form), "superblock")
        )
        if (offsets, lengths, base) != (8, 8, 0):
            raise UnsupportedError(
                f"HDF5 superblock: offsets of {offsets}, lengths of {lengths} bytes, from {base}; "
                "expected 8, 8, from 0"
            )
        if end > len(whole):
            raise FormatError(f"truncated: {end} bytes expected, there are {len(whole)}")
        return int(root)

    def _walk(self, root: int) -> None:
        """All groups and datasets, each group before what it holds."""
        pending = [("", root)]
        while pending:
            path, address = pending.pop()
            messages = messages_of(self._data, address)
            attributes = self._own_attributes(messages, path)
            links = links_of(self._data, messages, path)
            if links is None:
                kinds = {message.kind: message.body for message in messages}
                self._datasets[path] = dataset(kinds, attributes, path)
                continue
            self._attributes[path] = attributes
            self._children[path] = [name for name, _ in links]
            prefix = f"{path}/" if path else ""
            if len(prefix) + max(map(len, self._children[path]), default=0) > LONGEST_PATH:
                raise FormatError(f"the path {prefix[:80]!r}... is too long")
            pending += [(prefix + name, at) for name, at in reversed(links)]

    def _own_attributes(self, messages: list[Message], path: str) -> dict[str, bytes]:
        """The attributes of an object, not yet read."""
        bodies = [message.body for message in messages if message.kind == _ATTRIBUTE]
        where = f"attributes of {path!r}"
        for info in [message.body for message in messages if message.kind == _ATTRIBUTE_INFO]:
            (flags,) = unpacked("xB", info, where)
            heap, tree = unpacked("QQ", info, where, 4 if flags & 1 else 2)
            bodies += objects(self._data, heap, tree, ATTRIBUTES, where)
        named = {attribute_name(body, path): body for body in bodies}
        if len(named) != len(bodies):
            raise FormatError(f"{path!r} has two attributes of one name")
        return named

    # Attributes

    def _texts(self, group: str, name: str) -> Text | None:
        body = self._attributes.get(group, {}).get(name)
        return None if body is None else attribute(body, f"attribute {name!r} of {group!r}")

    def _resolve(self, texts: Text, where: str) -> list[str]:
        """The texts themselves: those of variable length lie in heaps of the file."""
        found: list[str] = []
        total = 0
        for raw in texts.raw:
            self._data.spend()
            if not texts.in_heap:
                found.append(decoded(raw.rstrip(b"\0"), where))
                continue
            length, address, index = struct.unpack("<IQI", raw)
            value = self._heap(address, where).get(index) if length else b""
            if value is None or length > len(value):
                raise FormatError(f"{where}: a text is not where it should be")
            total += length
            if total > len(self._data.whole):
                raise FormatError(f"{where}: more text than the file holds")
            found.append(decoded(value[:length].rstrip(b"\0"), where))
        return found

    def _heap(self, address: int, where: str) -> dict[int, bytes]:
        """The objects of a global heap collection, by their index."""
        if address in self._heaps:
            return self._heaps[address]
        signature, size = struct.unpack("<4s4xQ", self._data.take(address, 16, where))
        if signature != b"GCOL":
            raise FormatError(f"{where}: no heap at {address}")
        self._data.once(address, where)
        block = self._data.take(address, size, where)
        objects: dict[int, bytes] = {}
        at = 16
        while at + 16 <= size:
            self._data.spend()
            index, length = struct.unpack_from("<H6xQ", block, at)
            if index == 0:  # the free space, which is last
                break
            value = block[at + 16 : at + 16 + length]
            if len(value) != length or index in objects:
                raise FormatError(f"{where}: the heap at {address} is broken")
            objects[index] = value
            at += 16 + (length + 7) // 8 * 8
        self._heaps[address] = objects
        return objects
