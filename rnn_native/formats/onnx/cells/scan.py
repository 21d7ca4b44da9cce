"""The operator Scan, where what it does at each step is one step of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ....errors import RnnError
from ..constants import axis_of
from ..graph import File, Graph, Node
from .equations import Step, steps
from .known import Known
from .layers import operator
from .rewriting import Rewriting
from .sums import Sums


@dataclass(frozen=True)
class _Scan:
    """``states`` and ``xs`` are what the body is given, ``after`` and ``ys`` what it makes; each of
    the numbers belongs to one x or y: its axis of time, and whether it goes backwards."""

    states: list[str]
    xs: list[str]
    after: list[str]
    ys: list[str]
    axes: list[int]
    backwards: list[bool]
    y_axes: list[int]
    y_backwards: list[bool]


def scans(rewriting: Rewriting, file: File) -> None:
    """Puts a recurrent node in the place of each Scan whose body is a cell, its states the Scan's,
    its x what the Scan goes through, its h what comes out."""
    graph = rewriting.graph
    for index, node in enumerate(graph.nodes):
        if node.op == "Scan" and not node.domain and node.opset >= 9:
            with suppress(RnnError):
                body = node.attributes["body"].g
                _replace(rewriting, node, file.graph(((index, body),)), index, body)


def _replace(to: Rewriting, node: Node, graph: Graph, index: int, body: Any) -> None:
    scan = _read(node, body)
    known = Known(graph)
    plain = {name: _plain(known, name) for name in (*scan.after, *scan.ys)}
    sums = Sums(known)
    found = _step(steps(sums, graph.nodes[index:]), scan)
    if found is None:
        return
    after = dict(zip((found.h, *found.before), (found.made, *found.after), strict=True))
    if [plain[name] for name in scan.after] != [after.get(name) for name in scan.states]:
        return
    if any(plain[name] != found.made for name in scan.ys):
        return
    if scan.y_backwards != scan.backwards * len(scan.ys):
        return
    given = dict(zip(scan.states, node.inputs, strict=False))
    x = to.time_first(node, node.inputs[-1], scan.axes[0], to.name(f"{found.made}/X"))
    states = [given[name] for name in (found.h, *found.before)]
    direction = "reverse" if scan.backwards[0] else "forward"
    made = operator(to, sums, found, x, states, direction)
    last = dict(zip((found.h, *found.before), made[1:], strict=True))
    for name, output in zip(scan.states, node.outputs, strict=False):
        if output:
            to.axes(node, "Squeeze", last[name], [0], output)
    y = to.axes(node, "Squeeze", made[0], [1], to.name(f"{found.made}/steps"))
    for axis, output in zip(scan.y_axes, node.outputs[len(scan.states) :], strict=False):
        if output:
            to.time_at(node, y, axis, output)


def _read(node: Node, body: Any) -> _Scan:
    lists = ("scan_input_axes", "scan_input_directions", "scan_output_axes",
             "scan_output_directions")  # fmt: skip
    known: dict[str, tuple[str, Any]] = {name: ("ints", None) for name in lists}
    options = node.without("body").options(num_scan_inputs=("int", 0), **known)
    given, made = [value.name for value in body.input], [value.name for value in body.output]
    count = len(given) - options["num_scan_inputs"]
    if count < 0 or len(node.inputs) != len(given) or len(made) < count:
        raise node.malformed("its inputs are not those of its body")
    sizes = {"input": len(given) - count, "output": len(made) - count}
    found = {name: options[name] or [0] * sizes[name.split("_")[1]] for name in lists}
    axes, backwards, y_axes, y_backwards = (found[name] for name in lists)
    return _Scan(
        given[:count], given[count:], made[:count], made[count:],
        [axis_of(node, axis, 3) for axis in axes], [way != 0 for way in backwards],
        [axis_of(node, axis, 3) for axis in y_axes], [way != 0 for way in y_backwards],
    )  # fmt: skip


def _step(found: Sequence[Step], scan: _Scan) -> Step | None:
    """The only step of the body, of the Scan's x and states; of an RNN, it is the last of those that
    seem to be one, for gates look like that as well."""
    last = found[-1:] if len({step.op for step in found} - {"RNN"}) <= 1 else []
    for step in last:
        names = [name for name in step.sources if name in scan.states]
        if len(names) != 1 or len(scan.xs) != 1 or {*step.before, names[0]} != {*scan.states}:
            return None
        if step.oriented and step.h != names[0]:
            return None
        oriented = step.with_h(names[0])
        return oriented if oriented.x == scan.xs[0] else None
    return None


def _plain(known: Known, name: str) -> str:
    """What an Identity stands for."""
    for _ in range(8):
        node = known.makers.get(name)
        if node is None or node.op != "Identity" or node.domain:
            break
        name = node.inputs[0]
    return name
