"""The readable oracle: executes any ModelSpec in float64 NumPy, as the equations read.

Deliberately plain: one function per cell, one time step each, under one loop over time. Every
compiled path is tested against this file, so it favours being obviously right over being fast,
imports nothing compiled, and calculates in float64 whatever the type of the weights.

To add a cell: write its step function and enter it in ``CELLS``.

Notation of the equations: ``*`` is the elementwise product, ``W x`` a matrix product,
``x_t`` the input of step t, ``h_t`` the state that is also the output. In the code a batch of
rows stands where the equations have one column, hence ``x @ W.T`` for ``W x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DTypeError, ShapeError
from .spec import Embedding, Linear, ModelSpec, Recurrent

Array = NDArray[np.float64]
Weights = Mapping[str, Array]
CellState = tuple[Array, ...]  # of one layer and direction: (h,) or (h, c), each [batch, size]
Step = Callable[[Recurrent, Weights, Array, CellState], CellState]


def run(
    spec: ModelSpec, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None
) -> tuple[Array, Any]:
    """Run the whole model over whole sequences and return ``(y, state)``, all float64.

    Parameters
    ----------
    spec
        The model.
    x
        Floats [time, batch, input_size]; integers [time, batch] where the first layer is an
        Embedding. time and batch may be 0.
    state
        The initial state; None is all zeros. For a model with one Recurrent layer: ``h_0`` or,
        for an LSTM, ``(h_0, c_0)``, each [num_layers * num_directions, batch, size]. With
        several: a tuple of those, in the order of the layers. With none: ``()``.
    lengths
        Integers [batch], each 0..time: how many steps of each row are valid; None is all. What
        lies in x past a row's length is never looked at.

    Returns
    -------
    y
        [time, batch, output_size]; zero past a row's length.
    state
        As the argument: the state after each row's last valid step (in the reverse direction,
        after its step 0); the initial state where the row has no steps. Never aliases an input.

    Raises
    ------
    ShapeError
        Wrong rank, size or structure; a length or an embedding index out of range.
    DTypeError
        Anything but real floats for x or state; anything but integers for indices or lengths.
    """
    if not isinstance(spec, ModelSpec):
        raise DTypeError(f"spec: expected a ModelSpec, got {type(spec).__name__}")
    if spec.takes_indices:
        data: NDArray[Any] = _array("x", x, "iu", ("time", "batch"))
    else:
        data = _floats("x", x, ("time", "batch", spec.input_size))
    time, batch = data.shape[:2]
    valid = _valid_steps(lengths, time, batch)
    if spec.takes_indices:
        wrong = np.argwhere(valid & ((data < 0) | (data >= spec.input_size)))
        if len(wrong):
            t, b = wrong[0]
            raise ShapeError(f"x[{t}, {b}]: expected 0..{spec.input_size - 1}, got {data[t, b]}")
    initial = iter(_initial_states(spec, state, batch))

    # Padding is selected away, not multiplied away: 0 * NaN is NaN.
    y = np.where(valid if spec.takes_indices else valid[..., None], data, 0)
    final: list[Any] = []
    with np.errstate(all="ignore"):  # infinities and NaNs travel silently, as IEEE 754 has it
        for layer in spec.layers:
            if isinstance(layer, Embedding):
                y = layer.weight.astype(np.float64)[y]
            elif isinstance(layer, Linear):
                y = _linear(layer, y)
            else:
                y, layer_final = _recurrent(layer, y, next(initial), valid)
                final.append(layer_final if len(layer_final) > 1 else layer_final[0])
    y = np.where(valid[..., None], y, 0.0)
    return y, final[0] if len(final) == 1 else tuple(final)


# Activations


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by whichever of its two forms never takes exp of a positive number."""
    e: Array = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def log_softmax(x: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis, shifted by the maximum so as not to overflow."""
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so as not to overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


ACTIVATIONS: Final[Mapping[str, Callable[[Array], Array]]] = MappingProxyType({
    "identity": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),  # NaN stays NaN
    "softmax": softmax,
    "log_softmax": log_softmax,
})  # fmt: skip


# Cells: one time step of one layer and direction, for a batch of rows


def rnn_step(layer: Recurrent, w: Weights, x: Array, state: CellState) -> CellState:
    """Simple recurrent network (Elman 1990), as ``torch.nn.RNN`` documents it; f: tanh or relu.

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
    """
    (h,) = state
    f = ACTIVATIONS[layer.nonlinearity]
    return (f(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]),)


def gru_step(layer: Recurrent, w: Weights, x: Array, state: CellState) -> CellState:
    """Gated recurrent unit (Cho et al. 2014), in the terms of ``torch.nn.GRU``.

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))    reset_after (PyTorch, cuDNN)
    n_t = tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)    otherwise (Cho et al.; ONNX
                                                                 with linear_before_reset=0)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                        (the article swaps z and 1 - z)
    """
    (h,) = state
    w_ir, w_iz, w_in = np.split(w["weight_ih"], 3)
    w_hr, w_hz, w_hn = np.split(w["weight_hh"], 3)
    b_ir, b_iz, b_in = np.split(w["bias_ih"], 3)
    b_hr, b_hz, b_hn = np.split(w["bias_hh"], 3)

    r = sigmoid(x @ w_ir.T + b_ir + h @ w_hr.T + b_hr)
    z = sigmoid(x @ w_iz.T + b_iz + h @ w_hz.T + b_hz)
    if layer.reset_after:
        n = np.tanh(x @ w_in.T + b_in + r * (h @ w_hn.T + b_hn))
    else:
        n = np.tanh(x @ w_in.T + b_in + (r * h) @ w_hn.T + b_hn)
    return ((1.0 - z) * n + z * h,)


def lstm_step(layer: Recurrent, w: Weights, x: Array, state: CellState) -> CellState:
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    In the terms of ``torch.nn.LSTM``; in brackets the diagonal peepholes (Gers and Schmidhuber
    2000; ONNX's P) and the recurrent projection (Sak et al. 2014; torch's ``proj_size``):

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi [+ w_ci * c_{t-1}])
    f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf [+ w_cf * c_{t-1}])
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    c_t = f_t * c_{t-1} + i_t * g_t
    o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho [+ w_co * c_t])
    h_t = [W_hr] (o_t * tanh(c_t))
    """
    h, c = state
    gates = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    i, f, g, o = np.split(gates, 4, axis=-1)
    if layer.peephole:
        i = i + w["weight_ci"] * c
        f = f + w["weight_cf"] * c
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    if layer.peephole:
        o = o + w["weight_co"] * c
    h = sigmoid(o) * np.tanh(c)
    if layer.proj_size:
        h = h @ w["weight_hr"].T
    return h, c


