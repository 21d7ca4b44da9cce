"""Live modules of PyTorch's, run here: ``from_torch``.

PyTorch is not imported: whoever has a module of its has it already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import as_array
from .errors import ShapeError
from .model import Model
from .tensors import is_tensor, torch_if_loaded

Arrays = Any
"""An array, or a tuple of arrays, maybe of tuples: a state."""


@overload
def from_torch(
    module: Any,
    example: None = None,
    *,
    dtype: DTypeLike | None = None,
    matmul: str = "auto",
    num_threads: int | None = None,
) -> TorchRecurrent | TorchCell: ...
@overload
def from_torch(
    module: Any,
    example: Any,
    *,
    dtype: DTypeLike | None = None,
    matmul: str = "auto",
    num_threads: int | None = None,
) -> Model: ...
def from_torch(
    module: Any,
    example: Any = None,
    *,
    dtype: DTypeLike | None = None,
    matmul: str = "auto",
    num_threads: int | None = None,
) -> TorchRecurrent | TorchCell | Model:
    """A callable that gives what a module of PyTorch's gives in ``eval()`` mode, for inference.

    The weights are copied now; later changes of the module's are not seen. Nothing here
    calculates gradients: parameters and inputs that require them are detached, and so are
    results. Dropout does nothing, whichever mode the module is in.

    Parameters
    ----------
    module
        ``torch.nn.RNN``, ``GRU`` or ``LSTM`` with any of their options, ``RNNCell``, ``GRUCell``
        or ``LSTMCell``; or a ``Sequential`` of RNN, GRU, LSTM, an Embedding in front, Linear with
        Sigmoid, Tanh, ReLU, Softmax or LogSoftmax (over features) behind it, Dropout, Identity
        and Sequential. With ``example``, any network that PyTorch can export.
    example
        What the network takes: a tensor or a tuple of them, features [batch, time, features] or in
        another order, [batch, channels, ..., time], or indices [batch, time]; of any sizes of batch
        and time above 1. Behind the first there may be states, [layers, batch, size]; tensors may
        be in tuples and dicts, of which one alone is called by its keys where ``forward`` has such
        parameters. PyTorch exports the network for it, which needs the ``onnx`` package, and
        what is read has to give all outputs and states that the network gives for it, for other
        numbers and, where the network takes them, for other sizes.
    dtype
        ``"float32"`` or ``"float64"``; None: float64 for a module of that, float32 for others.
    matmul, num_threads
        As of :class:`Model`.

    Returns
    -------
    TorchRecurrent or TorchCell
        It is called as the module is; that of a Sequential, whose recurrent modules pass on all
        their outputs, as ``y, state = f(x, state)``, state being that of :class:`Model`.
    Model
        With ``example``: of the whole graph, on [time, batch, features], where the features of an
        input with more axes are its positions before its channels.

    Raises
    ------
    OptionError
        ``module`` is not a module of PyTorch's.
    UnsupportedError
        A module or an option of it that cannot be run here, by name.
    """
    if example is not None:
        from . import torch_graphs

        spec = torch_graphs.spec_of(module, example)
        if dtype is None:
            arrays = [a for node in spec.nodes.values() for a in node.layer.arrays.values()]
            dtype = np.result_type(*arrays) if arrays else np.float32
        return Model(spec, False, dtype, matmul, num_threads)
    from .torch_specs import spec_of

    found = spec_of(module)
    if dtype is None:
        dtype = np.result_type(*(a for layer in found.spec.layers for a in layer.arrays.values()))
    model = Model(found.spec, found.batch_first, dtype, matmul, num_threads)
    return (TorchCell if found.is_cell else TorchRecurrent)(model)


class _TorchModule:
    """What both have in common: tensors in and out."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rank = 2 if model.spec.takes_indices else 3

    @property
    def model(self) -> Model:
        """The packed model, to stream or to save."""
        return self._model

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model!r})"

    def _batch_axis(self, x: NDArray[Any], axis: int, rank: int) -> int | None:
        """Where an unbatched ``x`` lacks the axis of the batch; None if it does not."""
        if x.ndim not in (rank, rank - 1):
            raise ShapeError(f"x: expected {rank} dimensions, or {rank - 1}; got shape {x.shape}")
        return axis if x.ndim == rank - 1 else None


