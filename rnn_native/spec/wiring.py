"""Which layer reads which values: nodes, checked and in an order in which they can run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from ..errors import DTypeError, OptionError, ShapeError, UnsupportedError
from .keys import size as size_of
from .layer import LAST, Layer, Value
from .layers import LAYERS

_LONGEST: Final = 200  # characters of a name
_SHOWN: Final = 12  # names in a message


class Input(NamedTuple):
    """What a model takes: [time, batch, features], or integers [time, batch] below ``features``."""

    features: int
    indices: bool = False

    @property
    def time(self) -> bool:
        """Whether it has an axis of time."""
        return True


class Static(Input):
    """An input without time, the same at every step: [batch, features], or integers [batch] below
    ``features``, such as who speaks, or the attributes of a river.

    ``ModelSpec(nodes=..., inputs={"mel": 40, "who": rn.Static(64)}, outputs=...)``. What reads it
    has no time either; ``rn.Expand`` gives it at every step. ``features`` may be None where a layer
    that reads it says them.
    """

    __slots__ = ()

    def __new__(cls, features: int | None = None, indices: bool = False) -> Static:
        return super().__new__(cls, features, indices)  # type: ignore[arg-type]

    @property
    def time(self) -> bool:
        return False


class Node(NamedTuple):
    """A layer, and the names of the values that it reads."""

    layer: Layer
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Wiring:
    """Nodes in an order in which each follows what it reads, and the values by name."""

    nodes: dict[str, Node]
    inputs: dict[str, Input]
    outputs: dict[str, str]
    values: dict[str, Value]


def flat(layers: Sequence[Any]) -> tuple[Any, ...]:
    """The layers of a chain: what is several in a tuple, as a transposed convolution is, stands for
    these."""
    each = (part if isinstance(part, tuple) else (part,) for part in layers)
    return tuple(layer for part in each for layer in part)


def chain(layers: Sequence[Any]) -> Wiring:
    """Each layer reads the one before; raises what a ``ModelSpec`` of these does."""
    if not layers:
        raise ShapeError("ModelSpec: expected at least one layer, got none")
    for index, layer in enumerate(layers):
        where = f"ModelSpec layer {index}"
        if not isinstance(layer, Layer):
            *kinds, last = (kind.__name__ for kind in LAYERS.values() if kind.arity == (1, 1))
            raise DTypeError(
                f"{where}: expected {', '.join(kinds)} or {last}, got {type(layer).__name__}"
            )
        if layer.arity != (1, 1):
            raise UnsupportedError(
                f"{where}: {_kind(layer)} reads several values; ModelSpec(nodes=...) says which"
            )
        if index == 0 and (layer.features_taken is None or not layer.can_be_first):
            raise UnsupportedError(f"{where}: {_kind(layer)} cannot be first")
    names = list(map(str, range(len(layers))))
    nodes = dict(zip(names, map(Node, layers, [("x",), *zip(names)]), strict=False))
    inputs = {"x": Input(layers[0].features_taken, layers[0].takes_indices)}
    return _wired(nodes, inputs, {"y": names[-1]}, "layer {}")


def _kind(layer: Layer) -> str:
    name = type(layer).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def graph(
    nodes: Mapping[str, tuple[Layer | tuple[Layer, ...], str | Sequence[str]]],
    inputs: Mapping[str, int | Input] | str | Sequence[str] | None,
    outputs: Mapping[str, str] | str | Sequence[str] | None,
) -> Wiring:
    """Nodes as a user states them; raises what a ``ModelSpec`` of these does."""
    taken = _nodes(nodes)
    named = _given("inputs", inputs)
    given = dict(inputs) if isinstance(inputs, Mapping) else dict.fromkeys(named, None)
    wanted = _given("outputs", outputs)
    to = dict(outputs) if isinstance(outputs, Mapping) else {name: name for name in wanted}
    for name in [*taken, *given, *to]:
        _check_name(name)
    for name in taken.keys() & given.keys():
        raise OptionError(f"ModelSpec: {name!r} is the name of an input and of a node")
    ordered = _ordered(taken, given)
    readers: dict[str, list[Layer]] = {name: [] for name in given}
    known = {*given, *ordered, *(name + LAST for name in ordered)}
    for name, node in ordered.items():
        for source in node.inputs:
            if source not in known:
                where = f"ModelSpec node {name!r}: input {source!r}"
                raise OptionError(_unknown(where, source, [*given, *ordered]))
            readers.setdefault(source, []).append(node.layer)
    sized = {name: _input(name, size, readers[name]) for name, size in given.items()}
    wired = _wired(ordered, sized, to)
    used = {source for source, layers in readers.items() if layers} | set(to.values())
    for name in [*given, *ordered]:
        if not used & {name, name + LAST}:
            raise OptionError(f"ModelSpec: nothing reads {name!r}, and it is no output")
    return wired


def _nodes(nodes: Any) -> dict[str, Node]:
    if not isinstance(nodes, Mapping) or not nodes:
        raise OptionError(f"ModelSpec nodes: expected a dict of nodes by name, got {nodes!r}")
    taken = {}
    for name, node in nodes.items():
        where = f"ModelSpec node {name!r}"
        if not isinstance(node, (tuple, list)) or len(node) != 2:
            raise OptionError(f"{where}: expected (layer, (input, ...)), got {node!r}")
        several, sources = node
        *first, last = several if isinstance(several, tuple) and several else (several,)
        for layer in (*first, last):
            if not isinstance(layer, Layer):
                raise DTypeError(f"{where}: expected a layer, got {type(layer).__name__}")
        reads = tuple(_given(f"node {name!r}: inputs", sources))
        for index, layer in enumerate(first):  # those before the last have names of their own
            if (own := f"{name}.{index}") in nodes:
                raise OptionError(f"{where}: {own!r} is the name of its layer {index}, and a node")
            taken[own], reads = Node(layer, reads), (own,)
        taken[name] = Node(last, reads)
    return taken


def _given(where: str, names: Any) -> list[str]:
    """A name, or some, as a list."""
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, (Mapping, list, tuple)) or not listed:
        raise OptionError(f"ModelSpec {where}: expected names, got {names!r}")
    if not all(isinstance(name, str) for name in listed):
        raise OptionError(f"ModelSpec {where}: expected names, got {list(listed)!r}")
    if len(set(listed)) < len(listed) and where in ("inputs", "outputs"):
        raise OptionError(f"ModelSpec {where}: a name is there twice in {list(listed)!r}")
    return list(listed)


def _check_name(name: Any) -> None:
    if not (isinstance(name, str) and 0 < len(name) <= _LONGEST and name.isprintable()):
        raise OptionError(
            f"ModelSpec: expected names of 1 to {_LONGEST} printable characters, got {name!r}"
        )


def _ordered(nodes: dict[str, Node], inputs: Mapping[str, Any]) -> dict[str, Node]:
    """As given, except that each node follows those it reads."""
    for name in nodes:
        if name.endswith(LAST) and name.removesuffix(LAST) in nodes:
            raise OptionError(
                f"ModelSpec node {name!r}: {name!r} is the last state of the node "
                f"{name.removesuffix(LAST)!r}"
            )
    waits: dict[str, set[str]] = {}
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        sources = {s if s in nodes else s.removesuffix(LAST) for s in node.inputs}
        waits[name] = {source for source in sources if source in nodes}
        for source in waits[name]:
            readers[source].append(name)
    places = {name: index for index, name in enumerate(nodes)}
    names = list(nodes)
    ready = [places[name] for name in names if not waits[name]]
    ordered: dict[str, Node] = {}
    while ready:
        name = names[heappop(ready)]
        ordered[name] = nodes[name]
        for reader in readers[name]:
            waits[reader].discard(name)
            if not waits[reader]:
                heappush(ready, places[reader])
    if len(ordered) < len(nodes):
        left = [name for name in nodes if name not in ordered]
        raise UnsupportedError(
            f"ModelSpec: the nodes {some(left)} wait for each other: a value can only be read "
            "by nodes that it does not depend on"
        )
    return ordered


def _input(name: str, size: int | Input | None, layers: Sequence[Layer]) -> Input:
    """An input as stated, or as the first of the layers that read it takes it."""
    indices, kind = any(layer.takes_indices for layer in layers), Input
    if isinstance(size, tuple) and len(size) == 2:
        kind = Static if isinstance(size, Static) else Input
        size, stated = size
        indices = indices or bool(stated)
    if size is None:
        sizes = [layer.features_taken for layer in layers if layer.arity == (1, 1)]
        size = next((one for one in sizes if one is not None), None)
        if size is None:
            raise ShapeError(
                f"ModelSpec input {name!r}: what reads it takes any number of features; state "
                f"it: inputs={{{name!r}: features}}"
            )
    return kind(size_of(f"ModelSpec input {name!r}", size, 1), indices)


def _wired(
    nodes: dict[str, Node], inputs: dict[str, Input], outputs: dict[str, str], called: str = "{!r}"
) -> Wiring:
    """Raises where a layer cannot take what it reads."""
    if not any(one.time for one in inputs.values()):
        raise UnsupportedError(
            f"ModelSpec inputs: expected one that has time, got {', '.join(map(repr, inputs))} "
            "without"
        )
    values = {
        name: Value(
            f"input {name!r}",
            one.features,
            one.indices,
            last="" if one.time else f"input {name!r} has no time",
            static=not one.time,
        )
        for name, one in inputs.items()
    }
    for name, node in nodes.items():
        given = called.format(name)
        where = f"ModelSpec {given}" if called != "{!r}" else f"ModelSpec node {given}"
        for source in node.inputs:
            if source not in values:
                raise OptionError(_unknown(f"{where}: input {source!r}", source, values))
            if source in inputs and not node.layer.can_be_first:
                raise UnsupportedError(
                    f"{where}: a {type(node.layer).__name__} cannot read an input of the model"
                )
        made = node.layer.outputs(where, given, [values[source] for source in node.inputs])
        values |= dict(zip((name, name + LAST), made, strict=False))
    for output in outputs.values():
        if output in inputs:
            raise UnsupportedError(f"ModelSpec output {output!r}: an input cannot be one")
        if output not in values:
            raise OptionError(_unknown(f"ModelSpec output {output!r}", output, values))
    return Wiring(nodes, inputs, outputs, values)


def _unknown(where: str, name: str, values: Collection[str]) -> str:
    if name.endswith(LAST) and name.removesuffix(LAST) in values:
        return (
            f"{where}: {name.removesuffix(LAST)!r} gives no last state beside its outputs; a "
            "Recurrent with return_sequences does"
        )
    return f"{where}: there is no such value; there are {some(list(values))}"


def some(names: Sequence[str]) -> str:
    """The first of these names, as a message has them."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
