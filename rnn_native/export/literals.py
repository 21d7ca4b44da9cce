"""Names of a model's values as C: in strings, and in comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

_WIDTH: Final = 96  # columns of a line


def literal(text: str | bytes) -> str:
    """A string of C with these characters, in UTF-8; plain ASCII itself, whatever they are."""
    data = text.encode() if isinstance(text, str) else text
    return '"' + "".join(map(_character, data)) + '"'


def _character(byte: int) -> str:
    if byte in b'"\\?':  # two question marks may begin a trigraph
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def quoted(name: str) -> str:
    """A name in a comment, which it does not end, and in which it begins no other."""
    return '"' + name.replace("*/", "* /").replace("/*", "/ *") + '"'


def listed(begin: str, names: Iterable[str]) -> Iterator[str]:
    """``begin`` and the quoted names behind it, as lines of a comment; a name stays in one line."""
    line, comma = begin, ""
    for name in map(quoted, names):
        if comma and len(line) + len(name) + 3 > _WIDTH:
            yield line + ","
            line = " *      " + name
        else:
            line += f"{comma} {name}"
        comma = ","
    yield line
