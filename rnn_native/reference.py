"""The readable oracle: executes any ModelSpec in float64 NumPy, as the equations read.

Deliberately plain: each layer's equations stand in its class in ``spec/layers``, those of one time
step of a cell in ``spec/cells``, and here is what goes from one to the next. Every compiled path is
tested against this, so it favours being obviously right over being fast, imports nothing compiled,
and calculates in float64 whatever the type of the weights. ``weight_dtype`` and ``compute`` round
what is multiplied as a Model of these does, and nothing else: ``spec/rounding.py`` says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .activations import sigmoid as sigmoid
from .arrays import as_array
from .errors import DTypeError, ShapeError
from .spec import ModelSpec, Node
from .spec.layer import LAST
from .spec.multiplying import Multiplying
from .spec.products import Dot, dot_of
from .spec.stored import stored as stored
from .spec.stored import weight_dtype_of
from .spec.windowed import Windowed

Array = NDArray[np.float64]
Trace = dict[str, Array]
LayerState = tuple[Array, ...]


def run(
    spec: ModelSpec,
    x: ArrayLike | Mapping[str, ArrayLike],
    state: Any = None,
    lengths: ArrayLike | None = None,
    weight_dtype: DTypeLike | None = None,
    compute: str | None = None,
) -> tuple[Any, Any]:
    """Run the whole model over whole sequences and return ``(y, state)``, all float64.

    Parameters
    ----------
    spec
        The model.
    x
        Floats [time, batch, input_size]; integers [time, batch] where the first layer is an
        Embedding. time and batch may be 0. Of a model with several inputs: a dict of them by name,
        those without time [batch, features], of indices [batch].
    state
        The initial state; None is the layers' own (``Recurrent.initial_state``), else zeros. For a
        model with one Recurrent layer: ``h_0`` or,
        where it has more than h (``Recurrent.state_names``), a tuple such as ``(h_0, c_0)``, each
        [num_layers * num_directions, batch, size]. With several: a tuple of those, in the order
        of the layers; of a graph, a dict by the names of the nodes. With none: ``()``.
    lengths
        Integers [batch], each 0..time: how many steps of each row are valid. What lies in x past a
        row's length is never looked at. None: all steps or, where the model has a ``mask_value``,
        those before the masked ones, which are a row's last.
    weight_dtype
        Matrices are rounded as a Model of this ``weight_dtype`` stores them: :func:`stored`. With
        ``"int8"`` what they multiply is rounded too, each row of each product to 127 steps to
        either side of 0, by the largest magnitude in it. Layers of ``spec.keep`` are as without.
    compute
        ``"bfloat16"``: both sides of every product with a matrix are rounded to bfloat16. None: in
        float64.

    Returns
    -------
    y
        [time, batch, output_size]; zero past a row's length. [batch, output_size] where a Recurrent
        gives its last state alone (``return_sequences=False``). Of a model with several outputs: a
        dict of them by name.
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
    OptionError, UnsupportedError
        An unknown ``weight_dtype`` or ``compute``; those that do not go together; a weight that the
        type has not.

    Example
    -------
    >>> import numpy as np, rnn_native as rn
    >>> spec = rn.ModelSpec((rn.Linear(np.array([[1.0, 0.5]])),))
    >>> x = np.array([[[127.0, 0.4]]])
    >>> rn.reference.run(spec, x)[0].item()
    127.2
    >>> rn.reference.run(spec, x, weight_dtype="bfloat16", compute="bfloat16")[0].item()
    127.2001953125
    """
    y, state, _ = _run_reduced(spec, x, state, lengths, weight_dtype, compute)
    return y, state


def run_with(
    dot: Dot,
    spec: ModelSpec,
    x: ArrayLike | Mapping[str, ArrayLike],
    state: Any = None,
    lengths: ArrayLike | None = None,
) -> tuple[Any, Any]:
    """:func:`run`, where ``dot(x, W)`` makes each product with a matrix of a layer that is not of
    ``spec.keep``, once for each; W is that array of the layer or rows of it, as float64."""
    y, state, _ = _run(spec, x, state, lengths, dot)
    return y, state


def trace(
    spec: ModelSpec,
    x: ArrayLike | Mapping[str, ArrayLike],
    state: Any = None,
    lengths: ArrayLike | None = None,
    weight_dtype: DTypeLike | None = None,
    compute: str | None = None,
) -> Trace:
    """Every gate, candidate and state inside the model's cells, by name, all float64.

    Arguments and errors are those of :func:`run`. Each array is [time, batch, features], and zero
    past a row's length. Names are those of the equations with the layer and the direction, as
    weights have them: ``i_l0``, ``g_l0_reverse``; the outputs of an RNN's output layer are ``o``.
    In a model of several layers they begin with the layer's index, as in a file: ``1.i_l0``; in a
    graph with the node's name.
    """
    if isinstance(spec, ModelSpec):
        spec.check_trace()
    return _run_reduced(spec, x, state, lengths, weight_dtype, compute)[2]


def _run_reduced(
    spec: ModelSpec,
    x: Any,
    state: Any,
    lengths: ArrayLike | None,
    weight_dtype: DTypeLike | None,
    compute: str | None,
) -> tuple[Any, Any, Trace]:
    if not isinstance(spec, ModelSpec):
        raise DTypeError(f"spec: expected a ModelSpec, got {type(spec).__name__}")
    dot = dot_of(weight_dtype_of(weight_dtype), compute)
    spec = stored(spec, weight_dtype if compute is None else compute)
    return _run(spec, x, state, lengths, dot)


def _run(
    spec: ModelSpec, x: Any, state: Any, lengths: ArrayLike | None, dot: Dot
) -> tuple[Any, Any, Trace]:
    rounded = spec.reducible
    inputs = _inputs(spec, x)
    time, batch = next(inputs[name] for name, one in spec.inputs.items() if one.time).shape[:2]
    if lengths is None and spec.mask_value is not None:
        (name,) = inputs
        lengths = _unmasked(spec, x[name] if isinstance(x, Mapping) else x)
    valid = _valid_steps(lengths, time, batch)
    initial = _initial_states(spec, state, batch)

    # Padding is selected away, not multiplied away: 0 * NaN is NaN.
    values: dict[str, Any] = {}
    for name, data in inputs.items():
        indices, has_time = spec.inputs[name].indices, spec.inputs[name].time
        counts = valid if has_time else np.ones(batch, dtype=np.bool_)
        if indices:
            _check_indices(_where(spec, name), data, counts, spec.inputs[name].features)
        values[name] = np.where(counts if indices else counts[..., None], data, 0)
    final: dict[str, Any] = {}
    traced: Trace = {}
    there = dict.fromkeys(inputs, valid)  # which steps of each value there are
    with np.errstate(all="ignore"):  # infinities and NaNs travel silently, as IEEE 754 has it
        for name, node in spec.nodes.items():
            read = _read(spec, node, there, valid)
            given = [values[source] for source in node.inputs], initial.get(name, ()), read
            if name in rounded and isinstance(node.layer, Multiplying):
                ran = node.layer.run(*given, dot)
            else:
                ran = node.layer.run(*given)
            values |= dict(zip((name, name + LAST), ran.outputs, strict=False))
            there |= dict.fromkeys((name, name + LAST), _made(node, initial.get(name, ()), read))
            values[name] = _padded(values[name], there[name], bool(spec.value(name).last))
            prefix = f"{name}." if len(spec.nodes) > 1 else ""
            traced |= {
                prefix + inside: np.where(there[name][..., None], array, 0.0)
                for inside, array in ran.trace.items()
            }
            if node.layer.state_names:
                final[name] = ran.state if len(ran.state) > 1 else ran.state[0]
    y = {
        name: _padded(values[value], there[value], bool(spec.value(value).last))
        for name, value in spec.outputs.items()
    }
    outputs = y if len(y) > 1 else next(iter(y.values()))
    if spec.has_named_state:
        return outputs, final, traced
    return outputs, next(iter(final.values())) if len(final) == 1 else (*final.values(),), traced


def _read(
    spec: ModelSpec, node: Node, there: Mapping[str, NDArray[np.bool_]], valid: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which of the steps that a node goes over there are; ``valid``: of the model's inputs."""
    index = node.layer.paced_by([spec.value(source) for source in node.inputs])
    return valid if index < 0 else there[node.inputs[index]]


