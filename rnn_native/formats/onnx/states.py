"""What a recurrent node is given besides its data: lengths and initial states."""

from __future__ import annotations

import numpy as np

from .given import part_of
from .graph import INTEGERS, Anything, Node
from .roles import Roles
from .values import Axis, Constant, Data, Extent, Filled, Repeated, StateIn, Value, Zeros, live


def check_lengths(node: Node, value: Value | None, time: Axis, roles: Roles) -> None:
    """sequence_lens: an input of the graph, the same for all recurrent nodes, or none.

    Lengths that the file fixes to the whole of the time are as good as none.
    """
    name = None
    if value is not None and not is_whole(value, time):
        if not isinstance(value, Data) or value.step or value.element not in INTEGERS:
            raise node.unsupported(
                "sequence_lens: expected an input of the graph, none, or the whole of the time"
            )
        if len(value.dims) != 1:
            raise node.malformed(f"sequence_lens: expected rank 1, got {len(value.dims)}")
        name = value.source
    if name is not None and roles.has_windows:
        raise node.unsupported(
            "sequence_lens beside a window, which reads the steps beyond as well"
        )
    if roles.recurrent_nodes and name != roles.lengths:
        raise node.unsupported(
            f"sequence_lens={name!r}, but {roles.lengths!r} in the recurrent nodes before; "
            "all have the same, or none"
        )
    roles.lengths = name
    roles.recurrent_nodes += 1


def check_state(
    node: Node,
    name: str,
    value: Value | None,
    sizes: tuple[int, int],
    layout: int,
    roles: Roles,
) -> Anything | None:
    """An initial state: zeros, rows of an input of the graph that nothing else uses, or constants,
    the same for every row of a batch, which are returned [directions, features].

    ``sizes`` are those of its axes of directions and features; the batch stands between them, or
    before them where ``layout`` is 1.
    """
    if value is None:
        return None
    if isinstance(value, (Constant, Repeated)):
        return own_state(node, name, value, sizes, layout)
    if isinstance(value, Zeros):
        if value.shape is not None:
            _check_shape(node, name, tuple(map(_known, value.shape)), sizes, layout, (None,))
        return None
    part = part_of(value) if isinstance(value, Data) else value
    if not isinstance(part, StateIn):
        raise node.unsupported(f"{name}: expected constants or an input of the graph")
    _check_shape(node, name, part.shape, sizes, layout, (None,))
    rows = part.dims[1 - layout]
    if rows is not None and not rows.whole:
        raise node.unsupported(f"{name}: a part of {part.source!r} along its batch")
    _claim(node, name, part, roles)
    return None


def check_fixed_state(
    node: Node,
    name: str,
    value: Value | None,
    sizes: tuple[int, int],
    layout: int,
    roles: Roles,
) -> Anything | None:
    """The initial state of a layer that keeps none from step to step: zeros or constants."""
    part = part_of(value) if isinstance(value, Data) else value
    if isinstance(part, StateIn):
        raise node.unsupported(
            f"{name}: the input {part.source!r} is the state of a layer that begins with it at "
            f"each step; given={{{part.source!r}: ...}} says what it is"
        )
    return check_state(node, name, value, sizes, layout, roles)


def own_state(
    node: Node, name: str, value: Constant | Repeated, sizes: tuple[int, int], layout: int
) -> Anything | None:
    """Constants as the initial state [directions, features] of a layer; None for zeros.

    ``UnsupportedError`` where the rows of a batch do not all have the same.
    """
    array, batch = value.array, 1 - layout
    if array.dtype.kind != "f":
        raise node.unsupported(f"{name}: expected floats, got a constant of {array.dtype}")
    once = (1,) if isinstance(value, Repeated) else ()
    _check_shape(node, name, array.shape, sizes, layout, once)
    if not array.any():
        return None
    first = array.take([0], axis=batch)
    if (array != first).any():
        raise node.unsupported(
            f"{name}: constants of shape {array.shape} that differ from row to row of the batch; a "
            "layer's own initial state is the same for all rows: make it an input of the graph"
        )
    return np.broadcast_to(first.squeeze(batch), sizes)


def _check_shape(
    node: Node,
    name: str,
    shape: tuple[int | None, ...],
    sizes: tuple[int, int],
    layout: int,
    besides: tuple[int | None, ...],
) -> None:
    """``besides``: sizes that stand for any."""
    fits = len(shape) == 3 and all(
        size in (own, *besides) for size, own in zip((shape[layout], shape[2]), sizes, strict=True)
    )
    if not fits:
        wanted = f"(batch, {sizes[0]}, " if layout else f"({sizes[0]}, batch, "
        raise node.malformed(f"{name}: expected shape {wanted}{sizes[1]}), got {shape}")


def is_whole(value: Value, time: Axis) -> bool:
    """Whether these lengths are all of the time, of every row."""
    if isinstance(value, Constant):
        array = value.array
        return array.ndim == 1 and time.size is not None and bool((array == time.size).all())
    if isinstance(value, Filled):
        extent = value.extent
        same = extent.factor == 1 and live(extent.axes) == live((time,))
        return same or (time.size is not None and extent.known == time.size)
    return False


def _known(extent: Extent | None) -> int | None:
    return None if extent is None else extent.known


def _claim(node: Node, name: str, part: StateIn, roles: Roles) -> None:
    """Notes that this part of an input is a state, and nothing else."""
    claims = roles.states.setdefault(part.source, [])
    node.contents.budget.work(str(node), 1000 * len(claims))
    for other, owner in claims:
        if owner != f"{node} {name}" and part.meets(other):
            raise node.unsupported(f"{name}: a part of {part.source!r} is {owner} too")
    claims.append((part, f"{node} {name}"))
