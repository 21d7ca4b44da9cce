"""Inputs of a graph that hold what calls before have left: past frames, and states.

A network that runs as its input comes is exported as one step with caches. A convolution over time
reads past frames in front of the new one, ``Concat(cache, x)``, and an output holds them for the
next call, without the oldest. Whole, that is padding in front of all frames: the Concat becomes a
:class:`Past`, which the convolution reads as such, and cache and output go. An initial state that
an output gives back goes as well. Both may be parts of larger tensors, cut and put together in
whatever way.

None of that is guessed. An output that holds, where an input is read, what the next call has to
read there, is proved number by number (:class:`Origins`); anything less is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Final

import numpy as np

from ...errors import RnnError, UnsupportedError
from .cells.known import is_well_formed
from .cells.rewriting import Rewriting
from .constants import axis_of
from .graph import FLOATS, Graph, Node, Past
from .interpret import needed
from .origins import CELLS, MOVES, Ids, Origins

_MOST: Final = 1024  # outputs of a graph, and nodes that might join a cache: far more than any has
_INITIAL: Final = {"GRU": (5,), "LSTM": (5, 6), "RNN": (5,)}
"""Which inputs of a recurrent node are states; output ``i - 4`` is what input ``i`` becomes."""


@dataclass(frozen=True, eq=False)
class _Read:
    """A node that reads parts of inputs, ``what``; ``now`` is where these stand in the inputs, and
    ``then`` what has to stand there at the next call."""

    node: Node
    what: str
    now: Ids
    then: Ids


def without_caches(graph: Graph, states_alone: bool = False) -> Graph:
    """The graph whose caches of past frames are padding, with the states beside them; itself where
    it has none. ``states_alone`` asks for states where there are no such frames, too.

    Raises ``UnsupportedError`` for what is such a cache, but not one that can be read.
    """
    if not 2 <= len(graph.outputs) <= _MOST or not is_well_formed(graph):
        return graph
    candidates = _candidates(graph)
    if len(candidates) > _MOST or not (candidates or states_alone):
        return graph
    free = any(info.sizes is None or None in info.sizes for info in graph.inputs.values())
    found = [_Caches(graph, size) for size in ((1, 2) if free else (1,))]
    for cache in found:
        if cache.suspects and not cache.joins:
            raise cache.refused(cache.suspects[0])
    if not any(cache.joins for cache in found) and not (states_alone and found[0].states):
        return graph
    first, *more = found
    for other in more:
        if (first.joins.keys(), first.states.keys()) != (other.joins.keys(), other.states.keys()):
            raise UnsupportedError(
                "caches of past frames, or states, that are so for some of the sizes that the file "
                "leaves free; shapes={...} states them"
            )
    pairs = [cache.pairs() for cache in found]
    if any(other != pairs[0] for other in pairs):
        raise UnsupportedError("caches that are written back in another place at another size")
    return _rewritten(graph, found, pairs[0])


def _candidates(graph: Graph) -> list[Node]:
    """The nodes that join a part of an input with something else."""
    parts = {name: {name} for name, info in graph.inputs.items() if info.element in FLOATS}
    found = []
    for node in graph.nodes:
        if node.domain or node.op not in MOVES:
            continue
        own = [parts.get(name) for name in node.inputs]
        if node.op == "Concat" and len(own) > 1 and own[0] and any(one != own[0] for one in own):
            found.append(node)
        elif own[0] and (node.op != "Concat" or None not in own):
            parts.update((name, own[0]) for name in node.outputs)
    return found


class _Caches:
    """What of a graph's inputs is read as a cache or a state, for one size of what is free."""

    def __init__(self, graph: Graph, free: int) -> None:
        self.graph, self.origins, self._free = graph, Origins(graph, free), free
        self._names = [name for name in graph.inputs if self.origins.ids(name) is not None]
        sizes = [self._size(name) for name in self._names]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._outputs = {
            name: ids for name in graph.outputs if (ids := self.origins.ids(name)) is not None
        }
        self.frames: set[int] = set()
        self.joins: dict[str, _Read] = {}
        self.suspects: list[_Read] = []
        self.states: dict[tuple[str, int], _Read] = {}
        for node in graph.nodes:
            if node.domain:
                continue
            if node.op == "Concat" and len(node.inputs) > 1:
                self._join(node)
            elif node.op in CELLS:
                self._state(node)

    def _join(self, node: Node) -> None:
        every, new = (self.origins.ids(name) for name in (node.outputs[0], node.inputs[-1]))
        if every is None or new is None or not new.ndim:
            return
        axis = axis_of(node, node.options(axis=("int", 0))["axis"], new.ndim)
        frames = new.shape[axis]
        if frames not in (1, self._free):  # features beside others
            return
        count = every.shape[axis] - frames
        joined = every.take(range(count), axis)
        if not self._are_inputs(joined):
            return
        then = every.take(range(frames, frames + count), axis)
        what = f"in front of {node.inputs[-1]!r}"
        read = _Read(node, what, joined.reshape(-1), then.reshape(-1))
        owners = self._owners(read.now)
        if any(map(self._has_steps, owners)):
            return
        if all(self._holds(name, read) for name in owners):
            self.frames.add(frames)
            self.joins[node.outputs[0]] = read
        elif any(map(self._is_suspect, owners)):
            self.suspects.append(read)

    def _state(self, node: Node) -> None:
        for index in _INITIAL[node.op]:
            name = node.inputs[index] if len(node.inputs) > index else ""
            output = node.outputs[index - 4] if len(node.outputs) > index - 4 else ""
            now = self.origins.ids(name) if name else None
            if now is None or not self._are_inputs(now):
                continue
            then = self._final(node, index, output)
            if then is not None and then.shape == now.shape:
                what = f"as initial_{'hc'[index - 5]}"
                read = _Read(node, what, now.reshape(-1), then.reshape(-1))
                self.states[node.outputs[0] or output, index] = read

    def _final(self, node: Node, index: int, output: str) -> Ids | None:
        """The final state; where that is no output, the last step of Y, which is the same."""
        if output:
            return self.origins.ids(output)
        y = self.origins.ids(node.outputs[0]) if index == 5 and node.outputs[0] else None
        if y is None or "direction" in node.attributes or "layout" in node.attributes:
            return None
        return y[-1] if len(y) else None

    def _size(self, name: str) -> int:
        return prod(self.origins.shape(name) or ())

    def _are_inputs(self, ids: Ids) -> bool:
        """Whether all of these are numbers of inputs, each once."""
        every = ids.reshape(-1)
        inside = len(every) and every.min() >= 0 and every.max() < self._starts[-1]
        return bool(inside) and len(np.unique(every)) == len(every)

    def _owned(self, ids: Ids, name: str) -> Ids:
        """Which of these are numbers of an input."""
        at = self._names.index(name)
        return np.flatnonzero((ids >= self._starts[at]) & (ids < self._starts[at + 1]))

    def _owners(self, ids: Ids) -> list[str]:
        at = np.searchsorted(self._starts, ids, side="right") - 1
        return [self._names[i] for i in np.unique(at)]

    def _holds(self, name: str, read: _Read) -> list[str]:
        """The outputs that hold, where an input is read, what is read there at the next call."""
        own = self._owned(read.now, name)
        places = read.now[own] - self._starts[self._names.index(name)]
        then = read.then[own]
        return [
            output
            for output, ids in self._alike(name)
            if (then >= 0).all() and (ids.reshape(-1)[places] == then).all()
        ]

    def _has_steps(self, name: str) -> bool:
        """Whether an input has any number of rows and, of a call, any number of steps as well."""
        return (self.graph.inputs[name].sizes or ()).count(None) > 1

    def _is_suspect(self, name: str) -> bool:
        """Whether an output that might be an input's next holds numbers of it."""
        return any(len(self._owned(ids.reshape(-1), name)) for _, ids in self._alike(name))

    def _alike(self, name: str) -> Iterator[tuple[str, Ids]]:
        shape = self.origins.shape(name)
        return ((output, ids) for output, ids in self._outputs.items() if ids.shape == shape)

    def refused(self, read: _Read) -> UnsupportedError:
        names = ", ".join(map(repr, self._owners(read.now)))
        return read.node.unsupported(
            f"reads {names} {read.what}, but no output holds, in the same places, what the next "
            "call has to read there: only then are these past frames or a state"
        )

    def pairs(self) -> dict[str, str]:
        """The inputs that go, with the output that each is at the next call: the last one, where
        several are the same."""
        reads = [*self.joins.values(), *self.states.values()]
        found: dict[str, str] = {}
        for name in reversed(self._names):
            own = [read for read in reads if len(self._owned(read.now, name))]
            outputs = list(self.graph.outputs)
            for read in own:
                holding = self._holds(name, read)
                outputs = [output for output in outputs if output in holding]
                if not outputs:
                    raise self.refused(read)
            if own:
                free = [output for output in outputs if output not in found.values()]
                found[name] = (free or outputs)[-1]
        found = {name: found[name] for name in self._names if name in found}
        _check_order(self.graph, found)
        return found


