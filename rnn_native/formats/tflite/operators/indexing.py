"""Parts of tensors by their places, tables, sizes, and tensors that are made of sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def _strided_slice(w: Writer) -> None:
    """begin:end:stride of each axis; masks say by a bit for each which of it does not count."""
    masks = {field: int(w.operator.option(field, "int32")) for field in StridedSlice}
    if masks[StridedSlice.ELLIPSIS_MASK] or masks[StridedSlice.NEW_AXIS_MASK]:
        raise w.unsupported("ellipsis_mask and new_axis_mask are not supported")
    begin, end, step = (
        w.integers(i + 1, name) for i, name in enumerate(("begin", "end", "strides"))
    )
    if not len(begin) == len(end) == len(step) or 0 in step:
        raise w.malformed(f"begin {begin}, end {end}, strides {step}")
    if w.operator.option(StridedSlice.OFFSET, "bool"):
        end = [b + e for b, e in zip(begin, end, strict=True)]
    shrunk = []
    cuts = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, step, strict=True)):
        bit = 1 << axis
        if masks[StridedSlice.SHRINK_AXIS_MASK] & bit:
            shrunk.append(axis)
            last, stride = first + 1 if first != -1 else _END, 1
        else:
            if masks[StridedSlice.BEGIN_MASK] & bit:
                first = 0 if stride > 0 else -1
            if masks[StridedSlice.END_MASK] & bit:
                last = _END if stride > 0 else -_END
        if stride == 1:
            first, last = _from_the_end(w, axis, first, last)
        if (first, last, stride) != (0, _END, 1):
            cuts.append((first, last, axis, stride))
    made = w.required(0)
    if cuts:
        made = w.add("Slice", made, *map(w.constant, zip(*cuts, strict=True)))
    w.give(w.axes("Squeeze", made, shrunk) if shrunk else made)


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
