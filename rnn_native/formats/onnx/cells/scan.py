"""The operator Scan, where what it does at each step is one step of a cell."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ....errors import RnnError
from ..constants import axis_of
from ..graph import File, Node
from .bodies import Body, put
from .rewriting import Rewriting

_LISTS = (
    "scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions",
)  # fmt: skip


def scans(rewriting: Rewriting, file: File) -> None:
    """Puts a recurrent node in the place of each Scan whose body is a cell, its states the Scan's,
    its x what the Scan goes through, its h what comes out."""
    for index, node in enumerate(rewriting.graph.nodes):
        if node.op == "Scan" and not node.domain and node.opset >= 9:
            with suppress(RnnError, KeyError):  # of a body that is none
                _replace(rewriting, node, Body(file, index, node))


def _replace(to: Rewriting, node: Node, body: Body) -> None:
    known: dict[str, tuple[str, Any]] = dict.fromkeys(_LISTS, ("ints", None))
    options = node.without("body").options(num_scan_inputs=("int", 0), **known)
    count = len(body.given) - 1
    if options["num_scan_inputs"] != 1 or len(node.inputs) != count + 1 or len(body.made) < count:
        return
    states, ys = body.given[:count], body.made[count:]
    axes, ways = (options[name] or [0] for name in _LISTS[:2])
    y_axes, y_ways = (options[name] or [0] * len(ys) for name in _LISTS[2:])
    step = body.step(states)
    if step is None or step.x != body.given[-1]:
        return
    after = dict(zip((step.h, *step.before), (step.made, *step.after), strict=True))
    if [body.plain(name) for name in body.made[:count]] != [after[name] for name in states]:
        return
    if any(body.plain(name) != step.made for name in ys) or y_ways != ways * len(ys):
        return
    x = to.time_first(node, node.inputs[-1], axis_of(node, axes[0], 3), to.name(f"{step.made}/X"))
    ends = list(zip(states, node.inputs, node.outputs, strict=False))
    y = put(to, body, node, step, x, "reverse" if ways[0] else "forward", ends)
    for axis, output in zip(y_axes, node.outputs[count:], strict=False):
        if output:
            to.time_at(node, y, axis_of(node, axis, 3), output)
