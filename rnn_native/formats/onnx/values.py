"""What the tensors of a graph stand for while it is read.

A graph says in numbers (axis 1, size -1) what a model means in words (the batch, the features).
So every axis of the data is an object that keeps its identity through Transpose, Squeeze and
Reshape, and gets a role, time or batch, from the recurrent node that uses it as such. What ends
up in another place than its role allows is refused, never misread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from typing import Final, NamedTuple

from ...errors import RnnError, UnsupportedError
from .drafts import Draft
from .graph import INTEGERS, Anything, Node

MAX_LAYERS: Final = 1024
"""Of a model; far more than any has."""
_ANY: Final = 2**62


@dataclass(eq=False)
class _Facts:
    """What is known of an axis, for all that are the same one."""

    name: str
    size: int | None
    role: str | None
    symbol: str
    sources: frozenset[str]
    axes: list[Axis]


class Axis:
    """One axis as the data were made; two of different inputs may turn out to be the same one.

    ``size`` is None while unknown; ``role`` is time, batch or, from the start, features;
    ``symbol`` is what the file calls the size where it is free; ``sources`` are the inputs.
    """

    def __init__(
        self,
        name: str,
        size: int | None,
        role: str | None = None,
        symbol: str = "",
        sources: Collection[str] = (),
    ) -> None:
        self._facts = _Facts(name, size, role, symbol, frozenset(sources), [self])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axis) and self._facts is other._facts

    __hash__ = None  # type: ignore[assignment]  # what it equals may change

    def __str__(self) -> str:
        return self._facts.role if self._facts.role in ("time", "batch") else self._facts.name

    @property
    def size(self) -> int | None:
        return self._facts.size

    @property
    def role(self) -> str | None:
        return self._facts.role

    @property
    def symbol(self) -> str:
        return self._facts.symbol

    @property
    def is_made(self) -> bool:
        """Whether it is no input's, but what a layer makes of one, such as fewer steps."""
        return not self._facts.sources

    def learn(self, size: int) -> None:
        self._facts.size = size

    def become(self, role: str) -> None:
        self._facts.role = role
        if role == "features":
            self._facts.name = role

    def release(self) -> None:
        """It is no features, as it was taken for, but an axis of which nothing is known."""
        self._facts.role = None
        self._facts.name = self._facts.symbol or "another axis"

    def join(self, other: Axis) -> bool:
        """Makes both the same one, if they can be: of inputs of which none has both."""
        one, two = self._facts, other._facts
        if one is two:
            return True
        if not one.sources or not two.sources or one.sources & two.sources:
            return False
        if "features" in (one.role, two.role) or (one.size == 1) != (two.size == 1):
            return False
        if None not in (one.size, two.size) and one.size != two.size:
            return False
        if None not in (one.role, two.role) and one.role != two.role:
            return False
        one.size = two.size if one.size is None else one.size
        one.role = one.role or two.role
        one.symbol = one.symbol or two.symbol
        one.sources |= two.sources
        one.axes += two.axes
        for axis in two.axes:
            axis._facts = one
        return True


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


@dataclass(eq=False)
class Step:
    """One layer, as far as it is read, and what it reads.

    ``base`` is the same without the activation that was added to it last; ``node`` is the operator
    that it begins with.
    """

    draft: Draft
    inputs: tuple[Data, ...]
    base: Step | None = None
    node: Node | None = None
    number: int = field(default_factory=count().__next__)
    """Larger than those of the steps whose values it reads."""
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        self.depth = 1 + max(data.depth for data in self.inputs)
        if self.depth > MAX_LAYERS:
            raise UnsupportedError(f"a chain of more than {MAX_LAYERS} layers")


class Padding(NamedTuple):
    """What a Pad has put before and behind an axis; ``mode`` as :class:`Conv` has it. ``past`` says
    that each call has frames of the calls before there, in front of the time."""

    before: int
    after: int
    mode: str
    past: bool = False