class TorchRecurrent(_TorchModule):
    """A ``torch.nn.RNN``, ``GRU``, ``LSTM`` or ``Sequential``: what ``from_torch`` returns."""

    def __call__(self, x: Any, hx: Any = None) -> tuple[Any, Any]:
        """The module's call.

        Parameters
        ----------
        x
            [time, batch, input_size], or as the module's ``batch_first`` says; [time, input_size];
            or a ``PackedSequence``. With an Embedding in front integers, without the last axis.
            A tensor on the CPU, read in place; or an array.
        hx
            h_0 [layers * directions, batch, size], or (h_0, c_0) of an LSTM; without the axis of
            the batch for an x without. None: zeros.

        Returns
        -------
        y, state
            Shaped as PyTorch's, of the dtype that is calculated in; tensors for a tensor, arrays
            for an array, and a PackedSequence as y for a PackedSequence.

        Raises
        ------
        ShapeError, DTypeError, UnsupportedError
            An argument has the wrong shape or type, or lies on another device.
        """
        torch = torch_if_loaded()
        if torch is not None and isinstance(x, torch.nn.utils.rnn.PackedSequence):
            return self._packed(torch, x, hx)
        array = as_array("x", x, any_device=False)
        axis = self._batch_axis(array, 0 if self._model.batch_first else 1, self._rank)
        state = _arrays(hx)
        if axis is not None:
            array = np.expand_dims(array, axis)
            state = _map(state, _with_axis(1, "h_0: expected [layers * directions, size]", 2))
        y, final = self._model(array, state)
        if axis is not None:
            y, final = np.squeeze(y, axis), _map(final, lambda h: np.squeeze(h, 1))
        return _like(x, y), _like(x, final)

    def _packed(self, torch: Any, x: Any, hx: Any) -> tuple[Any, Any]:
        """Rows sorted by length, as they are packed: padded, run with lengths, packed again."""
        data = as_array("x.data", x.data, any_device=False)
        sizes = as_array("x.batch_sizes", x.batch_sizes)
        rows = np.arange(sizes.max(initial=0))
        there = rows < sizes[:, np.newaxis]  # [time, batch]
        if np.any(sizes[1:] > sizes[:-1]) or len(data) != np.count_nonzero(there):
            raise ShapeError(
                f"x: {len(data)} packed rows do not fit the batch_sizes {sizes.tolist()}"
            )
        padded = np.zeros(there.shape + data.shape[1:], data.dtype)
        padded[there] = data
        state = _arrays(hx)
        if x.sorted_indices is not None:
            order = as_array("x.sorted_indices", x.sorted_indices)
            state = _map(state, lambda h: _take(h, order))
        turned = self._model.batch_first
        y, final = self._model(padded.swapaxes(0, 1) if turned else padded, state, there.sum(0))
        if x.unsorted_indices is not None:
            back = as_array("x.unsorted_indices", x.unsorted_indices)
            final = _map(final, lambda h: h[:, back])
        steps = (y.swapaxes(0, 1) if turned else y)[there]
        parts = (x.batch_sizes, x.sorted_indices, x.unsorted_indices)
        packed = torch.nn.utils.rnn.PackedSequence(_like(x.data, steps), *parts)
        return packed, _like(x.data, final)


class TorchCell(_TorchModule):
    """A ``torch.nn.RNNCell``, ``GRUCell`` or ``LSTMCell``: what ``from_torch`` returns."""

    def __call__(self, x: Any, hx: Any = None) -> Any:
        """The module's call: one step of x [batch, input_size] or [input_size] from hx, h or
        (h, c) [batch, hidden_size] or [hidden_size], None for zeros. Returns h' or (h', c'),
        tensors for a tensor and arrays for an array; raises what ``TorchRecurrent`` raises.
        """
        array = as_array("x", x, any_device=False)
        axis = self._batch_axis(array, 0, self._rank - 1)
        state = _arrays(hx)
        if axis is not None:
            array = array[np.newaxis]
            state = _map(state, _with_axis(0, "hx: expected [hidden_size]", 1))
        state = _map(state, _with_axis(0, "hx: expected [batch, hidden_size]", 2))
        _, final = self._model(array[np.newaxis], state)
        return _like(x, _map(final, lambda h: h[0] if axis is None else h[0, 0]))


def _arrays(state: Any) -> Arrays:
    """Tensors in a state as arrays; a list as a tuple."""
    if isinstance(state, (tuple, list)):
        return tuple(_arrays(part) for part in state)
    return None if state is None else as_array("hx", state, any_device=False)


def _map(state: Arrays, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Arrays:
    if isinstance(state, tuple):
        return tuple(_map(part, change) for part in state)
    return None if state is None else change(state)


def _with_axis(axis: int, expected: str, rank: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def add(h: NDArray[Any]) -> NDArray[Any]:
        if h.ndim != rank:
            raise ShapeError(f"{expected} for such an x, got shape {h.shape}")
        return np.expand_dims(h, axis)

    return add


def _take(h: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    if h.ndim != 3 or h.shape[1] != len(order):
        raise ShapeError(
            f"h_0: expected [layers * directions, {len(order)}, size], got shape {h.shape}"
        )
    return h[:, order]


def _like(x: Any, value: Arrays) -> Any:
    """Arrays as what ``x`` is: tensors that share their memory, or as they are."""
    if not is_tensor(x):
        return value
    return _map(value, torch_if_loaded().from_numpy)
