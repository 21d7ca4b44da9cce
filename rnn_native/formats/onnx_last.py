"""The last state of a Recurrent as the data that go on: Y_h, or the last step of Y."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import RnnError
from ..spec import Recurrent
from .onnx_constants import axis_of
from .onnx_drafts import Last, OutputDraft
from .onnx_graph import Node
from .onnx_values import Constant, Data, Roles, StateOut, Value, live, show

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
) -> tuple[Data, ...]:
    first, *rest = inputs
    if not isinstance(first, StateOut):
        return ()
    if node.op == "Concat":
        every = [value.parts if isinstance(value, StateOut) else () for value in inputs]
        axis = node.options(axis=("int", None))["axis"]
        parts = [part for parts in every for part in parts] if sum(map(len, every)) <= _MOST else []
        joined = axis in (0, -3) and all(every) and all(map(_is_row, parts))
        return tuple(parts) if joined else ()
    if node.op == "Gather":
        axis, position = node.options(axis=("int", 0))["axis"], _scalar(rest[0])
        count = len(first.parts)
        if axis not in (0, -3) or position is None or not -count <= position < count:
            return ()
        part = first.parts[position]
        return (replace(part, dims=part.dims[1:]),) if all(map(_is_row, first.parts)) else ()
    if node.op in _MOVES and len(first.parts) == 1:
        try:
            moved = handler(node, [first.parts[0], *rest], roles)[0]
        except RnnError:
            return ()
        return (moved,) if isinstance(moved, Data) else ()
    return ()


def last_step(node: Node, data: Data, index: Value | None, axis: int, roles: Roles) -> Data:
    """Gather of the step that a Recurrent ends with, which is its last state.

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
        or live(data.dims[at]) != live((time,))
        or roles.lengths is not None
        or not isinstance(layer, Recurrent)
        or _scalar(index) != ends.get(layer.direction)
        or any(isinstance(draft, (OutputDraft, Last)) for draft in behind)
    ):
        raise node.unsupported(
            f"takes a part of {show(data.dims)}; only the step that a layer of one direction "
            "ends with can be taken, where there are no sequence_lens"
        )
    layers = (*data.layers[:number], Last(layer), *behind)
    return replace(data, layers=layers, dims=data.dims[:at] + data.dims[at + 1 :])


def _is_row(part: Data) -> bool:
    return len(part.dims) == 3 and not live(part.dims[0])


def _scalar(index: Value | None) -> int | None:
    if isinstance(index, Constant) and index.array.ndim == 0 and index.array.dtype.kind == "i":
        return int(index.array)
    return None