def _made(node: Node, initial: LayerState, read: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which steps of what a node makes there are."""
    if not isinstance(node.layer, Windowed):
        return read
    phase = node.layer.phase_of(initial)
    made = node.layer.window.steps(read.shape[0], phase)
    ends: NDArray[np.int64] = node.layer.window.steps(np.sum(read, axis=0), phase)
    return np.arange(made)[:, None] < ends


def _padded(array: Array, there: NDArray[np.bool_], is_last: bool) -> Array:
    return array if is_last else np.where(there[..., None], array, 0.0)


# Checks


def _where(spec: ModelSpec, name: str) -> str:
    """What messages call an input."""
    return "x" if len(spec.inputs) == 1 else f"x[{name!r}]"


def _inputs(spec: ModelSpec, x: Any) -> dict[str, NDArray[Any]]:
    """Each input's array [time, batch, features], of indices [time, batch]; all of them alike."""
    several = len(spec.inputs) > 1
    if several or (isinstance(x, Mapping) and not spec.is_chain):
        expected = ", ".join(map(repr, spec.inputs))
        if not isinstance(x, Mapping):
            raise ShapeError(f"x: expected a dict of {expected}, got {type(x).__name__}")
        if set(x) != set(spec.inputs):
            raise ShapeError(f"x: expected a dict of {expected}, got {', '.join(map(repr, x))}")
    else:
        x = {next(iter(spec.inputs)): x}
    arrays: dict[str, NDArray[Any]] = {}
    for name, wanted in spec.inputs.items():
        axes: tuple[int | str, ...] = ("time", "batch") if wanted.time else ("batch",)
        if wanted.indices:
            arrays[name] = _array(_where(spec, name), x[name], "iu", axes)
        else:
            arrays[name] = _floats(_where(spec, name), x[name], (*axes, wanted.features))
    first = next(name for name, wanted in spec.inputs.items() if wanted.time)
    steps, rows = arrays[first].shape[:2]
    for name, wanted in spec.inputs.items():
        got = arrays[name].shape[: 1 + wanted.time]
        if got != (steps, rows)[-len(got) :]:
            expected = f"{steps} steps of {rows} rows" if wanted.time else f"{rows} rows"
            raise ShapeError(
                f"{_where(spec, name)}: expected {expected}, as {first!r} has; got "
                f"{' of '.join(map(str, got))}"
            )
    return arrays


def _check_indices(where: str, data: NDArray[Any], valid: NDArray[np.bool_], known: int) -> None:
    wrong = np.argwhere(valid & ((data < 0) | (data >= known)))
    if len(wrong):
        at = tuple(map(int, wrong[0]))
        raise ShapeError(f"{where}{list(at)}: expected 0..{known - 1}, got {data[at]}")


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


def _initial_states(spec: ModelSpec, state: Any, batch: int) -> dict[str, LayerState]:
    """By node, of each that has one, its state arrays, each [rows, batch, size]."""
    layers = {name: node.layer for name, node in spec.nodes.items() if node.layer.state_names}
    features = {name: spec.value(node.inputs[0]).features for name, node in spec.nodes.items()}
    if state is None:
        return {name: layer.first_state(batch, features[name]) for name, layer in layers.items()}
    one = len(layers) == 1 and not spec.has_named_state
    if not spec.has_named_state:
        parts = [state] if one else _parts("state", state, len(layers))
    else:
        if not isinstance(state, Mapping) or set(state) != set(layers):
            came = ", ".join(map(repr, state)) if isinstance(state, Mapping) else type(state)
            raise ShapeError(
                f"state: expected a dict of {', '.join(map(repr, layers))}, got {came}"
            )
        parts = [state[name] for name in layers]
    initial = {}
    for index, (part, (name, layer)) in enumerate(zip(parts, layers.items(), strict=True)):
        where = "state" if one else f"state[{repr(name) if spec.has_named_state else index}]"
        shapes = spec.state_shapes[name]
        if len(shapes) == 1 and isinstance(part, Mapping):
            raise ShapeError(f"{where}: expected one array, got {type(part).__name__}")
        arrays = [part] if len(shapes) == 1 else _parts(where, part, len(shapes))
        initial[name] = tuple(
            _floats(f"{where} {own}_0", array, (rows, batch, size))
            for own, array, (rows, size) in zip(layer.state_names, arrays, shapes, strict=True)
        )
    return initial


def _parts(where: str, value: Any, count: int) -> list[Any]:
    """The members of a tuple (or list) of exactly this many."""
    if not isinstance(value, (tuple, list)):
        raise ShapeError(f"{where}: expected a tuple of {count}, got {type(value).__name__}")
    if len(value) != count:
        raise ShapeError(f"{where}: expected a tuple of {count}, got one of {len(value)}")
    return list(value)
