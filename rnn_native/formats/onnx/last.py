"""The last state of a Recurrent as the data that go on: Y_h, or the last step of Y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ...errors import RnnError
from ...spec import Recurrent
from .constants import axis_of, slices_of
from .drafts import Last, OutputDraft
from .graph import Node
from .values import Constant, Data, Half, Roles, StateOut, Value, live, show

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
    layers = tuple(dict.fromkeys(layer for state in states for layer in state.layers))
    return [StateOut(layers, _parts(node, inputs, roles, handler))] * max(1, len(node.outputs))


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
    """Of several layers, along the first axis; of the two directions of one, on the features."""
    every = [value.parts if isinstance(value, StateOut) else () for value in inputs]
    if not all(every) or sum(map(len, every)) > _MOST:
        return ()
    parts = [part for parts in every for part in parts]
    axis = node.options(axis=("int", None))["axis"]
    if axis in (0, -3) and all(_rows(part) for part in parts):
        return tuple(parts)
    if len(parts) == 2 and axis in (1, -1):
        left, right = parts
        if isinstance(left, Half) and isinstance(right, Half) and left.data == right.data:
            return (left.data,) if (left.which, right.which) == (0, 1) else ()
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
    time = roles.axes.get("time")
    number = max((i for i, d in enumerate(data.layers) if isinstance(d, Recurrent)), default=-1)
    layer = data.layers[number] if number >= 0 else None
    behind = data.layers[number + 1 :]
    ends = {"forward": -1, "reverse": 0}
    if (
        time is None
        or time not in data.dims[at]
        or any(other is not time for other in live(data.dims[at]))
        or roles.lengths is not None
        or not isinstance(layer, Recurrent)
        or index is None
        or index != ends.get(layer.direction)
        or any(isinstance(draft, (OutputDraft, Last)) for draft in behind)
    ):
        raise node.unsupported(
            f"takes a part of {show(data.dims)}; only the step that a layer of one direction "
            "ends with can be taken, where there are no sequence_lens"
        )
    layers = (*data.layers[:number], Last(layer), *behind)
    dims = data.dims[:at] + ((),) * keep + data.dims[at + 1 :]
    return replace(data, layers=layers, dims=dims)


def scalar(index: Value | None) -> int | None:
    """An index that the file fixes."""
    if isinstance(index, Constant) and index.array.ndim == 0 and index.array.dtype.kind == "i":
        return int(index.array)
    return None
