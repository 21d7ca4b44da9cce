"""What every layer states: its options and arrays, what it takes and gives, its equations.

A layer is a class of its own in ``spec/layers``: what reads and writes files, packs, runs and shows
layers asks it, and nobody else knows which kinds there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, ShapeError, UnsupportedError
from .keys import Key
from .weights import Array
from .window import MOST_PACES, Paces, Window

LAST: Final = ".last"
"""What follows a node's name in that of its second value, the last state."""
Float64 = NDArray[np.float64]
State = tuple[Float64, ...]


@dataclass(frozen=True)
class Value:
    """What an input of a model, or a layer, gives: [time, batch, features], or [batch, features].

    ``name`` is what messages call its giver; ``last`` where there is no axis of time: that somebody
    gives a last state alone, or that an input has none.
    """

    name: str
    features: int
    indices: bool = False  # [time, batch] of integers below ``features``
    last: str = ""
    paces: Paces = ()  # before it; () where it has the steps of the model's inputs
    static: bool = False  # it is there before the first step: of inputs without time alone


class Ran(NamedTuple):
    """What the equations of a layer come to."""

    outputs: tuple[Float64, ...]
    state: State = ()
    trace: Mapping[str, Float64] = {}


class Place(NamedTuple):
    """Where the core keeps a matrix: which of the layer's nodes, direction, name there."""

    node: int
    direction: int
    name: str


class TracedCell(NamedTuple):
    """What one cell shows, by name, with the features of each."""

    gates: dict[str, int]
    h: dict[str, int]
    c: dict[str, int]
    output: dict[str, int]


