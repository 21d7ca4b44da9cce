"""The operators RNN, GRU and LSTM.

Their equations and layouts (https://onnx.ai/onnx/operators/): W [D, G*H, in], R [D, G*H, H],
B [D, 2*G*H] (that of W, then that of R), P [D, 3*H] (peepholes i, o, f); gates i, o, f, c of the
LSTM and z, r, h of the GRU. Y is [T, D, B, H]; layout=1, which is batch first, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..spec import GATES, Recurrent
from . import onnx_activations
from .onnx_graph import INTEGERS, Anything, Node
from .onnx_values import (
    Axis,
    Constant,
    Data,
    Extent,
    Roles,
    StateIn,
    StateOut,
    Value,
    Zeros,
    size_of,
)

Values = Sequence[Value | None]

# For each gate in PyTorch's order, which block of ONNX's it is.
_ORDER: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "rnn": (0,),
        "gru": (1, 0, 2),  # z, r, h -> r, z, n
        "lstm": (0, 2, 3, 1),  # i, o, f, c -> i, f, g, o
    }
)
_DIRECTIONS: Final = {"forward": ("",), "reverse": ("_reverse",), "bidirectional": ("", "_reverse")}


def recurrent(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """One Recurrent of one layer; its outputs are Y and the final states."""
    cell = node.op.lower()
    options = _options(node, cell)
    x, w, r, b, lengths, h, c, p = [*inputs, *[None] * 8][:8]
    if not isinstance(x, Data):
        raise node.unsupported("expected X to be the data")
    directions = _DIRECTIONS[options["direction"]]
    weights, input_size, hidden_size = _weights(node, cell, directions, (w, r, b, p))
    if len(x.dims) != 3:
        raise node.malformed(f"X: expected rank 3, got {len(x.dims)}")
    x.expect_features(node, input_size)
    if options["hidden_size"] not in (None, hidden_size):
        raise node.malformed(
            f"attribute hidden_size={options['hidden_size']}, but R has {hidden_size}"
        )
    time, batch = roles.bind(node, x, 0, "time"), roles.bind(node, x, 1, "batch")
    _check_lengths(node, lengths, roles)
    for name, state in (("initial_h", h), ("initial_c", c)):
        _check_state(node, name, state, (len(directions), hidden_size), roles, x.source)
    layer = Recurrent(
        cell,
        input_size,
        hidden_size,
        weights,
        direction=options["direction"],
        bias=b is not None,
        peephole=p is not None,
        **options["of_cell"],
    )
    features = (Axis("features", layer.hidden_size, "features"),)
    two = (Axis("directions", 2, "features"),) if len(directions) == 2 else ()
    y = x.then(layer, ((time,), two, (batch,), features), two + features)
    return [y, StateOut((layer,)), StateOut((layer,))]


def _options(node: Node, cell: str) -> dict[str, Any]:
    """hidden_size, direction and, for the cell's own options, of_cell; all else is refused."""
    known: dict[str, tuple[str, Any]] = {
        "direction": ("string", "forward"),
        "hidden_size": ("int", None),
        "layout": ("int", 0),
    }
    if cell == "gru":
        known["linear_before_reset"] = ("int", 0)
    given = node.options(**known, **onnx_activations.known(cell))
    if given["layout"] != 0:
        raise node.unsupported(f"attribute layout={given['layout']} is not supported")
    if given["direction"] not in _DIRECTIONS:
        raise node.malformed(f"attribute direction={given['direction']!r}")
    count = len(_DIRECTIONS[given["direction"]])
    of_cell = onnx_activations.options(node, cell, count, given)
    if cell == "gru":
        of_cell["reset_after"] = given["linear_before_reset"] != 0  # as the operator's text has it
    return {
        "hidden_size": given["hidden_size"],
        "direction": given["direction"],
        "of_cell": of_cell,
    }


