"""The nodes RNN, GRU and LSTM in the place of the steps of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import Anything, Node
from .equations import Affine, Step
from .outputs import Names
from .rewriting import Rewriting
from .sequences import Sequences
from .sums import Rows, Sums


def operator(
    to: Rewriting, sums: Sums, step: Step, x: str, states: Sequence[str], direction: str
) -> list[str]:
    """The node for a cell with x [time, batch, features] and states [batch, features]; it makes Y
    and the last states, of which the names are returned."""
    like = step.node
    base = [to.name(f"{step.made}/{what}") for what in ("h_0", "c_0")]
    given = [
        to.axes(like, "Unsqueeze", state, [0], name)
        for state, name in zip(states, base, strict=False)
    ]
    ends = ("Y", "Y_h", "Y_c")[: 1 + len(states)]
    made = [to.name(f"{step.made}/{end}") for end in ends]
    inputs = [x, *_weights(to, sums, step), "", *given]
    attributes = _attributes(step, direction, _size(sums, step))
    to.add(like, step.op, inputs, made, _label(like), **attributes)
    return made


class Layers:
    """Puts nodes into a graph that do what chains of steps do."""

    def __init__(self, rewriting: Rewriting, sums: Sums, names: Names) -> None:
        self._to, self._sums, self._names = rewriting, sums, names
        self._sequences = Sequences(rewriting, sums.known, names.data)

    def add(self, chain: Sequence[Step]) -> None:
        """One node for a chain, if its steps read those of a sequence; a single step reads its x as
        a sequence of one."""
        first, last = chain[0], chain[-1]
        like = first.node
        found = self._sequences.of(like, [step.x for step in chain], [s.made for s in chain])
        if found is None and len(chain) == 1 and not self._sequences.is_longer(first.x):
            x = self._names.data.get(first.x, first.x)
            x = self._to.axes(like, "Unsqueeze", x, [0], self._to.name(f"{last.made}/X"))
            found = x, "forward"
        if found is None:
            self._leave(last)
            return
        x, direction = found
        states = (first.h, *first.before)
        made = operator(self._to, self._sums, first, x, states, direction)
        for name, end in zip(last.after, made[2:], strict=True):
            self._to.axes(like, "Squeeze", end, [0], name)
        if len(chain) == 1:
            self._to.axes(like, "Squeeze", made[0], [0, 1], self._names.data[last.made])
            self._to.axes(like, "Squeeze", made[1], [0], self._names.states[last.made])
        else:
            self._to.axes(like, "Squeeze", made[1], [0], last.made)
            self._learn(chain, made[0], direction)

    def _leave(self, step: Step) -> None:
        """A step that stays in pieces, whose h has both of its names."""
        for names in (self._names.data, self._names.states):
            name = names.get(step.made, step.made)
            if name != step.made:
                self._to.add(step.node, "Identity", [step.made], [name])

    def _learn(self, chain: Sequence[Step], y: str, direction: str) -> None:
        """Every h as a step of Y; the last one is the final state as well."""
        last = chain[-1]
        steps = self._to.name(f"{last.made}/steps")
        self._to.axes(last.node, "Squeeze", y, [1], steps)
        names = [step.made for step in chain]
        names = names if direction == "forward" else names[::-1]
        self._sequences.learn(steps, names)
        for index, name in enumerate(names):
            if name != last.made:
                at = self._to.constant(f"{name}/index", np.array(index))
                self._to.add(last.node, "Gather", [steps, at], [name], axis=0)

    def finish(self) -> None:
        """Sequences in the place of what is put together of their steps."""
        self._sequences.stack()


def _size(sums: Sums, step: Step) -> int:
    size = sums.size(next(iter(step.gates[0].matrices.values())))
    assert size is not None  # which was seen when the step was found
    return size


def _weights(to: Rewriting, sums: Sums, step: Step) -> list[str]:
    """W, R and B as constants of the graph; B is "" where no gate has a bias."""
    size = _size(sums, step)
    matrices = [
        [_matrix(sums, gate, gate.matrices[source]) for gate in step.gates]
        for source in step.sources
    ]
    arrays = [np.concatenate(blocks)[None] for blocks in matrices]
    constants = [[g.constant for g in step.gates], [g.inner for g in step.gates]]
    biased = any(constant is not None for many in constants for constant in many)
    if biased:
        vectors = [
            _vector(constant, gate.sign, size)
            for many in constants
            for constant, gate in zip(many, step.gates, strict=True)
        ]
        arrays.append(np.concatenate(vectors)[None].astype(arrays[0].dtype))
    names = zip("WRB", arrays, strict=False)
    found = [to.constant(f"{step.made}/{name}", array) for name, array in names]
    return found if biased else [*found, ""]


def _matrix(sums: Sums, gate: Affine, rows: Rows) -> Anything:
    matrix = sums.matrix(rows)
    assert matrix is not None  # which was seen when the step was found
    sums.known.graph.contents.budget.take(f"the constant {rows.name!r}", matrix.nbytes)
    return matrix if gate.sign > 0 else -matrix


def _vector(constant: Anything | None, sign: int, size: int) -> Anything:
    return np.broadcast_to(np.zeros(1) if constant is None else sign * constant.reshape(-1), size)


def _attributes(step: Step, direction: str, size: int) -> dict[str, Any]:
    constants = [number for function in step.functions for number in function.constants]
    found: dict[str, Any] = {
        "activations": [function.name for function in step.functions],
        "direction": direction,
        "hidden_size": size,
    }
    if constants:
        found["activation_alpha"] = constants[::2]
        found["activation_beta"] = constants[1::2]
    if step.op == "GRU":
        found["linear_before_reset"] = int(step.reset_after)
    return found


def _label(node: Node) -> str:
    """What exporters call the layer that a node is in: its name before the last part."""
    return node.name.rpartition("/")[0] or node.name
