"""Network: a ModelSpec whose weights may change, with its gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._core import CoreNet, CoreTape, as_num_threads
from ..arrays import as_array
from ..choices import as_dtype
from ..errors import OptionError, UnsupportedError
from ..formats.metadata import describe
from ..packed import check_range
from ..spec import ModelSpec
from ..spec.weights import brief
from ..states import State, flatten, state_counts, unflatten


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of a loss, summed over batch and time; new arrays of the network's dtype.

    Attributes
    ----------
    x
        Of the input, [time, batch, input_size]; zero past a row's length. None for a model of
        indices.
    state
        Of the state that forward began with, in the form of a state.
    weights
        Of each weight, under the same names.
    """

    x: NDArray[Any] | None
    state: State
    weights: dict[str, NDArray[Any]]

    def __repr__(self) -> str:
        return brief(self, x=None if self.x is None else self.x.shape, weights=len(self.weights))


class Tape:
    """What backward needs of one forward: gates and states of every step. It belongs to its
    network, may serve more than once, and ends with the network's next ``update``."""

    def __init__(
        self,
        network: Network,
        core: CoreTape,
        generation: int,
        batch_first: bool,
        prefix: str,
    ) -> None:
        self._network = network
        self._core = core
        self._generation = generation
        self._batch_first = batch_first
        self._prefix = prefix

    @property
    def network(self) -> Network:
        return self._network

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the tape holds."""
        return self._core.nbytes

    def __repr__(self) -> str:
        return f"Tape({self._core.time} steps, batch {self._core.batch}, {self.nbytes} bytes)"


class Network:
    """The mutable counterpart of a Model: weights in plain arrays, and gradients of a loss.

    Parameters
    ----------
    spec
        The layers, and the weights to begin with; they are copied.
    dtype
        ``"float32"`` or ``"float64"``: the type of the weights, of what is computed in and of all
        results.
    num_threads
        How many threads a call may use; None: what :func:`get_num_threads` tells at the time of
        the call. Results have the same bits for any number.

    Raises
    ------
    OptionError
        An option has an unknown value.
    UnsupportedError
        A layer with ``activations``, ``clip``, ``input_forget`` or ``cell_clip``, a Merge, a last
        state alone (``return_sequences=False``) or a ``mask_value``: these only run.
    """

    def __init__(
        self, spec: ModelSpec, dtype: DTypeLike = "float32", num_threads: int | None = None
    ) -> None:
        if not isinstance(spec, ModelSpec):
            raise OptionError(f"spec: expected a ModelSpec, got {type(spec).__name__}")
        self._num_threads = as_num_threads(num_threads)
        self._dtype = as_dtype(dtype)
        _refuse_what_only_runs(spec)
        check_range(spec, self._dtype)
        self._layers = spec.layers
        self._is_stacked = any(layer.num_layers > 1 for layer in spec.recurrents)
        weights: dict[str, NDArray[Any]] = {}
        for index, layer in enumerate(spec.layers):
            for name, array in layer.arrays.items():
                weights[f"{index}.{name}"] = np.array(array, dtype=self._dtype, order="C")
        self._weights = weights
        self._state_counts = state_counts(spec)
        self._generation = 0
        self._core = CoreNet(
            [describe(layer).encode() for layer in spec.layers],
            int(self._dtype == np.float64),
            tuple(weights.values()),
            tuple(
                (layer.state_rows, size) for layer in spec.stateful for size in layer.state_sizes
            ),
            spec.takes_indices,
            spec.input_size,
            spec.output_size,
        )

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """The weights by name, ``"0.weight_ih_l0"``, to be changed in place; then :meth:`update`.
        The mapping itself is read-only."""
        return MappingProxyType(self._weights)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of weights, computation and results."""
        return self._dtype

    @property
    def spec(self) -> ModelSpec:
        """The layers with copies of the present weights: ``rn.Model(net.spec)`` runs them."""
        return ModelSpec(
            tuple(
                layer.make(
                    {name: self._weights[f"{index}.{name}"] for name in layer.arrays},
                    layer.options,
                )
                for index, layer in enumerate(self._layers)
            )
        )

    def update(self) -> None:
        """Take the weights as they now are. Tapes from before are refused from here on."""
        self._generation += 1
        self._core.update()

    def forward(
        self,
        x: ArrayLike,
        state: Any = None,
        lengths: ArrayLike | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> tuple[NDArray[Any], State, Tape]:
        """Run whole sequences and keep what their gradient needs.

        Parameters
        ----------
        x
            [time, batch, input_size]; integers [time, batch] where the first layer is an
            Embedding.
        state
            Where to start: what a call returned before, or None for zeros.
        lengths
            Steps of each row that count, [batch], each 0 to time; None: all.
        dropout
            Between the layers of one stacked Recurrent, not after its last: each output becomes
            zero with this probability and is scaled by 1 / (1 - dropout) otherwise; 0 <= dropout
            < 1.
        seed
            Of the dropout's mask, 0 to 2**64 - 1, which is the same for any number of threads.

        Returns
        -------
        y
            [time, batch, output_size]; zero past a row's length.
        state
            The state after each row's last step, in the form :class:`Model` gives it.
        tape
            For :meth:`backward`.

        Raises
        ------
        ShapeError, DTypeError
            An argument has the wrong shape, a value out of range or a type that makes no sense.
        OptionError
            ``dropout`` is not in its range, or greater than 0 without a seed or where no Recurrent
            has more than one layer, between which it would act.
        """
        return self._forward(x, state, lengths, dropout, seed, False, "")

    def _forward(
        self,
        x: ArrayLike,
        state: Any,
        lengths: ArrayLike | None,
        dropout: float,
        seed: int | None,
        batch_first: bool,
        prefix: str,
    ) -> tuple[NDArray[Any], State, Tape]:
        rate, seed = _dropout(dropout, seed)
        if rate > 0 and not self._is_stacked:
            raise OptionError("dropout: expected 0 with one layer: it acts between layers")
        if batch_first:
            given = as_array("x", x)
            x = np.swapaxes(given, 0, 1) if given.ndim > 1 else given
        arrays = None if state is None else flatten(self._state_counts, state)
        y, states, core = self._core.forward(x, arrays, lengths, rate, seed, self._num_threads)
        if batch_first:
            y = np.ascontiguousarray(np.swapaxes(y, 0, 1))
        tape = Tape(self, core, self._generation, batch_first, prefix)
        return y, unflatten(self._state_counts, states), tape

    def backward(self, tape: Tape, dy: ArrayLike, dstate: Any = None) -> Gradients:
        """The gradients of a loss.

        Parameters
        ----------
        tape
            From :meth:`forward` of this network, since its last :meth:`update`.
        dy
            The loss's gradient with respect to y, of y's shape; what lies past a row's length is
            not looked at.
        dstate
            Its gradient with respect to the state that forward returned, in the form of a state;
            None: zero. For truncated back-propagation: ``grads.state`` of what came after.

        Raises
        ------
        ShapeError, DTypeError
            dy or dstate has the wrong shape or type.
        OptionError
            The tape is another network's, or older than the last update.
        """
        if not isinstance(tape, Tape):
            raise OptionError(f"tape: expected a Tape, got {type(tape).__name__}")
        if tape.network is not self:
            raise OptionError("tape: expected one of this network, got another network's")
        if tape._generation != self._generation:
            raise OptionError("tape: the weights were updated after it was made; run forward again")
        if tape._batch_first:
            given = as_array("dy", dy)
            dy = np.swapaxes(given, 0, 1) if given.ndim > 1 else given
        arrays = None if dstate is None else flatten(self._state_counts, dstate)
        dx, states, grads = self._core.backward(tape._core, dy, arrays, self._num_threads)
        if tape._batch_first and dx is not None:
            dx = np.ascontiguousarray(np.swapaxes(dx, 0, 1))
        names = (name.removeprefix(tape._prefix) for name in self._weights)
        return Gradients(
            dx, unflatten(self._state_counts, states), dict(zip(names, grads, strict=True))
        )

    def __repr__(self) -> str:
        count = sum(array.size for array in self._weights.values())
        return f"Network({len(self._layers)} layers, {count} parameters, {self._dtype.name})"


def _dropout(dropout: float, seed: int | None) -> tuple[float, int | None]:
    number = isinstance(dropout, (int, float, np.integer, np.floating))
    if not number or isinstance(dropout, bool) or not 0 <= dropout < 1:
        raise OptionError(f"dropout: expected a number, 0 <= dropout < 1, got {dropout!r}")
    if seed is None:
        if dropout > 0:
            raise OptionError("seed: expected an integer where dropout is greater than 0, got None")
        return float(dropout), None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise OptionError(f"seed: expected an integer from 0 to 2**64 - 1, got {seed!r}")
    return float(dropout), int(seed)


def _refuse_what_only_runs(spec: ModelSpec) -> None:
    if spec.mask_value is not None:
        raise UnsupportedError(
            f"mask_value={spec.mask_value!r}: a network finds no lengths in x; state them"
        )
    for index, layer in enumerate(spec.layers):
        if not layer.trains:
            raise UnsupportedError(
                f"layer {index} is a {type(layer).__name__}, which cannot be trained"
            )
        for key in layer.keys_of(layer.line):
            value = layer.line.get(key.name, key.default)
            if key.only_runs and key.is_used(value):
                raise UnsupportedError(
                    f"layer {index} ({layer.title}): {key.name}={value!r} cannot be trained; "
                    "only its inference is supported"
                )
