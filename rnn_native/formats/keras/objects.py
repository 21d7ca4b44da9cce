"""The layers of a file of weights alone: whose arrays there are, by where they lie and how they
are called.

Keras 3 lays weights out as the model's objects are: ``layers/lstm_1/cell/vars/0`` in a Sequential
or functional model. In a class of one's own layers lie under the names of its attributes, but for
those that come behind ``layers`` in the alphabet, which lie there by their classes:
``blocks/lstm_1``, ``encoder/bi/forward_layer``, ``layers/gru``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...errors import FormatError
from .config import Step
from .hdf5 import File
from .store import NUMBERED, NamedStore, NumberedStore, join, leaf_of

_PARTS: Final = ("forward_layer/cell", "backward_layer/cell", "cell", "layer", "")
_NO_LAYERS: Final = ("optimizer", "vars", "seed_generator")
Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of a layer's arrays, by their last names


@dataclass(frozen=True)
class Found:
    """A layer of a file: the arrays of each of its parts, and where Keras 3 has them."""

    name: str
    parts: tuple[Shapes, ...]
    groups: tuple[Step, ...] = ()
    time_distributed: bool = False

    @property
    def is_recurrent(self) -> bool:
        return any(leaf == "recurrent_kernel" for part in self.parts for leaf, _ in part)


def found_in(store: NamedStore | NumberedStore) -> list[Found]:
    """In the model's order, if the file has one: with a NamedStore."""
    return _named(store) if isinstance(store, NamedStore) else _numbered(store.file)


def _named(store: NamedStore) -> list[Found]:
    """The layers of a file in Keras 2's layout, in the model's order."""
    layers = []
    for name in store.layers():
        parts: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
        for path in store.names(name) or []:
            full = f"{join(store.root, name)}/{path}"
            if full not in store.file.datasets:
                raise FormatError(f"layer {name!r}: no dataset {full!r}")
            prefix = path.rpartition("/")[0]
            parts.setdefault(prefix, []).append((leaf_of(path), store.file.datasets[full].shape))
        layers.append(Found(name, tuple(tuple(part) for part in parts.values())))
    return layers


def _numbered(file: File) -> list[Found]:
    """The layers of a file in Keras 3's layout that have weights. Those right under the root's
    ``layers`` have the names that the model gave them, others their paths."""
    layers: dict[str, Found] = {}
    for group in _groups(file):
        found = {part: _shapes(file, group, part) for part in _PARTS}
        present = {part: shapes for part, shapes in found.items() if shapes}
        around, _, child = group.rpartition("/")
        name = group
        if around in NUMBERED:
            name = file.text(join(group, "vars"), "name") or child
        name = group if name in layers else name
        parts = tuple(present.values()) or ((("?", ()),),)
        steps = tuple(group.split("/"))
        layers[name] = Found(name, parts, steps, list(present) == ["layer"])
    return list(layers.values())


def _groups(file: File) -> Iterator[str]:
    """Those that are layers with arrays: the outermost that have them as layers do."""
    with_arrays = {""}
    for path in file.datasets:
        steps = path.split("/")
        with_arrays |= {"/".join(steps[: count + 1]) for count in range(len(steps) - 1)}
    pending = [""]
    while pending:
        group = pending.pop()
        inside = file.children(group)
        own = {join(group, "vars"), join(group, "cell")} & with_arrays
        if group and (own or any(join(join(group, part), "vars") in with_arrays
                                 for part in _PARTS if part)):  # fmt: skip
            yield group
            continue
        pending += [join(group, name) for name in reversed(inside)
                    if name not in _NO_LAYERS and join(group, name) in with_arrays]  # fmt: skip


def _shapes(file: File, group: str, part: str) -> Shapes:
    """The arrays of one part of a layer, which Keras 3 numbers, with the names of Keras 2."""
    own = join(join(group, part) if part else group, "vars")
    paths = [join(own, name) for name in sorted(file.children(own))]
    shapes = [file.datasets[path].shape for path in paths if path in file.datasets]
    names: tuple[str, ...] = ("kernel", "recurrent_kernel", "bias")
    if part in ("", "layer"):
        kind = group.rpartition("/")[2]
        names = ("embeddings",) if kind.startswith("embedding") else ("kernel", "bias")
    if len(shapes) > len(names):
        names = tuple(f"array {number}" for number in range(len(shapes)))
    return tuple(zip(names, shapes, strict=False))
