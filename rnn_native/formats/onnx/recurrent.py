"""The operators RNN, GRU and LSTM.

Their equations and layouts (https://onnx.ai/onnx/operators/): W [D, G*H, in], R [D, G*H, H],
B [D, 2*G*H] (that of W, then that of R), P [D, 3*H] (peepholes i, o, f); gates i, o, f, c of the
LSTM and z, r, h of the GRU. X is [T, B, in], Y [T, D, B, H], states are [D, B, H]; with layout=1
they are [B, T, in], [B, T, D, H] and [B, D, H].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...spec import SUFFIXES, Recurrent, cell_of
from ..gates import reordered_weight
from . import activations
from .graph import Anything, Node
from .layout import columns
from .positions import over
from .roles import Roles
from .states import check_fixed_state, check_lengths, check_state, is_whole
from .values import Axis, Constant, Data, Dim, Failure, StateOut, Value, live, size_of

Values = Sequence[Value | None]

# For each gate in PyTorch's order, which block of ONNX's it is.
ORDER: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "rnn": (0,),
        "gru": (1, 0, 2),  # z, r, h -> r, z, n
        "lstm": (0, 2, 3, 1),  # i, o, f, c -> i, f, g, o
    }
)
_ROLES: Final = ("time", "batch")


def recurrent(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """One Recurrent of one layer; its outputs are Y and the final states."""
    if len(inputs) > 8 and not node.contents.extends:
        raise node.malformed(f"expected 3 to 8 inputs, got {len(inputs)}")
    x, w, r, b, lengths, h, c, p, projection = [*inputs, *[None] * 9][:9]
    if not isinstance(x, Data):
        raise node.unsupported("expected X to be the data")
    arrays: list[Anything | None] = []
    names = ("W", "R", "B", "P", "the projection")
    for name, value in zip(names, (w, r, b, p, projection), strict=True):
        if value is not None and not isinstance(value, Constant):
            raise node.unsupported(f"{name}: expected a constant")
        arrays.append(None if value is None else value.array)
    node.contents.budget.take(
        str(node), sum(max(4, a.itemsize) * a.size for a in arrays if a is not None)
    )
    layer, layout = layer_of(node, arrays)
    if len(x.dims) != 3:
        raise node.malformed(f"X: expected rank 3, got {len(x.dims)}")
    runs = over(node, x, layout, roles)
    x, is_over_time = runs.data, runs.along == "time"
    if runs.positions:
        x.expect_channels(node, layer.input_size)
        layer = replace(layer, positions=runs.count(node))
    else:
        x.expect_features(node, layer.input_size)
        if live(x.dims[2]) != live(x.features):
            layer = _reordered(node, layer, x)
    time, batch = (x.dims[abs(layout - i)] for i in range(2))
    if is_over_time:
        time, batch = _bound(node, x, layout, roles)
        check_lengths(node, lengths, time[0], roles)
    elif lengths is not None and not is_whole(lengths, Axis("positions", size_of(time))):
        raise node.unsupported("sequence_lens: none, along the positions of a step")
    initial: dict[str, Anything] = {}
    for name, state in (("h", h), ("c", c)):
        size = layer.hidden_size if name == "c" else layer.state_size
        sizes = (layer.num_directions, size)
        check = check_state if is_over_time else check_fixed_state
        own = check(node, f"initial_{name}", state, sizes, layout, roles)
        if own is not None:
            initial[name] = own
    layer = replace(layer, initial_state=initial or None, along=runs.along)
    features = (Axis("features", layer.state_size, "features"),)
    two = (Axis("directions", 2, "features"),) if layer.num_directions == 2 else ()
    dims = (batch, time, two) if layout else (time, two, batch)
    y = x.then(layer, (*dims, features), (*runs.positions, *two, *features))
    ends = (two, batch, features) if not layout else (batch, two, features)
    if not is_over_time:
        last = x.then(replace(layer, return_sequences=False), ends, two + features)
        return [y, last, Failure(node.unsupported("its final cell state, along positions"), node)]
    assert y.step is not None
    last = replace(y, dims=ends, last=True)
    return [y, StateOut((y.step,), (last,)), StateOut((y.step,))]


def _bound(node: Node, x: Data, layout: int, roles: Roles) -> tuple[Dim, Dim]:
    """The dimensions of steps and rows, whose axes beside positions are the time and the batch."""
    dims = [tuple(axis for axis in dim if axis not in x.features) for dim in x.dims[:2]]
    bare = replace(x, dims=(*dims, x.dims[2]))
    time, batch = (roles.bind(node, bare, abs(layout - i), role) for i, role in enumerate(_ROLES))
    rows = x.dims[1 - layout]
    if not any(axis in x.features for axis in rows):
        return (time,), (batch,)
    return (time,), rows if batch in rows else (batch, *rows)


def _reordered(node: Node, layer: Recurrent, x: Data) -> Recurrent:
    """The layer for features whose axes stand in another order than X has them in."""
    weights = dict(layer.arrays)
    for name, array in weights.items():
        if name.startswith("weight_ih"):
            weights[name] = columns(node, x, x.dims[2], array)
    return replace(layer, weights=weights)


def layer_of(node: Node, arrays: Sequence[Anything | None]) -> tuple[Recurrent, int]:
    """The layer that a node is with W, R, B, P and a projection, and its layout: 0, or 1 for batch
    first."""
    cell, arrays = node.op.lower(), [*arrays, None][:5]
    options = _options(node, cell)
    directions = SUFFIXES[options["direction"]]
    weights, input_size, hidden_size = _weights(node, cell, directions, arrays)
    if options["hidden_size"] not in (None, hidden_size):
        raise node.malformed(
            f"attribute hidden_size={options['hidden_size']}, but R has {hidden_size}"
        )
    layer = Recurrent(
        cell,
        input_size,
        hidden_size,
        weights,
        direction=options["direction"],
        bias=arrays[2] is not None,
        peephole=arrays[3] is not None,
        proj_size=0 if arrays[4] is None else arrays[4].shape[-2],
        **options["of_cell"],
    )
    return layer, options["layout"]


def layout_of(node: Node) -> int:
    """0, or 1 for batch first."""
    return int(_options(node, node.op.lower())["layout"])


def _options(node: Node, cell: str) -> dict[str, Any]:
    """hidden_size, direction and, for the cell's own options, of_cell; all else is refused."""
    known: dict[str, tuple[str, Any]] = {
        "direction": ("string", "forward"),
        "hidden_size": ("int", None),
        "layout": ("int", 0),
    }
    if cell == "gru":
        known["linear_before_reset"] = ("int", 0)
    given = node.options(**known, **activations.known(cell, node.contents.extends))
    if given["direction"] not in SUFFIXES:
        raise node.malformed(f"attribute direction={given['direction']!r}")
    if given["layout"] not in (0, 1):
        raise node.malformed(f"attribute layout={given['layout']}: expected 0 or 1")
    count = len(SUFFIXES[given["direction"]])
    of_cell = activations.options(node, cell, count, given)
    if cell == "gru":
        of_cell["reset_after"] = given["linear_before_reset"] != 0  # as the operator's text has it
    return {
        "hidden_size": given["hidden_size"],
        "direction": given["direction"],
        "layout": given["layout"],
        "of_cell": of_cell,
    }


