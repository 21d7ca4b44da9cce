"""The C library as files, which a wheel has beside the package; the C itself is compressed."""

from __future__ import annotations

import lzma
from importlib import resources

from ..errors import UnsupportedError


def library_text(name: str) -> str:
    """``rnn_native.c`` or one of its headers, as it is installed."""
    folder = resources.files("rnn_native") / "embedded"
    if (file := folder / name).is_file():
        return file.read_text(encoding="utf-8")
    if (packed := folder / f"{name}.xz").is_file():
        return lzma.decompress(packed.read_bytes()).decode("utf-8")
    raise UnsupportedError(f"this installation lacks rnn_native/embedded/{name}")
