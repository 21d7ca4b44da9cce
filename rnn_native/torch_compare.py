"""Whether a model that was read gives what a network of PyTorch's gives: all outputs and states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import reference
from .errors import UnsupportedError
from .spec import ModelSpec, Recurrent
from .states import flatten, state_counts, state_names, unflatten
from .torch_trees import Call, leaves

_OFF: Final = 1e-4
"""What a network in float32 may be off by, of the largest value: the reference is exact."""
_MOST_STATES: Final = 4  # inputs that are states, of which all orders are tried

Array = NDArray[Any]


@dataclass(frozen=True)
class Read:
    """A model as it was read, and what the inputs of the network are to it.

    ``free``: the axes of batch and time of each input; of one that is a state, or has no time, the
    batch alone.
    """

    spec: ModelSpec
    free: Sequence[tuple[int, ...]]


def check(torch: Any, call: Call, read: Read) -> None:
    """Refuses unless all outputs are the network's, whatever it is given."""
    order = _order_of_states(torch, call, read)
    for sign, longer in ((1, 0), (-1, 0), (1, 1)):
        rng = np.random.default_rng(0)
        other = [
            _other(torch, rng, value, axes, sign, longer)
            for value, axes in zip(call.tensors, read.free, strict=True)
        ]
        try:
            with torch.no_grad():
                given = call(other)
        except Exception:  # of a network that takes no other sizes, or no other numbers
            continue
        what = "other sizes" if longer else "other numbers"
        _compare(call, given, other, read, order, f"what it gives of {what} than the example's")


def _order_of_states(torch: Any, call: Call, read: Read) -> Sequence[int] | None:
    """In which order the model has the rows of the inputs that are states: the one of which it
    gives what the network gives for the example; the error of the last one that was tried."""
    with torch.no_grad():
        given = call(call.tensors)
    orders = list(_orders(call, read))
    for index, order in enumerate(orders):
        try:
            _compare(call, given, call.tensors, read, order, "what it gives")
        except UnsupportedError:
            if index == len(orders) - 1:
                raise
        else:
            return order
    raise AssertionError  # there is one order at least


def _orders(call: Call, read: Read) -> Iterator[Sequence[int] | None]:
    """Rows of states, as they come one after the other, in the places of the model's: those of h of
    all layers before those of c, or layer by layer, for each order of the inputs."""
    counts = [
        len(value) if value.ndim == 3 else 1
        for name, value, axes in zip(call.names, call.tensors, read.free, strict=True)
        if len(axes) == 1 and name not in read.spec.inputs
    ]
    if not counts:
        yield None
        return
    layers = read.spec.stateful
    slots = [
        (name, layer, row)
        for layer, one in enumerate(layers)
        for name in one.state_names
        for row in range(one.state_rows)
    ]
    plain = all(isinstance(layer, Recurrent) for layer in layers)
    if not plain or sum(counts) != len(slots) or len(counts) > _MOST_STATES:
        raise UnsupportedError(
            f"its inputs that are states have {sum(counts)} rows, and what was read of it "
            f"{len(slots)}"
        )
    starts = np.cumsum([0, *counts])
    by_name = sorted(range(len(slots)), key=lambda at: slots[at][0] != "h")
    for own in permutations(range(len(counts))):
        rows = [int(starts[one]) + row for one in own for row in range(counts[one])]
        for places in (by_name, range(len(slots))):
            order = [0] * len(slots)
            for place, row in zip(places, rows, strict=True):
                order[place] = row
            yield order


def _other(
    torch: Any,
    rng: np.random.Generator,
    value: Any,
    free: tuple[int, ...],
    sign: int,
    longer: int,
) -> Any:
    """Of the same kind as an input of the example: numbers spread as widely around the same mean,
    times ``sign``, or some of the same indices; with more rows and steps if it is to be
    ``longer``."""
    array = value.detach().cpu().numpy()
    more = dict(zip(free, (1, 3), strict=False))  # of the batch, and of the time
    sizes = [n + longer * more.get(axis, 0) for axis, n in enumerate(array.shape)]
    if not array.size or array.dtype.kind != "f":
        made = rng.choice(array.reshape(-1), sizes) if array.size else array
    else:
        made = sign * rng.normal(array.mean(), array.std() or 1.0, sizes)
    return torch.from_numpy(np.asarray(made, array.dtype)).to(value.device)


