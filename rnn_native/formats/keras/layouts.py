"""What makes one value of several: how the features of each have to lie for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

from ...spec import Layer, PoolWithin, Strided
from ...spec.layers.conv import Conv
from .config import Layer as KerasLayer
from .shape import Shape, spans


@dataclass(frozen=True)
class Layout:
    """A view of each value, where it is needed; what is behind the layer that joins them; and the
    axes of the result."""

    views: list[Strided | None]
    shape: Shape | None
    behind: list[Strided] = field(default_factory=list)


def laid_out(layer: KerasLayer, shapes: Sequence[Shape | None]) -> Layout:
    """Of values with these axes; ``UnsupportedError`` where they cannot be joined."""
    known = [shape for shape in shapes if shape is not None]
    plain = Layout([None] * len(shapes), known[0] if len(known) == len(shapes) else None)
    if layer.kind == "Concatenate":
        return _side_by_side(layer, shapes, known, plain)
    if len(known) < len(shapes) or all(shape == known[0] for shape in known):
        return plain
    return _of_one_size(layer, known)


def _side_by_side(
    layer: KerasLayer, shapes: Sequence[Shape | None], known: Sequence[Shape], plain: Layout
) -> Layout:
    axis = layer.option("axis", int, -1)
    if len(known) < len(shapes):
        if axis not in (-1, 2):
            raise layer.unsupported(f"axis={axis}; only the features can be put side by side")
        return plain
    first = known[0]
    place = axis - 1 if axis > 0 else first.rank + axis
    if (
        any((shape.rank, shape.time) != (first.rank, first.time) for shape in known)
        or not 0 <= place < first.rank
        or place == first.time
    ):
        raise layer.unsupported(
            f"axis={axis}; only the features can be put side by side, here of values "
            f"{', '.join(map(str, known))}"
        )
    counts = [shape.sizes[place] for shape in known]
    count = None if None in counts else sum(n for n in counts if n is not None)
    made = first.with_size(place, count)
    own = first.features.index(place)
    if all(n == 1 for n in first.inside[:own]):
        return Layout([None] * len(known), made)
    whole = made.inside
    if None in whole:
        raise layer.unsupported(f"the file does not say how large {made} is")
    sizes = [n for n in whole if n is not None]
    before, behind = prod(sizes[:own]), prod(sizes[own + 1 :])
    # Each with the axis in front, one behind the other, and then back in its place.
    views: list[Strided | None] = [
        exchanged(before, int(n), behind) for n in counts if n is not None
    ]
    return Layout(views, made, [exchanged(sizes[own], before, behind)])


def along(
    sizes: Sequence[int], place: int, make: Callable[[int, int], Conv | PoolWithin]
) -> list[Layer]:
    """What ``make(positions, channels)`` gives, over one axis of steps of these sizes: as the first
    one, where it is put if it is another."""
    before, behind = prod(sizes[:place]), prod(sizes[place + 1 :])
    made = make(sizes[place], before * behind)
    if before == 1:
        return [made]
    ahead = exchanged(before, sizes[place], behind)
    return [ahead, made, exchanged(made.positions_made, before, behind)]


def exchanged(rows: int, columns: int, behind: int) -> Strided:
    """[rows, columns, behind] as [columns, rows, behind]."""
    far = spans((rows, columns, behind))
    return Strided(rows * columns * behind, (columns, rows, behind), (far[1], far[0], far[2]))


def _of_one_size(layer: KerasLayer, shapes: Sequence[Shape]) -> Layout:
    """Axes of one element are repeated to as many as another has."""
    first = shapes[0]
    alike = all((shape.rank, shape.time) == (first.rank, first.time) for shape in shapes)
    if not alike or any(None in shape.inside for shape in shapes):
        if any(shape.rank > 2 for shape in shapes):
            raise layer.unsupported(f"of {', '.join(map(str, shapes))}, which differ")
        return Layout([None] * len(shapes), first)
    inside = [[int(n or 0) for n in shape.inside] for shape in shapes]
    wide = [max(sizes) for sizes in zip(*inside, strict=True)]
    views = [_spread(layer, sizes, wide) for sizes in inside]
    made = first
    for axis, size in zip(first.features, wide, strict=True):
        made = made.with_size(axis, size)
    return Layout(views, made)


def _spread(layer: KerasLayer, sizes: Sequence[int], wide: Sequence[int]) -> Strided | None:
    if any(n not in (1, most) for n, most in zip(sizes, wide, strict=True)):
        raise layer.unsupported(f"of steps of sizes {list(sizes)} and {list(wide)}")
    if [*sizes] == [*wide]:
        return None
    far = spans(sizes)
    axes = [(most, 0 if n == 1 else stride)
            for n, most, stride in zip(sizes, wide, far, strict=True)]  # fmt: skip
    counts, strides = zip(*axes, strict=True)
    return Strided(prod(sizes), counts, strides)
