"""ModelSpec: a trained model as plain data, in PyTorch's names, shapes and gate order.

A :class:`ModelSpec` is an ordered chain of layers; every format reads into it and writes out
of it, and nothing past it knows a framework's quirks. Layers are validated on construction
and never change afterwards.

Canonical form (that of ``torch.nn``; G is 1 for RNN, 3 for GRU, 4 for LSTM; P is ``proj_size``
where there is a projection and ``hidden_size`` otherwise):

=====================  ==========================  ==========================================
array                  shape                       gate blocks, top to bottom
=====================  ==========================  ==========================================
``weight_ih_l{k}``     [G * H, in of layer k]      LSTM i, f, g, o; GRU r, z, n; RNN h
``weight_hh_l{k}``     [G * H, P]                  the same
``bias_ih_l{k}``       [G * H]                     the same
``bias_hh_l{k}``       [G * H]                     the same
``weight_hr_l{k}``     [P, H]                      LSTM with a projection
``weight_c{i,f,o}_l{k}``  [H]                      LSTM with diagonal peepholes
=====================  ==========================  ==========================================

Arrays of the direction that runs from the last step to the first end in ``_reverse``.

Without a counterpart in ``torch.nn``:

=====================  ==========================  ==========================================
array                  shape                       of
=====================  ==========================  ==========================================
``weight_gh_l{k}``     [2 * H, H]                  gate-recurrent GRU: r, z, both on z_{t-1}
``weight_hh_l{k}``     [H, H]                      gate-recurrent GRU: n
``weight_gh_l{k}``     [4 * H, H]                  gate-recurrent LSTM: i, f, g, o on i_{t-1},
                                                   f_{t-1}, i_{t-1}, i_{t-1}
``weight_ch_l{k}``     [4 * H, H]                  gate-recurrent LSTM: i, f, g, o on c_{t-1}
``weight_ho``          [O, H * directions]         RNN with an output layer: on the top h_t
``weight_xo``          [O, in]                     RNN with an output layer: on the layer's x_t
``bias_o``             [O]                         RNN with an output layer
=====================  ==========================  ==========================================

A gate-recurrent cell has ``bias_ih`` and no ``bias_hh``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from .activations import STANDARD
from .cells import ACTIVATIONS as ACTIVATIONS
from .cells import DIRECTIONS as DIRECTIONS
from .cells import GATES as GATES
from .cells import NONLINEARITIES as NONLINEARITIES
from .cells import SUFFIXES, recurrent_options, recurrent_shapes, state_names, trace_names
from .cells import Activation as Activation
from .errors import DTypeError, ShapeError, UnsupportedError
from .layers import Array as Array
from .layers import Embedding as Embedding
from .layers import Linear as Linear
from .layers import Merge as Merge
from .layers import as_weight, brief, expect
from .masking import as_mask_value


@dataclass(frozen=True, eq=False)
class Recurrent:
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
        recurrence in Greff et al. (2017); the equations are those of ``reference``. Without
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

    def __post_init__(self) -> None:
        for name, value in recurrent_options(**self.options).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "weights", MappingProxyType(self._checked_weights()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (dict(self.arrays), self.options)  # a mapping proxy cannot be pickled

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

    @property
    def arrays(self) -> Mapping[str, Array]:
        return self.weights  # type: ignore[return-value]

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
    def output_size(self) -> int:
        """Features of the outputs: of h, in all directions, or of the output layer."""
        return self.output_layer or self.state_size * self.num_directions

    def activations_of(self, direction: int) -> tuple[Activation, ...]:
        """f, g, h of one direction, 0 or 1, as far as the cell has them; of an RNN also where they
        are its ``nonlinearity``."""
        if self.activations is None:
            return (Activation(self.nonlinearity),) if self.cell == "rnn" else STANDARD[self.cell]
        count = len(STANDARD[self.cell])
        return self.activations[direction * count : (direction + 1) * count]

    @property
    def is_standard(self) -> bool:
        """Without ``activations``, ``clip`` and ``input_forget``."""
        return self.activations is None and self.clip is None and not self.input_forget

    @property
    def state_names(self) -> tuple[str, ...]:
        """What the state arrays are: h, and c, z, i, f as far as the cell carries them on."""
        return state_names(self.cell, self.gate_recurrent)

    @property
    def trace_names(self) -> tuple[str, ...]:
        """What the cell calculates in one step: gates, candidate and states."""
        return trace_names(self.cell)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state array, in the order of ``state_names``.

        Each state array is [num_layers * num_directions, batch, features]; row
        ``layer * num_directions + direction``.
        """
        return tuple(
            self.state_size if name == "h" else self.hidden_size for name in self.state_names
        )

    def weight_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every array the options call for, in ``state_dict`` order."""
        return recurrent_shapes(**self.options)


def _rebuild(weights: dict[str, Array], options: dict[str, Any]) -> Recurrent:
    return Recurrent(weights=weights, **options)


Layer = Embedding | Recurrent | Linear | Merge


def _check_chain(layers: tuple[Layer, ...]) -> None:
    """Raises what a ``ModelSpec`` does where these are no chain."""
    if not layers:
        raise ShapeError("ModelSpec: expected at least one layer, got none")
    last: int | None = None  # the layer that gives its last state alone
    for index, layer in enumerate(layers):
        where = f"ModelSpec layer {index}"
        if not isinstance(layer, Layer):
            raise DTypeError(
                f"{where}: expected Embedding, Recurrent, Linear or Merge, "
                f"got {type(layer).__name__}"
            )
        if index == 0:
            if isinstance(layer, Merge):
                raise UnsupportedError(f"{where}: a Merge cannot be first")
        elif isinstance(layer, Embedding):
            raise UnsupportedError(f"{where}: an Embedding can only be first")
        elif layer.input_size != layers[index - 1].output_size:
            raise ShapeError(
                f"{where} ({type(layer).__name__}): expected an input of {layer.input_size} "
                f"features, layer {index - 1} gives {layers[index - 1].output_size}"
            )
        if isinstance(layer, Recurrent):
            if last is not None:
                raise ShapeError(
                    f"{where} (Recurrent): expected an input of steps, layer {last} gives its "
                    "last state alone (return_sequences=False)"
                )
            last = last if layer.return_sequences else index


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A chain of layers: what a trained model is, before any CPU is chosen for it.

    Parameters
    ----------
    layers
        In their order. A Recurrent without ``return_sequences`` is the last of its kind.
    mask_value
        None, or what marks padding in x, where a call states no ``lengths``: a step whose features
        all equal it, or whose index does (Keras: ``Masking``, ``Embedding(mask_zero=True)``).

    Raises
    ------
    ShapeError
        One layer's output does not fit the next one's input.
    UnsupportedError
        An Embedding anywhere but first, or a Merge there.
    OptionError
        ``mask_value`` is no finite number, or of indices none of them.
    """

    layers: tuple[Layer, ...]
    mask_value: float | None = None

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        _check_chain(layers)
        object.__setattr__(self, "layers", layers)
        first = layers[0]
        known = first.num_embeddings if isinstance(first, Embedding) else None
        object.__setattr__(self, "mask_value", as_mask_value(self.mask_value, known))

    def __repr__(self) -> str:
        masked = {} if self.mask_value is None else {"mask_value": self.mask_value}
        return brief(self, *self.layers, **masked)

    @property
    def takes_indices(self) -> bool:
        """True where the first layer is an Embedding: the input is integers [time, batch]."""
        return isinstance(self.layers[0], Embedding)

    @property
    def input_size(self) -> int:
        """Features of the input; for an Embedding, the number of indices it knows."""
        first = self.layers[0]
        return first.num_embeddings if isinstance(first, Embedding) else first.input_size

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def return_sequences(self) -> bool:
        """True where y has an axis of time; False where a Recurrent gives its last state alone."""
        return all(layer.return_sequences for layer in self.recurrents)

    def axes(self, batch_first: bool = False) -> tuple[list[str | int], list[str | int]]:
        """Those of x and y by name, and how many features, the last ones, there are: ``["time",
        "batch", 3]``, of indices ``["time", "batch"]``."""
        both: list[str | int] = ["batch", "time"] if batch_first else ["time", "batch"]
        x = both if self.takes_indices else [*both, self.input_size]
        return x, [*(both if self.return_sequences else ["batch"]), self.output_size]

    @property
    def recurrents(self) -> tuple[Recurrent, ...]:
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def num_parameters(self) -> int:
        return sum(array.size for layer in self.layers for array in layer.arrays.values())
