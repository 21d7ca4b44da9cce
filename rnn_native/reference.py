"""The readable oracle: executes any ModelSpec in float64 NumPy, as the equations read.

Deliberately plain: one function per cell, one time step each, under one loop over time. Every
compiled path is tested against this file, so it favours being obviously right over being fast,
imports nothing compiled, and calculates in float64 whatever the type of the weights.

The cells' equations are in ``reference_cells``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_array
from .errors import DTypeError, ShapeError
from .reference_cells import ACTIVATIONS, CellState, Weights, functions_of, step_of
from .reference_cells import sigmoid as sigmoid
from .spec import Embedding, Linear, Merge, ModelSpec, Recurrent

Array = NDArray[np.float64]
Trace = dict[str, Array]


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
        where it has more than h (``Recurrent.state_names``), a tuple such as ``(h_0, c_0)``, each
        [num_layers * num_directions, batch, size]. With several: a tuple of those, in the order
        of the layers. With none: ``()``.
    lengths
        Integers [batch], each 0..time: how many steps of each row are valid. What lies in x past a
        row's length is never looked at. None: all steps or, where the model has a ``mask_value``,
        those before the masked ones, which are a row's last.

    Returns
    -------
    y
        [time, batch, output_size]; zero past a row's length. [batch, output_size] where a Recurrent
        gives its last state alone (``return_sequences=False``).
    state
        As the argument: the state after each row's last valid step (in the reverse direction,
        after its step 0); the initial state where the row has no steps. Never aliases an input.

    Raises
    ------
    ShapeError
        Wrong rank, size or structure; a length or an embedding index out of range; a masked step
        before one that is not.
    DTypeError
        Anything but real floats for x or state; anything but integers for indices or lengths.
    """
    y, state, _ = _run(spec, x, state, lengths)
    return y, state


def trace(
    spec: ModelSpec, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None
) -> Trace:
    """Every gate, candidate and state inside the model's cells, by name, all float64.

    Arguments and errors are those of :func:`run`. Each array is [time, batch, features], and zero
    past a row's length. Names are those of the equations with the layer and the direction, as
    weights have them: ``i_l0``, ``g_l0_reverse``; the outputs of an RNN's output layer are ``o``.
    In a model of several layers they begin with the layer's index, as in a file: ``1.i_l0``.
    """
    return _run(spec, x, state, lengths)[2]


def _run(
    spec: ModelSpec, x: ArrayLike, state: Any, lengths: ArrayLike | None
) -> tuple[Array, Any, Trace]:
    if not isinstance(spec, ModelSpec):
        raise DTypeError(f"spec: expected a ModelSpec, got {type(spec).__name__}")
    if spec.takes_indices:
        data: NDArray[Any] = _array("x", x, "iu", ("time", "batch"))
    else:
        data = _floats("x", x, ("time", "batch", spec.input_size))
    time, batch = data.shape[:2]
    if lengths is None and spec.mask_value is not None:
        lengths = _unmasked(spec, x)
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
    traced: Trace = {}
    with np.errstate(all="ignore"):  # infinities and NaNs travel silently, as IEEE 754 has it
        for index, layer in enumerate(spec.layers):
            if isinstance(layer, Embedding):
                y = layer.weight.astype(np.float64)[y]
            elif isinstance(layer, Linear):
                y = _linear(layer, y)
            elif isinstance(layer, Merge):
                y = _merge(layer, y)
            else:
                y, layer_final, inside = _recurrent(layer, y, next(initial), valid)
                prefix = f"{index}." if len(spec.layers) > 1 else ""
                traced |= {
                    prefix + name: np.where(valid[..., None], array, 0.0)
                    for name, array in inside.items()
                }
                final.append(layer_final if len(layer_final) > 1 else layer_final[0])
    if spec.return_sequences:
        y = np.where(valid[..., None], y, 0.0)
    return y, final[0] if len(final) == 1 else tuple(final), traced


# Layers: whole sequences [time, batch, features], or the last states alone [batch, features]


def _linear(layer: Linear, x: Array) -> Array:
    """y = activation(x W^T + b)."""
    y = x @ layer.weight.astype(np.float64).T
    if layer.bias is not None:
        y = y + layer.bias.astype(np.float64)
    return ACTIVATIONS[layer.activation](y)


def _merge(layer: Merge, x: Array) -> Array:
    """Sum, product or mean of the features' two halves."""
    a, b = x[..., : layer.size], x[..., layer.size :]
    if layer.mode == "mul":
        return a * b
    return a + b if layer.mode == "sum" else (a + b) * 0.5


