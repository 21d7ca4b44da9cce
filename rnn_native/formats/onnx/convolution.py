"""Conv, with the padding before it: over time, over positions inside a step, or over both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import RnnError
from ...spec.layers.conv import Conv
from .constants import bias_of
from .features import of_features
from .graph import Node
from .layout import arranged
from .padding import as_layer, over_time
from .placing import with_channels_second
from .roles import Roles
from .timing import timed
from .unfold import fused
from .values import Constant, Data, Dim, Padding, Value, live, show, size_of

Values = Sequence[Value | None]


@dataclass(frozen=True)
class Place:
    """One dimension that a window moves over."""

    position: int  # of the dimension
    size: int
    stride: int
    dilation: int
    before: int
    after: int
    mode: str  # of the padding

    @property
    def is_still(self) -> bool:
        """Whether it makes each position of itself alone."""
        return (self.size, self.stride, self.before, self.after) == (1, 1, 0, 0)

    def made(self, count: int) -> int:
        """How many positions it makes of so many."""
        reach = (self.size - 1) * self.dilation + 1
        return (self.before + count + self.after - reach) // self.stride + 1


_STILL: Final = Place(0, 1, 1, 1, 0, 0, "zeros")


def conv(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Y = X * W + B of [batch, channels, ...], W [out, in / group, ...]."""
    options = node.options(
        auto_pad=("string", "NOTSET"), dilations=("ints", None), group=("int", 1),
        kernel_shape=("ints", None), pads=("ints", None), strides=("ints", None),
    )  # fmt: skip
    data, weight, bias = operands(node, inputs)
    kernel = list(weight.shape[2:])
    if options["kernel_shape"] not in (None, kernel):
        raise node.malformed(
            f"attribute kernel_shape={options['kernel_shape']}, but W has {kernel}"
        )
    node.contents.budget.take(str(node), weight.size * max(4, weight.itemsize))
    data = with_channels_second(node, data, roles)
    data = over_time(node, data, roles, lambda padding: padding.mode != "zeros")
    over = windows(node, data, options, kernel)
    time = over.time
    if time is not None and max(time.before, time.after) > (time.size - 1) * time.dilation:
        wide = Padding(time.before, time.after, time.mode)
        data = as_layer(node, replace(data, padding=()), time.position, wide, roles)
        over = replace(over, time=replace(time, before=0, after=0))
    array = weight[:, :, :, None] if len(kernel) == 1 else weight
    if over.folded is not None:
        array = _folded(array, data, over.folded)
    elif over.tall is None and over.inside is not None and over.inside.position == 2:
        array = np.swapaxes(array, 2, 3)
    inside = (*over.axes(data, over.tall), *over.axes(data, over.inside))
    order = (*inside, *live(data.dims[1]), *over.axes(data, over.folded))
    data = arranged(node, data, order)
    layer = _layer(node, data, array, bias, options["group"], over)
    return [made(node, data, layer, over, roles)]


def operands(node: Node, inputs: Values) -> tuple[Data, Any, Value | None]:
    """X, W and B of a convolution over one axis or two."""
    data, weight, bias = [*inputs, None][:3]
    if not (isinstance(data, Data) and isinstance(weight, Constant)):
        raise node.unsupported("expected X to be the data and W a constant")
    if weight.array.ndim not in (3, 4) or len(data.dims) != weight.array.ndim:
        raise node.unsupported(
            f"expected W of rank 3 or 4 and X of the same rank, got {weight.array.shape} and "
            f"{show(data.dims)}"
        )
    return data, weight.array, bias


def _folded(array: Any, data: Data, place: Place) -> Any:
    """A weight over two axes of which one makes a single position: it is read as channels."""
    size = size_of(data.dims[place.position]) or 1
    array = np.moveaxis(array, place.position, 2)  # [out, in, the folded one, the other one]
    used = np.zeros((*array.shape[:2], size, array.shape[3]), array.dtype)
    for position in range(size):
        tap, rest = divmod(position + place.before, place.dilation)
        if rest == 0 and tap < place.size:
            used[:, :, position] = array[:, :, tap]
    return used.reshape(len(array), -1, 1, array.shape[3])


