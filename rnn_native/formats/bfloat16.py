"""bfloat16, which NumPy has not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def widened(upper: NDArray[Any]) -> NDArray[np.float32]:
    """The float32 of which these uint16 are the upper halves, the lower ones being zero."""
    return (upper.astype(np.uint32) << np.uint32(16)).view(np.float32)


def upper_halves(floats: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Of float32, cut off: :func:`widened` gives them back where the lower halves are zero."""
    halves: NDArray[np.uint16] = (floats.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return halves
