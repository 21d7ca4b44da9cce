"""bfloat16, which NumPy has not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def widened(upper: NDArray[Any]) -> NDArray[np.float32]:
    """The float32 of which these uint16 are the upper halves, the lower ones being zero."""
    return (upper.astype(np.uint32) << np.uint32(16)).view(np.float32)
