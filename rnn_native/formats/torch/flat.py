"""Leaves in nested containers and modules, such as the tensors of a checkpoint, by dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from ...errors import FormatError, UnsupportedError
from .foreign import ADVICE, Foreign, Unread
from .objects import Inside, inside
from .values import Pairs, Storage

Leaf = TypeVar("Leaf")

_MAX_DEPTH: Final = 64
_MAX_NAME: Final = 1000
# Of visits to what is in containers: what one counts that makes a name, besides its characters; how
# many there may be, and how many more for each byte of the pickle up to how many.
_NAMED, _VISITS, _VISITS_BY_BYTE, _MAX_VISITS = 32, 100_000, 8, 4_000_000


@dataclass
class Flat(Generic[Leaf]):
    """What was found by its name; ``said`` are the options of modules, and ``sources`` the classes
    of those of a program, by their prefixes."""

    named: dict[str, Leaf | Foreign | Unread] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, Foreign] = field(default_factory=dict)


def flatten(value: Any, size: int, kind: type[Leaf]) -> dict[str, Leaf | Foreign | Unread]:
    """The names of ``flat`` alone."""
    return flat(value, size, kind).named


def flat(value: Any, size: int, *kinds: type[Leaf]) -> Flat[Leaf]:
    """All of these kinds in nested containers, named by keys and indices with dots between; and
    what is foreign, where it has leaves inside, or is in one dict with some. Modules are
    containers.

    ``size``, in bytes, of what they came from bounds how much there may be: containers that are in
    several others, or in themselves, repeat. Raises ``UnsupportedError`` where there is something
    foreign and no leaf.
    """
    walk = _Walk(size, *kinds)
    if type(value) in (Pairs, list, tuple):
        walk.visit("", value, 0)
    elif type(value) is Foreign:
        module = inside(value, walk.spend)
        if module is None:
            walk.foreigners.has_leaves(value)
        else:
            walk.visit_module("", module, 0)
    if all(type(leaf) is Foreign for leaf in walk.found.named.values()):
        walk.foreigners.refuse()
    return walk.found


class _Walk(Generic[Leaf]):
    """On the way through containers: what was found, and how much more may be looked at."""

    def __init__(self, size: int, *kinds: type[Leaf]) -> None:
        self.found: Flat[Leaf] = Flat()
        self.foreigners = _Foreigners(*kinds)
        self._kinds = (*kinds, Unread)
        self._left = min(_VISITS + _VISITS_BY_BYTE * size, _MAX_VISITS)

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise FormatError("containers repeat in each other without end")

    def visit(self, name: str, value: Any, depth: int) -> None:
        """What is in a container, or a leaf."""
        if type(value) in self._kinds:
            self._put(name, value)
        else:
            self._visit_items(name, _items(value), depth, type(value) is Pairs)

    def visit_module(self, name: str, module: Inside, depth: int) -> None:
        prefix = f"{name}." if depth else ""
        if module.said:
            self.found.said[prefix] = module.said
        if module.source is not None:
            self.found.sources[prefix] = module.source
        self._visit_items(name, module.items, depth, True)

    def _visit_items(
        self, name: str, items: Iterable[tuple[Any, Any]], depth: int, is_dict: bool
    ) -> None:
        if depth > _MAX_DEPTH:
            raise FormatError(f"containers more than {_MAX_DEPTH} deep in each other")
        foreign: list[tuple[str, Foreign]] = []
        has_leaves = False
        for key, item in items:
            self.spend(1)
            if type(item) not in _CONTAINERS + self._kinds or type(key) not in (str, int):
                continue
            whole = f"{name}.{key}" if depth else f"{key}"
            self.spend(_NAMED + len(whole))
            if len(whole) > _MAX_NAME:
                raise FormatError(f"a name of {len(whole)} characters")
            if type(item) is not Foreign:
                has_leaves = has_leaves or type(item) in self._kinds
                self.visit(whole, item, depth + 1)
            elif (module := inside(item, self.spend)) is not None:
                self.visit_module(whole, module, depth + 1)
            else:
                foreign.append((whole, item))
        for whole, item in foreign:
            if self.foreigners.has_leaves(item) or (has_leaves and is_dict):
                self._put(whole, item)

    def _put(self, name: str, value: Any) -> None:
        if name in self.found.named:
            raise FormatError(f"the name {name!r} is there twice")
        self.found.named[name] = value


_CONTAINERS: Final[tuple[type, ...]] = (Foreign, Pairs, list, tuple)


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    return value.items() if type(value) is Pairs else enumerate(value)


class _Foreigners:
    """Those on the way to the leaves of a file: which of them have leaves inside."""

    def __init__(self, *kinds: type) -> None:
        self.first: Foreign | None = None
        self._leaves = (*kinds, Storage)
        self._seen: set[int] = set()

    def has_leaves(self, foreign: Foreign) -> bool:
        """Whether a leaf is inside that is in none of the ones before; each thing is visited once,
        so that all of them take no longer than the pickle has things."""
        self.first = self.first or foreign
        waiting: list[Any] = [foreign]
        found = False
        while waiting:
            value = waiting.pop()
            if type(value) in self._leaves:
                found = True
                continue
            parts = _parts(value)
            if not parts or id(value) in self._seen:
                continue
            self._seen.add(id(value))
            waiting += parts
        return found

    def refuse(self) -> None:
        """For a file without leaves: ``UnsupportedError`` that names the first there was."""
        if self.first is not None:
            raise UnsupportedError(
                f"the pickle asks for {self.first}, which is no tensor and no plain container: "
                f"refused, and nothing was called. {ADVICE}"
            )


def _parts(value: Any) -> Iterable[Any]:
    if type(value) is Pairs:
        return (*value.flat, *(value.rows or ()))
    if type(value) is Foreign:
        return value.parts
    return value if type(value) in (list, tuple) else ()
