"""MaxPool and AveragePool: over time, over positions inside a step, or over both; and what is made
of all along an axis of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from ...errors import RnnError
from ...spec.layers.pool import Pool
from ...spec.layers.pool_within import PoolWithin
from .convolution import Place, windows
from .graph import Node
from .layout import arranged
from .placing import with_channels_second
from .roles import Roles
from .timing import timed
from .values import Data, Value, live, size_of

Values = Sequence[Value | None]
L = TypeVar("L", Pool, PoolWithin)


def pool(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """AveragePool and MaxPool of [batch, channels, ...]."""
    average = {"count_include_pad": ("int", 0)} if node.op == "AveragePool" else {}
    options = node.options(
        kernel_shape=("ints", None), strides=("ints", None), pads=("ints", None),
        auto_pad=("string", "NOTSET"), ceil_mode=("int", 0), dilations=("ints", None),
        storage_order=("int", 0), **average,
    )  # fmt: skip
    data, kernel = inputs[0], options["kernel_shape"] or []
    if not isinstance(data, Data) or len(kernel) not in (1, 2) or len(data.dims) != len(kernel) + 2:
        raise node.unsupported(
            "expected the data, [batch, channels, time], or with one axis of positions more"
        )
    if options["storage_order"] or any(size != 1 for size in options["dilations"] or []):
        name = "storage_order" if options["storage_order"] else "dilations"
        raise node.unsupported(f"attribute {name}={options[name]} is not supported")
    data = with_channels_second(node, data, roles)
    over = windows(node, data, options, kernel)
    mode = "average" if average else "max"
    places = (over.folded, over.tall, over.inside)
    inside = [place for place in places if place is not None and _moves(place)]
    for place in inside:
        data = _within(node, data, options, mode, place)
    over_time = over.time
    if over_time is None or (inside and not _moves(over_time)):
        return [data]
    if options["ceil_mode"]:
        raise node.unsupported("attribute ceil_mode=1 over time is not supported")
    layer = _made(
        node, Pool, mode, over_time.size, over_time.stride, over_time.before, over_time.after,
        _counts(options, over_time),
    )  # fmt: skip
    dims = timed(node, data, over_time.position, layer.window, roles)
    return [data.then(layer, dims, data.features)]


def _made(node: Node, layer: type[L], *options: Any) -> L:
    try:
        return layer(*options)
    except RnnError as error:
        raise node.unsupported(str(error)) from error


def _moves(place: Place) -> bool:
    return (place.size, place.stride) != (1, 1) or place.before + place.after > 0


def _counts(options: Mapping[str, Any], place: Place) -> bool:
    """Whether padding counts in a mean; where there is none, it does."""
    return bool(options.get("count_include_pad", 1)) or place.before == place.after == 0


def _within(node: Node, data: Data, options: Mapping[str, Any], mode: str, inside: Place) -> Data:
    at = inside.position
    own = live(data.dims[at])
    rest = tuple(axis for axis in live(data.features) if axis not in own)
    data = arranged(node, data, (*own, *rest))
    positions, channels = size_of(own), size_of(rest)
    if positions is None or channels is None:
        raise node.unsupported("the file does not say how many positions or channels there are")
    after = inside.after
    padded = inside.before + positions + after
    beyond = (padded - inside.size) % inside.stride
    if options["ceil_mode"] and beyond:
        if mode != "max":
            raise node.unsupported("attribute ceil_mode=1 of a mean is not supported")
        first = padded - beyond - inside.size + inside.stride  # of one more window
        after += inside.stride - beyond if first < inside.before + positions else 0
    layer = _made(
        node, PoolWithin, mode, positions, channels, inside.size, inside.stride, inside.before,
        after, _counts(options, inside),
    )  # fmt: skip
    fewer = data.fresh(layer.positions_made)
    dims = (*data.dims[:at], fewer, *data.dims[at + 1 :])
    return data.then(layer, dims, (*fewer, *rest))


def whole_axis(node: Node, data: Data, at: int, mode: str) -> Data:
    """The mean (``"average"``) or the largest (``"max"``) of all along a dimension that is
    features, which stays, of size 1."""
    axes = live(data.dims[at])
    rest = tuple(axis for axis in live(data.features) if axis not in axes)
    data = arranged(node, data, (*axes, *rest))
    positions, channels = size_of(axes), size_of(rest)
    if positions is None or channels is None:
        raise node.unsupported("the file does not say how many features there are")
    layer = PoolWithin(mode, positions, channels, positions)
    one = data.fresh(1)
    dims = (*data.dims[:at], one, *data.dims[at + 1 :])
    return data.then(layer, dims, rest or one)


OPERATORS: Final = MappingProxyType(dict.fromkeys(("AveragePool", "MaxPool"), (pool, 1, 1)))
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
