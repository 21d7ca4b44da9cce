"""Positions inside a step several times, shifted: what PyTorch's ``unfold`` and padding that is cut
come to, as convolutions of ones; and such a convolution read by one of a single position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...spec.layers.conv import Conv
from .graph import Anything, Node
from .layout import arranged
from .values import Data, live, show, size_of


def gathered(node: Node, data: Data, at: int, indices: Anything) -> Data:
    """Gather or Slice of a padded dimension of features: rows of indices, [.., positions], each of
    them in equal steps and as far from each other, make as many channels of each one."""
    found = [padding for axis, padding in data.padding if axis in data.dims[at]]
    positions, own = size_of(data.dims[at]), live(data.dims[at])
    if len(data.padding) != 1 or len(found) != 1 or positions is None or found[0].past:
        raise node.unsupported(
            f"takes a part of {show(data.dims)}, of which another axis is padded"
        )
    (padding,) = found
    total = padding.before + positions + padding.after
    rows = np.atleast_2d(indices)
    rows = np.where(rows < 0, rows + total, rows) - padding.before
    step = int(rows[0, 1] - rows[0, 0]) if rows.shape[1] > 1 else 1
    regular = rows[:, :1] + step * np.arange(rows.shape[1])
    if step < 1 or (rows != regular).any() or rows.ndim > 2 or not rows.size:
        raise node.unsupported(
            f"takes positions of {show(data.dims)} that are not equally far apart"
        )
    starts, last = rows[:, 0], step * (rows.shape[1] - 1)
    first = min(0, int(starts.min()))
    reach = max(int(starts.max()), positions - 1 - last) - first
    rest = tuple(axis for axis in live(data.features) if axis not in own)
    channels = size_of(rest)
    if channels is None:
        raise node.unsupported("the file does not say how many channels there are")
    data = arranged(node, data, (*own, *rest))
    dtype = np.float64 if data.element == "DOUBLE" else np.float32
    weight = np.zeros((len(starts), reach + 1), dtype)
    weight[np.arange(len(starts)), starts - first] = 1
    node.contents.budget.take(str(node), channels * weight.nbytes)
    layer = Conv(
        np.tile(weight, (channels, 1)), in_channels=channels, groups=channels,
        positions=positions, kernel_size=reach + 1, stride=step, left=-first,
        right=last + first + reach + 1 - positions, padding_mode=padding.mode,
    )  # fmt: skip
    taps = data.fresh(len(starts)) if indices.ndim == 2 else ()
    made = data.fresh(rows.shape[1])
    places = ((*taps,), made) if indices.ndim == 2 else (made,)
    dims = (*data.dims[:at], *places, *data.dims[at + 1 :])
    return replace(data.then(layer, dims, (*made, *rest, *taps)), padding=())


def cut(node: Node, data: Data, slices: Sequence[tuple[int, int, int, int]]) -> Data:
    """Slice, (axis, start, stop, step), of a dimension that is padded."""
    if len(slices) != 1 or len(data.padding) != 1:
        raise node.unsupported("takes a part of what is padded; only of one axis")
    ((at, *ends),), ((_, padding),) = slices, data.padding
    count = (size_of(data.dims[at]) or 0) + padding.before + padding.after
    return gathered(node, data, at, np.arange(count)[slice(*ends)])


def fused(layer: Conv, data: Data) -> tuple[Conv, Data]:
    """A convolution of single positions and what it reads: where that is such a convolution of
    ones, both are one."""
    ones = data.draft
    if data.step is None or not isinstance(ones, Conv) or not _is_unfolding(ones):
        return layer, data
    single = layer.kernel_time == layer.kernel_size == layer.stride == layer.stride_time == 1
    if not single or layer.groups != 1 or layer.left or layer.right or data.padding:
        return layer, data
    taps = ones.weight[: len(ones.weight) // ones.groups]  # [of a channel, positions]
    own = layer.weight.reshape(len(layer.weight), ones.groups, len(taps))
    weight = np.einsum("ock,kp->opc", own, taps.astype(own.dtype))
    options = {**ones.options, "groups": 1, "activation": layer.activation}
    whole = Conv(weight.reshape(len(weight), -1), layer.bias, **options)
    return whole, data.step.inputs[0]


def _is_unfolding(conv: Conv) -> bool:
    """Whether each of its rows is a single 1, the same ones for every channel."""
    if conv.groups != conv.in_channels or conv.bias is not None or conv.activation != "identity":
        return False
    rows = conv.weight.reshape(conv.groups, -1, conv.weight.shape[1])
    ones = (rows == 1).sum(axis=2) == 1
    return bool(((rows == 0) | (rows == 1)).all() and ones.all() and (rows == rows[:1]).all())
