"""What a group holds: a table of symbols in the first layout, links in the newer ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from ....errors import FormatError
from .bounded import Bytes, decoded, number, unpacked
from .dense import LINKS, objects
from .headers import Message

LONGEST_PATH: Final = 1024
_LINK_INFO, _LINK, _SYMBOL_TABLE = 0x02, 0x06, 0x11
_SOFT_LINK: Final = 2
_KINDS: Final = {1: "a soft link", 64: "a link into another file"}


def links_of(data: Bytes, messages: Sequence[Message], path: str) -> list[tuple[str, int]] | None:
    """Name and header of what a group holds, by the names; None where the messages are of none."""
    kinds = {message.kind: message.body for message in messages}
    if _SYMBOL_TABLE in kinds:
        found = _table(data, kinds[_SYMBOL_TABLE], path)
    elif _LINK in kinds or _LINK_INFO in kinds:
        bodies = [message.body for message in messages if message.kind == _LINK]
        if _LINK_INFO in kinds:
            bodies += _dense(data, kinds[_LINK_INFO], path)
        found = [_link(body, path) for body in bodies]
        found.sort(key=lambda link: link[0].encode())
    else:
        return None
    if len(dict(found)) != len(found):
        raise FormatError(f"group {path!r} has two of one name")
    return found


def _dense(data: Bytes, info: bytes, path: str) -> list[bytes]:
    """The links in the heap of a group."""
    where = f"group {path!r}"
    (flags,) = unpacked("xB", info, where)
    heap, tree = unpacked("QQ", info, where, 10 if flags & 1 else 2)
    return [*objects(data, heap, tree, LINKS, where)]


def _link(body: bytes, path: str) -> tuple[str, int]:
    where = f"group {path!r}"
    version, flags = unpacked("BB", body, where)
    if version != 1:
        raise FormatError(f"{where}: a link of version {version}")
    at = 2
    if flags & 8:
        kind = number(body, at, 1, where)
        if kind:
            raise FormatError(f"{where} has {_KINDS.get(kind, f'a link of the kind {kind}')}")
        at += 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    length = number(body, at, width, where)
    at += width
    if length > LONGEST_PATH or at + length + 8 > len(body):
        raise FormatError(f"{where}: a name is not where it should be, or too long")
    name = decoded(body[at : at + length], where).replace("\\", "/")
    return name, number(body, at + length, 8, where)


def _table(data: Bytes, table: bytes, path: str) -> list[tuple[str, int]]:
    tree, heap = unpacked("QQ", table, f"symbol table of {path!r}")
    data.once(heap, f"names of {path!r}")
    signature, size, start = struct.unpack("<4s4xQ8xQ", data.take(heap, 32, f"names of {path!r}"))
    if signature != b"HEAP":
        raise FormatError(f"group {path!r}: its names are not where they should be")
    names = data.take(start, size, f"names of {path!r}")
    links = []
    for entry in _entries(data, tree, path):
        offset, header, cached = struct.unpack("<QQI", entry)
        if cached == _SOFT_LINK:
            raise FormatError(f"group {path!r} has {_KINDS[1]}")
        links.append((_name(names, offset, path), header))
    return links


def _entries(data: Bytes, address: int, path: str, level: int | None = None) -> Iterator[bytes]:
    """The entries in the leaves of a group's tree."""
    data.once(address, f"tree of {path!r}")
    signature, kind, own, used = struct.unpack("<4sBBH", data.take(address, 8, f"tree of {path!r}"))
    if signature != b"TREE" or kind != 0 or (level is not None and own != level):
        raise FormatError(f"group {path!r}: its tree is broken")
    children = data.take(address + 24, 16 * used + 8, f"tree of {path!r}")
    for index in range(used):
        (child,) = struct.unpack_from("<Q", children, 16 * index + 8)
        if own:
            yield from _entries(data, child, path, own - 1)
            continue
        data.once(child, f"table of {path!r}")
        leaf, version, count = struct.unpack("<4sBxH", data.take(child, 8, f"table of {path!r}"))
        if leaf != b"SNOD" or version != 1:
            raise FormatError(f"group {path!r}: its table is broken")
        entries = data.take(child + 8, 40 * count, f"table of {path!r}")
        for place in range(count):
            data.spend()
            yield entries[40 * place : 40 * place + 20]


def _name(names: bytes, offset: int, path: str) -> str:
    end = names.find(b"\0", offset, offset + LONGEST_PATH) if offset < len(names) else -1
    if end < 0:
        raise FormatError(f"group {path!r}: a name is not where it should be, or too long")
    return decoded(names[offset:end], f"group {path!r}").replace("\\", "/")
