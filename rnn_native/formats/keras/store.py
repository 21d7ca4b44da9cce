"""Where the weights of a layer are: in Keras 2's groups by name, in Keras 3's by class.

Keras 2, and 3 in its ``.h5`` files, keep a group for each layer of the outermost model; its
attribute ``weight_names`` lists the arrays in the order of ``layer.weights``. Keras 3's
``model.weights.h5`` follows the objects: ``layers/lstm_1/cell/vars/0``, where ``lstm_1`` is the
second LSTM of the model, whatever its name is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ..names import some
from .config import Layer, Step
from .hdf5 import File

Array = NDArray[np.floating[Any]]
_OLD_LAYERS: Final = "_layer_checkpoint_dependencies"  # of Keras 2.12 to 2.14
NUMBERED: Final = ("layers", _OLD_LAYERS)
"""What the root of Keras 3's layout has, one or the other."""
_LEAF = re.compile(r"(?P<leaf>[a-z_]+?)(_\d+)?(:\d+)?")
_KNOWN: Final = ("kernel", "recurrent_kernel", "bias", "embeddings")


@dataclass(frozen=True)
class Part:
    """A part of a layer with arrays of its own, such as a cell: where it is, and their names."""

    groups: tuple[Step, ...]
    names: tuple[str, ...]


class Store(Protocol):
    def arrays(self, layer: Layer, parts: Sequence[Part]) -> list[list[Array]]:
        """The arrays of a layer, part by part; ``FormatError`` unless there are exactly those."""


class Groups(Protocol):
    """A file with groups by layer: an HDF5 file, or what has its weights in another way."""

    @property
    def datasets(self) -> Mapping[str, Any]:
        """Its arrays by path, each with its ``shape``."""

    def names(self, group: str, attribute: str) -> list[str] | None:
        """Names that an attribute of a group lists; None where there is none."""

    def array(self, path: str) -> Array:
        """One of its arrays."""


@dataclass(frozen=True)
class NamedStore:
    """The layout of Keras 2; ``root`` is the group with the layers."""

    file: Groups
    root: str
    _by_part: dict[str, dict[str, list[str]]] = field(default_factory=dict, repr=False)

    def arrays(self, layer: Layer, parts: Sequence[Part]) -> list[list[Array]]:
        names = self._names(layer)
        expected = [name for part in parts for name in part.names]
        found = [leaf_of(name) for name in names]
        if len(names) != len(expected) or any(
            leaf != name for leaf, name in zip(found, expected, strict=True) if leaf in _KNOWN
        ):
            raise FormatError(
                f"{layer}: expected the arrays {some(expected)}; the file has {some(names)}"
            )
        group = join(self.root, layer.path[0])
        arrays = iter([self.file.array(f"{group}/{name}") for name in names])
        return [[next(arrays) for _ in part.names] for part in parts]

    def _names(self, layer: Layer) -> list[str]:
        """The names of a layer's arrays: all of the group's or, in a model inside, those with the
        layer's name in their path; some have the names of models in it as well."""
        outer, *inner = layer.path
        if outer not in self._by_part:
            self._by_part[outer] = self._index(layer, outer)
        by_part = self._by_part[outer]
        names = by_part.get(inner[-1] if inner else "", [])
        for model in inner[-2::-1]:
            names = [name for name in names if model in name.split("/")] or names
        # Where some weights are not trained they come last: a Bidirectional's parts by their names.
        return sorted(names, key=_is_backward)

    def _index(self, layer: Layer, outer: str) -> dict[str, list[str]]:
        """The weights of a layer of the outermost model by the parts of their paths; by "", all."""
        names = self.names(outer)
        if names is None:
            group = join(self.root, outer)
            raise FormatError(f"{layer}: the file has no weights of {group!r}")
        index: dict[str, list[str]] = {"": names}
        for name in names:
            for part in dict.fromkeys(filter(None, name.split("/"))):
                index.setdefault(part, []).append(name)
        return index

    def names(self, group: str) -> list[str] | None:
        """The weights of a layer of the outermost model."""
        return names_of(self.file, join(self.root, group), "weight_names")

    def layers(self) -> list[str]:
        """The layers of the outermost model, those without weights as well."""
        return names_of(self.file, self.root, "layer_names") or []


@dataclass(frozen=True)
class NumberedStore:
    """The layout of Keras 3."""

    file: File

    def arrays(self, layer: Layer, parts: Sequence[Part]) -> list[list[Array]]:
        return [self._part(layer, part) for part in parts]

    def _part(self, layer: Layer, part: Part) -> list[Array]:
        group = ""
        for step in (*layer.groups, *part.groups):
            if step == "layers" and join(group, step) not in self.file.groups:
                step = _OLD_LAYERS
            group = join(group, step if isinstance(step, str) else self._numbered(group, *step))
        group = join(group, "vars")
        found = [name for name in self.file.children(group) if join(group, name) in
                 self.file.datasets]  # fmt: skip
        expected = [str(number) for number in range(len(part.names))]
        if sorted(found) != expected:
            raise FormatError(
                f"{layer}: expected {len(expected)} arrays ({', '.join(part.names)}) in the group "
                f"{group!r}; there are {some(found)}"
            )
        return [self.file.array(join(group, name)) for name in expected]

    def _numbered(self, group: str, name: str, number: int) -> str:
        """The group of the layer of this number among those of its class. Before Keras 2.14 each
        layer counted twice."""
        if group.endswith(_OLD_LAYERS) and join(group, f"{name}_1") not in self.file.groups:
            number *= 2
        return f"{name}_{number}" if number else name


def names_of(file: Groups, group: str, attribute: str) -> list[str] | None:
    """An attribute that lists names; a long one comes in pieces that end in 0, 1, 2."""
    whole = file.names(group, attribute)
    if whole is not None:
        return whole
    pieces: list[str] = []
    number = 0
    while (piece := file.names(group, f"{attribute}{number}")) is not None:
        pieces += piece
        number += 1
    return pieces if number else None


def leaf_of(name: str) -> str:
    """``kernel`` of ``lstm/lstm_cell/kernel_1:0``."""
    match = _LEAF.fullmatch(name.rpartition("/")[2])
    return match["leaf"] if match else name


def join(group: str, name: str) -> str:
    return f"{group}/{name}" if group else name


def _is_backward(name: str) -> bool:
    return any(part.startswith("backward_") for part in name.split("/")[:-1])
