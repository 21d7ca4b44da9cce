"""Operators that put numbers elsewhere: shapes, orders of axes, parts and wholes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..schema import (
    Concatenation,
    MirrorPad,
    Pack,
    Reshape,
    ReverseSequence,
    Split,
    Squeeze,
    Unpack,
)
from ..writer import Writer


def _reshape(w: Writer) -> None:
    """To the shape of its second input, else that of its options."""
    if w.tensor(1) is not None:
        shape = w.input(1)
    else:
        options = w.operator.options
        sizes = () if options is None else options.integers(Reshape.NEW_SHAPE)
        shape = w.constant(list(sizes))
    w.give(w.add("Reshape", w.required(0), shape, allowzero=1))


def _squeeze(w: Writer) -> None:
    options = w.operator.options
    axes = () if options is None else options.integers(Squeeze.SQUEEZE_DIMS)
    x = w.required(0)
    w.give(w.axes("Squeeze", x, axes) if axes else w.add("Squeeze", x))


def _expand_dims(w: Writer) -> None:
    w.give(w.axes("Unsqueeze", w.required(0), w.integers(1, "axis")))


def _transpose(w: Writer) -> None:
    w.give(w.add("Transpose", w.required(0), perm=w.integers(1, "perm")))


def _pack(w: Writer) -> None:
    axis = w.operator.option(Pack.AXIS, "int32")
    count = max(1, len(w.operator.inputs))
    parts = [w.axes("Unsqueeze", w.required(i), [axis]) for i in range(count)]
    w.give(w.add("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0])


def _unpack(w: Writer) -> None:
    axis = w.operator.option(Unpack.AXIS, "int32")
    count = len(w.operator.outputs)
    if count != w.operator.option(Unpack.NUM, "int32"):
        raise w.malformed(f"{count} outputs, options say another number")
    if count == 1:
        w.give(w.axes("Squeeze", w.required(0), [axis]))
        return
    used = [position for position in range(count) if w.is_read(position)]
    if len(used) < count:
        for position in used:
            index = w.constant(position if position < count - 1 else -1)
            w.give(w.add("Gather", w.required(0), index, axis=axis), position)
        return
    parts = w.made("Split", [w.required(0), w.constant([1] * count)], count, axis=axis)
    for position, part in enumerate(parts):
        w.give(w.axes("Squeeze", part, [axis]), position)


def _concatenation(w: Writer) -> None:
    axis = w.operator.option(Concatenation.AXIS, "int32")
    parts = [w.required(i) for i in range(max(1, len(w.operator.inputs)))]
    made = w.add("Concat", *parts, axis=axis)
    w.give(w.activated(made, Concatenation.FUSED_ACTIVATION_FUNCTION))


def _split(w: Writer) -> None:
    (axis,) = [*w.integers(0, "axis"), 0][:1]
    count = len(w.operator.outputs)
    if count != w.operator.option(Split.NUM_SPLITS, "int32"):
        raise w.malformed(f"{count} outputs, options say another number")
    parts = w.made("Split", [w.required(1)], count, axis=axis, num_outputs=count)
    for position, part in enumerate(parts):
        w.give(part, position)


def _split_v(w: Writer) -> None:
    sizes, axis = w.required(1), [*w.integers(2, "axis"), 0][0]
    parts = w.made("Split", [w.required(0), sizes], len(w.operator.outputs), axis=axis)
    for position, part in enumerate(parts):
        w.give(part, position)


def _pad(w: Writer) -> None:
    """Rows of (before, after) for each axis, in ONNX all before and then all after."""
    pads = w.integers(1, "paddings")
    rest = [w.required(2)] if w.operator.op == "PADV2" else []
    mode = {"mode": "constant"}
    if w.operator.op == "MIRROR_PAD":
        if w.operator.option(MirrorPad.MODE, "int8"):
            raise w.unsupported("mode SYMMETRIC, which repeats the edge; only REFLECT is supported")
        mode = {"mode": "reflect"}
    made = w.add("Pad", w.required(0), w.constant([*pads[::2], *pads[1::2]]), *rest, **mode)
    w.give(made)


def _reverse(w: Writer) -> None:
    axes = w.integers(1, "axes")
    ends = ([-1] * len(axes), [-(2**62)] * len(axes), axes, [-1] * len(axes))
    w.give(w.add("Slice", w.required(0), *(w.constant(end) for end in ends)))


def _reverse_sequence(w: Writer) -> None:
    time = w.operator.option(ReverseSequence.SEQ_DIM, "int32")
    batch = w.operator.option(ReverseSequence.BATCH_DIM, "int32")
    w.give(w.add("ReverseSequence", w.required(0), w.required(1), time_axis=time, batch_axis=batch))


def _tile(w: Writer) -> None:
    w.give(w.add("Tile", w.required(0), w.required(1)))


def _broadcast(w: Writer) -> None:
    w.give(w.add("Expand", w.required(0), w.required(1)))


OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        "BROADCAST_TO": _broadcast,
        "CONCATENATION": _concatenation,
        "EXPAND_DIMS": _expand_dims,
        "MIRROR_PAD": _pad,
        "PACK": _pack,
        "PAD": _pad,
        "PADV2": _pad,
        "RESHAPE": _reshape,
        "REVERSE_SEQUENCE": _reverse_sequence,
        "REVERSE_V2": _reverse,
        "SPLIT": _split,
        "SPLIT_V": _split_v,
        "SQUEEZE": _squeeze,
        "TILE": _tile,
        "TRANSPOSE": _transpose,
        "UNPACK": _unpack,
    }
)
