"""RNN, GRU and LSTM with PyTorch's constructor, weights, call and shapes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .arrays import as_array
from .choices import as_dtype
from .errors import DTypeError, OptionError, ShapeError
from .model import Model
from .packed import check_range
from .spec import ModelSpec, Recurrent, recurrent_options, recurrent_shapes
from .spec.keys import size

_OPTIONS: Final = frozenset({
    "nonlinearity", "reset_after", "proj_size", "peephole", "gate_recurrent", "output_layer",
    "output_nonlinearity",
})  # fmt: skip
"""What some cell has; the constructors name those of their own."""

P = ParamSpec("P")
M = TypeVar("M", bound="_Module")


def _names_others(
    make: Callable[Concatenate[M, P], None],
) -> Callable[Concatenate[M, P], None]:
    """A constructor that refuses options of other cells, and unknown ones, by errors of ours. An
    option of another cell may be given with the value that says no."""
    own = frozenset(inspect.signature(make).parameters)

    @wraps(make)
    def checked(self: M, /, *arguments: P.args, **options: P.kwargs) -> None:
        others: dict[str, Any] = {name: options.pop(name) for name in sorted(set(options) - own)}
        unknown = sorted(set(others) - _OPTIONS)
        make(self, *arguments, **options)
        if others and not unknown:
            layer = self._layer_options
            alike = recurrent_options(
                self._cell, layer["input_size"], layer["hidden_size"], **others
            )
            unknown = [name for name in others if alike[name] != layer[name]]
        if unknown:
            raise OptionError(f"{type(self).__name__}: unexpected option {', '.join(unknown)}")

    return checked


class _Module:
    """What the three have in common: one Recurrent, its weights, and the Model packed from it."""

    _cell: str

    def _make(
        self,
        sizes: tuple[int, int, int],
        bidirectional: bool,
        layer: Mapping[str, Any],
        *model: Any,
    ) -> None:
        """``sizes``: input, hidden, layers. ``layer``: the other options of a Recurrent. ``model``:
        batch_first, dtype, matmul, num_threads, weight_dtype and compute of a Model."""
        if not isinstance(bidirectional, (bool, np.bool_)):
            raise OptionError(f"bidirectional: expected True or False, got {bidirectional!r}")
        direction = "bidirectional" if bidirectional else "forward"
        self._layer_options = recurrent_options(self._cell, *sizes, direction, **layer)
        names = "batch_first", "dtype", "matmul", "num_threads", "weight_dtype", "compute"
        self._model_options: dict[str, Any] = dict(zip(names, model, strict=True))
        self._dtype = as_dtype(self._model_options["dtype"])
        self._model = self._pack(self._initial_weights())

    def _initial_weights(self) -> dict[str, NDArray[Any]]:
        """Uniform in +-1/sqrt(hidden_size), as PyTorch begins."""
        rng = np.random.default_rng()
        shapes = recurrent_shapes(**self._layer_options)
        bound = self._layer_options["hidden_size"] ** -0.5
        return {name: rng.uniform(-bound, bound, shape) for name, shape in shapes}

    def _pack(self, weights: Mapping[str, ArrayLike]) -> Model:
        layer = Recurrent(weights=weights, **self._layer_options)
        options = self._model_options
        if options["weight_dtype"] is not None or options["compute"] is not None:
            # what is given is rounded once
            return Model(ModelSpec((layer,)), **self._model_options)
        check_range(ModelSpec((layer,)), self._dtype)
        cast = {name: array.astype(self._dtype) for name, array in layer.arrays.items()}
        layer = Recurrent(weights=cast, **self._layer_options)
        return Model(ModelSpec((layer,)), **self._model_options)

    @property
    def model(self) -> Model:
        """The packed model; ``load_state_dict`` replaces it."""
        return self._model

    @property
    def spec(self) -> Recurrent:
        """The layer and its weights."""
        return self._model.spec.recurrents[0]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of the weights under PyTorch's names."""
        return {name: array.copy() for name, array in self.spec.arrays.items()}

    def load_state_dict(self, arrays: Mapping[str, ArrayLike]) -> None:
        """Take weights under PyTorch's names: NumPy arrays, anything np.asarray takes, or tensors
        and parameters, of which copies are made.

        ``ShapeError`` where one is missing, unexpected or of the wrong shape; the module then
        keeps the weights it had.
        """
        if not isinstance(arrays, Mapping):
            raise DTypeError(
                f"load_state_dict: expected a mapping of names, got {type(arrays).__name__}"
            )
        self._model = self._pack({name: as_array(name, value) for name, value in arrays.items()})

    def __call__(
        self,
        x: ArrayLike,
        state: Any = None,
        lengths: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """PyTorch's call: x [time, batch, input_size] (``batch_first``: [batch, time, ...]), or
        unbatched [time, input_size] with states [layers * directions, size]. With
        ``return_sequences=False`` y is the top layer's last state alone, [batch, features], as in
        :class:`Recurrent`; unbatched [features].

        Returns y and h_n, or (h_n, c_n) for LSTM; a gate-recurrent GRU has (h_n, z_n), a
        gate-recurrent LSTM (h_n, c_n, i_n, f_n). ``lengths`` as in :class:`Model`; an unbatched
        call takes none.
        """
        if type(x) is not np.ndarray:
            x = as_array("x", x, any_device=False)
        if x.ndim != 2:
            return self._model(x, state, lengths, num_threads)
        batch_axis, state = self._unbatched(state, lengths)
        y, final = self._model(np.expand_dims(x, batch_axis), state, None, num_threads)
        if not self._layer_options["return_sequences"]:
            batch_axis = 0  # y is [batch, features]
        return np.squeeze(y, batch_axis), _map(final, lambda h: np.squeeze(h, 1))

    def trace(
        self, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None
    ) -> dict[str, NDArray[Any]]:
        """Every gate, candidate and state of a call with these arguments, by name: see
        :meth:`Model.trace`. Arrays of an unbatched call are [time, features]."""
        if type(x) is not np.ndarray:
            x = as_array("x", x, any_device=False)
        if x.ndim != 2:
            return self._model.trace(x, state, lengths)
        batch_axis, state = self._unbatched(state, lengths)
        traced = self._model.trace(np.expand_dims(x, batch_axis), state)
        return {name: np.squeeze(array, batch_axis) for name, array in traced.items()}

    def _unbatched(self, state: Any, lengths: Any) -> tuple[int, Any]:
        """The axis that an unbatched call lacks, and its state with that axis."""
        if lengths is not None:
            raise ShapeError("lengths: expected None for an unbatched x, got a value")
        if state is not None:
            state = _map(state, self._batched)
        return (0 if self._model.batch_first else 1), state

    def _batched(self, h: ArrayLike) -> NDArray[Any]:
        h = as_array("state", h, any_device=False)
        if h.ndim != 2:
            rows = self.spec.num_layers * self.spec.num_directions
            raise ShapeError(
                f"state: expected [{rows}, size] for an unbatched x, got shape {h.shape}"
            )
        return np.expand_dims(h, 1)

    def __repr__(self) -> str:
        """The call of the constructor that makes such a module, with weights to begin with."""
        given, model = self._layer_options, self._model
        sizes = given["input_size"], given["hidden_size"]
        default = recurrent_options(self._cell, *sizes)
        options = {name: given[name] for name in given if given[name] != default[name]}
        if options.pop("direction", None):
            options["bidirectional"] = True
        if size := options.pop("output_layer", None):
            options["output_size"] = size
        if model.batch_first:
            options["batch_first"] = True
        if model.dtype != np.float32:
            options["dtype"] = model.dtype.name
        if (matmul := self._model_options["matmul"]) != "auto":
            options["matmul"] = matmul
        if model.num_threads is not None:
            options["num_threads"] = int(model.num_threads)
        if model.weight_dtype is not None:
            options["weight_dtype"] = model.weight_dtype
        if model.compute is not None:
            options["compute"] = model.compute
        texts = [*map(str, sizes), *(f"{name}={value!r}" for name, value in options.items())]
        return f"{type(self).__name__}({', '.join(texts)})"


def _map(state: Any, change: Any) -> Any:
    if isinstance(state, (tuple, list)):
        return tuple(change(part) for part in state)
    return change(state)


class RNN(_Module):
    """Elman network, h' = tanh, relu or sigmoid(W_ih x + b_ih + W_hh h + b_hh): ``torch.nn.RNN``.

    With ``output_size`` there is an output layer, o_t = f(W_ho h_t + W_xo x_t + b_o) of the top
    layer's h_t (of both directions) and the module's x_t, f being ``output_nonlinearity`` (any
    activation of a Linear layer): ``weight_ho``, ``weight_xo``, ``bias_o``.

    Call it as ``y, h_n = rnn(x, h_0)``; y is h_t of all steps, or o_t.
    """

    _cell = "rnn"

    @_names_others
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        return_sequences: bool = True,
        output_size: int | None = None,
        output_nonlinearity: str = "sigmoid",
        dtype: DTypeLike = "float32",
        matmul: str = "auto",
        num_threads: int | None = None,
        weight_dtype: DTypeLike | None = None,
        compute: str | None = None,
    ) -> None:
        layer = {
            "bias": bias,
            "return_sequences": return_sequences,
            "nonlinearity": nonlinearity,
            "output_layer": 0 if output_size is None else size("RNN output_size", output_size, 1),
            "output_nonlinearity": output_nonlinearity,
        }
        sizes = input_size, hidden_size, num_layers
        model = batch_first, dtype, matmul, num_threads, weight_dtype, compute
        self._make(sizes, bidirectional, layer, *model)


