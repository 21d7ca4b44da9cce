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
        if len(chain) == 1:
            x = self._names.data.get(first.x, first.x)
            x, direction = self._to.axes(like, "Unsqueeze", x, [0], self._new(last, "X")), "forward"
        else:
            found = self._sequences.of(like, [step.x for step in chain], [s.made for s in chain])
            if found is None:
                return
            x, direction = found
        states = [
            self._to.axes(like, "Unsqueeze", name, [0], self._new(last, f"initial_{state}"))
            for state, name in zip("hc", (first.h, *first.before), strict=False)
        ]
        weights = self._weights(first)
        made = [self._new(last, end) for end in ("Y", "Y_h", "Y_c")[: 1 + len(states)]]
        inputs = [x, *weights, "", *states]
        label = _label(first.node)
        self._to.add(like, first.op, inputs, made, label, **_attributes(first, direction, self._size(first)))
        self._outputs(chain, made, direction)

    def _outputs(self, chain: Sequence[Step], made: Sequence[str], direction: str) -> None:
        last, like = chain[-1], chain[-1].node
        for name, end in zip(last.after, made[2:], strict=True):
            self._to.axes(like, "Squeeze", end, [0], name)
        if len(chain) == 1:
            self._to.axes(like, "Squeeze", made[0], [0, 1], self._names.data[last.made])
            self._to.axes(like, "Squeeze", made[1], [0], self._names.states[last.made])
            return
        steps = self._to.axes(like, "Squeeze", made[0], [1], self._new(last, "steps"))
        self._to.axes(like, "Squeeze", made[1], [0], last.made)
        names = [step.made for step in chain]
        names = names if direction == "forward" else names[::-1]
        self._sequences.learn(steps, names)
        for index, name in enumerate(names):
            if name != last.made:
                at = self._to.constant(f"{name}/index", np.array(index))
                self._to.add(like, "Gather", [steps, at], [name], axis=0)

    def finish(self) -> None:
        """Sequences in the place of what is put together of their steps."""
        self._sequences.stack()

    def _new(self, step: Step, what: str) -> str:
        return self._to.name(f"{step.made}/{what}")

    def _size(self, step: Step) -> int:
        size = self._sums.size(next(iter(step.gates[0].matrices.values())))
        assert size is not None  # which was seen when the step was found
        return size

    def _weights(self, step: Step) -> list[str]:
        """W, R and B as constants of the graph; B is "" where no gate has a bias."""
        size = self._size(step)
        matrices = [
            [self._matrix(gate, gate.matrices[source]) for gate in step.gates]
            for source in step.sources
        ]
        dtype = matrices[0][0].dtype
        biases = [[_vector(gate.constant, gate.sign, size) for gate in step.gates]]
        biases.append([_vector(gate.inner, gate.sign, size) for gate in step.gates])
        arrays = [np.concatenate(blocks)[None] for blocks in matrices]
        biased = any(c is not None for gate in step.gates for c in (gate.constant, gate.inner))
        if biased:
            arrays.append(np.concatenate([*biases[0], *biases[1]])[None].astype(dtype))
        named = zip("WRB", arrays, strict=False)
        names = [self._to.constant(f"{step.made}/{name}", array) for name, array in named]
        return names if biased else [*names, ""]

    def _matrix(self, gate: Affine, rows: Rows) -> Anything:
        matrix = self._sums.matrix(rows)
        assert matrix is not None  # which was seen when the step was found
        budget = self._sums.known.graph.contents.budget
        budget.take(f"the constant {rows.name!r}", matrix.nbytes)
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