@dataclass(frozen=True)
class Data:
    """What flows through the graph: an input of it, or what a layer makes of others.

    ``features`` are the axes that together, in this order, are the features of one step; of an
    input that is its last axis, and () where it is integers. ``element`` is the element type as
    ONNX calls it. ``source`` is the input, or the first of those that it was made of. ``step`` is
    the layer that makes it, None for an input; ``last`` says that it is h after the last step.
    ``padding`` are axes that have been padded, whose sizes are still those of before.
    """

    source: str
    element: str
    dims: tuple[Dim, ...]
    features: Dim
    step: Step | None = None
    last: bool = False
    padding: tuple[tuple[Axis, Padding], ...] = ()

    @property
    def depth(self) -> int:
        """How many layers one behind the other make it."""
        return self.step.depth if self.step else 0

    @property
    def draft(self) -> Draft | None:
        """The layer that makes it."""
        return self.step.draft if self.step else None

    def fresh(self, *sizes: int | None) -> Dim:
        """Features of another value, of these sizes."""
        return tuple(Axis("features", size, "features") for size in sizes)

    def shaped(self, dims: tuple[Dim, ...]) -> Data:
        """The same numbers in another arrangement."""
        return self if dims == self.dims else replace(self, dims=dims)

    def check_floats(self, node: Node) -> None:
        if self.element in INTEGERS:
            raise node.unsupported(f"its input {self.source!r} is integers")

    def check_features(self, node: Node, position: int) -> None:
        """Refuses unless dimension ``position`` is the features and nothing else."""
        self.check_floats(node)
        if not -len(self.dims) <= position < len(self.dims):
            raise node.malformed(f"dimension {position} of a tensor of rank {len(self.dims)}")
        if live(self.dims[position]) != live(self.features):
            raise node.unsupported(
                f"dimension {position} of its input {show(self.dims)} should be "
                f"the features {show([self.features])}"
            )

    def expect_features(self, node: Node, size: int) -> None:
        """Checks that the last dimension is the features, in whatever order of their axes, and that
        they are ``size``."""
        self.check_floats(node)
        last = live(self.dims[-1]) if self.dims else ()
        if len(last) != len(live(self.features)) or any(axis not in self.features for axis in last):
            self.check_features(node, -1)
        if len(self.features) == 1 and self.features[0].size is None:
            self.features[0].learn(size)
        if size_of(self.features) != size:
            came = size_of(self.features)
            raise node.malformed(f"its weights take {size} features, {came} come")

    def expect_channels(self, node: Node, size: int) -> None:
        """Checks that the last dimension is some of the features, and that they are ``size``."""
        self.check_floats(node)
        last = live(self.dims[-1])
        if any(axis not in self.features for axis in last):
            self.check_features(node, -1)
        if size_of(last) != size:
            raise node.malformed(f"its weights take {size} features, {size_of(last)} come")

    def then(self, draft: Draft, dims: tuple[Dim, ...], features: Dim) -> Data:
        """The data after one more layer."""
        return Data(self.source, self.element, dims, features, Step(draft, (self,)))

    def instead(self, draft: Draft, base: Step | None = None) -> Data:
        """What another layer makes of the same, in the place of the last one."""
        assert self.step is not None
        step = Step(draft, self.step.inputs, base, self.step.node)
        return replace(self, step=step)


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


class Cut(NamedTuple):
    """What is left of an axis: ``size`` from ``start`` on, None where that is not known."""

    axis: Axis
    start: int
    size: int | None

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.size == self.axis.size

    def meets(self, other: Cut) -> bool:
        """Whether both are of the same axis, and have something in common."""
        if self.axis != other.axis:
            return False
        one, two = (range(c.start, c.start + (_ANY if c.size is None else c.size))
                    for c in (self, other))  # fmt: skip
        return max(one.start, two.start) < min(one.stop, two.stop)


@dataclass(frozen=True)
class StateIn:
    """Part of an input of the graph that is a state: ``dims`` are its dimensions, None for one of
    size 1 that was added; ``fixed`` were dimensions of size 1."""

    data: Data
    dims: tuple[Cut | None, ...]
    fixed: tuple[Cut, ...] = ()

    @property
    def source(self) -> str:
        return self.data.source

    @property
    def shape(self) -> tuple[int | None, ...]:
        return tuple(1 if cut is None else cut.size for cut in self.dims)

    def meets(self, other: StateIn) -> bool:
        """Whether both have a number of the same input in common."""
        cuts = [[cut for cut in (*part.dims, *part.fixed) if cut] for part in (self, other)]
        same = [(one, two) for one in cuts[0] for two in cuts[1] if one.axis == two.axis]
        return self.source == other.source and all(one.meets(two) for one, two in same)


@dataclass(frozen=True)
class Half:
    """The first (0) or the second half of the features of the data."""

    data: Data
    which: int

    def is_other_of(self, half: Half) -> bool:
        return self.data == half.data and self.which != half.which


@dataclass(frozen=True)
class StateOut:
    """Final states of the layers of these steps, in whatever arrangement.

    ``parts`` are their h as data, [directions, batch, features] joined along the first axis in this
    order, or one that has been arranged; () where it is not known which numbers stand where.
    """

    steps: tuple[Step, ...]
    parts: tuple[Data | Half, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What could not be read: the error to raise, should anything need the tensor, and the node
    that is not supported, if that is why."""

    error: RnnError
    node: Node | None = None


@dataclass(frozen=True)
class Pairs:
    """A number of each two steps, [batch, time, time]: products of query and key, or what becomes
    of the sum of both.

    ``rank`` is how many dimensions there are, the features of a sum among them; ``stage`` is
    ``"products"``, ``"sums"``, ``"tanh"``, ``"weighed"`` (by ``weight``, to one number, which is
    still a dimension), ``"scores"`` or ``"weights"``, what a softmax of scores is.
    """

    query: Data
    key: Data
    rank: int
    stage: str
    heads: int = 1
    scale: float = 1.0
    weight: Anything | None = None


Value = (
    Pairs | Data | Constant | Zeros | Repeated | Shape | Filled | StateIn | StateOut | Half
    | Failure
)  # fmt: skip