class GRU(_Module):
    """Gated recurrent unit: ``torch.nn.GRU``; ``reset_after=False`` is Cho et al. (2014) and
    ONNX's ``linear_before_reset=0``.

    ``gate_recurrent=True`` is another cell, whose gates recur on the update gate z
    (``spec.cells`` has its equations): ``weight_ih``, ``weight_gh`` [2 H, H] (r, z),
    ``weight_hh`` [H, H], ``bias_ih``; its state is (h, z).

    Call it as ``y, h_n = gru(x, h_0)``, or ``y, (h_n, z_n) = gru(x, (h_0, z_0))``.
    """

    _cell = "gru"

    @_names_others
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        return_sequences: bool = True,
        reset_after: bool = True,
        gate_recurrent: bool = False,
        dtype: DTypeLike = "float32",
        matmul: str = "auto",
        num_threads: int | None = None,
        weight_dtype: DTypeLike | None = None,
        compute: str | None = None,
    ) -> None:
        layer = {
            "bias": bias,
            "return_sequences": return_sequences,
            "reset_after": reset_after,
            "gate_recurrent": gate_recurrent,
        }
        sizes = input_size, hidden_size, num_layers
        model = batch_first, dtype, matmul, num_threads, weight_dtype, compute
        self._make(sizes, bidirectional, layer, *model)


