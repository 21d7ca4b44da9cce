"""Mutants of zip archives, with lengths and checksums that hold, and of .npy files."""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
from collections.abc import Callable

from .texts import change_text

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_BOMB = bytes(2**24)
_HEADERS = (
    b"'<f4'", b"'>f8'", b"'|O'", b"'<U4294967295'", b"'<U7'", b"('<f4', (1073741824,))",
    b"'<M8[s]'",
    b"[('a', '<f4')]", b"'|V8'", b"'<f2'", b"'<c8'", b"'<i8'", b"'|b1'", b"'<m8'", b"'S3'",
    b"(0,)", b"()", b"(-1,)", b"(1099511627776,)", b"(16, 3)", b"(3, 16)", b"(1.5,)", b"(True,)",
    b"(" * 500, b"1" * 5000, b"True", b"False", b"None", b"{}", b"x", b"'fortran_order'", b"\\x",
)  # fmt: skip


def change(
    rng: random.Random, data: bytes, change_member: Callable[[random.Random, str, bytes], bytes]
) -> bytes:
    """An archive with another member, one more, one less, or otherwise compressed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    method = zipfile.ZIP_STORED
    at = rng.randrange(len(members))
    name, content = members[at]
    what = rng.random()
    if what < 0.65:
        members[at] = name, change_member(rng, name, content)
    elif what < 0.7:
        del members[at]
    elif what < 0.75:
        members.insert(at, rng.choice(members))
    elif what < 0.8:
        members[at] = change_text(rng, name), content
    elif what < 0.85:
        members[at] = name, rng.choice(members)[1]
    elif what < 0.9:
        members[at] = name, content + _BOMB
        method = zipfile.ZIP_DEFLATED
    else:
        method = rng.choice(_METHODS)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def change_npy(rng: random.Random, data: bytes) -> bytes:
    """A .npy file with something else in its header, whose length holds."""
    size = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + size].rstrip()
    tokens = list(re.finditer(rb"'[^']*'|\([^)]*\)|True|False|\d+", header))
    token = rng.choice(tokens)
    header = header[: token.start()] + rng.choice(_HEADERS) + header[token.end() :] + b"\n"
    version = rng.choice((1, 1, 1, 2, 3))
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return data[:6] + bytes((version, 0)) + length + header + data[10 + size :]