def _layer(
    node: Node,
    data: Data,
    array: Any,
    bias: Value | None,
    groups: int,
    over: Windows,
) -> Conv:
    out, per_group, first, kernel = array.shape
    total = size_of(data.features)
    positions, height = (size_of(over.axes(data, own)) for own in (over.inside, over.tall))
    if None in (total, positions, height) or total != (
        (positions or 0) * (height or 0) * per_group * groups
    ):
        raise node.malformed(
            f"its weights take {per_group * groups} channels, {total} features of {positions} "
            "positions come"
        )
    assert positions is not None
    assert height is not None
    time, within, tall = (own or _STILL for own in (over.time, over.inside, over.tall))
    if within.is_still and tall.is_still:  # as one row
        positions, height, tall = positions * height, 1, _STILL
    assert first == time.size * tall.size
    if tall.before + tall.after and within.before + within.after and tall.mode != within.mode:
        raise node.unsupported(f"padding of modes {tall.mode} and {within.mode} inside a step")
    try:
        return Conv(
            np.ascontiguousarray(array.transpose(0, 2, 3, 1)).reshape(out, -1),
            None if bias is None else bias_of(node, bias, out),
            in_channels=per_group * groups, groups=groups,
            kernel_time=time.size, stride_time=time.stride, dilation_time=time.dilation,
            before=time.before, after=time.after,
            positions=positions, kernel_size=kernel, stride=within.stride,
            dilation=within.dilation, left=within.before, right=within.after,
            padding_mode=within.mode if tall.is_still else tall.mode,
            height=height, kernel_height=tall.size, stride_height=tall.stride,
            dilation_height=tall.dilation, top=tall.before, bottom=tall.after,
        )  # fmt: skip
    except RnnError as error:
        raise node.unsupported(str(error)) from error


def made(node: Node, data: Data, layer: Conv, over: Windows, roles: Roles) -> Data:
    """What a convolution makes, in the places where the operator has it."""
    dims = list(data.dims)
    (last,) = data.fresh(layer.out_channels)
    dims[1] = (last,)
    positions: Dim = ()
    for place in (over.tall, over.inside):
        if place is not None:
            own = data.fresh(place.made(size_of(data.dims[place.position]) or 1))
            dims[place.position] = own
            positions += own
    if over.folded is not None:
        dims[over.folded.position] = ()
    if over.time is not None:
        at = over.time.position
        dims[at] = timed(node, data, at, layer.window, roles)[at]
    layer, read = fused(layer, data)
    return replace(read.then(layer, tuple(dims), (*positions, last)), padding=())


@dataclass(frozen=True)
class Windows:
    """What an operator moves over: time, positions of a step, rows of these, and an axis of them of
    which it makes a single position, which are channels, then."""

    time: Place | None = None
    inside: Place | None = None
    folded: Place | None = None
    tall: Place | None = None

    @staticmethod
    def axes(data: Data, place: Place | None) -> Dim:
        return live(data.dims[place.position]) if place else ()


