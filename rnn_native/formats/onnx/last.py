"""The last state of a Recurrent as the data that go on: Y_h, or the last step of Y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ...errors import RnnError
from ...spec import Recurrent, Reduce
from .constants import axis_of, slices_of
from .graph import Node
from .joining import concat
from .roles import Roles
from .values import Constant, Data, Half, StateOut, Step, Value, live, show

Handler = Callable[[Node, Sequence[Value | None], Roles], list[Value]]

# How exporters arrange final states, for the outputs of a graph or for the layers behind.
ARRANGE = (
    "Cast", "Concat", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip
_MOST = 64  # parts that are told apart
_MOVES = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def arrange(
    node: Node, inputs: Sequence[Value | None], roles: Roles, handler: Handler
) -> list[Value]:
    """An operator of ``ARRANGE`` on final states: which these are, and if it is clear, where."""
    states = [value for value in inputs if isinstance(value, StateOut)]
    if node.op == "Split" and len(states[0].parts) == 1:
        with suppress(RnnError):  # of features, for a Merge; else of the states of several layers
            return handler(node, [states[0].parts[0], *inputs[1:]], roles)
    # Once each, however often they are joined with themselves.
    steps = tuple(dict.fromkeys(step for state in states for step in state.steps))
    return [StateOut(steps, _parts(node, inputs, roles, handler))] * max(1, len(node.outputs))


def _parts(
    node: Node, inputs: Sequence[Value | None], roles: Roles, handler: Handler
) -> tuple[Data | Half, ...]:
    first = inputs[0]
    if not isinstance(first, StateOut):
        return ()
    if node.op == "Concat":
        return _joined(node, inputs)
    if node.op in ("Gather", "Slice"):
        return _picked(node, first, inputs)
    if node.op in _MOVES and len(first.parts) == 1 and isinstance(first.parts[0], Data):
        with suppress(RnnError):
            moved = handler(node, [first.parts[0], *inputs[1:]], roles)[0]
            return (moved,) if isinstance(moved, Data) else ()
    return ()


def _joined(node: Node, inputs: Sequence[Value | None]) -> tuple[Data | Half, ...]:
    """Of several layers, along the first axis or on the features; of the two directions of one, on
    the features."""
    every = [value.parts if isinstance(value, StateOut) else () for value in inputs]
    if not all(every) or sum(map(len, every)) > _MOST:
        return ()
    parts = [part for parts in every for part in parts]
    axis = node.options(axis=("int", 0))["axis"]
    if axis in (0, -3) and all(_rows(part) for part in parts):
        return tuple(parts)
    if len(parts) == 2 and axis in (1, -1):
        left, right = parts
        if isinstance(left, Half) and isinstance(right, Half) and left.data == right.data:
            return (left.data,) if (left.which, right.which) == (0, 1) else ()
    data = [part for part in parts if isinstance(part, Data)]
    if len(data) == len(parts) == len(inputs):
        with suppress(RnnError):
            return (concat(node, data, axis, stacks=False),)
    return ()


def _picked(node: Node, state: StateOut, inputs: Sequence[Value | None]) -> tuple[Data | Half, ...]:
    """One of the rows, which are the layers and directions; of Slice all rows of one layer."""
    if not state.parts or not all(_rows(part) for part in state.parts):
        return ()
    rows = [row for part in state.parts for row in _rows(part)]
    if node.op == "Gather":
        axis, position = node.options(axis=("int", 0))["axis"], scalar(inputs[1])
        if axis not in (0, -3) or position is None or not -len(rows) <= position < len(rows):
            return ()
        return (rows[position],)
    cuts = slices_of(node, inputs, 3)
    if len(cuts) != 1 or cuts[0][0] != 0:
        return ()
    owners = [part for part in state.parts for _ in _rows(part)]
    kept = owners[slice(*cuts[0][1:])]
    whole = bool(kept) and len(kept) == owners.count(kept[0]) and len(set(map(id, kept))) == 1
    return (kept[0],) if whole else ()


def _rows(part: Data | Half) -> list[Data | Half]:
    """[batch, features] of each direction of an h [directions, batch, features]; none of what
    stands in another way."""
    if isinstance(part, Half) or len(part.dims) != 3:
        return []
    directions, batch, features = part.dims
    if not live(directions):
        return [replace(part, dims=(batch, features))]
    if live(directions) == live(part.features[:1]) and live(features) == live(part.features[1:]):
        both = replace(part, dims=(batch, part.features))
        return [Half(both, 0), Half(both, 1)]
    return []


def last_step(
    node: Node, data: Data, index: int | None, axis: int, roles: Roles, keep: bool = False
) -> Data:
    """Of a sequence the step that a Recurrent ends with, which is its last state; ``keep`` says
    whether its axis stays, of size 1.

    The layers behind it go on with that as well: they take every step by itself.
    """
    at = axis_of(node, axis, len(data.dims))
    roles.check_streamed(node)
    ends = {"forward": -1, "reverse": 0}
    of_time = (
        any(axis.role == "time" for axis in data.dims[at])
        and all(axis.role == "time" for axis in live(data.dims[at]))
        and roles.lengths is None
    )
    rebuilt = None
    if of_time and index is not None:
        rebuilt = _of_last_states(node, data, [d for d, end in ends.items() if end == index])
    dims = data.dims[:at] + ((),) * keep + data.dims[at + 1 :]
    if rebuilt is not None:
        return replace(rebuilt, dims=dims)
    return one_step(node, data, index if of_time else None, at, keep)


def one_step(node: Node, data: Data, index: int | None, at: int, keep: bool = False) -> Data:
    """The first or the last step of a sequence without sequence_lens, ``index`` 0 or -1, of any
    layer; dimension ``at`` is the time."""
    if index not in (0, -1):
        raise node.unsupported(
            f"takes a part of {show(data.dims)}; of steps only the first or the last can be taken, "
            "where there are no sequence_lens"
        )
    data.check_floats(node)
    dims = data.dims[:at] + ((),) * keep + data.dims[at + 1 :]
    return data.then(Reduce("last" if index else "first"), dims, data.features)


def _of_last_states(node: Node, data: Data, directions: Sequence[str]) -> Data | None:
    """What the steps behind the Recurrents make of their last states; None where there is
    something else that they read, or a Recurrent of another direction."""
    found: dict[Step, None] = {}
    pending = [data]
    while pending:
        value = pending.pop()
        step = value.step
        if step is None or value.last:
            return None
        if isinstance(step.draft, Recurrent) and step.draft.runs_over_time:
            if step.draft.direction not in directions or not step.draft.return_sequences:
                return None
        elif getattr(step.draft, "needs_steps", False):
            return None
        elif step not in found:
            found[step] = None
            pending += step.inputs
    node.contents.budget.take(str(node), 200 * len(found))
    made: dict[Step, Step] = {}

    def moved(value: Data) -> Data:
        step = value.step
        return replace(value, step=made[step]) if step in made else replace(value, last=True)

    for step in sorted(found, key=lambda step: step.number):
        made[step] = Step(step.draft, tuple(map(moved, step.inputs)), node=step.node)
    return moved(data)


def scalar(index: Value | None) -> int | None:
    """An index that the file fixes."""
    if isinstance(index, Constant) and index.array.ndim == 0 and index.array.dtype.kind == "i":
        return int(index.array)
    return None