def _check_order(graph: Graph, pairs: dict[str, str]) -> None:
    """Outputs go back to the inputs by their order or by their names: another way is no state."""
    outputs = list(graph.outputs)
    places = [outputs.index(pairs[name]) for name in graph.inputs if name in pairs]
    named = all(a in b or b in a or a.replace("in", "out") == b for a, b in pairs.items())
    if len(set(places)) != len(places) or (places != sorted(places) and not named):
        shown = ", ".join(f"{b!r} to {a!r}" for a, b in pairs.items())
        raise UnsupportedError(
            f"outputs that are the next call's inputs in another order: {shown}; expected the same"
        )


def _rewritten(graph: Graph, found: Sequence[_Caches], pairs: dict[str, str]) -> Graph:
    first = found[0]
    kept = [name for name in graph.outputs if name not in pairs.values()] or [graph.outputs[0]]
    frames = {one for cache in found for one in cache.frames}
    framed = len(found) == 1 or all(cache.frames == {1} for cache in found)
    if first.joins and (len(first.frames) != 1 or (framed and frames != {1})):
        node = next(iter(first.joins.values())).node
        raise node.unsupported(
            f"caches of past frames in a graph that takes {sorted(frames)} frames in a call; "
            "expected one, or any number"
        )
    rewriting = Rewriting(graph)
    _fold(rewriting, first.origins if len(found) == 1 else None)
    for read in first.joins.values():
        _pad(rewriting, read, first)
    for index, cell in enumerate(rewriting.nodes):
        states = [i for o, i in first.states if cell and o in cell.outputs]
        if cell is not None and cell.op in CELLS and states:
            names = tuple("" if i in states else name for i, name in enumerate(cell.inputs))
            rewriting.nodes[index] = replace(cell, inputs=names)
            rewriting.changed = True
    inputs = {name: info for name, info in graph.inputs.items() if name not in pairs}
    made = replace(
        rewriting.finish(), inputs=inputs, outputs=tuple(kept), framed=framed and bool(first.joins)
    )
    _check_all(made, found, pairs)
    return made


