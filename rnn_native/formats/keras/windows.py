"""How the windows of Keras's convolutions and pools move along the axes of a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import FormatError
from ...spec.layers.transposed import Phases
from .config import Layer
from .flow import Flow
from .padding import settle
from .shape import Shape, Size, total


@dataclass(frozen=True)
class Along:
    """A window along one axis, in ``place`` of the shape, with its padding."""

    place: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self) -> int:
        return (self.size - 1) * self.dilation

    @property
    def stays(self) -> bool:
        """Whether each place is made of itself alone."""
        return self.size == self.stride == 1 and self.before == self.after == 0

    def made(self, count: Size) -> Size:
        """How many places there are behind it."""
        if count is None:
            return None
        return max(0, (count + self.before + self.after - self.reach - 1) // self.stride + 1)


@dataclass(frozen=True)
class Moves:
    """What a window moves over: the time, one axis of the positions inside a step, and rows of
    these; None: it stays. ``positions`` are all that a step has, or a row of it, ``height`` the
    rows, ``shape`` is what it makes, the channels as they come."""

    time: Along | None
    inside: Along | None
    positions: int
    shape: Shape
    tall: Along | None = None
    height: int = 1


def windows_of(
    layer: Layer,
    flow: Flow,
    rank: int,
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[Shape, list[Along]]:
    """Of a layer whose window has ``rank`` axes: the axes of its input, and the window along each
    of them, with the padding of the layer before."""
    check_format(layer)
    shape = flow.expect(layer, rank + 1)
    at = shape.time
    if at in flow.padding and max(flow.padding[at]) > (sizes[at] - 1) * dilations[at]:
        settle(layer, flow)  # of which a window would have nothing else
        shape = flow.expect(layer, rank + 1)
    every = [
        _along(layer, flow, shape, axis, sizes[axis], strides[axis], dilations[axis])
        for axis in range(rank)
    ]
    flow.padding = {}
    if not shape.has_channels:
        raise layer.unsupported(f"its input {shape} has the time as its last axis")
    flow.lose_mask(layer)
    if flow.flipped and any(own.place == shape.time and own.stride > 1 for own in every):
        raise layer.unsupported(
            "strides above 1 after go_backwards=True, of steps that Keras turned round"
        )
    return shape, every


def phases_of(
    layer: Layer, flow: Flow, rank: int, sizes: Sequence[int]
) -> tuple[Shape, list[Phases]]:
    """Of a transposed convolution: the axes of its input, and what it does along each of them."""
    check_format(layer)
    settle(layer, flow)
    shape = flow.expect(layer, rank + 1)
    padding = layer.options.get("padding", "valid")
    if padding not in ("valid", "same"):
        raise layer.unsupported(f"padding={padding!r}: expected 'valid' or 'same'")
    if layer.options.get("output_padding") is not None:
        raise layer.unsupported(f"output_padding={layer.options['output_padding']}: expected None")
    if not shape.has_channels:
        raise layer.unsupported(f"its input {shape} has the time as its last axis")
    flow.put_in_order()
    flow.lose_mask(layer)
    strides = numbers(layer, "strides", rank, 1)
    dilations = numbers(layer, "dilation_rate", rank, 1)
    every = []
    for size, stride, dilation in zip(sizes, strides, dilations, strict=True):
        over = Phases(size, stride, dilation).beyond  # more than stride for each
        cut = max(0, over) if padding == "same" else 0
        every.append(Phases(size, stride, dilation, cut // 2, cut - cut // 2, max(0, -over)))
    return shape, every


def moves(layer: Layer, shape: Shape, every: Sequence[Along]) -> Moves:
    """What a window over several axes at once moves over."""
    time = next((own for own in every if own.place == shape.time and not own.stays), None)
    moved = [own for own in every if own.place != shape.time and not own.stays]
    others = [shape.sizes[own.place] for own in every if own.place != shape.time and own.stays]
    positions = shape.positions
    if positions is None:
        raise layer.unsupported(f"the file does not say how large its input {shape} is")
    made = shape
    for own in every:
        made = made.with_size(own.place, own.made(shape.sizes[own.place]))
    if len(moved) <= 1 and (not moved or total(others) == 1):
        return Moves(time, moved[0] if moved else None, positions, made)
    tall, inside = every  # a picture inside a step
    height = shape.sizes[tall.place]
    assert height is not None
    return Moves(None, inside, positions // height, made, tall, height)


def _along(
    layer: Layer, flow: Flow, shape: Shape, axis: int, size: int, stride: int, dilation: int
) -> Along:
    padding = layer.options.get("padding", "valid")
    more = flow.padding.get(axis, (0, 0))
    reach, count = (size - 1) * dilation, shape.sizes[axis]
    before = after = 0
    if padding == "same":
        total_ = reach
        if stride > 1 and count is not None:
            count += sum(more)
            total_ = max(0, (-(-count // stride) - 1) * stride + reach + 1 - count)
        elif stride > 1 and reach > 1:
            raise layer.unsupported(
                "padding='same' with strides above 1, whose padding depends on how many steps "
                "come, which the file does not say; padding='valid' is supported"
            )
        before, after = total_ // 2, total_ - total_ // 2
    elif padding == "causal" and len(shape.sizes) == 2:
        before = reach
    elif padding != "valid":
        raise layer.unsupported(f"padding={padding!r}: expected 'valid' or 'same'")
    return Along(axis, size, stride, dilation, before + more[0], after + more[1])


def check_format(layer: Layer) -> None:
    if layer.options.get("data_format") not in (None, "channels_last"):
        raise layer.unsupported(
            f"data_format={layer.options['data_format']!r}: expected 'channels_last'"
        )


def numbers(layer: Layer, name: str, count: int, default: object) -> list[int]:
    """An option of one integer for each of some axes, or of one for all of them."""
    value = layer.options.get(name, default)
    value = default if value is None else value
    every: list[int] = list(value) if isinstance(value, (list, tuple)) else [value] * count  # type: ignore[list-item]
    if len(every) != count or not all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in every
    ):
        what = "an integer" if count == 1 else f"{count} integers"
        raise FormatError(f"{layer}: {name}: expected {what} from 1 on, got {value!r}")
    return every
