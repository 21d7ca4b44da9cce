"""Golden inputs and outputs: made where a model is saved, replayed where it is loaded.

How far a replay may be off. Let u be the unit roundoff of the type that was computed in (2^-24,
2^-53) and e the largest deviation of the golden result from the float64 reference, in units of
the largest magnitude of its array. Another instruction set, library or order of summation rounds
as often and by as much, to other sides: its result lies around the reference as far as the golden
one does, which e has measured for this very model and input. So

    |replayed - golden| <= max(16 e, 64 u) max |golden|

where 16 and 64 leave room for the luck of a small array whose e is smaller than it might be
(docs/numerics.md). A model that computes in float32 what was made in float64 is allowed
2^29 times as much, which is the ratio of their roundoffs. Where e is above 2^14 u no result would
be worth comparing: such an input makes no golden one. The reference rounds in float64 itself, so
that of a float64 result e is at least 2^-29 times what float32 makes of the same.

With int8 weights or products in bfloat16 e is what rounding the operands does, some hundredths.
Another CPU rounds the same numbers but those at a border between two, and is as far from the
reference, so

    |replayed - golden| <= max(3 e, 2^-7) max |golden|

where an e above 2^-4 makes no golden result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _core, formats, reference
from .arrays import as_array
from .errors import FormatError, OptionError, RnnError, ShapeError, VerifyError
from .formats.golden import (
    MAX_CHARACTERS,
    Golden,
    from_strings,
    largest_error,
    rounds_operands,
)
from .spec import ModelSpec
from .states import flatten, joined, state_counts, state_names, unflatten

_STEPS: Final = 16
_SEED: Final = 0
_ARGUMENTS: Final = ("x", "state", "lengths")
_FACTOR: Final = 16.0  # times the measured error
_LEAST: Final = 64.0  # unit roundoffs
_ROUNDED_FACTOR: Final = 3.0  # the same where what is multiplied is rounded
_ROUNDED_LEAST: Final = 2.0**-7  # a step of int8
_TINY: Final = 2.0**-63  # magnitudes below count as this: far above what may be flushed to zero


class Runs(Protocol):
    """A Model."""

    def __init__(self, spec: ModelSpec) -> None: ...
    def __call__(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Any, Any]: ...
    @property
    def spec(self) -> ModelSpec: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def batch_first(self) -> bool: ...
    @property
    def matmul(self) -> str: ...
    @property
    def weight_dtype(self) -> str | None: ...
    @property
    def compute(self) -> str | None: ...


def make(model: Runs, call: Any) -> Golden:
    """Run ``model`` and keep arguments and results.

    Parameters
    ----------
    model
        Its ``batch_first`` says what the axes of x are.
    call
        x; or a mapping of ``"x"`` and, where wanted, ``"state"`` and ``"lengths"``, as for a call
        of the model; or True for some steps of one row of random input, the same each time.

    Raises
    ------
    OptionError
        An unknown argument; an input without steps or rows; results that are not finite, or so
        sensitive to rounding that no other CPU could be held to them.
    ShapeError, DTypeError
        As a call of the model raises them.
    """
    spec = model.spec
    arguments = _arguments(model, spec, call)
    y, after = model(**arguments)
    counts, names, dtype = state_counts(spec), state_names(spec), model.dtype
    x = as_array("x", arguments["x"]).astype(np.int32 if spec.takes_indices else dtype)
    if model.batch_first:
        x, y = np.swapaxes(x, 0, 1), _time_first(y)
    final = joined(counts, flatten(counts, after, names), dtype)
    start, given = None, arguments.get("state")
    if given is not None:
        start = joined(counts, flatten(counts, given, names), dtype)
        given = unflatten(counts, _split(spec, x.shape[1], start), names)
    lengths = arguments.get("lengths")
    lengths = None if lengths is None else as_array("lengths", lengths).astype(np.int32)
    if not (y.size and np.isfinite(y).all() and np.isfinite(final).all()):
        raise OptionError(
            f"golden: expected an input with some steps and a finite result that has some; x is "
            f"{x.shape}, y {y.shape}"
        )
    y_ref, after_ref = reference.run(spec, x, given, lengths)
    final_ref = joined(counts, flatten(counts, after_ref, names), np.dtype(np.float64))
    error = max(_relative(y, y_ref), _relative(final, final_ref))
    if dtype == np.float64:
        y_coarse, after_coarse = type(model)(spec)(x, given, lengths)
        final_coarse = joined(counts, flatten(counts, after_coarse, names), np.dtype(np.float32))
        coarse = max(_relative(y_coarse, y_ref), _relative(final_coarse, final_ref))
        error = max(error, coarse * 2.0**-29)
    error = float(f"{error:.3g}")  # as a file has it
    if not error <= largest_error(dtype, rounds_operands(model.weight_dtype, model.compute)):
        raise OptionError(
            f"golden: with this input the result is {error:.2g} of its size from the reference, "
            "as rounding errors grow: choose another, or fewer steps"
        )
    return Golden(x=x, y=y, final=final, error=error, lengths=lengths, state=start)


def arguments_of(spec: ModelSpec, golden: Golden) -> dict[str, Any]:
    """The arguments of the call, time first. Raises ``ShapeError`` for a state of another model."""
    arguments: dict[str, Any] = {"x": golden.x, "lengths": golden.lengths}
    if golden.state is not None:
        flat = _split(spec, golden.x.shape[1], golden.state)
        arguments["state"] = unflatten(state_counts(spec), flat, state_names(spec))
    return arguments


def replay(model: Runs, spec: ModelSpec, golden: Golden) -> None:
    """Run ``model``, made of ``spec``, on the golden input.

    Raises ``FormatError`` where the input is none of this model's, and ``VerifyError`` where a
    result is farther from the golden one than the module's text allows.
    """
    counts, names = state_counts(spec), state_names(spec)
    try:
        spec.check_is_chain("golden")
        arguments = arguments_of(spec, golden)
        if model.batch_first:
            arguments["x"] = np.swapaxes(golden.x, 0, 1)
        y, after = model(**arguments)
    except RnnError as error:
        raise FormatError(f"golden: not an input of this model: {error}") from error
    y = _time_first(y) if model.batch_first else y
    final = joined(counts, flatten(counts, after, names), model.dtype)
    relative = _allowed(model, golden)
    for name, got, expected in (("y", y, golden.y), ("final state", final, golden.final)):
        if got.shape != expected.shape:
            raise FormatError(
                f"golden: {name}: expected shape {expected.shape}, this model gives {got.shape}"
            )
        _compare(model, name, got, expected, relative)


def _allowed(model: Runs, golden: Golden) -> float:
    """How far results may be off, in units of the largest."""
    if rounds_operands(model.weight_dtype, model.compute):
        return max(_ROUNDED_FACTOR * golden.error, _ROUNDED_LEAST)
    roundoff = _roundoff(golden.y.dtype)
    relative = max(_FACTOR * golden.error, _LEAST * roundoff)
    return relative * max(1.0, _roundoff(model.dtype) / roundoff)


def replay_file(
    model: Runs, spec: ModelSpec, path: str | os.PathLike[str], format: str | None
) -> None:
    """:func:`replay` what the file carries that ``model`` was read from; ``OptionError`` where it
    carries nothing. Messages begin with the path."""
    strings = formats.strings(path, format)
    try:
        golden = from_strings(strings)
        if golden is None:
            raise OptionError(
                "verify=True: the file carries no golden input and output; "
                "Model.save(path, golden=True) or rnn-native convert --golden write one"
            )
        replay(model, spec, golden)
    except RnnError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error


def _compare(
    model: Runs, name: str, got: NDArray[Any], expected: NDArray[Any], relative: float
) -> None:
    if not expected.size:
        return
    wide = expected.astype(np.float64)
    allowed = relative * max(float(np.abs(wide).max()), _TINY)
    off = np.abs(got.astype(np.float64) - wide)
    off[np.isnan(off)] = np.inf
    place = np.unravel_index(int(np.argmax(off)), off.shape)
    if off[place] > allowed:
        where = ", ".join(str(int(i)) for i in place)
        raise VerifyError(
            f"golden: {name}[{where}]: expected {wide[place]:.9g} within {allowed:.2g}, got "
            f"{float(got[place]):.9g} ({model.dtype.name}, {model.matmul}, {_core.isa()}): these "
            "weights or this machine do not give what was stored with them"
        )


def _arguments(model: Runs, spec: ModelSpec, call: Any) -> dict[str, Any]:
    if isinstance(call, (bool, np.bool_)):
        if not call:
            raise OptionError("golden: expected True, an input or arguments of a call; got False")
        return {"x": _generate(model, spec)}
    if not isinstance(call, Mapping):
        return {"x": call}
    unknown = [str(key) for key in call if key not in _ARGUMENTS]
    if unknown or "x" not in call:
        raise OptionError(
            f"golden: expected x and maybe {', '.join(_ARGUMENTS[1:])}; "
            f"got {', '.join(map(str, call)) or 'nothing'}"
        )
    return dict(call)


def _generate(model: Runs, spec: ModelSpec) -> NDArray[Any]:
    """As many steps of one row as surely find a place in a file, at most ``_STEPS``."""
    item = model.dtype.itemsize
    features = 1 if spec.takes_indices else spec.input_size
    states = sum(rows * size for shapes in spec.state_shapes.values() for rows, size in shapes)
    room = MAX_CHARACTERS * 3 // 4 - 1024 - states * item
    steps = min(_STEPS, max(1, room // ((features + spec.output_size) * item)))
    (output,) = spec.outputs.values()
    while not spec.steps(output, steps) and steps * features * item < room:
        steps *= 2  # so that y has one
    rng = np.random.default_rng(_SEED)
    if spec.takes_indices:
        x: NDArray[Any] = rng.integers(spec.input_size, size=(steps, 1), dtype=np.int32)
    else:
        x = rng.standard_normal((steps, 1, features)).astype(model.dtype)
    return np.swapaxes(x, 0, 1) if model.batch_first else x


def _time_first(y: NDArray[Any]) -> NDArray[Any]:
    """What is batch first with time first; [batch, features], of a single step, as it is."""
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


def _roundoff(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) / 2


def _relative(got: NDArray[Any], expected: NDArray[Any]) -> float:
    if not expected.size:
        return 0.0
    scale = max(float(np.abs(expected).max()), _TINY)
    return float(np.abs(got.astype(np.float64) - expected).max()) / scale


def _split(spec: ModelSpec, batch: int, flat: NDArray[Any]) -> list[NDArray[Any]]:
    """The inverse of :func:`states.joined`."""
    arrays: list[NDArray[Any]] = []
    needed = sum(rows * size for shapes in spec.state_shapes.values() for rows, size in shapes)
    if len(flat) < needed * batch:
        raise ShapeError(f"state: {len(flat)} numbers, fewer than its layers need")
    if len(flat) > needed * batch:
        raise ShapeError(f"state: {len(flat)} numbers, {needed * batch} expected")
    used = 0
    for shapes in spec.state_shapes.values():
        group = [np.empty((rows, batch, size), flat.dtype) for rows, size in shapes]
        for row in range(max(rows for rows, _ in shapes)):
            for array in (a for a in group if row < len(a)):
                array[row] = flat[used : used + array[row].size].reshape(array[row].shape)
                used += array[row].size
        arrays += group
    return arrays
