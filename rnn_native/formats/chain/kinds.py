"""What a class of PyTorch's is in a chain: its arguments, its arrays, and the layers they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from ...activations import Activation
from ...errors import OptionError, ShapeError
from ...spec import Array, Layer, Recurrent
from ..names import some, suggest
from .layout import Layout
from .text import Call


@dataclass
class Here:
    """A module, or a class without arrays, and the place in a chain where it stands.

    ``said`` are the arguments of its class, with None for sizes that are not said, ``features``
    those that come, None where it is first; ``recurrent`` is the layer where it is such a module.
    """

    where: str
    arrays: Mapping[str, Array]
    layout: Layout
    features: int | None = None
    said: dict[str, Any] = field(default_factory=dict)
    recurrent: Recurrent | None = None

    def says(self, name: str, least: int = 1) -> int:
        """A number that is said; ``OptionError`` where it is none of these."""
        value = self.said[name]
        if type(value) is not int or value < least:
            raise OptionError(
                f"{self.where}: {name}: expected a number from {least}, got {value!r}"
            )
        return value

    def check(self, **sizes: Any) -> None:
        """``ShapeError`` where an argument says something else than the arrays do."""
        for name, own in sizes.items():
            said = self.said.get(name)
            if said is not None and said != own:
                raise ShapeError(
                    f"{self.where}: {name}={said!r} is said, but its arrays have {own}"
                )

    def check_arrays(self, **there: bool) -> None:
        """The same of an argument that says whether an array is there."""
        for name, own in there.items():
            if self.said.get(name) not in (None, own):
                has = "has" if own else "has no"
                raise ShapeError(
                    f"{self.where}: {name}={self.said[name]}, but it {has} such arrays"
                )

    def check_channels(self, channels: int) -> None:
        """``ShapeError`` where other channels come than it has numbers for."""
        if self.features is not None and channels * self.layout.positions != self.features:
            come = self.layout.channels(self.where, self.features)
            raise ShapeError(f"{self.where}: is of {channels} channels, and {come} come")

    def over_positions(self, array: Array) -> Array:
        """Of each channel, as it is of each feature: [positions, channels]."""
        positions = self.layout.positions
        return array if positions == 1 else np.tile(array, positions)


Made = tuple[list[Layer], Layout]
Maker = Callable[[Here], Made]


@dataclass(frozen=True)
class Kind:
    """A class: its parameters in PyTorch's order with what they are where nothing is said, None for
    sizes; which arrays it has, and the layers that it is, or the function of each number."""

    make: Maker | None
    parameters: Mapping[str, Any]
    arrays: tuple[str, ...] = ()
    more: tuple[str, ...] = ()  # arrays that it may have
    function: Callable[[Here], Activation | str] | None = None


def parameters(names: str, **defaults: Any) -> Mapping[str, Any]:
    """Those of sizes, and others with their defaults, and those that change no result here."""
    return MappingProxyType(dict.fromkeys(names.split()) | defaults)


def bound(where: str, call: Call, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The arguments by name; ``OptionError`` for a class or an argument that is not known."""
    kind = kinds.get(call.name)
    if kind is None:
        raise OptionError(
            f"{where}: no class {call.name!r}{suggest(call.name, kinds)}; there are "
            f"{some(sorted(kinds), 100)}, and 'Input'"
        )
    names = list(kind.parameters)
    if len(call.args) > len(names):
        raise OptionError(
            f"{where}: expected at most {len(names)} arguments, {', '.join(names)}; "
            f"got {len(call.args)}"
        )
    given = list(zip(names, call.args, strict=False)) + list(call.named)
    said: dict[str, Any] = {}
    for name, value in given:
        if name not in kind.parameters:
            raise OptionError(
                f"{where}: no argument {name!r}{suggest(name, names)}; there are {', '.join(names)}"
            )
        if name in said:
            raise OptionError(f"{where}: {name} is said twice")
        said[name] = value
    return dict(kind.parameters) | said