def _pad(rewriting: Rewriting, read: _Read, caches: _Caches) -> None:
    """Padding in the place of what is joined; and the new frames, where they are cut out again."""
    node, origins = read.node, caches.origins
    new = origins.ids(node.inputs[-1])
    assert new is not None
    axis = axis_of(node, node.options(axis=("int", 0))["axis"], new.ndim)
    count = len(read.now) // (new.size // new.shape[axis])
    plain = {field.name: getattr(node, field.name) for field in fields(Node)}
    plain |= {"op": "Concat with past frames", "inputs": node.inputs[-1:], "attributes": {}}
    rewriting.put(Past(**plain, axis=axis, count=count))
    for other in rewriting.graph.nodes:
        if other.op not in MOVES or node.outputs[0] not in other.inputs:
            continue
        ids = origins.ids(other.outputs[0])
        if ids is not None and ids.shape == new.shape and (ids == new).all():
            rewriting.add(other, "Identity", node.inputs[-1:], other.outputs, other.name)


def _fold(rewriting: Rewriting, origins: Origins | None) -> None:
    """What is constant, as shapes of inputs are where all sizes are known."""
    for node in rewriting.graph.nodes if origins else ():
        assert origins is not None
        arrays = [(name, origins.constant(name)) for name in node.outputs if name]
        known = {name: array for name, array in arrays if array is not None}
        if node.op != "Constant" and len(known) == len(arrays):
            rewriting.fixed(known)


def _check_all(graph: Graph, found: Sequence[_Caches], pairs: dict[str, str]) -> None:
    """Caches are read in no other way; and each layer over time goes on where the call before
    ended."""
    try:
        nodes = needed(graph, graph.outputs, None)
    except RnnError:  # for ``interpret`` to say
        return
    suspects = {r.node.outputs[0]: (cache, r) for cache in found for r in cache.suspects}
    for node in nodes:
        if node.outputs[0] in suspects:
            cache, read = suspects[node.outputs[0]]
            raise cache.refused(read)
        for name in node.reads:
            if name in pairs:
                raise node.unsupported(
                    f"reads {name!r}, a cache of past frames or a state, in another way than in "
                    "front of the new ones, or as the initial state of a layer"
                )
        if node.op not in CELLS or node.domain or not found[0].joins:
            continue
        steps = [_steps(cache, node) for cache in found]
        over_time = all(
            n == next(iter(cache.frames)) for n, cache in zip(steps, found, strict=True)
        )
        if (
            over_time
            and "direction" in node.attributes
            and node.attributes["direction"].s != b"forward"
        ):
            raise node.unsupported(
                "runs back over the frames of a call, beside caches of past ones"
            )
        if over_time and not any(o in node.outputs for o, _ in found[0].states):
            raise node.unsupported(
                "begins anew in each call, beside caches of past frames: its final state is no "
                "output that goes back into it"
            )


def _steps(caches: _Caches, node: Node) -> int | None:
    shape = caches.origins.shape(node.inputs[0])
    layout = node.attributes["layout"].i if "layout" in node.attributes else 0
    return None if shape is None or len(shape) != 3 else shape[layout]
