"""Some of the features of a value: of a Linear or a convolution, which are one of fewer rows, of
any other value by a view, or by a matrix that picks them; and halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...spec.layers.conv import Conv
from ...spec.layers.strided import Strided
from .drafts import LinearDraft
from .graph import Anything, Node
from .joining import whole
from .layout import arranged
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
    dim, total, size = data.dims[at], size_of(data.features), size_of(data.dims[at])
    if not of_features(data, at) or total is None or size is None or not positions:
        return None
    first = data.features.index(dim[0])
    behind = first + len(dim)
    if data.features[first:behind] != dim:
        data = arranged(node, data, (*(axis for axis in data.features if axis not in dim), *dim))
        behind = len(data.features)
        first = behind - len(dim)
    features = data.features
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
    behind_it = size_of(features[behind:]) or 1
    return _rows(node, data, _Rows(total, size, behind_it, positions), tuple(dims), own)


@dataclass(frozen=True)
class _Rows:
    """Of features [.., size, inner] those at these positions of the second axis."""

    total: int
    size: int
    inner: int
    positions: Sequence[int]

    @property
    def numbers(self) -> Anything:
        grid = np.arange(self.total).reshape(-1, self.size, self.inner)
        return grid[:, [*self.positions]].reshape(-1)

    @property
    def view(self) -> Strided | None:
        """What takes them, where they stand equally far apart."""
        first, *rest = self.positions
        step = rest[0] - first if rest else 1
        if step < 1 or [*self.positions] != [
            *range(first, first + step * len(self.positions), step)
        ]:
            return None
        outer = self.total // (self.size * self.inner)
        sizes = (outer, len(self.positions), self.inner)
        strides = (self.size * self.inner, step * self.inner, 1)
        return Strided(self.total, sizes, strides, first * self.inner)

    def of_convolution(self, conv: Conv) -> Conv | None:
        """A convolution that makes these of what this one makes: some of its channels, or some of
        its positions one behind the other; None where there is none."""
        first, count = self.positions[0], len(self.positions)
        if "softmax" in conv.activation:
            return None
        if self.inner == 1 and self.size == conv.out_channels and conv.groups == 1:
            rows = [*self.positions]
            bias = None if conv.bias is None else conv.bias[rows]
            return replace(conv, weight=conv.weight[rows], bias=bias)
        if self.inner != conv.out_channels or self.size != conv.positions_made:
            return None
        if [*self.positions] != [*range(first, first + count)]:
            return None
        reach = (conv.kernel_size - 1) * conv.dilation + 1
        left = conv.left - first * conv.stride
        right = (count - 1) * conv.stride + reach - left - conv.positions
        if left < 0 or not 0 <= right <= conv.right:
            return None
        return replace(conv, left=left, right=right)


def _rows(node: Node, data: Data, rows: _Rows, dims: tuple[Dim, ...], features: Dim) -> Data:
    """Features by their numbers."""
    draft = data.draft
    if isinstance(draft, LinearDraft) and "softmax" not in draft.activation:
        weight, numbers = draft.weight, rows.numbers
        node.contents.budget.take(str(node), len(numbers) * weight.shape[1] * weight.itemsize)
        bias = None if draft.bias is None else draft.bias[numbers]
        fewer = data.instead(LinearDraft(weight[numbers], bias, draft.activation))
        return replace(fewer, dims=dims, features=features)
    fewer_of = rows.of_convolution(draft) if isinstance(draft, Conv) else None
    if fewer_of is not None:
        node.contents.budget.take(str(node), fewer_of.weight.nbytes)
        return replace(data.instead(fewer_of), dims=dims, features=features)
    if rows.view is not None:
        return data.then(rows.view, dims, features)
    dtype = np.dtype(np.float64 if data.element == "DOUBLE" else np.float32)
    numbers = rows.numbers
    node.contents.budget.take(str(node), len(numbers) * rows.total * dtype.itemsize)
    matrix = np.zeros((len(numbers), rows.total), dtype)
    matrix[np.arange(len(numbers)), numbers] = 1
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
