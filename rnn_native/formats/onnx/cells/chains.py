"""Steps of one cell that follow each other, and which of a step's two tensors is its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from ..given import MOVES
from ..graph import Anything, Node
from .equations import Step
from .sums import Rows, Sums

_FAR: Final = 64  # moves between an input of the graph and the state that it is


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
    whole = [_oriented(sums, chain, start) for chain in found.values()]
    place = {step.made: index for index, step in enumerate(steps)}
    return sorted(filter(None, whole), key=lambda chain: place[chain[0].made])


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
        if not all(_same_vector(*pair) for pair in constants):
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


def _same_vector(one: Anything | None, two: Anything | None) -> bool:
    if one is None or two is None:
        return one is two
    return bool(np.array_equal(np.ravel(one), np.ravel(two)))


def _oriented(sums: Sums, chain: list[Step], start: str | None) -> list[Step] | None:
    """The chain, of whose step it is known which tensor is the h; None for what is no cell."""
    (step, *rest) = chain
    if rest or step.oriented:
        return chain
    known, inputs = sums.known, {**sums.known.graph.inputs, **({start: None} if start else {})}
    size = sums.size(next(iter(step.gates[0].matrices.values())))
    fits = []
    for name in step.sources:
        matrix = sums.matrix(step.gates[0].matrices[name])
        if matrix is not None and matrix.shape[1] == size:
            fits.append(name)
    origins = {name: origin(known.makers, name, start) for name in step.sources}
    if step.op == "RNN":
        ends = [name for name in fits if origins[name] in known.graph.inputs]
        made = [origin(known.makers, name, start) for name in known.graph.outputs]
        return [step.with_h(ends[0])] if len(ends) == 1 and step.made in made else None
    c = origin(known.makers, step.before[0], start)
    order = list(inputs)
    fits.sort(
        key=lambda name: (
            origins[name] == c and c is not None,  # the same tensor has both states
            origins[name] in order or known.is_constant(name) or origins[name] is None,
            order.index(str(origins[name])) if origins[name] in order else len(order),
        )
    )
    return [step.with_h(fits[-1])] if fits else None


def origin(makers: Mapping[str, Node], name: str, start: str | None) -> str | None:
    """The tensor that another one is a part of; None for what is zeros or made of shapes."""
    for _ in range(_FAR):
        node = None if name == start else makers.get(name)
        if node is None or node.domain or node.op not in MOVES:
            zeros = node is not None and node.op in ("ConstantOfShape", "Expand", "Tile")
            return None if zeros else name
        name = node.inputs[0]
    return name