CELLS: Final[Mapping[str, Step]] = MappingProxyType(
    {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}
)


# Layers: whole sequences [time, batch, features]


def _linear(layer: Linear, x: Array) -> Array:
    """y = activation(x W^T + b)."""
    y = x @ layer.weight.astype(np.float64).T
    if layer.bias is not None:
        y = y + layer.bias.astype(np.float64)
    return ACTIVATIONS[layer.activation](y)


def _recurrent(
    layer: Recurrent, x: Array, initial: CellState, valid: NDArray[np.bool_]
) -> tuple[Array, CellState]:
    """A stack: each layer reads the outputs of the one below, both directions side by side.

    initial and the returned final state: (h,) or (h, c), each [layers * directions, batch, size].
    """
    finals: list[CellState] = []
    for level in range(layer.num_layers):
        outputs = []
        for suffix in layer.suffixes:
            first = tuple(part[len(finals)] for part in initial)
            y, final = _direction(layer, f"_l{level}{suffix}", x, first, valid)
            outputs.append(y)
            finals.append(final)
        x = np.concatenate(outputs, axis=-1)
    return x, tuple(np.stack(rows) for rows in zip(*finals, strict=True))


def _direction(
    layer: Recurrent, ending: str, x: Array, state: CellState, valid: NDArray[np.bool_]
) -> tuple[Array, CellState]:
    """One direction of one layer; a row's state only moves at its valid steps.

    So the reverse direction, which meets a row's padding first, starts at its last valid step.
    In padding y repeats the state; nothing valid reads it, and run zeroes it at the end.
    """
    step, w = CELLS[layer.cell], _weights(layer, ending)
    time, batch = valid.shape
    y = np.zeros((time, batch, layer.state_size))
    for t in reversed(range(time)) if ending.endswith("_reverse") else range(time):
        new = step(layer, w, x[t], state)
        state = tuple(np.where(valid[t, :, None], *pair) for pair in zip(new, state, strict=True))
        y[t] = state[0]
    return y, state


