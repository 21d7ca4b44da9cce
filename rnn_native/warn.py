"""Warnings that point at the line that called this package, however deep inside they arise."""

from __future__ import annotations

import os
import sys
import warnings
from types import FrameType
from typing import Final

_HERE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the nearest line outside of this package.

    (Python 3.12 has ``warnings.warn(skip_file_prefixes=...)`` for that; 3.11 has not.)
    """
    level, frame = 1, sys._getframe()
    while (above := frame.f_back) is not None and _is_ours(frame):
        level, frame = level + 1, above
    warnings.warn(message, category, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_HERE)
