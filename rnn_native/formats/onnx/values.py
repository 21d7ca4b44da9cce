"""What the tensors of a graph stand for while it is read.

A graph says in numbers (axis 1, size -1) what a model means in words (the batch, the features).
So every axis of the data is an object that keeps its identity through Transpose, Squeeze and
Reshape, and gets a role, time or batch, from the recurrent node that uses it as such. What ends
up in another place than its role allows is refused, never misread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Final

from ...errors import RnnError, UnsupportedError
from ...spec import Layer, Recurrent
from .drafts import Draft
from .graph import INTEGERS, Anything, Node

MAX_LAYERS: Final = 1024
"""Of a chain: what reading one takes grows with the square of it."""


@dataclass(eq=False)
class Axis:
    """One axis as the data were made.

    ``size`` is None while unknown; ``role`` is time, batch or, from the start, features;
    ``symbol`` is what the file calls the size where it is free.
    """

    name: str
    size: int | None
    role: str | None = None
    symbol: str = ""

    def __str__(self) -> str:
        return self.role if self.role in ("time", "batch") else self.name


Dim = tuple[Axis, ...]
"""One dimension of a tensor: the axes merged in it, row-major; () is a dimension of size 1."""


def live(dim: Sequence[Axis]) -> Dim:
    """The axes of a dimension that are not of size 1: where numbers can be told apart."""
    return tuple(axis for axis in dim if axis.size != 1)


def size_of(dim: Sequence[Axis]) -> int | None:
    sizes = [axis.size for axis in dim]
    return None if None in sizes else prod(size for size in sizes if size is not None)


def show(dims: Sequence[Dim]) -> str:
    """``[time, batch, direction*features]`` for messages."""
    return "[" + ", ".join("*".join(map(str, dim)) or "1" for dim in dims) + "]"


@dataclass(frozen=True)
class Extent:
    """One number of a shape: ``factor`` times the sizes of axes that may be unknown."""

    factor: int
    axes: Dim = ()

    @property
    def known(self) -> int | None:
        size = size_of(self.axes)
        return None if size is None else self.factor * size


@dataclass(frozen=True)
class Data:
    """What flows through the chain, from an input of the graph through some layers.

    ``features`` are the axes that together, in this order, are the features of one step; of the
    input that is its last axis, and () where it is integers. ``element`` is the element type as
    ONNX calls it.
    """

    source: str
    element: str
    dims: tuple[Dim, ...]
    features: Dim
    layers: tuple[Draft, ...] = ()

    def check_features(self, node: Node, position: int) -> None:
        """Refuses unless dimension ``position`` is the features and nothing else."""
        if self.element in INTEGERS:
            raise node.unsupported(f"its input {self.source!r} is integers")
        if not -len(self.dims) <= position < len(self.dims):
            raise node.malformed(f"dimension {position} of a tensor of rank {len(self.dims)}")
        if live(self.dims[position]) != live(self.features):
            raise node.unsupported(
                f"dimension {position} of its input {show(self.dims)} should be "
                f"the features {show([self.features])}"
            )

    def expect_features(self, node: Node, size: int) -> None:
        """Checks that the last dimension is the features and that they are ``size``."""
        self.check_features(node, -1)
        if len(self.features) == 1 and self.features[0].size is None:
            self.features[0].size = size
        if size_of(self.features) != size:
            came = size_of(self.features)
            raise node.malformed(f"its weights take {size} features, {came} come")

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        """Those among its layers, also inside of one."""
        each = (
            d.recurrents if not isinstance(d, Layer) else (d,) if isinstance(d, Recurrent) else ()
            for d in self.layers
        )
        return tuple(layer for layers in each for layer in layers)

    def then(self, draft: Draft, dims: tuple[Dim, ...], features: Dim) -> Data:
        """The data after one more layer."""
        if len(self.layers) >= MAX_LAYERS:
            raise UnsupportedError(f"a chain of more than {MAX_LAYERS} layers")
        return Data(self.source, self.element, dims, features, (*self.layers, draft))


@dataclass(frozen=True)
class Constant:
    """A tensor of the file, or one computed from such."""

    array: Anything


@dataclass(frozen=True)
class Zeros:
    """A float tensor of zeros, whose shape may not be known (None) or only in part."""

    shape: tuple[Extent | None, ...] | None


@dataclass(frozen=True)
class Repeated:
    """A constant that Expand or Tile has repeated along axes of size 1, how often is not known."""

    array: Anything


@dataclass(frozen=True)
class Shape:
    """Integers that are sizes: a vector, or one number."""

    extents: tuple[Extent, ...]
    scalar: bool = False


@dataclass(frozen=True)
class Filled:
    """Integers that are all the same size, of whatever shape."""

    extent: Extent


@dataclass(frozen=True)
class StateIn:
    """Part of an input of the graph, from ``start`` along ``axis``: a state, of ``shape``."""

    source: str
    axis: int
    start: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Half:
    """The first (0) or the second half of the features of the data."""

    data: Data
    which: int


@dataclass(frozen=True)
class StateOut:
    """Final states of these layers, in whatever arrangement.

    ``parts`` are their h as data, [directions, batch, features] joined along the first axis in this
    order, or one that has been arranged; () where it is not known which numbers stand where.
    """

    layers: tuple[Recurrent, ...]
    parts: tuple[Data | Half, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What could not be read: the error to raise, should anything need the tensor."""

    error: RnnError


def layers_of(value: object) -> list[tuple[object, ...]]:
    """The tuples of layers that a value holds, which are shared where nothing was added."""
    if isinstance(value, Half):
        return layers_of(value.data)
    if isinstance(value, StateOut):
        return [value.layers, *(layers for part in value.parts for layers in layers_of(part))]
    return [value.layers] if isinstance(value, Data) else []


Value = Data | Constant | Zeros | Repeated | Shape | Filled | StateIn | StateOut | Half | Failure


@dataclass
class Roles:
    """Which axis is the time and which the batch, and which inputs are states and lengths."""

    axes: dict[str, Axis] = field(default_factory=dict)
    states: dict[tuple[str, int], str] = field(default_factory=dict)
    lengths: str | None = None
    recurrent_nodes: int = 0

    def bind(self, node: Node, data: Data, position: int, role: str) -> Axis:
        """The axis of dimension ``position``, which from here on has that role."""
        dim = data.dims[position]
        known = self.axes.get(role)
        candidates = live(dim)
        if len(candidates) == 1:
            axis = candidates[0]
        elif candidates:
            raise self._wrong(node, data, position, role)
        elif known is not None and known.size == 1:
            axis = known
        else:
            axis = next((a for a in dim if a.role in (None, role)), Axis(role, 1))
        if known is not None and axis is not known:
            raise self._wrong(node, data, position, role)
        axis.role = role
        self.axes[role] = axis
        return axis

    @staticmethod
    def _wrong(node: Node, data: Data, position: int, role: str) -> UnsupportedError:
        return node.unsupported(
            f"dimension {position} of its input {show(data.dims)} should be the {role} axis"
        )
