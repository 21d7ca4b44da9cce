"""Reshape, in words: which axes end up in which dimension.

A Reshape says only numbers, and many arrangements of axes may have these numbers. Taken is the
one that keeps the axes in order, unsplit, and merges the fewest; where the file's own numbers
hold for any size of the time and batch it is the one they mean.

Exporters write the length of their example into graphs whose length is free, so an arrangement
that fixes one unknown size is taken where no other exists, and only where nothing is left open:
[5, -1, 8] of [time, batch, 8] may as well mix five rows of a batch, unless the file says that the
-1 is the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from .graph import Node
from .roles import Roles
from .values import Axis, Data, Dim, Extent, Value, live, show, size_of

_MAX_RANK = 8  # arrangements are tried: few for this rank, beyond number for a large one

_STEPS = 1000  # of the file's budget, to compare one group with one wanted dimension

Groups = tuple[Dim, ...]


@dataclass(frozen=True)
class _Best:
    """The groups of the least cost, and how many ways have it."""

    cost: int
    ways: int
    groups: Groups


def regroup(node: Node, dims: Sequence[Dim], target: Sequence[Extent], allow_zero: bool) -> Groups:
    """The dimensions of a tensor after Reshape.

    ``target`` is the shape asked for; -1 is whatever remains and, unless ``allow_zero``, 0 the
    dimension as it was. Raises ``UnsupportedError`` where no arrangement of whole axes has that
    shape, or where two are as good as each other.
    """
    shown = [extent.known if extent.known is not None else "?" for extent in target]
    if shown.count(-1) > 1 or any(isinstance(size, int) and size < -1 for size in shown):
        raise node.malformed(f"shape {shown}: expected sizes and at most one -1")
    if max(len(shown), sum(map(len, dims))) > _MAX_RANK:
        raise node.unsupported(f"shape {shown}: a rank over {_MAX_RANK}")
    wanted: list[Extent | Dim | None] = []
    for position, extent in enumerate(target):
        if extent == Extent(-1):
            wanted.append(None)
        elif extent == Extent(0) and not allow_zero:
            if position >= len(dims):
                raise node.malformed(f"shape {shown}: 0 at {position}, but rank {len(dims)}")
            wanted.append(dims[position])
        else:
            wanted.append(extent)
    axes = [axis for dim in dims for axis in dim]
    node.contents.budget.work(str(node), _STEPS * len(wanted) * (len(axes) + 1) ** 2)
    best = _arrange(axes, wanted)
    if best is None or best.ways > 1:
        what = "in more than one way" if best else "only by splitting or mixing its axes"
        raise node.unsupported(f"reshapes {show(dims)} to {shown} {what}")
    groups = best.groups
    fixed = [_fixes(group, dim) is not None for group, dim in zip(groups, wanted, strict=True)]
    if sum(fixed) > 1 or (any(fixed) and not _confirmed(node, groups, wanted)):
        raise node.unsupported(
            f"reshapes {show(dims)} to {shown}, which may mix its axes "
            "at another size than the one that was written into it"
        )
    for group, dim in zip(groups, wanted, strict=True):
        _learn(group, dim)
    return groups


def in_blocks(data: Data, target: Sequence[Extent]) -> Iterator[Data]:
    """The data with features of one dimension as two axes: where the target has two numbers
    behind each other that are as many together, such as groups of a normalisation."""
    known = [extent.known for extent in target]
    for own in data.dims:
        if not own or own[0] not in data.features:
            continue
        total, first = size_of(own), data.features.index(own[0])
        if not total or total in known or data.features[first : first + len(own)] != own:
            continue
        for pair in pairwise(known):
            sizes = _sizes(pair, total)
            if sizes is not None:
                parts = data.fresh(*sizes)
                features = (*data.features[:first], *parts, *data.features[first + len(own) :])
                dims = tuple(parts if dim == own else dim for dim in data.dims)
                yield replace(data, dims=dims, features=features)


def _sizes(pair: Sequence[int | None], total: int) -> list[int] | None:
    """Two numbers, one of which may be -1, that are ``total`` together."""
    given = [size for size in pair if size is not None and size > 0]
    if not given or total % given[0]:
        return None
    sizes = [total // given[0] if size == -1 else size or 0 for size in pair]
    return sizes if min(sizes) > 0 and prod(sizes) == total else None


def _confirmed(node: Node, groups: Groups, wanted: Sequence[Extent | Dim | None]) -> bool:
    """Whether the file's description of the result agrees on what the -1 is, if there is one."""
    position = next((i for i, dim in enumerate(wanted) if dim is None), None)
    if position is None:
        return True  # the number of elements leaves no choice
    info = node.result
    if info is None or info.sizes is None or len(info.sizes) != len(groups):
        return False
    group = live(groups[position])
    if len(group) == 1 and group[0].size is None:
        return bool(group[0].symbol) and info.symbols[position] == group[0].symbol
    return info.sizes[position] is not None and info.sizes[position] == size_of(group)


