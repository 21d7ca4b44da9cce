"""Files beside a model file that hold a part of it: which ones it may name."""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath, PureWindowsPath

from ..errors import FormatError


def resolve(folder: str | os.PathLike[str], location: str) -> str:
    """The path of the file that a location names; ``FormatError`` unless it is relative and of an
    ordinary file in the folder, wherever links lead."""
    parts = (PurePosixPath(location), PureWindowsPath(location))
    absolute = any(part.root or part.drive for part in parts)
    if not location or "\0" in location or absolute or any(".." in p.parts for p in parts):
        raise FormatError(
            f"expected the relative path of a file in its folder, got {location!r:.200}"
        )
    try:
        inner = os.path.realpath(folder)
        path = os.path.realpath(os.path.join(inner, location))
        inside = os.path.commonpath([inner, path]) == inner
        ordinary = inside and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise FormatError(f"{location!r:.200}: {error}") from error
    if not ordinary:
        raise FormatError(f"{location!r:.200} is no ordinary file in its folder")
    return path
