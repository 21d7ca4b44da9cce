"""Views of views, as one view where nothing else reads those in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...spec import Layer
from ...spec.layers.strided import AXES, Strided
from .values import Data, Step

_MOST: Final = 2**16  # features that are compared


class Part(NamedTuple):
    """A layer of the model and what it reads."""

    layer: Layer
    inputs: tuple[Data, ...]


def composed(layers: Mapping[Step, Part], outputs: Iterable[Data]) -> dict[Step, Part]:
    """The layers without views that other views alone read; these read what such a view does."""
    kept = {value.step for value in outputs}
    readers: dict[Step, list[Step]] = {}
    for step, part in layers.items():
        for value in part.inputs:
            if value.step is not None:
                readers.setdefault(value.step, []).append(step)
    made = dict(layers)
    for step in layers:
        inner, reads = made[step].layer, readers.get(step, [])
        if not isinstance(inner, Strided) or step in kept or not reads:
            continue
        views = [_both(made[reader].layer, inner) for reader in reads]
        if None in views:
            continue
        for reader, view in zip(reads, views, strict=True):
            assert view is not None
            made[reader] = made[reader]._replace(layer=view, inputs=made[step].inputs)
        del made[step]
    return made


def _both(outer: object, inner: Strided) -> Strided | None:
    """A view of a view; None where it is none."""
    if not isinstance(outer, Strided) or max(inner.output_size, outer.output_size) > _MOST:
        return None
    return _view(inner.in_features, inner.read[outer.read])


def _view(features: int, at: NDArray[np.int64]) -> Strided | None:
    """The view that takes these features, in this order."""
    axes: list[tuple[int, int]] = []
    first = int(at[0])
    while len(at) > 1:
        step = int(at[1] - at[0])
        breaks = np.flatnonzero(np.diff(at) != step)
        count = int(breaks[0]) + 1 if len(breaks) else len(at)
        if step < 0 or len(axes) == AXES or len(at) % count:
            return None
        rows = at.reshape(-1, count)
        if (rows != rows[:, :1] + step * np.arange(count)).any():
            return None
        axes.insert(0, (count, step))
        at = rows[:, 0]
    axes = axes or [(1, 0)]
    return Strided(features, tuple(n for n, _ in axes), tuple(step for _, step in axes), first)
