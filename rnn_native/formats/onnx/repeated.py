"""Constants repeated along the batch, whose size is not known: a layer's own initial state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .constants import slices_of, split_sizes
from .evaluate import fold
from .graph import Anything, Node
from .values import Constant, Extent, Repeated, Value

MOVES: Final = ("Cast", "Identity", "Slice", "Split", "Transpose", "Unsqueeze")
"""What is read of them: operators that treat every row of a batch alike."""


def expanded(node: Node, array: Anything, target: Sequence[Extent] | None) -> Repeated:
    """What Expand makes of a constant; ``target`` is None where the shape is not known."""
    rank = array.ndim if target is None else len(target)
    if rank < array.ndim or (target is None and array.ndim < 3):
        raise node.unsupported(
            f"expands constants of shape {array.shape} to a shape that is not known"
        )
    return Repeated(array.reshape((1,) * (rank - array.ndim) + array.shape))


def tiled(node: Node, array: Anything, repeats: Sequence[Extent] | None) -> Repeated:
    """What Tile makes of a constant."""
    if (
        repeats is None
        or len(repeats) != array.ndim
        or any(n.known != 1 and size != 1 for n, size in zip(repeats, array.shape, strict=True))
    ):
        raise node.unsupported(
            f"repeats constants of shape {array.shape}; only zeros, or axes of size 1, can be"
        )
    return Repeated(array)


def moved(node: Node, inputs: Sequence[Value | None]) -> list[Value]:
    """One of ``MOVES``."""
    value, *rest = inputs
    assert isinstance(value, Repeated)
    if not all(other is None or isinstance(other, Constant) for other in rest):
        raise node.unsupported("moves constants in a way that is not constant")
    sizes = value.array.shape
    cut: set[int] = set()
    if node.op == "Slice":  # with the first of what may be one or more, all alike, is whole
        cut = {
            axis
            for axis, start, stop, step in slices_of(node, inputs, len(sizes))
            if not range(1)[start:stop:step]
        }
    elif node.op == "Split":
        cut = {split_sizes(node, inputs, len(sizes), sizes)[0]}
    if any(sizes[axis] == 1 for axis in cut):
        raise node.unsupported("takes a part of what is repeated, how often is not known")
    arrays = [value.array, *(o.array if isinstance(o, Constant) else None for o in rest)]
    return [Repeated(array) for array in fold(node, arrays) or []]
