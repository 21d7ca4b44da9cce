"""The readable oracle: executes any ModelSpec in float64 NumPy, as the equations read.

Deliberately plain: each layer's equations stand in its class in ``spec/layers``, those of one time
step of a cell in ``spec/cells``, and here is what goes from one to the next. Every compiled path is
tested against this, so it favours being obviously right over being fast, imports nothing compiled,
and calculates in float64 whatever the type of the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activations import sigmoid as sigmoid
from .arrays import as_array
from .errors import DTypeError, ShapeError
from .spec import ModelSpec

Array = NDArray[np.float64]
Trace = dict[str, Array]
LayerState = tuple[Array, ...]


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
            ran = layer.run((y,), next(initial) if layer.state_names else (), valid)
            y = ran.outputs[0]
            prefix = f"{index}." if len(spec.layers) > 1 else ""
            traced |= {
                prefix + name: np.where(valid[..., None], array, 0.0)
                for name, array in ran.trace.items()
            }
            if layer.state_names:
                final.append(ran.state if len(ran.state) > 1 else ran.state[0])
    if spec.return_sequences:
        y = np.where(valid[..., None], y, 0.0)
    return y, final[0] if len(final) == 1 else tuple(final), traced


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


def _initial_states(spec: ModelSpec, state: Any, batch: int) -> list[LayerState]:
    """Per layer that has one its state arrays, each [layers * directions, batch, size]."""
    shapes = [
        [(layer.state_rows, batch, size) for size in layer.state_sizes] for layer in spec.stateful
    ]
    if state is None:
        return [tuple(np.zeros(shape) for shape in group) for group in shapes]
    one = len(shapes) == 1
    initial = []
    for index, part in enumerate([state] if one else _parts("state", state, len(shapes))):
        where, group = "state" if one else f"state[{index}]", shapes[index]
        arrays = [part] if len(group) == 1 else _parts(where, part, len(group))
        named = zip(spec.stateful[index].state_names, arrays, group, strict=True)
        initial.append(tuple(_floats(f"{where} {name}_0", a, shape) for name, a, shape in named))
    return initial


def _parts(where: str, value: Any, count: int) -> list[Any]:
    """The members of a tuple (or list) of exactly this many."""
    if not isinstance(value, (tuple, list)):
        raise ShapeError(f"{where}: expected a tuple of {count}, got {type(value).__name__}")
    if len(value) != count:
        raise ShapeError(f"{where}: expected a tuple of {count}, got one of {len(value)}")
    return list(value)
