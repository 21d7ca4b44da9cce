"""Steps of one cell that follow each other, and which of a step's two tensors is its state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..graph import Anything
from .equations import Step
from .sums import Rows, Sums


def chains(sums: Sums, steps: Sequence[Step], start: str | None) -> list[list[Step]]:
    """The steps, those together of which each goes on with the state that the one before leaves.

    A step of an RNN by itself is one only where the graph has its state as an input and an output;
    else it is a layer that adds two products.
    """
    found: dict[str, list[Step]] = {}  # by the h that the last step of each makes
    for step in steps:
        pair = None
        for source in step.sources:
            before = found.get(source)
            pair = pair or (before and _linked(sums, before[-1], step))
        if pair is None:
            chain = [step]
        else:
            chain = found.pop(pair[0].made)
            chain[-1:] = pair
        found[step.made] = chain
    graph = sums.known.graph
    ends = {sums.known.part(name, start).source for name in graph.outputs}
    inputs = {name: index for index, name in enumerate(graph.inputs)}
    if start is not None:
        inputs[start] = len(inputs)
    whole = [_oriented(sums, chain, start, inputs, ends) for chain in found.values()]
    place = {step.made: index for index, step in enumerate(steps)}
    cells = [chain for chain in whole if chain and _begins(sums, chain[0], start)]
    return sorted(cells, key=lambda chain: place[chain[0].made])


def _begins(sums: Sums, step: Step, start: str | None) -> bool:
    """Whether its states are given from outside, or zeros: gates that layers have as well work on
    what others make, and on sequences."""
    for name in (step.h, *step.before):
        part = sums.known.part(name, start)
        known = part.source is None or sums.known.is_constant(part.source)
        if not (known or part.source in sums.known.graph.inputs) or part.rank not in (None, 2):
            return False
    return True


def _linked(sums: Sums, before: Step, step: Step) -> tuple[Step, Step] | None:
    """Both, if the second goes on with the state of the first and has its weights."""
    if before.op != step.op or before.made not in step.sources or step.before != before.after:
        return None
    if step.oriented and step.h != before.made:
        return None
    after = step.with_h(before.made)
    ways = [before] if before.oriented else [before.with_h(name) for name in before.sources]
    first = next((way for way in ways if _alike(sums, way, after)), None)
    return None if first is None else (first, after)


def _alike(sums: Sums, one: Step, two: Step) -> bool:
    """Whether both have the same weights, which are compared once for each name."""
    if one.functions != two.functions or one.reset_after != two.reset_after:
        return False
    for a, b in zip(one.gates, two.gates, strict=True):
        if a.sign != b.sign:
            return False
        constants = ((a.constant, b.constant), (a.inner, b.inner))
        if not all(_same_vector(sums, *pair) for pair in constants):
            return False
        pairs = zip(one.sources, two.sources, strict=True)
        if not all(_same(sums, a.matrices[x], b.matrices[y]) for x, y in pairs):
            return False
    return True


def _same(sums: Sums, one: Rows, two: Rows) -> bool:
    if one == two:
        return True
    first, second = sums.matrix(one), sums.matrix(two)
    if first is None or second is None or first.shape != second.shape:
        return False
    sums.known.graph.contents.budget.work("unrolled cells", first.size)
    return bool(np.array_equal(first, second))


def _same_vector(sums: Sums, one: Anything | None, two: Anything | None) -> bool:
    if one is None or two is None:
        return one is two
    sums.known.graph.contents.budget.work("unrolled cells", one.size)
    return bool(np.array_equal(np.ravel(one), np.ravel(two)))


def _oriented(
    sums: Sums,
    chain: list[Step],
    start: str | None,
    inputs: Mapping[str, int],
    ends: Collection[str | None],
) -> list[Step] | None:
    """The chain, of whose step it is known which tensor is the h; None for what is no cell.

    ``inputs`` are those of the graph, in their order; of ``ends`` its outputs are parts.
    """
    (step, *rest) = chain
    if rest or step.oriented:
        return chain
    fits = [name for name in step.sources if _is_square(sums, step.gates[0].matrices[name])]
    parts = {name: sums.known.part(name, start) for name in step.sources}
    origins = {name: part.source for name, part in parts.items()}
    if step.op == "RNN":
        given = [
            name
            for name in fits
            if origins[name] in inputs and origins[name] != start and parts[name].rank == 2
        ]
        return [step.with_h(given[0])] if len(given) == 1 and step.made in ends else None
    c = sums.known.part(step.before[0], start).source

    def likely(name: str) -> tuple[bool, bool, int]:
        source = origins[name]
        if source is None or sums.known.is_constant(name):
            return (False, True, len(inputs))  # zeros
        # The input that has the c as well, or any input, which a layer's result is not.
        return (source == c, source in inputs, inputs.get(source, -1))

    return [step.with_h(max(fits, key=likely))] if fits else None


def _is_square(sums: Sums, rows: Rows) -> bool:
    matrix = sums.matrix(rows)
    return matrix is not None and matrix.shape[0] == matrix.shape[1]