class LSTM(_Module):
    """Long short-term memory: ``torch.nn.LSTM``, with diagonal peepholes where asked for
    (``weight_ci_l0``, ``weight_cf_l0``, ``weight_co_l0``, each [hidden_size]).

    ``gate_recurrent=True`` is another cell, whose gates recur on gates and on all of c, not on h
    (``spec.cells`` has its equations): ``weight_ih``, ``weight_gh`` [4 H, H], ``weight_ch``
    [4 H, H], ``bias_ih``; its state is (h, c, i, f).

    Call it as ``y, (h_n, c_n) = lstm(x, (h_0, c_0))``, with all four where there are four.
    """

    _cell = "lstm"

    @_names_others
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        return_sequences: bool = True,
        proj_size: int = 0,
        peephole: bool = False,
        gate_recurrent: bool = False,
        dtype: DTypeLike = "float32",
        matmul: str = "auto",
        num_threads: int | None = None,
        weight_dtype: DTypeLike | None = None,
        compute: str | None = None,
    ) -> None:
        layer = {
            "bias": bias,
            "return_sequences": return_sequences,
            "proj_size": proj_size,
            "peephole": peephole,
            "gate_recurrent": gate_recurrent,
        }
        sizes = input_size, hidden_size, num_layers
        model = batch_first, dtype, matmul, num_threads, weight_dtype, compute
        self._make(sizes, bidirectional, layer, *model)