def _arrange(axes: Sequence[Axis], wanted: Sequence[Extent | Dim | None]) -> _Best | None:
    """How to cut ``axes`` into consecutive groups that the wanted dimensions accept, at the least
    cost; None where there is no way.

    The cost of a group does not depend on the others, so the best of all is one group and the best
    of what is behind it.
    """
    # Of the axes from each on, for the dimensions from the one that the loop is at.
    best: list[_Best | None] = [None] * len(axes) + [_Best(0, 1, ())]
    for dim in reversed(wanted):
        found: list[_Best | None] = []
        for start in range(len(axes) + 1):
            least: _Best | None = None
            for stop in range(start, len(axes) + 1):
                rest, group = best[stop], tuple(axes[start:stop])
                if rest is None or not _accepts(dim, group):
                    continue
                cost = _cost(group, dim) + rest.cost
                if least is None or cost < least.cost:
                    least = _Best(cost, rest.ways, (group, *rest.groups))
                elif cost == least.cost and not (
                    rest.ways == least.ways == 1 and _alike((group, *rest.groups), least.groups)
                ):
                    least = replace(least, ways=least.ways + rest.ways)
            found.append(least)
        best = found
    return best[0]


def _alike(one: Groups, two: Groups) -> bool:
    """Whether they differ in nothing but the places of axes of size 1, which hold no numbers."""
    return all(live(a) == live(b) for a, b in zip(one, two, strict=True))


def _accepts(wanted: Extent | Dim | None, group: Dim) -> bool:
    if wanted is None:
        return True
    if not isinstance(wanted, Extent):
        return live(group) == live(wanted)
    if wanted.axes and _is_size_of(wanted, group):
        return True
    number = wanted.known
    if number is None:
        return False
    unknown = sum(axis.size is None for axis in group)
    known = prod(axis.size for axis in group if axis.size is not None)
    if unknown == 0:
        return known == number
    return unknown == 1 and known != 0 and number % known == 0


def _is_size_of(wanted: Extent, group: Dim) -> bool:
    """Whether the product of the axes of a group is a size, whatever those that are unknown are."""
    free = [[axis for axis in axes if axis.size is None] for axes in (group, wanted.axes)]
    known = [prod(a.size for a in axes if a.size is not None) for axes in (group, wanted.axes)]
    return free[0] == free[1] and known[0] == wanted.factor * known[1]


def _cost(group: Dim, wanted: Extent | Dim | None) -> int:
    """Merging costs 1, features with time or batch 10 more, fixing an unknown size 100."""
    features = sum(axis.role == "features" for axis in group)
    return (
        max(0, len(group) - 1)
        + 10 * (0 < features < len(group))
        + 100 * (_fixes(group, wanted) is not None)
    )


def _learn(group: Dim, wanted: Extent | Dim | None) -> None:
    axis = _fixes(group, wanted)
    if axis is not None and isinstance(wanted, Extent) and wanted.known is not None:
        axis.learn(wanted.known // prod(a.size for a in group if a.size is not None))


def _fixes(group: Dim, wanted: Extent | Dim | None) -> Axis | None:
    """The axis of unknown size that an accepted number would fix."""
    if not isinstance(wanted, Extent) or wanted.known is None:
        return None
    return next((axis for axis in group if axis.size is None), None)


def flatten(node: Node, inputs: Sequence[Value | None], roles: Roles) -> list[Value]:
    """All dimensions before an axis as one, and all from it on."""
    data = inputs[0]
    axis = node.options(axis=("int", 1))["axis"]
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    if not -len(data.dims) <= axis <= len(data.dims):
        raise node.malformed(f"attribute axis={axis} of a tensor of rank {len(data.dims)}")
    at = axis + len(data.dims) if axis < 0 else axis
    parts = (data.dims[:at], data.dims[at:])
    return [data.shaped(tuple(tuple(a for dim in part for a in dim) for part in parts))]
