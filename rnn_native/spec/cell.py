"""What every cell states: its options, arrays and states, what it shows, and its equations.

A cell is a class of its own in ``spec/cells``, and nothing else: what takes the options, reads and
writes files, or shows gates asks it.

Notation of the equations: ``*`` is the elementwise product, ``W x`` a matrix product,
``x_t`` the input of step t, ``h_t`` the state that is also the output. In the code a batch of
rows stands where the equations have one column, and ``dot(x, W)`` for ``W x``: which product that
is says in what precision (``products.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol

from ..activations import Activation, Array, Function
from .keys import Key
from .products import Dot

Weights = Mapping[str, Array]
CellState = tuple[Array, ...]  # of one layer and direction, each [batch, size]
Functions = tuple[Function, ...]  # f, g, h of one direction, as far as the cell has them

ACTIVATIONS_KEY = Key("activations", "activations", optional=True, only_runs=True)
CLIP_KEY = Key("clip", "number", optional=True, only_runs=True)
GATE_KEY = Key("gate_recurrent", "flag", False, optional=True)


class Options(Protocol):
    """Of a Recurrent, those that the equations ask for."""

    @property
    def nonlinearity(self) -> str: ...
    @property
    def reset_after(self) -> bool: ...
    @property
    def proj_size(self) -> int: ...
    @property
    def peephole(self) -> bool: ...
    @property
    def input_forget(self) -> bool: ...
    @property
    def cell_clip(self) -> float | None: ...


class Cell(ABC):
    """A recurrent cell."""

    name: ClassVar[str]
    kind: ClassVar[str]
    """``cell`` of a Recurrent: of two cells of a kind, one has ``gate_recurrent``."""
    gate_recurrent: ClassVar[bool] = False
    gates: ClassVar[tuple[str, ...]]
    """The blocks of rows of ``weight_ih``, top to bottom."""
    state_names: ClassVar[tuple[str, ...]]
    """What it carries from step to step: h first, which is also its output."""
    trace_names: ClassVar[tuple[str, ...]]
    """What it calculates in one step, in the order of its equations."""
    activations: ClassVar[tuple[Activation, ...]]
    """What it has where nothing else is said, in ONNX's order: f; f, g; f, g, h."""
    keys: ClassVar[tuple[Key, ...]]
    """The options that it has besides those of every Recurrent."""
    article: ClassVar[Mapping[str, Any]] = {}
    """The options with which a Recurrent of this ``cell`` is that of the article "a comparison of
    the traditional RNN, the GRU and the LSTM"."""

    @property
    def has_bias_hh(self) -> bool:
        return not self.gate_recurrent

    def check(self, options: Mapping[str, Any]) -> None:  # noqa: B027
        """Raises for options, each of which the cell has, that do not go together."""

    def shapes(
        self, inputs: int, hidden: int, options: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name, without layer and direction, and shape of each array of one layer and direction,
        in ``state_dict`` order."""
        rows = len(self.gates) * hidden
        yield "weight_ih", (rows, inputs)
        yield from self.recurrent_shapes(hidden, options)
        if options["bias"]:
            yield "bias_ih", (rows,)
            if self.has_bias_hh:
                yield "bias_hh", (rows,)

    def recurrent_shapes(
        self, hidden: int, options: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Those of its matrices that multiply a state."""
        yield "weight_hh", (len(self.gates) * hidden, options["proj_size"] or hidden)

    def plain(self, every: tuple[Activation, ...], directions: int) -> dict[str, Any]:
        """The options that say these ``activations`` of all directions, so that equal cells have
        equal options: what can be said without ``activations`` is."""
        return {} if every == self.activations * directions else {"activations": every}

    def activations_of(self, layer: Options) -> tuple[Activation, ...]:
        """Those of one direction where a Recurrent has no ``activations``."""
        return self.activations

    @abstractmethod
    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        """The equations of one time step, of one layer and direction, for a batch of rows:
        everything that is calculated, by ``trace_names``, the new state among it.

        ``functions`` are its activations; ``w`` its arrays in float64 without layer and direction
        in their names, biases of 0 where there is none; ``x`` [batch, inputs]; ``state`` by
        ``state_names``, each [batch, size]; ``dot`` makes every product with a matrix.
        """