def _weights(
    node: Node, cell: str, directions: Sequence[str], arrays: Sequence[Anything | None]
) -> tuple[dict[str, Anything], int, int]:
    """The arrays in PyTorch's names and order of gates; input_size and hidden_size."""
    w, r, b, p, projection = arrays
    if w is None or r is None or w.ndim != 3 or r.ndim != 3:
        raise node.malformed("W, R: expected constants of rank 3")
    count, gates, order = len(directions), len(cell_of(cell).gates), ORDER[cell]
    size, state = w.shape[2], r.shape[2]
    hidden = state if projection is None else r.shape[1] // gates
    shapes = (
        ("W", w, (count, gates * hidden, size)),
        ("R", r, (count, gates * hidden, state)),
        ("B", b, (count, 2 * gates * hidden)),
        ("P", p, (count, 3 * hidden)),
        ("the projection", projection, (count, state, hidden)),
    )
    for name, array, shape in shapes:
        if array is not None and array.shape != shape:
            raise node.malformed(f"{name}: expected shape {shape}, got {array.shape}")
    named: dict[str, Anything] = {}
    for d, suffix in enumerate(directions):
        end = f"_l0{suffix}"
        named[f"weight_ih{end}"] = reordered_weight(w[d], order)
        named[f"weight_hh{end}"] = reordered_weight(r[d], order)
        if b is not None:
            named[f"bias_ih{end}"] = reordered_weight(b[d, : gates * hidden], order)
            named[f"bias_hh{end}"] = reordered_weight(b[d, gates * hidden :], order)
        if p is not None:
            for gate, block in zip("iof", np.split(p[d], 3), strict=True):
                named[f"weight_c{gate}{end}"] = block
        if projection is not None:
            named[f"weight_hr{end}"] = projection[d]
    return named, size, hidden
