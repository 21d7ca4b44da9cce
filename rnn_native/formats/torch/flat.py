"""Leaves in nested containers, such as the tensors of a checkpoint, by dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from ...errors import FormatError
from .foreign import ADVICE, Foreign
from .values import Pairs, Storage

Leaf = TypeVar("Leaf")

_MAX_DEPTH: Final = 64
_MAX_NAME: Final = 1000
# Of visits to what is in containers: what one counts that makes a name, besides its characters; how
# many there may be, and how many more for each byte of the pickle up to how many.
_NAMED, _VISITS, _VISITS_BY_BYTE, _MAX_VISITS = 32, 100_000, 8, 4_000_000


def flatten(value: Any, size: int, kind: type[Leaf]) -> dict[str, Leaf | Foreign]:
    """All of this kind in nested containers, named by keys and indices with dots between; and what
    is foreign, where it has leaves inside, or is in one dict with some.

    ``size``, in bytes, of what they came from bounds how much there may be: containers that are in
    several others, or in themselves, repeat. Raises ``FormatError`` where there is something
    foreign and no leaf.
    """
    left = min(_VISITS + _VISITS_BY_BYTE * size, _MAX_VISITS)
    named: dict[str, Leaf | Foreign] = {}
    foreigners = _Foreigners(kind)

    def put(name: str, value: Leaf | Foreign) -> None:
        if name in named:
            raise FormatError(f"the name {name!r} is there twice")
        named[name] = value

    def visit(name: str, value: Any, depth: int) -> None:
        nonlocal left
        if type(value) is kind:
            put(name, value)
            return
        if depth > _MAX_DEPTH:
            raise FormatError(f"containers more than {_MAX_DEPTH} deep in each other")
        foreign: list[tuple[str, Foreign]] = []
        has_leaves = False
        for key, item in _items(value):
            left -= 1
            if type(item) in (kind, Foreign, Pairs, list, tuple) and type(key) in (str, int):
                whole = f"{name}.{key}" if depth else f"{key}"
                left -= _NAMED + len(whole)
                if len(whole) > _MAX_NAME:
                    raise FormatError(f"a name of {len(whole)} characters")
                if type(item) is Foreign:
                    foreign.append((whole, item))
                else:
                    has_leaves = has_leaves or type(item) is kind
                    visit(whole, item, depth + 1)
            if left < 0:
                raise FormatError("containers repeat in each other without end")
        has_leaves = has_leaves and type(value) is Pairs
        for whole, item in foreign:
            if foreigners.has_leaves(item) or has_leaves:
                put(whole, item)

    if type(value) in (Pairs, list, tuple):
        visit("", value, 0)
    elif type(value) is Foreign:
        foreigners.has_leaves(value)
    if all(type(leaf) is Foreign for leaf in named.values()):
        foreigners.refuse()
    return named


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    return value.items() if type(value) is Pairs else enumerate(value)


class _Foreigners:
    """Those on the way to the leaves of a file: which of them have leaves inside."""

    def __init__(self, leaf: type) -> None:
        self.first: Foreign | None = None
        self._leaves = (leaf, Storage)
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
        """For a file without leaves: ``FormatError`` that names the first there was."""
        if self.first is not None:
            raise FormatError(
                f"the pickle asks for {self.first}, which is no tensor and no plain container: "
                f"refused, and nothing was called. {ADVICE}"
            )


def _parts(value: Any) -> Iterable[Any]:
    if type(value) is Pairs:
        return (*value.flat, *(value.rows or ()))
    if type(value) is Foreign:
        return value.parts
    return value if type(value) in (list, tuple) else ()
