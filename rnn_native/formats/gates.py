"""The gates of a cell, whose blocks of rows formats keep in different orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def reordered(array: NDArray[Any], order: Sequence[int]) -> NDArray[Any]:
    """The array [gates * H, ...] with the block ``order[i]`` in place i."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[block] for block in order])


def reordered_weight(array: NDArray[Any], order: Sequence[int]) -> NDArray[Any]:
    """The same for a layer, which takes the memory of this array as it is (``as_weight``)."""
    blocks = np.split(array, len(order))
    data = b"".join([np.ascontiguousarray(blocks[block]).view(np.uint8).data for block in order])
    return np.frombuffer(data, array.dtype).reshape(array.shape)
