"""A stack of recurrent layers: the options of every cell, and what is around its steps.

What a cell is and calculates is in ``spec.cells``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...activations import Activation
from ...errors import FormatError
from ..cell import Cell, Functions
from ..cells import KINDS, cell_of
from ..keys import Key, in_line
from ..layer import Float64, Place, Ran, State, TracedCell, Value, float64
from ..multiplying import Multiplying
from ..products import Dot, exact
from ..weights import Array, as_weights, brief
from .initial_state import array_name, as_initial_state, split
from .recurrent_options import SUFFIXES, keys_of, recurrent_options, recurrent_shapes
from .recurrent_run import run_positions


@dataclass(frozen=True, eq=False)
class Recurrent(Multiplying):
    """A stack of recurrent layers, as one ``torch.nn.RNN``, ``GRU`` or ``LSTM`` is.

    Parameters
    ----------
    cell
        ``"rnn"``, ``"gru"`` or ``"lstm"``.
    input_size, hidden_size, num_layers
        Sizes, each at least 1.
    weights
        The arrays of the module's docstring, exactly those that the options call for.
    direction
        ``"forward"``, ``"reverse"`` (runs from the last step to the first, its outputs in the
        input's order) or ``"bidirectional"`` (outputs of both concatenated on the features).
    bias
        Whether ``bias_ih`` and ``bias_hh`` exist (and ``bias_o`` of an output layer).
    nonlinearity
        RNN only: ``"tanh"``, ``"relu"`` or ``"sigmoid"``.
    reset_after
        GRU only: the reset gate multiplies W_hn h + b_hn (True: PyTorch, cuDNN) or h itself
        before the product (False: Cho et al. 2014; ONNX ``linear_before_reset=0``).
    proj_size
        LSTM only: size P of the projection of the hidden state, 0 for none.
    peephole
        LSTM only: diagonal peepholes (Gers and Schmidhuber 2000), i and f on c_{t-1},
        o on c_t.
    gate_recurrent
        GRU and LSTM only: the gates recur on gates in the place of h, kin to the full gate
        recurrence in Greff et al. (2017); the equations are those of ``spec.cells``. Without
        ``reset_after=False``, ``proj_size`` and ``peephole``.
    output_layer
        RNN only: size O of a layer behind the stack, o_t = f(W_ho h_t + W_xo x_t + b_o), whose
        o_t are then the outputs; h_t is that of the top layer, x_t the input of the bottom one.
        0 for none.
    output_nonlinearity
        RNN with an output layer only: f, one of ``ACTIVATIONS``.
    activations
        In the place of the cell's own, in ONNX's order: RNN (f,); GRU (f, g), of both gates and
        of the candidate; LSTM (f, g, h), of the gates i, f, o, of the candidate, and of c_t where
        h_t is made of it. As many as that, or so many for each direction, the forward one's
        first; None: tanh; sigmoid, tanh; sigmoid, tanh, tanh. Not beside ``nonlinearity``, and
        not with ``gate_recurrent`` or an output layer.

        Stored are those of all directions, or None where they are the standard ones; an RNN's
        that are tanh, relu or sigmoid in all directions become its ``nonlinearity``.
    clip
        Above 0: the input of every activation, that of h as well, is clamped to [-clip, clip].
        None for no bounds; not with ``gate_recurrent`` or an output layer.
    input_forget
        LSTM only: the forget gate is coupled to the input gate, f_t = 1 - i_t; the weights of f
        are there, and have no effect. Not with ``gate_recurrent``.
    cell_clip
        LSTM only, above 0: c_t is clamped to [-cell_clip, cell_clip] before anything reads it.
        None for no bounds; not with ``gate_recurrent``.
    return_sequences
        Whether the outputs are those of all steps; False: only the top layer's h after each row's
        last valid step (in the reverse direction, after its step 0), of both directions side by
        side, and no axis of time from here on. Not with an output layer.
    initial_state
        What a run begins with that states no state, the same for every row of a batch; None: zeros,
        and all zeros are None. A mapping by ``state_names``, in which what is not there is zero, a
        tuple in their order, or of one state its array; each [num_layers * num_directions, size],
        or [num_layers * num_directions, 1, size] as a call gives it of one row.
    positions
        How many positions a step has: its features are [positions, input_size], those of a position
        one behind the other, and its outputs [positions, features] likewise. Not with an output
        layer.
    along
        What it runs over. ``"time"``: each position is a sequence of its own, with a state of its
        own, [num_layers * num_directions, batch, positions * size]. ``"positions"``: the positions
        of each step are a sequence, which begins with the initial state; nothing goes on from step
        to step, so that it streams in any direction, and what it reads may be without time. There
        ``return_sequences=False`` gives of each step h after its last position (in the reverse
        direction, after its first one), of both directions side by side.

    Raises
    ------
    OptionError, ShapeError, DTypeError
        With the array's name, what was expected and what came.
    UnsupportedError
        For an option given to a cell that has no such option.
    """

    cell: str
    input_size: int
    hidden_size: int
    weights: Mapping[str, ArrayLike] = field(repr=False)
    num_layers: int = 1
    direction: str = "forward"
    bias: bool = True
    nonlinearity: str = "tanh"
    reset_after: bool = True
    proj_size: int = 0
    peephole: bool = False
    gate_recurrent: bool = False
    output_layer: int = 0
    output_nonlinearity: str = "sigmoid"
    activations: tuple[Activation, ...] | None = None
    clip: float | None = None
    input_forget: bool = False
    cell_clip: float | None = None
    return_sequences: bool = True
    initial_state: Mapping[str, ArrayLike] | Sequence[ArrayLike] | ArrayLike | None = None
    positions: int = 1
    along: str = "time"

    kind = "recurrent"
    activation_key = "output_nonlinearity"

    def __post_init__(self) -> None:
        for name, value in recurrent_options(**self.options).items():
            object.__setattr__(self, name, value)
        where, shapes = f"Recurrent {self.cell} weights", dict(self.weight_shapes())
        checked = as_weights(where, self.weights, shapes)
        object.__setattr__(self, "weights", MappingProxyType(checked))
        sizes = {name: self._size_of(name) for name in self.definition.state_names}
        rows = self.num_layers * self.num_directions
        initial = as_initial_state(self.initial_state, rows, sizes)
        object.__setattr__(self, "initial_state", initial)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.make, (dict(self.arrays), self.options)  # a mapping proxy cannot be pickled

    def __repr__(self) -> str:
        default = {f.name: f.default for f in fields(self)}
        options = {k: v for k, v in self.options.items() if v != default[k]}
        if self.initial_state is not None:
            options["initial_state"] = self.definition.state_names
        return brief(self, **options)

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the arrays, by the names of the constructor."""
        names = (f.name for f in fields(self) if f.name not in ("weights", "initial_state"))
        return {name: getattr(self, name) for name in names}

    def weight_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every array the options call for, in ``state_dict`` order."""
        return recurrent_shapes(**self.options)

    @property
    def arrays(self) -> Mapping[str, Array]:
        weights: Mapping[str, Any] = self.weights
        initial: Any = self.initial_state or {}
        named = {array_name(name): array for name, array in initial.items()}
        return {**weights, **named} if named else weights

    @classmethod
    def make(cls, arrays: Mapping[str, Any], options: Mapping[str, Any]) -> Recurrent:
        weights, initial = split(arrays)
        return cls(weights=weights, initial_state=initial, **options)

    @property
    def line(self) -> dict[str, Any]:
        values = self.options | {"initial_state": self.initial_state is not None or None}
        keys = keys_of(self.definition)
        used = [key.name for key in keys if key.is_used(values[key.name])]
        return {key.name: values[key.name] for key in in_line(keys, used)}

    @classmethod
    def keys_of(cls, values: Mapping[str, Any]) -> tuple[Key, ...]:
        cell = values.get("cell", "nothing")
        if cell not in KINDS:
            raise FormatError(f"expected cell= {', '.join(KINDS)}; got {cell}")
        return keys_of(cell_of(cell, "gate_recurrent" in values))

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Recurrent:
        # Bounds the work before the names of that many layers are made.
        if values["num_layers"] > len(arrays):
            raise FormatError(f"num_layers={values['num_layers']}, but only {len(arrays)} tensors")
        options = {name: value for name, value in values.items() if name != "initial_state"}
        if "initial_state" not in values:
            return cls(weights=arrays, **options)
        names = map(array_name, cell_of(values["cell"], "gate_recurrent" in values).state_names)
        if missing := [name for name in names if name not in arrays]:
            raise FormatError(f"initial_state=true, but no tensors {', '.join(missing)}")
        return cls.make(arrays, options)

    @property
    def title(self) -> str:
        return self.cell if self.initial_state is None else f"{self.cell} with an initial state"

    @property
    def definition(self) -> Cell:
        """The cell: what it is and calculates."""
        return cell_of(self.cell, self.gate_recurrent)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The name endings of one layer's directions, in the order of the state's rows."""
        return SUFFIXES[self.direction]

    @property
    def num_directions(self) -> int:
        return len(self.suffixes)

    @property
    def state_size(self) -> int:
        """Features of h: ``proj_size`` where there is a projection, else ``hidden_size``."""
        return self.proj_size or self.hidden_size

    @property
    def runs_over_time(self) -> bool:
        """Whether it carries a state from step to step."""
        return self.along == "time"

    @property
    def last_size(self) -> int:
        """Features of the last state, of all positions and directions."""
        return self.positions * self.state_size * self.num_directions

    @property
    def features_taken(self) -> int:
        return self.positions * self.input_size

    @property
    def output_size(self) -> int:
        """Features of the outputs: of h, of all positions and directions, or of the output layer;
        without ``return_sequences`` those of one position where it runs along these."""
        if self.runs_over_time or self.return_sequences:
            return self.output_layer or self.last_size
        return self.state_size * self.num_directions

    def activations_of(self, direction: int) -> tuple[Activation, ...]:
        """f, g, h of one direction, 0 or 1, as far as the cell has them; of an RNN also where they
        are its ``nonlinearity``."""
        if self.activations is None:
            return self.definition.activations_of(self)
        count = len(self.definition.activations)
        return self.activations[direction * count : (direction + 1) * count]

    @property
    def is_standard(self) -> bool:
        """Without ``activations``, ``clip``, ``input_forget`` and ``cell_clip``."""
        bounds = (self.activations, self.clip, self.cell_clip)
        return all(option is None for option in bounds) and not self.input_forget

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the state arrays are: h, and c, z, i, f as far as the cell carries them on; none
        where it does not run over time."""
        return self.definition.state_names if self.runs_over_time else ()

    @property
    def trace_names(self) -> tuple[str, ...]:
        """What the cell calculates in one step: gates, candidate and states."""
        return self.definition.trace_names

    def _size_of(self, state: str) -> int:
        return self.state_size if state == "h" else self.hidden_size

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state array, in the order of ``state_names``.

        Each state array is [num_layers * num_directions, batch, features]; row
        ``layer * num_directions + direction``.
        """
        return tuple(self.positions * self._size_of(name) for name in self.state_names)

    @property
    def state_rows(self) -> int:
        return self.num_layers * self.num_directions if self.runs_over_time else 0

    @property
    def needs_steps(self) -> bool:
        return self.runs_over_time

    @property
    def needs_all(self) -> str:
        backwards = self.runs_over_time and self.direction != "forward"
        return "a reverse or bidirectional layer" if backwards else ""

    def first_state(self, batch: int, features: int) -> State:
        if not self.runs_over_time:
            return ()
        return tuple(np.tile(part, self.positions) for part in self.begin(batch))

    def begin(self, sequences: int) -> State:
        """What so many sequences begin with where nobody says another state, [num_layers *
        num_directions, sequences, size] of each state of the cell."""
        rows = self.num_layers * self.num_directions
        return tuple(
            np.zeros((rows, sequences, self._size_of(name)))
            if self.initial_state is None
            else np.repeat(float64(self.arrays[array_name(name)])[:, None], sequences, axis=1)
            for name in self.definition.state_names
        )

    @property
    def num_nodes(self) -> int:
        return self.num_layers + (3 if self.output_layer else 0)

    @property
    def fan_in(self) -> int:
        return self.hidden_size

    @property
    def state_matrices(self) -> tuple[str, ...]:
        kinds = [n for n, _ in self.definition.recurrent_shapes(self.hidden_size, self.options)]
        return tuple(name for name in self.weights if name.rpartition("_l")[0] in kinds)

    def rows_of(self, gate: str) -> slice | None:
        gates, size = self.definition.gates, self.hidden_size
        if gate not in gates:
            return None
        return slice(gates.index(gate) * size, (gates.index(gate) + 1) * size)

    @property
    def gives_steps(self) -> bool:
        return self.return_sequences or not self.runs_over_time

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        first = super().outputs(where, name, inputs)
        if not self.return_sequences or not self.runs_over_time:
            return first
        called, alone = f"the last state of {name}", f"the last state of {name} is alone"
        return (*first, Value(called, self.last_size, last=alone, paces=first[0].paces))

    def packed(self) -> dict[str, Place]:
        stack = 1 if self.output_layer else 0  # behind the output layer's product with x
        places = {}
        for name in (n for n, a in self.arrays.items() if a.ndim == 2 and n in self.weights):
            kind, _, place = name.rpartition("_l")
            depth, reverse, _ = place.partition("_reverse")
            if name == "weight_ho":
                places[name] = Place(stack + self.num_layers, 0, "weight")
            elif name == "weight_xo":
                places[name] = Place(0, 0, "weight")
            else:
                places[name] = Place(stack + int(depth), self.suffixes.index(reverse), kind)
        return places

    def traced(self, prefix: str) -> list[TracedCell]:
        cells: list[TracedCell] = []
        size, names = self.positions * self.hidden_size, self.trace_names
        for level in range(self.num_layers):
            for suffix in self.suffixes:
                end = f"_l{level}{suffix}"
                output = {f"{prefix}o": self.output_layer} if self.output_layer else {}
                cells.append(
                    TracedCell(
                        {prefix + name + end: size for name in names if name not in "hc"},
                        {f"{prefix}h{end}": self.positions * self.state_size},
                        {f"{prefix}c{end}": size} if "c" in names else {},
                        {} if cells else output,
                    )
                )
        return cells

    def run(
        self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_], dot: Dot = exact
    ) -> Ran:
        (x,) = inputs
        return run_positions(self, x, state, valid, dot)

    def functions(self, direction: int) -> Functions:
        """f, g, h of one direction; with ``clip``, of the argument within [-clip, clip]."""
        plain = tuple(activation.function for activation in self.activations_of(direction))
        clip = self.clip
        if clip is None:
            return plain
        return tuple(lambda x, f=f: f(np.clip(x, -clip, clip)) for f in plain)