def _recurrent(
    layer: Recurrent, x: Array, initial: CellState, valid: NDArray[np.bool_]
) -> tuple[Array, CellState, Trace]:
    """A stack: each layer reads the outputs of the one below, both directions side by side.

    initial and the returned final state: the layer's state arrays, each [layers * directions,
    batch, size]. An output layer behind it sees the top layer's h_t and the bottom layer's x_t.
    """
    finals: list[CellState] = []
    traced: Trace = {}
    h = x
    for level in range(layer.num_layers):
        outputs = []
        for direction, suffix in enumerate(layer.suffixes):
            ending = f"_l{level}{suffix}"
            first = tuple(part[len(finals)] for part in initial)
            inside, final = _direction(layer, direction, ending, h, first, valid)
            outputs.append(inside["h"])
            finals.append(final)
            traced |= {name + ending: array for name, array in inside.items()}
        h = np.concatenate(outputs, axis=-1)
    final = tuple(np.stack(rows) for rows in zip(*finals, strict=True))
    if not layer.return_sequences:
        top = final[0][-layer.num_directions :]
        return np.concatenate(list(top), axis=-1), final, traced
    if not layer.output_layer:
        return h, final, traced
    traced["o"] = _output_layer(layer, h, x)
    return traced["o"], final, traced


def _output_layer(layer: Recurrent, h: Array, x: Array) -> Array:
    """o_t = f(W_ho h_t + W_xo x_t + b_o), section 3.1 of the article."""
    w = {name: _float64(array) for name, array in layer.arrays.items() if "_l" not in name}
    a = h @ w["weight_ho"].T + x @ w["weight_xo"].T + w.get("bias_o", 0.0)
    return ACTIVATIONS[layer.output_nonlinearity](a)


def _float64(array: ArrayLike) -> Array:
    return np.asarray(array, dtype=np.float64)


def _direction(
    layer: Recurrent,
    direction: int,
    ending: str,
    x: Array,
    state: CellState,
    valid: NDArray[np.bool_],
) -> tuple[Trace, CellState]:
    """One direction of one layer: everything that its cell calculates, and the final state.

    A row's state only moves at its valid steps, so the reverse direction, which meets a row's
    padding first, starts at its last valid step. Nothing valid reads what stands in padding.
    """
    step, w = step_of(layer), _weights(layer, ending)
    functions = functions_of(layer, direction)
    time, batch = valid.shape
    traced: Trace = {name: np.zeros((time, batch, layer.hidden_size)) for name in layer.trace_names}
    traced["h"] = np.zeros((time, batch, layer.state_size))
    for t in reversed(range(time)) if ending.endswith("_reverse") else range(time):
        inside = step(layer, functions, w, x[t], state)
        for name, array in inside.items():
            traced[name][t] = array
        new = (inside[name] for name in layer.state_names)
        state = tuple(np.where(valid[t, :, None], *pair) for pair in zip(new, state, strict=True))
    return traced, state


def _weights(layer: Recurrent, ending: str) -> Weights:
    """The float64 arrays of one layer and direction, without the ending; no bias is a bias of 0."""
    w = {
        name.removesuffix(ending): _float64(array)
        for name, array in layer.arrays.items()
        if name.endswith(ending)
    }
    for bias in ("bias_ih", "bias_hh"):
        w.setdefault(bias, np.zeros(len(w["weight_ih"])))
    return w


# Checks


def _array(where: str, value: Any, kinds: str, shape: tuple[int | str, ...]) -> NDArray[Any]:
    """value as an array of these NumPy kinds and this shape, where a word stands for any size."""
    array = as_array(where, value)
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


def _unmasked(spec: ModelSpec, x: ArrayLike) -> list[int]:
    """Each row's steps before those that are masked, which have to be its last.

    Compared in the type of x: as a float32, 0.1 equals a ``mask_value`` of 0.1.
    """
    masked = as_array("x", x) == spec.mask_value
    if not spec.takes_indices:
        masked = np.all(masked, axis=-1)
    lengths = []
    for row in range(masked.shape[1]):
        steps = list(masked[:, row])
        length = steps.index(True) if any(steps) else len(steps)
        if not all(steps[length:]):
            raise ShapeError(
                f"x: row {row}, step {length} is masked, but a later one is not: "
                "masked steps have to be a row's last"
            )
        lengths.append(length)
    return lengths


def _initial_states(spec: ModelSpec, state: Any, batch: int) -> list[CellState]:
    """Per Recurrent layer its state arrays, each [layers * directions, batch, size]."""
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
        named = zip(spec.recurrents[index].state_names, arrays, group, strict=True)
        initial.append(tuple(_floats(f"{where} {name}_0", a, shape) for name, a, shape in named))
    return initial


def _parts(where: str, value: Any, count: int) -> list[Any]:
    """The members of a tuple (or list) of exactly this many."""
    if not isinstance(value, (tuple, list)):
        raise ShapeError(f"{where}: expected a tuple of {count}, got {type(value).__name__}")
    if len(value) != count:
        raise ShapeError(f"{where}: expected a tuple of {count}, got one of {len(value)}")
    return list(value)
