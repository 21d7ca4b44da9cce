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
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DTypeError, OptionError, ShapeError, UnsupportedError

Array = NDArray[np.floating[Any]]

ACTIVATIONS: Final = ("identity", "sigmoid", "tanh", "relu", "softmax", "log_softmax")
NONLINEARITIES: Final = ("tanh", "relu")
SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"forward": ("",), "reverse": ("_reverse",), "bidirectional": ("", "_reverse")}
)
MAX_SIZE: Final = 2**24
"""Of every size of a layer, in the file format and the C core too."""
DIRECTIONS: Final = tuple(SUFFIXES)
GATES: Final[Mapping[str, int]] = MappingProxyType({"rnn": 1, "gru": 3, "lstm": 4})


def _one_of(where: str, value: str, allowed: tuple[str, ...] | list[str]) -> str:
    if value not in allowed:
        raise OptionError(f"{where}: expected one of {', '.join(allowed)}; got {value!r}")
    return value


def _size(where: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{where}: expected an integer, got {value!r}")
    if not least <= value <= MAX_SIZE:
        raise OptionError(f"{where}: expected {least} to {MAX_SIZE}, got {value}")
    return int(value)


def _flag(where: str, value: object) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{where}: expected True or False, got {value!r}")
    return bool(value)


def as_weight(where: str, value: ArrayLike) -> Array:
    """A read-only, C-contiguous, native-endian float32 or float64 array of ``value``.

    float16 widens to float32; every other element type is refused with a ``DTypeError``
    that names the array.
    """
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DTypeError(f"{where}: expected float32 or float64 weights, got {array.dtype}")
    dtype = np.float64 if array.dtype.itemsize == 8 else np.float32
    contiguous: Array = np.array(array, dtype=dtype, order="C")
    contiguous.flags.writeable = False
    return contiguous


def _expect(where: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise ShapeError(f"{where}: expected shape {shape}, got {array.shape}")
    return array


@dataclass(frozen=True, eq=False)
class Embedding:
    """Looks up rows of ``weight`` [num_embeddings, embedding_dim]; its input is integers."""

    weight: Array

    def __post_init__(self) -> None:
        weight = as_weight("Embedding weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                "Embedding weight: expected shape (num_embeddings, embedding_dim), "
                f"both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)

    @property
    def num_embeddings(self) -> int:
        return int(self.weight.shape[0])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight}


@dataclass(frozen=True, eq=False)
class Linear:
    """y = activation(x weight^T + bias); ``weight`` [out, in], ``bias`` [out] or None.

    ``softmax`` and ``log_softmax`` run over the features of one step.
    """

    weight: Array
    bias: Array | None = None
    activation: str = "identity"

    def __post_init__(self) -> None:
        weight = as_weight("Linear weight", self.weight)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ShapeError(
                f"Linear weight: expected shape (out, in), both at least 1, got {weight.shape}"
            )
        object.__setattr__(self, "weight", weight)
        if self.bias is not None:
            bias = as_weight("Linear bias", self.bias)
            object.__setattr__(self, "bias", _expect("Linear bias", bias, (weight.shape[0],)))
        _one_of("Linear activation", self.activation, ACTIVATIONS)

    @property
    def input_size(self) -> int:
        return int(self.weight.shape[1])

    @property
    def output_size(self) -> int:
        return int(self.weight.shape[0])

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight} if self.bias is None else {
            "weight": self.weight, "bias": self.bias
        }  # fmt: skip


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
        Whether ``bias_ih`` and ``bias_hh`` exist.
    nonlinearity
        RNN only: ``"tanh"`` or ``"relu"``.
    reset_after
        GRU only: the reset gate multiplies W_hn h + b_hn (True: PyTorch, cuDNN) or h itself
        before the product (False: Cho et al. 2014; ONNX ``linear_before_reset=0``).
    proj_size
        LSTM only: size P of the projection of the hidden state, 0 for none.
    peephole
        LSTM only: diagonal peepholes (Gers and Schmidhuber 2000), i and f on c_{t-1},
        o on c_t.

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

    def __post_init__(self) -> None:
        for name, value in recurrent_options(**self.options).items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "weights", MappingProxyType(self._checked_weights()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (dict(self.arrays), self.options)  # a mapping proxy cannot be pickled

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
            name: _expect(name, as_weight(name, self.weights[name]), shape)
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
        return self.state_size * self.num_directions

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state array: (h,) or, for the LSTM, (h, c).

        Each state array is [num_layers * num_directions, batch, features]; row
        ``layer * num_directions + direction``.
        """
        if self.cell == "lstm":
            return (self.state_size, self.hidden_size)
        return (self.state_size,)

    def weight_shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name and shape of every array the options call for, in ``state_dict`` order."""
        return recurrent_shapes(
            self.cell, self.input_size, self.hidden_size, self.num_layers, self.direction,
            self.bias, proj_size=self.proj_size, peephole=self.peephole,
        )  # fmt: skip


def _rebuild(weights: dict[str, Array], options: dict[str, Any]) -> Recurrent:
    return Recurrent(weights=weights, **options)


def recurrent_options(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    direction: str = "forward",
    bias: bool = True,
    nonlinearity: str = "tanh",
    reset_after: bool = True,
    proj_size: int = 0,
    peephole: bool = False,
) -> dict[str, Any]:
    """The options of a :class:`Recurrent`, checked; raises what its construction raises."""
    sizes = {
        "input_size": _size("Recurrent input_size", input_size, 1),
        "hidden_size": _size("Recurrent hidden_size", hidden_size, 1),
        "num_layers": _size("Recurrent num_layers", num_layers, 1),
        "proj_size": _size("Recurrent proj_size", proj_size, 0),
    }
    if proj_size >= hidden_size:
        raise OptionError(
            f"Recurrent proj_size: expected less than hidden_size {hidden_size}, got {proj_size}"
        )
    checked = {
        "cell": _one_of("Recurrent cell", cell, list(GATES)),
        "direction": _one_of("Recurrent direction", direction, DIRECTIONS),
        "nonlinearity": _one_of("Recurrent nonlinearity", nonlinearity, NONLINEARITIES),
        "bias": _flag("Recurrent bias", bias),
        "reset_after": _flag("Recurrent reset_after", reset_after),
        "peephole": _flag("Recurrent peephole", peephole),
    }
    for owner, name, used in (
        ("rnn", "nonlinearity", nonlinearity != "tanh"),
        ("gru", "reset_after", not reset_after),
        ("lstm", "proj_size", proj_size != 0),
        ("lstm", "peephole", peephole),
    ):
        if used and cell != owner:
            raise UnsupportedError(
                f"Recurrent {name}: only the cell {owner!r} has it, this one is {cell!r}"
            )
    return checked | sizes


def recurrent_shapes(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    direction: str = "forward",
    bias: bool = True,
    *,
    proj_size: int = 0,
    peephole: bool = False,
    **_: object,
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every array of a Recurrent with these options, in ``state_dict`` order.

    Options that call for no array of their own are ignored.
    """
    rows = GATES[cell] * hidden_size
    state = proj_size or hidden_size
    suffixes = SUFFIXES[direction]
    for layer in range(num_layers):
        for suffix in suffixes:
            end = f"_l{layer}{suffix}"
            yield f"weight_ih{end}", (rows, state * len(suffixes) if layer else input_size)
            yield f"weight_hh{end}", (rows, state)
            if bias:
                yield f"bias_ih{end}", (rows,)
                yield f"bias_hh{end}", (rows,)
            if proj_size:
                yield f"weight_hr{end}", (proj_size, hidden_size)
            if peephole:
                for gate in "ifo":
                    yield f"weight_c{gate}{end}", (hidden_size,)


Layer = Embedding | Recurrent | Linear


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A chain of layers: what a trained model is, before any CPU is chosen for it.

    Raises ``ShapeError`` where one layer's output does not fit the next one's input, and
    ``UnsupportedError`` for an Embedding anywhere but first.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        if not layers:
            raise ShapeError("ModelSpec: expected at least one layer, got none")
        for index, layer in enumerate(layers):
            if not isinstance(layer, (Embedding, Recurrent, Linear)):
                raise DTypeError(
                    f"ModelSpec layer {index}: expected Embedding, Recurrent or Linear, "
                    f"got {type(layer).__name__}"
                )
            if index == 0:
                continue
            if isinstance(layer, Embedding):
                raise UnsupportedError(f"ModelSpec layer {index}: an Embedding can only be first")
            if layer.input_size != layers[index - 1].output_size:
                raise ShapeError(
                    f"ModelSpec layer {index} ({type(layer).__name__}): expected an input of "
                    f"{layer.input_size} features, layer {index - 1} gives "
                    f"{layers[index - 1].output_size}"
                )
        object.__setattr__(self, "layers", layers)

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
    def recurrents(self) -> tuple[Recurrent, ...]:
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def num_parameters(self) -> int:
        return sum(array.size for layer in self.layers for array in layer.arrays.values())
