"""Some of the features of a value: of a Linear, which are a Linear of fewer rows, and halves."""

from __future__ import annotations

from dataclasses import replace

from .drafts import LinearDraft
from .joining import whole
from .values import Data, Half, size_of


def part(data: Data, start: int, size: int) -> Data | None:
    """Some of the features of a Linear, which are a Linear of fewer rows."""
    draft, at = data.draft, whole(data)
    if not isinstance(draft, LinearDraft) or "softmax" in draft.activation or at is None:
        return None
    rows = slice(start, start + size)
    bias = None if draft.bias is None else draft.bias[rows]
    features = data.fresh(size)
    dims = (*data.dims[:at], features, *data.dims[at + 1 :])
    fewer = LinearDraft(draft.weight[rows], bias, draft.activation)
    return replace(data.instead(fewer), dims=dims, features=features)


def of_half(half: Half) -> Data | Half:
    """The half as data, where there is a layer that gives it."""
    size = (size_of(half.data.features) or 0) // 2
    return part(half.data, half.which * size, size) or half


def sliced(data: Data, axis: int, start: int, stop: int) -> Data | Half | None:
    """Slice of features: a half, or a part of a Linear."""
    size = size_of(data.features)
    if data.step is None or size is None or axis != whole(data):
        return None
    rows = range(size)[start:stop]
    if 2 * len(rows) == size and rows.start in (0, size // 2):
        return Half(data, int(rows.start > 0))
    return part(data, rows.start, len(rows)) if rows else None
