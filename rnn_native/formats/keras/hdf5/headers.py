"""Object headers: the messages that say what a group or a dataset is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ....errors import FormatError, UnsupportedError
from .bounded import SHARED, Bytes, unpacked

_CONTINUATION: Final = 0x10
_Blocks = list[tuple[int, int]]


@dataclass(frozen=True)
class Message:
    kind: int
    body: bytes


def messages_of(data: Bytes, address: int) -> list[Message]:
    """The messages of an object header, with those in its continuations."""
    data.once(address, "object header")
    newer = data.take(address, 4, "object header") == b"OHDR"
    form, blocks = _newer(data, address) if newer else _first(data, address)
    around = 4 if newer else 0  # letters in front and a checksum behind
    messages: list[Message] = []
    for start, length in blocks:
        block = data.take(start, length, "object header")
        for kind, flags, body in _split(block, form, address):
            if flags & SHARED and kind:
                raise UnsupportedError(f"object header at {address}: a shared message")
            data.spend()
            if kind == _CONTINUATION:
                at, size = unpacked("QQ", body, "continuation")
                data.once(at, "continuation")
                if newer and data.take(at, 4, "continuation") != b"OCHK":
                    raise FormatError(f"continuation: expected an OCHK at {at}")
                blocks.append((at + around, max(0, size - 2 * around)))
            elif kind:
                messages.append(Message(kind, body))
    return messages


def _first(data: Bytes, address: int) -> tuple[str, _Blocks]:
    version, size = struct.unpack("<B7xI", data.take(address, 12, "object header"))
    if version != 1:
        raise FormatError(f"object header at {address}: expected version 1 or 2, got {version}")
    return "<HHB3x", [(address + 16, size)]


def _newer(data: Bytes, address: int) -> tuple[str, _Blocks]:
    version, flags = struct.unpack("<4xBB", data.take(address, 6, "object header"))
    if version != 2:
        raise FormatError(f"object header at {address}: expected version 2, got {version}")
    at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(data.take(at, width, "object header"), "little")
    return "<BHB2x" if flags & 4 else "<BHB", [(at + width, size)]


def _split(block: bytes, form: str, address: int) -> Iterator[tuple[int, int, bytes]]:
    """Kind, flags and body of each message; a rest that is too short for one is a gap."""
    head = struct.calcsize(form)
    at = 0
    while at + head <= len(block):
        kind, count, flags = struct.unpack_from(form, block, at)
        body = block[at + head : at + head + count]
        if len(body) != count:
            raise FormatError(f"object header at {address}: a message leaves its block")
        at += head + count
        yield kind, flags, body