def windows(
    node: Node,
    data: Data,
    options: Mapping[str, Any],
    kernel: Sequence[int],
    makes_one: Callable[[Place], bool] | None = None,
) -> Windows:
    """The windows of an operator on [batch, channels, ...]; ``makes_one`` says which of them make a
    single position of an axis, where it is not a convolution."""
    for axis, _ in data.padding:
        if not any(axis in dim for dim in data.dims[2:]):
            raise node.unsupported(f"padding of {axis} in {show(data.dims)}, which no window reads")
    if live(data.dims[1]) and not of_features(data, 1):
        raise node.unsupported(f"dimension 1 of {show(data.dims)} should be features")
    times: list[Place] = []
    insides: list[Place] = []
    for index in range(len(kernel)):
        at = index + 2
        place = _place(node, data, options, kernel, index)
        past = any(axis in data.dims[at] for axis, padding in data.padding if padding.past)
        within = not past and (not live(data.dims[at]) or of_features(data, at))
        (insides if within else times).append(place)
    if len(times) > 1:
        raise node.unsupported(f"a window over two axes of {show(data.dims)} besides features")
    time = times[0] if times else None
    if len(insides) < 2:
        return Windows(time, insides[0] if insides else None)
    makes_one = makes_one or partial(_makes_one, data)
    single = [place for place in insides if makes_one(place)]
    if not single:
        return Windows(None, insides[1], tall=insides[0])
    folded = min(single, key=lambda place: size_of(data.dims[place.position]) or 1)
    (inside,) = (place for place in insides if place is not folded)
    return Windows(None, inside, folded)


def _makes_one(data: Data, place: Place) -> bool:
    """Whether a window makes a single position of an axis."""
    size = size_of(data.dims[place.position])
    if size is None or place.mode != "zeros":
        return False
    return place.made(size) == 1


def _place(
    node: Node, data: Data, options: Mapping[str, Any], kernel: Sequence[int], index: int
) -> Place:
    rank, at = len(kernel), index + 2
    strides = _of_each(node, options, "strides", rank)
    dilations = _of_each(node, options, "dilations", rank)
    pads = options["pads"] or [0] * 2 * rank
    if len(pads) != 2 * rank:
        raise node.malformed(f"attribute pads: expected {2 * rank} integers, got {pads}")
    before, after = pads[index], pads[rank + index]
    size, stride, dilation = kernel[index], strides[index], dilations[index]
    reach = (size - 1) * dilation
    padding = [more for axis, more in data.padding if axis in data.dims[at]]
    if any(more.past for more in padding):
        window = Place(at, size, stride, dilation, before, after, "zeros")
        return _over_past(node, data, options, window)
    auto = options["auto_pad"]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = reach
        if stride > 1:
            count = size_of(data.dims[at])
            if count is None:
                raise node.unsupported(f"attribute auto_pad={auto} with stride {stride}")
            count += sum(more.before + more.after for more in padding)
            total = max(0, (-(-count // stride) - 1) * stride + reach + 1 - count)
        before, after = (total // 2, total - total // 2)[:: 1 if auto == "SAME_UPPER" else -1]
    elif auto == "VALID":
        before = after = 0
    elif auto != "NOTSET":
        raise node.malformed(f"attribute auto_pad={auto}")
    mode = "zeros"
    for more in padding:
        if more.mode != "zeros" and (before or after):
            raise node.unsupported(f"zeros around padding of mode {more.mode}")
        before, after, mode = before + more.before, after + more.after, more.mode
    return Place(at, size, stride, dilation, before, after, mode)


def _over_past(node: Node, data: Data, options: Mapping[str, Any], window: Place) -> Place:
    """A window over new frames and those of before: each of its places ends with a new frame."""
    (padding,) = (more for axis, more in data.padding if axis in data.dims[window.position])
    reach = (window.size - 1) * window.dilation
    if options["auto_pad"] not in ("NOTSET", "VALID") or window.before or window.after:
        raise node.unsupported("pads the time, where a cache of past frames stands before it")
    if padding.before != reach or (window.stride > 1 and size_of(data.dims[window.position]) != 1):
        raise node.unsupported(
            f"a window that reaches {reach} frames back, with stride {window.stride}, over a cache "
            f"of {padding.before} past frames; expected as many, and stride 1"
        )
    return replace(window, before=reach, stride=1)


def _of_each(node: Node, options: Mapping[str, Any], name: str, rank: int) -> list[int]:
    values = options[name] or [1] * rank
    if len(values) != rank:
        raise node.malformed(f"attribute {name}: expected {rank} integers, got {values}")
    return [int(value) for value in values]


OPERATORS: Final = MappingProxyType({"Conv": (conv, 2, 3)})
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
