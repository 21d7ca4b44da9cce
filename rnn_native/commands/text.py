"""What is printed of files: sizes, and texts of theirs."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 200  # characters of a string of the file that are printed


def in_bytes(size: float) -> str:
    units = ["bytes", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        del units[0]
    return f"{size:.4g} {units[0]}"


def printable(text: str, longest: int = _LONGEST) -> str:
    """What a file says may hold anything; a terminal is shown no control characters."""
    shown = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def row(name: str, text: str, longest: int = _LONGEST) -> str:
    return f"{name:12}{printable(text, longest)}"
