"""If, Loop and Scan: operators that run graphs of their own, their bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..formats.onnx.constants import axis_of
from ..formats.onnx.graph import Info, Node
from ..formats.onnx.operators.common import DTYPES

Array = NDArray[Any]
Arrays = Sequence[Array | None]

BODIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
)
"""The operators, and the attributes that are their bodies."""


class Body(Protocol):
    """A graph with names of inputs, which is run with values for them and for what it captures."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    infos: Mapping[str, Info]

    def run(self, values: Mapping[str, Array]) -> list[Array]: ...


def run(
    node: Node, bodies: Mapping[str, Body], arrays: Arrays, seen: Mapping[str, Array]
) -> list[Array]:
    """The outputs of a node on arrays for its inputs; ``seen`` is what its bodies capture."""
    if node.op == "If":
        return bodies[branch(node, arrays[0])].run(seen)
    return (_loop if node.op == "Loop" else _scan)(node, bodies["body"], arrays, seen)


def branch(node: Node, condition: Array | None) -> str:
    """The attribute that is the branch of an If."""
    return "then_branch" if _truth(node, condition) else "else_branch"


def _truth(node: Node, condition: Array | None) -> bool:
    return bool(_number(node, condition))


def _number(node: Node, array: Array | None) -> Any:
    if array is None or array.size != 1:
        raise node.malformed("expected one number as its condition, and as its count of steps")
    return array.reshape(()).item()


def _loop(node: Node, body: Body, arrays: Arrays, seen: Mapping[str, Array]) -> list[Array]:
    """The body, as often as M says and as its condition holds, on what the step before made."""
    most, condition, *carried = [*arrays, None, None][: max(2, len(arrays))]
    if len(body.inputs) != 2 + len(carried) or len(body.outputs) < 1 + len(carried):
        raise node.malformed(f"{len(carried)} values for a body of {len(body.inputs)} inputs")
    rows: list[list[Array]] = [[] for _ in body.outputs[1 + len(carried) :]]
    goes = condition is None or _truth(node, condition)
    steps = count() if most is None else range(int(_number(node, most)))
    for step in steps:
        if not goes:
            break
        given = [np.array(step, np.int64), np.array(goes), *carried]
        still, *made = body.run({**seen, **_named(node, body, given)})
        carried = list(made[: len(carried)])
        goes = condition is None or _truth(node, still)
        for row, array in zip(rows, made[len(carried) :], strict=True):
            row.append(array)
    names = body.outputs[1 + len(carried) :]
    found = [_joined(node, body, name, row, 0) for name, row in zip(names, rows, strict=True)]
    return [array for array in carried if array is not None] + found


def _scan(node: Node, body: Body, arrays: Arrays, seen: Mapping[str, Array]) -> list[Array]:
    """The body on each slice of some inputs, in either direction, and on what it made before."""
    if node.opset < 9:
        raise node.unsupported(f"of operator set {node.opset}; only since 9")
    options = node.options(
        body=("graph", None), num_scan_inputs=("int", 0),
        scan_input_axes=("ints", None), scan_input_directions=("ints", None),
        scan_output_axes=("ints", None), scan_output_directions=("ints", None),
    )  # fmt: skip
    states = len(arrays) - options["num_scan_inputs"]
    outputs = len(body.outputs) - states
    if not 0 <= states < len(arrays) or outputs < 0 or len(body.inputs) != len(arrays):
        raise node.malformed(f"{len(arrays)} inputs, {states} of them states, of its body")
    plain = {"input": len(arrays) - states, "output": outputs}
    axes, backward = (
        {of: options[f"scan_{of}_{what}"] or [0] * number for of, number in plain.items()}
        for what in ("axes", "directions")
    )
    if any(len(each[of]) != plain[of] for each in (axes, backward) for of in plain):
        raise node.malformed("its axes or directions do not fit its inputs or outputs")
    carried, sequences = list(arrays[:states]), []
    for array, axis, flipped in zip(arrays[states:], axes["input"], backward["input"], strict=True):
        if array is None:
            raise node.malformed("an input is left out")
        slices = np.moveaxis(array, axis_of(node, axis, array.ndim), 0)
        sequences.append(slices[::-1] if flipped else slices)
    if len({len(slices) for slices in sequences}) != 1:
        raise node.malformed("its inputs have different numbers of slices")
    rows: list[list[Array]] = [[] for _ in range(outputs)]
    for step in zip(*sequences, strict=True):
        made = body.run({**seen, **_named(node, body, [*carried, *step])})
        carried = list(made[:states])
        for row, array in zip(rows, made[states:], strict=True):
            row.append(array)
    found = [
        _joined(node, body, name, row[::-1] if flipped else row, axis)
        for name, row, axis, flipped in zip(
            body.outputs[states:], rows, axes["output"], backward["output"], strict=True
        )
    ]
    return [array for array in carried if array is not None] + found


def _named(node: Node, body: Body, given: Sequence[Array | None]) -> dict[str, Array]:
    if any(array is None for array in given):
        raise node.malformed("an input is left out")
    return {n: array for n, array in zip(body.inputs, given, strict=True) if array is not None}


def _joined(node: Node, body: Body, name: str, rows: Sequence[Array], axis: int) -> Array:
    """What the steps made, side by side; of no steps as the file describes it."""
    if rows:
        if len({row.shape for row in rows}) > 1:
            raise node.malformed(f"its body makes {name!r} of different shapes")
        return np.stack(rows, axis_of(node, axis, rows[0].ndim + 1))
    info = body.infos.get(name)
    if info is None or info.sizes is None or info.element not in DTYPES:
        raise node.unsupported(f"no steps, and the file does not tell the shape of {name!r}")
    shape = [size or 0 for size in info.sizes]
    shape.insert(axis_of(node, axis, len(shape) + 1), 0)
    return np.zeros(shape, DTYPES[info.element])
