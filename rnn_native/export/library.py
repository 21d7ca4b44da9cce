"""The C library as files, which a wheel has beside the package."""

from __future__ import annotations

from importlib import resources

from ..errors import UnsupportedError


def library_text(name: str) -> str:
    """``rnn_native.c`` or one of its headers, as it is installed."""
    file = resources.files("rnn_native") / "embedded" / name
    if not file.is_file():
        raise UnsupportedError(f"this installation lacks rnn_native/embedded/{name}")
    return file.read_text(encoding="utf-8")
