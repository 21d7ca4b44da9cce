"""A stack of recurrent layers: the options of every cell, and what is around its steps.

What a cell is and calculates is in ``spec.cells``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...activations import FUNCTIONS, Activation
from ...errors import FormatError, ShapeError
from ..cell import Cell, CellState, Functions, Weights
from ..cells import KINDS, cell_of
from ..keys import Key, in_line
from ..layer import Float64, Layer, Place, Ran, State, TracedCell, Value, float64
from ..weights import Array, as_weight, brief, expect
from .recurrent_options import SUFFIXES, keys_of, recurrent_options, recurrent_shapes


@dataclass(frozen=True, eq=False)
class Recurrent(Layer):
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
    return_sequences
        Whether the outputs are those of all steps; False: only the top layer's h after each row's
        last valid step (in the reverse direction, after its step 0), of both directions side by
        side, and no axis of time from here on. Not with an output layer.

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
    return_sequences: bool = True

    kind = "recurrent"
    needs_steps = True

    def __post_init__(self) -> None:
        for name, value in recurrent_options(**self.options).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "weights", MappingProxyType(self._checked_weights()))

    def __reduce__(self) -> tuple[Any, ...]:
        return self.make, (dict(self.arrays), self.options)  # a mapping proxy cannot be pickled

    def __repr__(self) -> str:
        default = {f.name: f.default for f in fields(self)}
        options = {k: v for k, v in self.options.items() if v != default[k]}
        return brief(self, **options)

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the weights, by the names of the constructor."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "weights"}

    def _checked_weights(self) -> dict[str, Array]:
        expected = dict(self.weight_shapes())
        missing = [name for name in expected if name not in self.weights]
        unknown = [name for name in self.weights if name not in expected]
        if missing or unknown:
            raise ShapeError(
                f"Recurrent {self.cell} weights: "
                + "; ".join(
                    f"{what} {', '.join(names)}"
                    for what, names in (("missing", missing), ("unexpected", unknown))
                    if names
                )
                + f"; expected {', '.join(expected)}"
            )
        return {
            name: expect(name, as_weight(name, self.weights[name]), shape)
            for name, shape in expected.items()
        }

    def weight_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every array the options call for, in ``state_dict`` order."""
        return recurrent_shapes(**self.options)

    @property
    def arrays(self) -> Mapping[str, Array]:
        return self.weights  # type: ignore[return-value]

    @classmethod
    def make(cls, arrays: Mapping[str, Any], options: Mapping[str, Any]) -> Recurrent:
        return cls(weights=arrays, **options)

    @property
    def line(self) -> dict[str, Any]:
        keys = keys_of(self.definition)
        used = [key.name for key in keys if key.is_used(getattr(self, key.name))]
        return {key.name: getattr(self, key.name) for key in in_line(keys, used)}

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
        return cls(weights=arrays, **values)

    @property
    def title(self) -> str:
        return self.cell

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
    def last_size(self) -> int:
        """Features of the last state, in all directions."""
        return self.state_size * self.num_directions

    @property
    def output_size(self) -> int:
        """Features of the outputs: of h, in all directions, or of the output layer."""
        return self.output_layer or self.last_size

    def activations_of(self, direction: int) -> tuple[Activation, ...]:
        """f, g, h of one direction, 0 or 1, as far as the cell has them; of an RNN also where they
        are its ``nonlinearity``."""
        if self.activations is None:
            return self.definition.activations_of(self)
        count = len(self.definition.activations)
        return self.activations[direction * count : (direction + 1) * count]

    @property
    def is_standard(self) -> bool:
        """Without ``activations``, ``clip`` and ``input_forget``."""
        return self.activations is None and self.clip is None and not self.input_forget

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the state arrays are: h, and c, z, i, f as far as the cell carries them on."""
        return self.definition.state_names

    @property
    def trace_names(self) -> tuple[str, ...]:
        """What the cell calculates in one step: gates, candidate and states."""
        return self.definition.trace_names

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state array, in the order of ``state_names``.

        Each state array is [num_layers * num_directions, batch, features]; row
        ``layer * num_directions + direction``.
        """
        return tuple(
            self.state_size if name == "h" else self.hidden_size for name in self.state_names
        )

    @property
    def state_rows(self) -> int:
        return self.num_layers * self.num_directions

    @property
    def num_nodes(self) -> int:
        return self.num_layers + (3 if self.output_layer else 0)

    @property
    def fan_in(self) -> int:
        return self.hidden_size

    @property
    def state_matrices(self) -> tuple[str, ...]:
        kinds = [n for n, _ in self.definition.recurrent_shapes(self.hidden_size, self.options)]
        return tuple(name for name in self.arrays if name.rpartition("_l")[0] in kinds)

    def rows_of(self, gate: str) -> slice | None:
        gates, size = self.definition.gates, self.hidden_size
        if gate not in gates:
            return None
        return slice(gates.index(gate) * size, (gates.index(gate) + 1) * size)

    def with_activation(self, name: str) -> Layer:
        if not self.output_layer:
            return super().with_activation(name)
        return replace(self, output_nonlinearity=name)

    @property
    def gives_steps(self) -> bool:
        return self.return_sequences

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        first = super().outputs(where, name, inputs)
        if not self.return_sequences:
            return first
        called = f"the last state of {name}"
        return (*first, Value(called, self.last_size, last=f"{called} is alone"))

    def packed(self) -> dict[str, Place]:
        stack = 1 if self.output_layer else 0  # behind the output layer's product with x
        places = {}
        for name in (name for name, array in self.arrays.items() if array.ndim == 2):
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
        for level in range(self.num_layers):
            for suffix in self.suffixes:
                end = f"_l{level}{suffix}"
                size, names = self.hidden_size, self.trace_names
                output = {f"{prefix}o": self.output_layer} if self.output_layer else {}
                cells.append(
                    TracedCell(
                        {prefix + name + end: size for name in names if name not in "hc"},
                        {f"{prefix}h{end}": self.state_size},
                        {f"{prefix}c{end}": size} if "c" in names else {},
                        {} if cells else output,
                    )
                )
        return cells

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        """Each layer reads the outputs of the one below, both directions side by side. An output
        layer behind the stack sees the top layer's h_t and the bottom layer's x_t."""
        (x,) = inputs
        finals: list[CellState] = []
        trace: dict[str, Float64] = {}
        h = x
        for level in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self.suffixes):
                ending = f"_l{level}{suffix}"
                first = tuple(part[len(finals)] for part in state)
                inside, final = self._direction(direction, ending, h, first, valid)
                outputs.append(inside["h"])
                finals.append(final)
                trace |= {name + ending: array for name, array in inside.items()}
            h = np.concatenate(outputs, axis=-1)
        state = tuple(np.stack(rows) for rows in zip(*finals, strict=True))
        last = np.concatenate(list(state[0][-self.num_directions :]), axis=-1)
        if not self.return_sequences:
            return Ran((last,), state, trace)
        if self.output_layer:
            trace["o"] = h = self._output(h, x)
        return Ran((h, last), state, trace)

    def _output(self, h: Float64, x: Float64) -> Float64:
        """o_t = f(W_ho h_t + W_xo x_t + b_o), section 3.1 of the article."""
        w = {name: float64(array) for name, array in self.arrays.items() if "_l" not in name}
        a = h @ w["weight_ho"].T + x @ w["weight_xo"].T + w.get("bias_o", 0.0)
        y: Float64 = FUNCTIONS[self.output_nonlinearity](a)
        return y

    def _direction(
        self, direction: int, ending: str, x: Float64, state: CellState, valid: NDArray[np.bool_]
    ) -> tuple[dict[str, Float64], CellState]:
        """One direction of one layer: everything that its cell calculates, and the final state.

        A row's state only moves at its valid steps, so the reverse direction, which meets a row's
        padding first, starts at its last valid step. Nothing valid reads what stands in padding.
        """
        cell, w, functions = self.definition, self._weights(ending), self._functions(direction)
        time, batch = valid.shape
        trace = {name: np.zeros((time, batch, self.hidden_size)) for name in self.trace_names}
        trace["h"] = np.zeros((time, batch, self.state_size))
        for t in reversed(range(time)) if ending.endswith("_reverse") else range(time):
            inside = cell.step(self, functions, w, x[t], state)
            for name, array in inside.items():
                trace[name][t] = array
            new = (inside[name] for name in self.state_names)
            pairs = zip(new, state, strict=True)
            state = tuple(np.where(valid[t, :, None], *pair) for pair in pairs)
        return trace, state

    def _weights(self, ending: str) -> Weights:
        """The float64 arrays of one layer and direction, without the ending; no bias is 0."""
        w = {
            name.removesuffix(ending): float64(array)
            for name, array in self.arrays.items()
            if name.endswith(ending)
        }
        for bias in ("bias_ih", "bias_hh"):
            w.setdefault(bias, np.zeros(len(w["weight_ih"])))
        return w

    def _functions(self, direction: int) -> Functions:
        """f, g, h of one direction; with ``clip``, of the argument within [-clip, clip]."""
        plain = tuple(activation.function for activation in self.activations_of(direction))
        clip = self.clip
        if clip is None:
            return plain
        return tuple(lambda x, f=f: f(np.clip(x, -clip, clip)) for f in plain)
