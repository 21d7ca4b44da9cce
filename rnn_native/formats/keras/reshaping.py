"""Keras's layers that give the numbers of a step in another form: views, padding and cutting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ...errors import FormatError
from ...spec import Expand, Strided, Upsample
from ...spec.layers.conv import Conv
from .config import Layer
from .flow import Flow
from .shape import Shape, reshaped, sequence, shown, spans, total
from .store import Store
from .windows import check_format, numbers


def _reshape(layer: Layer, store: Store, flow: Flow) -> None:
    target = layer.options.get("target_shape")
    if (
        not isinstance(target, (list, tuple))
        or not all(isinstance(n, int) and (n > 0 or n == -1) for n in target)
        or list(target).count(-1) > 1
    ):
        raise FormatError(f"{layer}: target_shape: expected sizes, of which one may be -1; "
                          f"got {target!r}")  # fmt: skip
    _become(layer, flow, target)


def _flatten(layer: Layer, store: Store, flow: Flow) -> None:
    check_format(layer)
    _become(layer, flow, [-1])


def _become(layer: Layer, flow: Flow, target: Sequence[int]) -> None:
    if flow.shape is None:
        raise layer.unsupported("the file does not say how large its input is")
    made = reshaped(flow.shape, target)
    if made is None:
        time = flow.shape.time
        kept = "" if time is None else f"axis {time + 1}, which is the time, to stay one, and "
        raise layer.unsupported(
            f"{flow.shape} to {shown([None if n == -1 else n for n in target])}: expected {kept}as "
            "many features in a step"
        )
    flow.lose_mask(layer)
    if made != flow.shape:
        flow.put_in_order()
    flow.shape = made


def _permute(layer: Layer, store: Store, flow: Flow) -> None:
    dims = layer.options.get("dims")
    dims = list(dims) if isinstance(dims, (list, tuple)) else []
    rank = len(dims)
    if not rank or any(one not in dims for one in range(1, rank + 1)):
        raise FormatError(f"{layer}: dims: expected the numbers of axes from 1 on, got {dims!r}")
    shape = flow.expect(layer, rank)
    order = [one - 1 for one in dims]
    flow.put_in_order()
    flow.lose_mask(layer)
    place = None if shape.time is None else order.index(shape.time)
    flow.shape = Shape(tuple(shape.sizes[axis] for axis in order), place)
    rest = [shape.features.index(axis) for axis in order if axis != shape.time]
    if rest != sorted(rest):
        sizes = _known(layer, shape)
        far = spans(sizes)
        _view(layer, flow, sizes, [sizes[axis] for axis in rest], [far[axis] for axis in rest], 0)


def _known(layer: Layer, shape: Shape) -> tuple[int, ...]:
    sizes = tuple(n for n in shape.inside if n is not None)
    if len(sizes) != len(shape.inside):
        raise layer.unsupported(f"the file does not say how large its input {shape} is")
    return sizes


def _view(
    layer: Layer, flow: Flow, inside: Sequence[int], sizes: Sequence[int], far: Sequence[int],
    offset: int,
) -> None:  # fmt: skip
    """Adds a view of steps of these sizes, axes of one element left out."""
    axes = [(n, stride) for n, stride in zip(sizes, far, strict=True) if n > 1] or [(1, 0)]
    if len(axes) > _AXES:
        raise layer.unsupported(f"of {len(axes)} axes inside a step; up to {_AXES} are supported")
    features = total(inside)
    assert features is not None
    counts, strides = zip(*axes, strict=True)
    flow.layers.append(Strided(features, counts, strides, offset))


def _repeat_vector(layer: Layer, store: Store, flow: Flow) -> None:
    """Of a step's features: [features] becomes [n, features]; or, of what has no time, steps."""
    shape, times = flow.expect(layer, 1), layer.option("n", int)
    if times < 1:
        raise FormatError(f"{layer}: n: expected at least 1, got {times}")
    sizes = _known(layer, shape)
    flow.put_in_order()
    if shape.time is None and flow.over_time == times:
        if flow.mask_value is not None:
            raise layer.unsupported("in a model that masks steps: Keras reads all of the new ones")
        flow.layers.append(Expand())
        flow.shape = sequence(times, *sizes)
        return
    flow.lose_mask(layer)
    _view(layer, flow, sizes, [times, *sizes], [0, 1], 0)
    flow.shape = Shape((times, *sizes), None)


