"""Some of the features of a value: of a Linear, which are a Linear of fewer rows, of any other
value by a matrix that picks them; and halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .drafts import LinearDraft
from .graph import Anything, Node
from .joining import whole
from .values import Data, Dim, Half, show, size_of


def of_features(data: Data, at: int) -> bool:
    """Whether dimension ``at`` is features and nothing else."""
    dim = data.dims[at]
    return bool(dim) and all(axis in data.features for axis in dim)


def picked(
    node: Node, data: Data, at: int, positions: Sequence[int], keep: bool = True
) -> Data | None:
    """The features at these positions of dimension ``at``, in this order; None where they are not
    features one behind the other, or their number is not known. ``keep`` says whether the dimension
    stays, if it is a single position."""
    features, dim = data.features, data.dims[at]
    total, size = size_of(features), size_of(dim)
    if not of_features(data, at) or total is None or size is None or not positions:
        return None
    first = features.index(dim[0])
    behind = first + len(dim)
    if features[first:behind] != dim:
        return None
    if keep and [*positions] == [*range(size)]:
        return data
    data.check_floats(node)
    counts = [axis.size for axis in features]
    own = data.fresh(*counts[:first], len(positions), *counts[behind:])
    stays = dict(zip([*range(first), *range(behind, len(features))],
                     (*own[:first], *own[first + 1 :]), strict=True))  # fmt: skip
    dims: list[Dim] = []
    for i, old in enumerate(data.dims):
        new = tuple(stays[features.index(a)] if a in features else a for a in old if i != at)
        if keep or i != at:
            dims.append((own[first],) if i == at else new)
    node.contents.budget.work(str(node), total)
    grid = np.arange(total).reshape(-1, size, size_of(features[behind:]) or 1)
    return _rows(node, data, grid[:, [*positions]].reshape(-1), tuple(dims), own)


def _rows(node: Node, data: Data, rows: Anything, dims: tuple[Dim, ...], features: Dim) -> Data:
    """Features by their numbers."""
    draft = data.draft
    if isinstance(draft, LinearDraft) and "softmax" not in draft.activation:
        weight = draft.weight
        node.contents.budget.take(str(node), len(rows) * weight.shape[1] * weight.itemsize)
        bias = None if draft.bias is None else draft.bias[rows]
        fewer = data.instead(LinearDraft(weight[rows], bias, draft.activation))
        return replace(fewer, dims=dims, features=features)
    dtype = np.dtype(np.float64 if data.element == "DOUBLE" else np.float32)
    total = size_of(data.features) or 0
    node.contents.budget.take(str(node), len(rows) * total * dtype.itemsize)
    matrix = np.zeros((len(rows), total), dtype)
    matrix[np.arange(len(rows)), rows] = 1
    return data.then(LinearDraft(matrix), dims, features)


def of_half(node: Node, half: Half) -> Data | Half:
    """The half as data; itself where the features are not in one place."""
    at = whole(half.data)
    size = (size_of(half.data.features) or 0) // 2
    found = None
    if at is not None:
        found = picked(node, half.data, at, range(half.which * size, (half.which + 1) * size))
    return found or half


def sliced(node: Node, data: Data, at: int, start: int, stop: int, step: int = 1) -> Data | Half:
    """Slice of features: a half, where it may become a Merge, or some of them."""
    size = size_of(data.dims[at])
    rows = range(size or 0)[start:stop:step]
    halves = data.step and at == whole(data) and 2 * len(rows) == size and step == 1
    if halves and rows.start in (0, len(rows)):
        return Half(data, int(rows.start > 0))
    found = picked(node, data, at, rows)
    if found is None:
        raise node.unsupported(f"takes a part of {show(data.dims)}, which is not features alone")
    return found