def _weights(layer: Recurrent, ending: str) -> Weights:
    """The float64 arrays of one layer and direction, without the ending; no bias is a bias of 0."""
    w = {
        name.removesuffix(ending): array.astype(np.float64)
        for name, array in layer.arrays.items()
        if name.endswith(ending)
    }
    for bias in ("bias_ih", "bias_hh"):
        w.setdefault(bias, np.zeros(len(w["weight_ih"])))
    return w


# Checks


def _array(where: str, value: Any, kinds: str, shape: tuple[int | str, ...]) -> NDArray[Any]:
    """value as an array of these NumPy kinds and this shape, where a word stands for any size."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{where}: expected an array, got ragged rows") from error
    if array.size == 0 and isinstance(value, (list, tuple)):
        array = array.astype("f8" if kinds == "f" else "i8")  # an empty list has no type
    if array.dtype.kind not in kinds:
        wanted = "real floats" if kinds == "f" else "integers"
        raise DTypeError(f"{where}: expected {wanted}, got {array.dtype}")
    if array.ndim != len(shape) or any(
        isinstance(want, int) and want != got for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join(map(str, shape))
        raise ShapeError(f"{where}: expected shape ({wanted}), got {array.shape}")
    return array


def _floats(where: str, value: Any, shape: tuple[int | str, ...]) -> Array:
    return _array(where, value, "f", shape).astype(np.float64, order="C")


def _valid_steps(lengths: ArrayLike | None, time: int, batch: int) -> NDArray[np.bool_]:
    """Whether step t of row b is valid, [time, batch]."""
    if lengths is None:
        return np.ones((time, batch), dtype=np.bool_)
    array = _array("lengths", lengths, "iu", (batch,))
    for row, length in enumerate(array.tolist()):
        if not 0 <= length <= time:
            raise ShapeError(f"lengths[{row}]: expected 0..{time}, got {length}")
    return np.arange(time)[:, None] < array.astype(np.int64)


def _initial_states(spec: ModelSpec, state: Any, batch: int) -> list[CellState]:
    """Per Recurrent layer (h,) or (h, c), each [layers * directions, batch, size]."""
    shapes = [
        [(layer.num_layers * layer.num_directions, batch, size) for size in layer.state_sizes]
        for layer in spec.recurrents
    ]
    if state is None:
        return [tuple(np.zeros(shape) for shape in group) for group in shapes]
    one = len(shapes) == 1
    initial = []
    for index, part in enumerate([state] if one else _parts("state", state, len(shapes))):
        where, group = "state" if one else f"state[{index}]", shapes[index]
        arrays = [part] if len(group) == 1 else _parts(where, part, len(group))
        named = zip("hc"[: len(group)], arrays, group, strict=True)
        initial.append(tuple(_floats(f"{where} {name}_0", a, shape) for name, a, shape in named))
    return initial


def _parts(where: str, value: Any, count: int) -> list[Any]:
    """The members of a tuple (or list) of exactly this many."""
    if not isinstance(value, (tuple, list)):
        raise ShapeError(f"{where}: expected a tuple of {count}, got {type(value).__name__}")
    if len(value) != count:
        raise ShapeError(f"{where}: expected a tuple of {count}, got one of {len(value)}")
    return list(value)
