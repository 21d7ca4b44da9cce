"""The part of HDF5 that Keras writes, read from bytes with nothing but NumPy.

Keras saves through h5py, which lays a file out as the first HDF5 did: superblock 0, groups with
symbol tables, object headers 1. That is read here, after the HDF5 File Format Specification
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html); other layouts, links that
lead elsewhere, filters and chunks are refused by name. The HDF5 library reads all of them, but
crashes on some files with a few wrong bytes, and can be made to open other files.

Nothing is read that lies outside of the bytes, no structure twice, no more of them than ``WORK``,
and of arrays no more than the file is large: time and memory are bounded whatever the bytes say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from .hdf5_messages import Dataset, Text, attribute, attribute_name, dataset

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
WORK: Final = 300_000
"""Headers, messages, links and texts of one file; the largest models of Keras have a tenth."""
LONGEST_PATH: Final = 1024
_CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE = 0x10, 0x11, 0x0C
_NEW_GROUP: Final = (0x02, 0x06)  # link info, link
_SOFT_LINK: Final = 2
_NEWER: Final = (
    "of the newer kind, for links into other files and names that are not ASCII; not supported"
)


@dataclass(frozen=True)
class _Message:
    kind: int
    body: bytes


class File:
    """The groups and datasets of a file, by path: ``layers/lstm/vars/0``; ``""`` is the root."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._work = 0
        self._taken = 0
        self._given: set[str] = set()
        self._given_bytes = 0
        self._seen: set[int] = set()
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
        array = self._datasets[path].array(self._data, path)
        if path not in self._given:
            self._given.add(path)
            self._given_bytes += array.nbytes
        if self._given_bytes > 2 * len(self._data):  # bfloat16 takes twice its bytes
            raise FormatError(f"dataset {path!r} overlaps with others")
        return array

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
        if self._data[:8] != SIGNATURE:
            raise FormatError("not an HDF5 file: it does not begin as one")
        version = self._bytes(8, 1, "superblock")[0]
        if version != 0:
            raise UnsupportedError(
                f"HDF5 superblock of version {version}: expected 0, as Keras writes it; h5py's "
                "File(..., libver='earliest') does so too"
            )
        offsets, lengths, base, end, root = struct.unpack(
            "<13x2B9xQ8xQ16xQ", self._bytes(0, 72, "superblock")
        )
        if (offsets, lengths, base) != (8, 8, 0):
            raise UnsupportedError(
                f"HDF5 superblock: offsets of {offsets}, lengths of {lengths} bytes, from {base}; "
                "expected 8, 8, from 0"
            )
        if end > len(self._data):
            raise FormatError(f"truncated: {end} bytes expected, there are {len(self._data)}")
        return int(root)

    def _walk(self, root: int) -> None:
        """All groups and datasets, each group before what it holds."""
        pending = [("", root)]
        while pending:
            path, address = pending.pop()
            messages = self._messages(address)
            kinds = {message.kind: message.body for message in messages}
            if _SYMBOL_TABLE in kinds:
                self._attributes[path] = self._own_attributes(messages, path)
                links = self._links(kinds[_SYMBOL_TABLE], path)
                self._children[path] = [name for name, _ in links]
                prefix = f"{path}/" if path else ""
                if len(prefix) + max(map(len, self._children[path]), default=0) > LONGEST_PATH:
                    raise FormatError(f"the path {prefix[:80]!r}... is too long")
                pending += [(prefix + name, at) for name, at in reversed(links)]
            elif any(kind in kinds for kind in _NEW_GROUP):
                raise FormatError(f"group {path!r}: {_NEWER}")
            else:
                attributes = self._own_attributes(messages, path)
                self._datasets[path] = dataset(kinds, attributes, path)

    def _messages(self, address: int) -> list[_Message]:
        """The messages of an object header, with those in its continuations."""
        self._once(address, "object header")
        version, _, _, size = struct.unpack("<BxHII", self._bytes(address, 12, "object header"))
        if version == ord("O"):
            raise FormatError(f"object header at {address}: {_NEWER}")
        if version != 1:
            raise FormatError(f"object header at {address}: expected version 1, got {version}")
        messages: list[_Message] = []
        blocks = [(address + 16, size)]
        for start, length in blocks:
            block = self._bytes(start, length, "object header")
            at = 0
            while at + 8 <= length:
                kind, count, flags = struct.unpack_from("<HHB", block, at)
                body = block[at + 8 : at + 8 + count]
                if len(body) != count:
                    raise FormatError(f"object header at {address}: a message leaves its block")
                if flags & 2 and kind:
                    raise UnsupportedError(f"object header at {address}: a shared message")
                self._spend()
                at += 8 + count
                if kind == _CONTINUATION:
                    blocks.append(_unpack("<QQ", body, "continuation"))
                    self._once(blocks[-1][0], "continuation")
                elif kind:
                    messages.append(_Message(kind, body))
        return messages

    def _own_attributes(self, messages: list[_Message], path: str) -> dict[str, bytes]:
        """The attributes of an object, not yet read."""
        named = {}
        for message in messages:
            if message.kind == _ATTRIBUTE:
                name = attribute_name(message.body, path)
                if name in named:
                    raise FormatError(f"{path!r} has the attribute {name!r} twice")
                named[name] = message.body
        return named

    def _links(self, table: bytes, path: str) -> list[tuple[str, int]]:
        """Name and header of what a group holds, in the order of its tree: that of the names."""
        tree, heap = _unpack("<QQ", table, f"symbol table of {path!r}")
        self._once(heap, f"names of {path!r}")
        signature, size, start = struct.unpack(
            "<4s4xQ8xQ", self._bytes(heap, 32, f"names of {path!r}")
        )
        if signature != b"HEAP":
            raise FormatError(f"group {path!r}: its names are not where they should be")
        names = self._bytes(start, size, f"names of {path!r}")
        links: dict[str, int] = {}
        for entry in self._entries(tree, path):
            offset, header, cached = struct.unpack("<QQI", entry)
            if cached == _SOFT_LINK:
                raise FormatError(f"group {path!r} has a soft link; Keras writes none")
            name = _name(names, offset, path)
            if name in links:
                raise FormatError(f"group {path!r} has {name!r} twice")
            links[name] = header
        return list(links.items())

    def _entries(self, address: int, path: str, level: int | None = None) -> Iterator[bytes]:
        """The entries in the leaves of a group's tree."""
        self._once(address, f"tree of {path!r}")
        signature, kind, own, used = struct.unpack(
            "<4sBBH", self._bytes(address, 8, f"tree of {path!r}")
        )
        if signature != b"TREE" or kind != 0 or (level is not None and own != level):
            raise FormatError(f"group {path!r}: its tree is broken")
        children = self._bytes(address + 24, 16 * used + 8, f"tree of {path!r}")
        for number in range(used):
            (child,) = struct.unpack_from("<Q", children, 16 * number + 8)
            if own:
                yield from self._entries(child, path, own - 1)
                continue
            self._once(child, f"table of {path!r}")
            leaf, version, count = struct.unpack(
                "<4sBxH", self._bytes(child, 8, f"table of {path!r}")
            )
            if leaf != b"SNOD" or version != 1:
                raise FormatError(f"group {path!r}: its table is broken")
            entries = self._bytes(child + 8, 40 * count, f"table of {path!r}")
            for index in range(count):
                self._spend()
                yield entries[40 * index : 40 * index + 20]

    # Attributes

    def _texts(self, group: str, name: str) -> Text | None:
        body = self._attributes.get(group, {}).get(name)
        return None if body is None else attribute(body, f"attribute {name!r} of {group!r}")

    def _resolve(self, texts: Text, where: str) -> list[str]:
        """The texts themselves: those of variable length lie in heaps of the file."""
        found: list[str] = []
        total = 0
        for raw in texts.raw:
            self._spend()
            if not texts.in_heap:
                found.append(_decode(raw.rstrip(b"\0"), where))
                continue
            length, address, index = struct.unpack("<IQI", raw)
            value = self._heap(address, where).get(index) if length else b""
            if value is None or length > len(value):
                raise FormatError(f"{where}: a text is not where it should be")
            total += length
            if total > len(self._data):
                raise FormatError(f"{where}: more text than the file holds")
            found.append(_decode(value[:length].rstrip(b"\0"), where))
        return found

    def _heap(self, address: int, where: str) -> dict[int, bytes]:
        """The objects of a global heap collection, by their index."""
        if address in self._heaps:
            return self._heaps[address]
        signature, size = struct.unpack("<4s4xQ", self._bytes(address, 16, where))
        if signature != b"GCOL":
            raise FormatError(f"{where}: no heap at {address}")
        self._once(address, where)
        block = self._bytes(address, size, where)
        objects: dict[int, bytes] = {}
        at = 16
        while at + 16 <= size:
            self._spend()
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

    # Bounds

    def _bytes(self, start: int, size: int, what: str) -> bytes:
        if start + size > len(self._data):
            raise FormatError(
                f"{what}: {size} bytes at {start}, but the file has {len(self._data)}"
            )
        self._taken += size
        if self._taken > 2 * len(self._data) + 1024:  # all structures, and the heads of some again
            raise FormatError(f"{what}: what is at {start} overlaps with others")
        return self._data[start : start + size]

    def _once(self, address: int, what: str) -> None:
        self._spend()
        if address in self._seen:
            raise FormatError(f"{what}: what is at {address} is used twice")
        self._seen.add(address)

    def _spend(self) -> None:
        self._work += 1
        if self._work > WORK:
            raise FormatError(f"more than {WORK} structures; no model of Keras has so many")


def _unpack(form: str, body: bytes, what: str) -> tuple[int, int]:
    if len(body) < struct.calcsize(form):
        raise FormatError(f"{what}: {len(body)} bytes are too few")
    first, second = struct.unpack_from(form, body)
    return first, second


def _name(names: bytes, offset: int, path: str) -> str:
    end = names.find(b"\0", offset, offset + LONGEST_PATH) if offset < len(names) else -1
    if end < 0:
        raise FormatError(f"group {path!r}: a name is not where it should be, or too long")
    return _decode(names[offset:end], f"group {path!r}").replace("\\", "/")


def _decode(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: not text: {error}") from error
