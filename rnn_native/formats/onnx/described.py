"""The graph that a file of our own describes in its properties, where that is the graph it has.

The nodes of a file are one layer of a stack each, and two values of a Combine; an activation behind
a Linear looks like the Linear's own. What counts is the graph: a description that does not fit it,
of a file that was changed since, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import RnnError
from ...spec import Layer, ModelSpec, Recurrent
from ...spec.layer import LAST
from .. import graph_text
from ..metadata import CARRIED, PREFIX, describe, parse
from .assembling import Parts
from .stacks import apart, stacked, with_options
from .values import Data, Step
from .views import Part

Key = tuple[Step | None, bool]


class UnlikeError(Exception):
    """The description is of another graph."""


class Description:
    """The lines of the layers and what they read; made of a file's properties."""

    def __init__(self, lines: Sequence[str], wires: graph_text.Wires) -> None:
        self.lines, self.wires = lines, wires

    @property
    def outputs(self) -> frozenset[str]:
        return frozenset(self.wires.outputs)


def description_of(properties: Mapping[str, str]) -> Description | None:
    """None where there is none of a graph."""
    texts = {
        key.removeprefix(PREFIX): text
        for key, text in properties.items()
        if key.startswith(PREFIX) and key not in CARRIED
    }
    if texts.pop("version", None) != graph_text.VERSION or "outputs" not in texts:
        return None
    texts.pop("layers", None)
    lines: list[str] = []
    while (line := texts.pop(f"layer.{len(lines)}", None)) is not None:
        lines.append(line)
    try:
        return Description(*graph_text.from_strings(lines, texts))
    except RnnError:
        return None


def described(
    description: Description, parts: Parts, outputs: Mapping[str, Data]
) -> ModelSpec | None:
    """The graph as it is described; None where it is another one than was read."""
    try:
        return _Match(description.wires, parts).spec(description.lines, outputs)
    except (RnnError, UnlikeError):
        return None


class _Match:
    """Layers that were read are matched with those that are described, in their order."""

    def __init__(self, wires: graph_text.Wires, parts: Parts) -> None:
        self._wires = wires
        self._rest = list(parts.layers.items())[::-1]
        self._names: dict[Key, str] = {}
        # By node: the activation that was taken off it, and the step that made both.
        self._behind: dict[str, tuple[Layer, Step | None]] = {}
        self._step: Step | None = None

    def spec(self, lines: Sequence[str], outputs: Mapping[str, Data]) -> ModelSpec:
        layers: list[Layer] = []
        for (name, sources), line in zip(self._wires.nodes.items(), lines, strict=True):
            layer, reads = self._next(name, line, sources)
            if reads != sources or describe(layer) != line:
                raise UnlikeError
            layers.append(layer)
            self._names[self._step, False] = name
            both = getattr(layer, "return_sequences", False)
            self._names[self._step, True] = name + LAST if both else name
        found = {name: self._called(value) for name, value in outputs.items()}
        if self._rest or self._behind or list(found.items()) != list(self._wires.outputs.items()):
            raise UnlikeError
        return self._wires.spec(layers, None)

    def _next(self, name: str, line: str, sources: Sequence[str]) -> tuple[Layer, Sequence[str]]:
        """The layer of that node, and what it reads; ``sources``: as the description has it."""
        kind, options = parse("", line)
        if sources[0] in self._behind:
            layer, self._step = self._behind.pop(sources[0])
            return layer, sources[:1]
        part = self._take()
        reads = [*map(self._called, part.inputs)]
        layer = part.layer
        if isinstance(layer, Recurrent):
            layer = self._stack(layer, options)
        else:
            while len(reads) < len(sources):
                reads += self._joined(layer)
        if describe(layer := with_options(layer, kind, options)) != line:
            layer, *behind = apart(layer)
            layer = with_options(layer, kind, options)
            if behind:
                self._behind[name] = behind[0], self._step
        return layer, reads

    def _take(self) -> Part:
        if not self._rest:
            raise UnlikeError
        self._step, part = self._rest.pop()
        return part

    def _stack(self, first: Recurrent, options: Mapping[str, Any]) -> Recurrent:
        """So many layers as one, each of which reads the one before."""
        layers: list[Layer] = [first]
        while len(layers) < options.get("num_layers", 1) and first.num_layers == 1:
            layers.append(self._follower()[0])
        joined = stacked(layers, len(layers)) if len(layers) > 1 else first
        if options.get("return_sequences", True) and not joined.return_sequences:
            joined = replace(joined, return_sequences=True)  # of which nobody reads the outputs
        return joined

    def _joined(self, first: Layer) -> list[str]:
        """What one more of a Combine reads besides the values before."""
        layer, others = self._follower()
        if describe(layer) != describe(first):
            raise UnlikeError
        return [*map(self._called, others)]

    def _follower(self) -> tuple[Layer, tuple[Data, ...]]:
        """The next layer, which has to read the one before first, and what it reads besides."""
        before = self._step
        layer, inputs = self._take()
        if not inputs or (inputs[0].step, inputs[0].last) != (before, False):
            raise UnlikeError
        return layer, inputs[1:]

    def _called(self, value: Data) -> str:
        if value.step is None:
            return value.source
        name = self._names.get((value.step, value.last))
        if name is None:
            raise UnlikeError
        return name