def _up_sampling(layer: Layer, store: Store, flow: Flow) -> None:
    """Each place of an axis several times, one behind the other."""
    rank = _RANKS[layer.kind]
    check_format(layer)
    sizes = numbers(layer, "size", rank, 2)
    if layer.options.get("interpolation", "nearest") != "nearest":
        raise layer.unsupported(f"interpolation={layer.options['interpolation']!r}")
    shape = flow.expect(layer, rank + 1)
    flow.put_in_order()
    flow.lose_mask(layer)
    time = shape.time
    over_time = 1 if time is None or time >= rank else sizes[time]
    if time is not None and over_time > 1:
        if not flow.layers:  # it cannot be first
            features = total(_known(layer, shape)) or 1
            flow.layers.append(Strided(features, (features,), (1,)))
        flow.layers.append(Upsample(over_time))
        steps = shape.steps
        shape = shape.with_size(time, None if steps is None else steps * over_time)
        if all(sizes[axis] == 1 for axis in range(rank) if axis != time):
            flow.shape = shape
            return
    inside = _known(layer, shape)
    far, counts, strides = spans(inside), [], []
    for axis, count, stride in zip(shape.features, inside, far, strict=True):
        times = sizes[axis] if axis < rank else 1
        counts += [count, times]
        strides += [stride, 0]
        shape = shape.with_size(axis, count * times)
    _view(layer, flow, inside, counts, strides, 0)
    flow.shape = shape


def _zero_padding(layer: Layer, store: Store, flow: Flow) -> None:
    """Kept in mind for a convolution behind it."""
    rank = _RANKS[layer.kind]
    check_format(layer)
    flow.expect(layer, rank + 1)
    flow.lose_mask(layer)
    for axis, (before, after) in enumerate(_sides(layer, "padding", rank)):
        if before == after == 0:
            continue
        old = flow.padding.get(axis, (0, 0))
        flow.padding[axis] = (old[0] + before, old[1] + after)


def _cropping(layer: Layer, store: Store, flow: Flow) -> None:
    """Over the time, padding of the convolution before is left out; inside a step, features."""
    rank = _RANKS[layer.kind]
    check_format(layer)
    shape = flow.expect(layer, rank + 1)
    sides = _sides(layer, "cropping", rank)
    flow.lose_mask(layer)
    if shape.time is not None and sides[shape.time] != (0, 0):
        first, last = sides[shape.time]
        _crop_time(layer, flow, *((last, first) if flow.flipped else (first, last)))
        steps = shape.steps
        shape = shape.with_size(shape.time, None if steps is None else steps - first - last)
    cut = {axis: sides[axis] for axis in range(rank) if axis != shape.time and any(sides[axis])}
    if cut:
        flow.put_in_order()
        inside = _known(layer, shape)
        far = spans(inside)
        offset = 0
        for axis, (first, last) in cut.items():
            count = inside[shape.features.index(axis)] - first - last
            if count < 1:
                raise FormatError(f"{layer}: cuts {first} and {last} of {shape}")
            offset += first * far[shape.features.index(axis)]
            shape = shape.with_size(axis, count)
        _view(layer, flow, inside, _known(layer, shape), far, offset)
    flow.shape = shape


def _crop_time(layer: Layer, flow: Flow, first: int, last: int) -> None:
    conv = flow.layers[-1] if flow.layers else None
    if (
        not isinstance(conv, Conv)
        or conv.stride_time != 1
        or conv.before < first
        or conv.after < last
    ):
        raise layer.unsupported(
            f"{first} and {last} of the time; only the padding of a convolution right before it "
            "can be cut"
        )
    flow.layers[-1] = replace(conv, before=conv.before - first, after=conv.after - last)


def _sides(layer: Layer, name: str, rank: int) -> list[tuple[int, int]]:
    """How many places before and after, of each axis: Keras writes a number, a number of each
    axis, or two of each."""
    value = layer.options.get(name, 1)
    every = [value] * rank if isinstance(value, int) else value
    if rank == 1 and isinstance(every, (list, tuple)) and len(every) == 2:
        every = [every]
    if isinstance(every, (list, tuple)) and len(every) == rank:
        sides = [[one, one] if isinstance(one, int) else one for one in every]
        if all(isinstance(s, (list, tuple)) and len(s) == 2 for s in sides) and all(
            isinstance(n, int) and n >= 0 for s in sides for n in s
        ):
            return [(s[0], s[1]) for s in sides]
    raise FormatError(
        f"{layer}: {name}: expected two integers of each of {rank} axes, got {value!r}"
    )


_AXES: Final = 4
_RANKS: Final = MappingProxyType({
    f"{name}{rank}D": rank for name in ("ZeroPadding", "Cropping", "UpSampling") for rank in (1, 2)
})  # fmt: skip
RESHAPING: Final = MappingProxyType({
    "Flatten": _flatten,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    "Reshape": _reshape,
    **{f"Cropping{rank}D": _cropping for rank in (1, 2)},
    **{f"UpSampling{rank}D": _up_sampling for rank in (1, 2)},
    **{f"ZeroPadding{rank}D": _zero_padding for rank in (1, 2)},
})  # fmt: skip
PADDING: Final = tuple(f"ZeroPadding{rank}D" for rank in (1, 2))