def _compare(
    call: Call,
    given: Any,
    inputs: Sequence[Any],
    read: Read,
    order: Sequence[int] | None,
    what: str,
) -> None:
    """Refuses unless the model has each output of the network, as an output or in its state, in
    whatever order of axes."""
    spec = read.spec
    arrays = [value.detach().cpu().numpy() for value in inputs]
    data = {
        name: ours(array, axes)
        for name, array, axes in zip(call.names, arrays, read.free, strict=True)
        if len(axes) == 2 or name in spec.inputs
    }
    known = {name: array for name, array in data.items() if name in spec.inputs}
    x: Any = known if len(spec.inputs) > 1 else next(iter((known or data).values()))
    states = [
        array
        for name, array, axes in zip(call.names, arrays, read.free, strict=True)
        if len(axes) == 1 and name not in spec.inputs
    ]
    with np.errstate(all="ignore"):
        y, after = reference.run(spec, x, _state(spec, states, order))
    own = y if isinstance(y, dict) else {"": y}
    rows = [row for array in flatten(state_counts(spec), after, state_names(spec)) for row in array]
    wanted = [(name, value) for name, value in leaves(given, "output") if value is not None]
    for name, value in wanted:
        want = value.detach().cpu().numpy().astype(np.float64)
        if name in own:
            found = _is_any(want, [own[name]])
        else:
            found = _is_any(want, list(own.values())) or _is_state(want, rows)
        if not found:
            which = f", its {name} of shape {tuple(want.shape)}" if len(wanted) > 1 else ""
            raise UnsupportedError(f"what was read of it does not give {what}{which}")


def _state(spec: ModelSpec, states: Sequence[Array], order: Sequence[int] | None) -> Any:
    if order is None:
        return None
    rows = [row for array in states for row in (array if array.ndim == 3 else array[None])]
    at = iter(order)
    flat = [
        np.stack([rows[next(at)] for _ in range(layer.state_rows)])
        for layer in spec.stateful
        for _ in layer.state_names
    ]
    return unflatten(state_counts(spec), flat, state_names(spec))


def _is_any(want: Array, arrays: Sequence[Array]) -> bool:
    """Whether it is one of these, in whatever order of axes."""
    off = _OFF * max(1.0, float(np.abs(want).max(initial=0, where=np.isfinite(want))))
    for got in arrays:
        for axes in permutations(range(want.ndim)):
            moved = want.transpose(axes)
            if moved.size == got.size and np.allclose(
                moved.reshape(got.shape), got, rtol=0, atol=off, equal_nan=True
            ):
                return True
    return False


def _is_state(want: Array, rows: Sequence[Array]) -> bool:
    """Whether each [batch, size] of it is a row of the state."""
    each = list(want) if want.ndim == 3 else [want]
    off = _OFF * max(1.0, float(np.abs(want).max(initial=0, where=np.isfinite(want))))
    return want.ndim in (2, 3) and all(
        any(
            row.shape == one.shape and np.allclose(one, row, rtol=0, atol=off, equal_nan=True)
            for row in rows
        )
        for one in each
    )


def ours(value: Array, free: tuple[int, ...]) -> Array:
    """[time, batch, features] of an input with those axes of batch and time: the positions of a
    step before its channels; one without time as it is."""
    if len(free) == 1:
        return value
    batch, time = free
    rest = sorted(set(range(value.ndim)) - set(free), key=lambda axis: (axis == 1, axis))
    moved = value.transpose(time, batch, *rest)
    return moved if value.ndim == 2 else moved.reshape(*moved.shape[:2], -1)