class Layer(ABC):
    """One layer of a model: options and arrays, checked when it is made and never changed."""

    kind: ClassVar[str]
    """The first word of its line in a file."""
    keys: ClassVar[tuple[Key, ...]] = ()
    """What follows in the line: all of its options and sizes."""
    takes_indices: ClassVar[bool] = False
    """Whether x is integers: the layer reads an input of the model."""
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """The least and the most values that it reads."""
    activation_key: ClassVar[str] = ""
    """The option that is the activation of its outputs, where its line has it."""
    can_be_first: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    if TYPE_CHECKING:  # fields or properties of each class

        @property
        def input_size(self) -> int | None:
            """Features of the input; of indices, how many there are. None: it takes any."""

        @property
        def output_size(self) -> int | None:
            """Features of the output. None: those of the input."""

    @property
    def features_taken(self) -> int | None:
        """Features of what it reads, of all positions; of indices, how many there are. None: it
        takes any."""
        return self.input_size

    @property
    def title(self) -> str:
        """What a model's repr calls it."""
        return self.kind

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The weights by the names they have in a file, after the layer's number."""
        return {}

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the weights, by the names of the constructor."""
        return {key.name: getattr(self, key.name) for key in self.keys}

    @property
    def line(self) -> dict[str, Any]:
        """The values of its keys."""
        return self.options

    @classmethod
    def make(cls, arrays: Mapping[str, Any], options: Mapping[str, Any]) -> Self:
        """The layer of these arrays and options."""
        return cls(**arrays, **options)

    @classmethod
    def keys_of(cls, values: Mapping[str, Any]) -> tuple[Key, ...]:
        """The keys of a line that has these, as far as they are known; raises ``FormatError``."""
        return cls.keys

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The layer of a line of a file and its arrays; raises ``RnnError``."""
        cls.check_arrays(values, arrays)
        return cls.make(arrays, values)

    @classmethod
    def check_arrays(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """``FormatError`` where these are not the arrays that the line's values call for."""
        shapes = dict(cls.shapes(values))
        if set(arrays) != set(shapes):
            wanted = f"the tensors {', '.join(sorted(shapes))}" if shapes else "no tensors"
            raise FormatError(f"expected {wanted}; found {', '.join(sorted(arrays)) or 'none'}")
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise FormatError(f"{name}: expected shape {shape}, got {arrays[name].shape}")

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every array that a line's values call for."""
        yield from ()

    @property
    def state_names(self) -> tuple[str, ...]:
        """What it carries from step to step, if anything."""
        return ()

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each array of its state."""
        return ()

    @property
    def state_rows(self) -> int:
        """Rows of each array of its state, [rows, batch, features]."""
        return 0

    def state_shapes(self, features: int) -> tuple[tuple[int, int], ...]:
        """Rows and features of each array of its state, where what it reads has so many."""
        return tuple((self.state_rows, size) for size in self.state_sizes)

    @property
    def needs_steps(self) -> bool:
        """Whether its input has to have an axis of time."""
        return False

    @property
    def takes_weight_dtype(self) -> bool:
        """Whether its matrices are stored as a model's ``weight_dtype``, or as they are."""
        return True

    @property
    def is_reducible(self) -> bool:
        """Whether it has such matrices."""
        return self.takes_weight_dtype and bool(self.packed())

    @property
    def window(self) -> Window | None:
        """Which steps of its input it makes each of its own of; None: of the one in its place."""
        return None

    @property
    def needs_all(self) -> str:
        """What messages call it where no step can be made before the last one of the input is
        there; empty where each can."""
        return ""

    def first_state(self, batch: int, features: int) -> State:
        """What its state is before the first step where nobody says another: arrays [rows, batch,
        features] by ``state_names``; ``features``: of what it reads."""
        return tuple(np.zeros((self.state_rows, batch, size)) for size in self.state_sizes)

    def paced_by(self, reads: Sequence[Value]) -> int:
        """Which of the values that it reads has the steps that it goes over; -1: those are the
        model's inputs'."""
        return next((i for i, value in enumerate(reads) if not value.static), 0)

    @property
    def num_nodes(self) -> int:
        """Nodes that it is in the core."""
        return 1

    def nodes_reading(self, count: int) -> int:
        """Nodes that it is in the core where it reads so many values."""
        return self.num_nodes

    @property
    def fan_in(self) -> int | None:
        """The n of initial weights in +-1/sqrt(n); None: normal ones."""
        return self.input_size

    @property
    def state_matrices(self) -> tuple[str, ...]:
        """The names of the matrices that multiply a state, a block of rows a gate."""
        return ()

    def rows_of(self, gate: str) -> slice | None:
        """Those of a gate in an array that has all gates; None where it has no such gate."""
        return None

    @property
    def own_activation(self) -> str:
        """That of its outputs; "" where they have none."""
        return str(self.line.get(self.activation_key, ""))

    def with_activation(self, name: str) -> Self:
        """The same layer, its outputs activated; ``UnsupportedError`` where they have none."""
        if not self.own_activation:
            raise UnsupportedError(f"{type(self).__name__}: its outputs have no activation")
        return self.make(self.arrays, self.options | {self.activation_key: name})

    @property
    def gives_steps(self) -> bool:
        """Whether the output has an axis of time where the input has one."""
        return True

    def last_of(self, name: str) -> str:
        """What messages say of it, called ``name``, where its output has no axis of time."""
        return f"{name} gives its last state alone (return_sequences=False)"

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """What it, called ``name`` in messages, gives of these; ``ShapeError`` or
        ``UnsupportedError``, which begin with ``where``, for what it cannot take."""
        if len(inputs) != 1:
            raise ShapeError(
                f"{where} ({type(self).__name__}): expected one input, got {len(inputs)}"
            )
        (x,) = inputs
        if self.takes_indices != x.indices:
            if x.indices:
                raise ShapeError(f"{where}: expected an input of features, {x.name} is of indices")
            raise UnsupportedError(f"{where}: an {type(self).__name__} can only be first")
        taken = self.features_taken
        if taken is not None and x.features != taken:
            raise ShapeError(
                f"{where} ({type(self).__name__}): expected an input of {taken} "
                f"features, {x.name} gives {x.features}"
            )
        if self.needs_steps and x.last:
            raise ShapeError(
                f"{where} ({type(self).__name__}): expected an input of steps, {x.last}"
            )
        features = x.features if self.output_size is None else self.output_size
        paces = x.paces
        if self.window is not None and not self.window.keeps_pace:
            paces = (*paces, self.window)
            if len(paces) > MOST_PACES:
                raise UnsupportedError(
                    f"{where}: at most {MOST_PACES} layers behind each other can change the number "
                    "of steps"
                )
        last = x.last if self.gives_steps else self.last_of(name)
        return (Value(name, features, last=last, paces=paces, static=x.static),)

    @abstractmethod
    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        """The equations in float64: whole sequences [time, batch, features], of indices [time,
        batch], or the last states alone [batch, features].

        ``state`` has arrays [rows, batch, features] by ``state_names``; ``valid`` [time, batch]
        says which steps there are.
        """

    def packed(self) -> dict[str, Place]:
        """Where the core keeps each of its matrices; vectors are kept beside it."""
        return {name: Place(0, 0, name) for name, a in self.arrays.items() if a.ndim == 2}

    def traced(self, prefix: str) -> list[TracedCell]:
        """What it shows of its steps, in the core's order; names begin with ``prefix``."""
        return []


def float64(array: Any) -> Float64:
    return np.asarray(array, dtype=np.float64)
