"""The bytes of a file, and bounds of what is read of them."""

from __future__ import annotations

import struct
from typing import Any, Final

from ....errors import FormatError

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
WORK: Final = 300_000
"""Headers, messages, links and texts of one file; the largest models of Keras have a tenth."""
EXPANSION: Final = 8
"""How many times its bytes a file may have in chunks: floats hardly can be compressed."""
_SMALL: Final = 2**16  # bytes that may come of any file
UNDEFINED: Final = 2**64 - 1
"""The address of what is nowhere."""
SHARED: Final = 2
"""The flag of a message that stands elsewhere."""


class Bytes:
    """``whole`` are all bytes of the file."""

    def __init__(self, whole: bytes) -> None:
        self.whole = whole
        self._work = 0
        self._taken = 0
        self._made = 0
        self._seen: set[int] = set()

    def take(self, start: int, size: int, what: str) -> bytes:
        """The bytes of a structure."""
        if start + size > len(self.whole):
            raise FormatError(
                f"{what}: {size} bytes at {start}, but the file has {len(self.whole)}"
            )
        self._taken += size
        if self._taken > 2 * len(self.whole) + 1024:  # all structures, the heads of some again
            raise FormatError(f"{what}: what is at {start} overlaps with others")
        return self.whole[start : start + size]

    def head(self, start: int, form: str, signature: bytes, what: str) -> tuple[Any, ...]:
        """The fields of a structure behind its four letters and its version, which is 0."""
        fields = struct.unpack(f"<4sB{form}", self.take(start, struct.calcsize(f"<5s{form}"), what))
        if fields[:2] != (signature, 0):
            raise FormatError(f"{what}: expected a {signature.decode()} of version 0 at {start}")
        return fields[2:]

    def once(self, address: int, what: str) -> None:
        self.spend()
        if address in self._seen:
            raise FormatError(f"{what}: what is at {address} is used twice")
        self._seen.add(address)

    def spend(self) -> None:
        self._work += 1
        if self._work > WORK:
            raise FormatError(f"more than {WORK} structures; no model of Keras has so many")

    def make(self, size: int, what: str) -> None:
        """Room for numbers that do not lie in the file as they are."""
        self._made += size
        limit = EXPANSION * len(self.whole) + _SMALL
        if self._made > limit:
            raise FormatError(
                f"{what}: more than {limit} bytes of numbers in chunks of a file of "
                f"{len(self.whole)}"
            )


def unpacked(form: str, body: bytes, what: str, at: int = 0) -> tuple[Any, ...]:
    """Little-endian fields of a message."""
    if len(body) < at + struct.calcsize(f"<{form}"):
        raise FormatError(f"{what}: {len(body)} bytes are too few")
    return struct.unpack_from(f"<{form}", body, at)


def number(body: bytes, at: int, size: int, what: str) -> int:
    """An unsigned number of any size."""
    if at + size > len(body):
        raise FormatError(f"{what}: {len(body)} bytes are too few")
    return int.from_bytes(body[at : at + size], "little")


def decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: not text: {error}") from error
