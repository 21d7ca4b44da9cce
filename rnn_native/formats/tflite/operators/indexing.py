"""Parts of tensors by their places, tables, sizes, and tensors that are made of sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ..schema import Gather, StridedSlice
from ..writer import Writer

_END: Final = 2**62


def _gather(w: Writer) -> None:
    if w.operator.option(Gather.BATCH_DIMS, "int32"):
        raise w.unsupported("batch_dims other than 0 is not supported")
    axis = w.operator.option(Gather.AXIS, "int32")
    w.give(w.add("Gather", w.required(0), w.required(1), axis=axis))


def _lookup(w: Writer) -> None:
    w.give(w.add("Gather", w.required(1), w.required(0), axis=0))


def _slice(w: Writer) -> None:
    """``size`` from ``begin`` on along each axis, -1 for all that is left."""
    begin, size = w.integers(1, "begin"), w.integers(2, "size")
    if len(begin) != len(size):
        raise w.malformed(f"begin {begin} and size {size}")
    cuts = [(b, _END if n == -1 else b + n) for b, n in zip(begin, size, strict=True)]
    cuts = [_from_the_end(w, axis, *cut) for axis, cut in enumerate(cuts)]
    kept = [axis for axis, cut in enumerate(cuts) if cut != (0, _END)]
    if not kept:
        w.give(w.required(0))
        return
    parts = (*zip(*(cuts[axis] for axis in kept), strict=True), kept)
    w.give(w.add("Slice", w.required(0), *(w.constant(part) for part in parts)))


def _from_the_end(w: Writer, axis: int, first: int, last: int) -> tuple[int, int]:
    """The last one of an axis, or all of it, by places that say so whatever its size is."""
    sizes = w.sizes(0)
    size = sizes[axis] if axis < len(sizes) else None
    if size is None or last < size:
        return first, last
    return (-1 if first == size - 1 and size > 1 else first), _END


@dataclass
class _Cuts:
    """What STRIDED_SLICE does, one of its places after the other."""

    slices: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(first, last, axis, stride) of each axis that is not taken whole."""
    shrunk: list[int] = field(default_factory=list)
    """Axes of which one place is left, and which go."""
    new: list[int] = field(default_factory=list)
    """Where the result has axes of size 1 that x has not."""
    axis: int = 0  # of x, that the next place is of
    made: int = 0  # axes of the result so far


def _strided_slice(w: Writer) -> None:
    """begin:end:stride of each axis; masks say by a bit for each place what of it counts, or that
    it stands for all axes in the middle, or for a new one."""
    begin, end, step = (
        w.integers(i + 1, name) for i, name in enumerate(("begin", "end", "strides"))
    )
    if not len(begin) == len(end) == len(step) or 0 in step:
        raise w.malformed(f"begin {begin}, end {end}, strides {step}")
    if w.operator.option(StridedSlice.OFFSET, "bool"):
        end = [b + e for b, e in zip(begin, end, strict=True)]
    cuts = _Cuts()
    for place, bounds in enumerate(zip(begin, end, step, strict=True)):
        _cut(w, cuts, place, len(begin), *bounds)
    name = w.required(0)
    if cuts.slices:
        name = w.add("Slice", name, *map(w.constant, zip(*cuts.slices, strict=True)))
    for op, axes in (("Squeeze", cuts.shrunk), ("Unsqueeze", cuts.new)):
        name = w.axes(op, name, axes) if axes else name
    w.give(name)


def _cut(
    w: Writer, cuts: _Cuts, place: int, places: int, first: int, last: int, stride: int
) -> None:
    def has(mask: StridedSlice) -> bool:
        return bool(w.operator.option(mask, "int32") >> place & 1)

    if has(StridedSlice.ELLIPSIS_MASK):
        news = w.operator.option(StridedSlice.NEW_AXIS_MASK, "int32")
        named = sum(not news >> other & 1 for other in range(places)) - 1
        rest = max(0, len(w.sizes(0)) - named)
        cuts.axis, cuts.made = cuts.axis + rest, cuts.made + rest
        return
    if has(StridedSlice.NEW_AXIS_MASK):
        cuts.new.append(cuts.made)
        cuts.made += 1
        return
    if has(StridedSlice.SHRINK_AXIS_MASK):
        cuts.shrunk.append(cuts.axis)
        last, stride = first + 1 if first != -1 else _END, 1
    else:
        cuts.made += 1
        if has(StridedSlice.BEGIN_MASK):
            first = 0 if stride > 0 else -1
        if has(StridedSlice.END_MASK):
            last = _END if stride > 0 else -_END
    if stride == 1:
        first, last = _from_the_end(w, cuts.axis, first, last)
    if (first, last, stride) != (0, _END, 1):
        cuts.slices.append((first, last, cuts.axis, stride))
    cuts.axis += 1


def _shape(w: Writer) -> None:
    w.give(w.add("Shape", w.required(0)))


def _fill(w: Writer) -> None:
    w.give(w.add("Expand", w.required(1), w.required(0)))


def _zeros_like(w: Writer) -> None:
    w.give(w.add("ConstantOfShape", w.add("Shape", w.required(0))))


def _range(w: Writer) -> None:
    w.give(w.add("Range", *(w.required(i) for i in range(3))))


OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        "EMBEDDING_LOOKUP": _lookup,
        "FILL": _fill,
        "GATHER": _gather,
        "RANGE": _range,
        "SHAPE": _shape,
        "SLICE": _slice,
        "STRIDED_SLICE": _strided_slice,
        "ZEROS_LIKE": _zeros_like,
    }
)