def _weights(
    node: Node, cell: str, directions: Sequence[str], inputs: Values
) -> tuple[dict[str, Anything], int, int]:
    """The arrays in PyTorch's names and order of gates; input_size and hidden_size."""
    arrays: list[Anything | None] = []
    for name, value in zip("WRBP", inputs, strict=True):
        if value is not None and not isinstance(value, Constant):
            raise node.unsupported(f"{name}: expected a constant")
        arrays.append(None if value is None else value.array)
    w, r, b, p = arrays
    if w is None or r is None or w.ndim != 3 or r.ndim != 3:
        raise node.malformed("W, R: expected constants of rank 3")
    count, gates = len(directions), GATES[cell]
    size, hidden = w.shape[2], r.shape[2]
    shapes = (
        ("W", w, (count, gates * hidden, size)),
        ("R", r, (count, gates * hidden, hidden)),
        ("B", b, (count, 2 * gates * hidden)),
        ("P", p, (count, 3 * hidden)),
    )
    for name, array, shape in shapes:
        if array is not None and array.shape != shape:
            raise node.malformed(f"{name}: expected shape {shape}, got {array.shape}")
    named: dict[str, Anything] = {}
    for d, suffix in enumerate(directions):
        end = f"_l0{suffix}"
        named[f"weight_ih{end}"] = _reorder(cell, w[d])
        named[f"weight_hh{end}"] = _reorder(cell, r[d])
        if b is not None:
            named[f"bias_ih{end}"] = _reorder(cell, b[d, : gates * hidden])
            named[f"bias_hh{end}"] = _reorder(cell, b[d, gates * hidden :])
        if p is not None:
            for gate, block in zip("iof", np.split(p[d], 3), strict=True):
                named[f"weight_c{gate}{end}"] = block
    return named, size, hidden


def _reorder(cell: str, array: Anything) -> Anything:
    blocks = np.split(array, len(_ORDER[cell]))
    return np.concatenate([blocks[i] for i in _ORDER[cell]])


def _check_lengths(node: Node, value: Value | None, roles: Roles) -> None:
    """sequence_lens: an input of the graph, the same for all recurrent nodes, or for none."""
    name = None
    if value is not None:
        if not isinstance(value, Data) or value.layers or value.element not in INTEGERS:
            raise node.unsupported("sequence_lens: expected an input of the graph, or none")
        if len(value.dims) != 1:
            raise node.malformed(f"sequence_lens: expected rank 1, got {len(value.dims)}")
        name = value.source
    if roles.recurrent_nodes and name != roles.lengths:
        raise node.unsupported(
            f"sequence_lens={name!r}, but {roles.lengths!r} in the recurrent nodes before; "
            "all have the same, or none"
        )
    roles.lengths = name
    roles.recurrent_nodes += 1


def _check_state(
    node: Node,
    name: str,
    value: Value | None,
    sizes: tuple[int, int],
    roles: Roles,
    source: str,
) -> None:
    """An initial state: zeros, or rows of an input of the graph that nothing else uses."""
    if value is None:
        return
    shape: tuple[int | None, ...] | None
    rows: tuple[str, int] | None = None
    if isinstance(value, Constant):
        if value.array.dtype.kind != "f" or value.array.any():
            raise node.unsupported(f"{name}: a constant initial state that is not zero")
        shape = value.array.shape
    elif isinstance(value, Zeros):
        shape = None if value.shape is None else tuple(map(_known, value.shape))
    elif isinstance(value, StateIn):
        shape, rows = value.shape, (value.source, value.start)
    elif isinstance(value, Data) and not value.layers:
        shape, rows = tuple(map(size_of, value.dims)), (value.source, 0)
    else:
        raise node.unsupported(f"{name}: expected zeros or an input of the graph")
    if shape is not None and (
        len(shape) != 3 or shape[0] not in (None, sizes[0]) or shape[2] not in (None, sizes[1])
    ):
        raise node.malformed(f"{name}: expected shape ({sizes[0]}, batch, {sizes[1]}), got {shape}")
    if rows is not None:
        _claim(node, name, *rows, sizes[0], roles, source)


def _known(extent: Extent | None) -> int | None:
    return None if extent is None else extent.known


def _claim(
    node: Node, name: str, state: str, start: int, count: int, roles: Roles, source: str
) -> None:
    """Notes that these rows of an input are a state, of nothing else."""
    if state == source:
        raise node.unsupported(f"{name}: the input {source!r} is the data as well")
    for row in range(start, start + count):
        owner = roles.states.setdefault((state, row), f"{node} {name}")
        if owner != f"{node} {name}":
            raise node.unsupported(f"{name}: row {row} of {state!r} is {owner} too")
