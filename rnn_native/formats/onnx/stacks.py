"""Which layers are one stack, and which activations are layers of their own: a graph does not tell,
but a file of our own says it besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...activations import CONSTANTS
from ...errors import RnnError
from ...spec import LAYERS, Elementwise, Layer, Recurrent, Softmax
from ..metadata import PREFIX, describe, parse
from . import norms
from .activations import rounded
from .drafts import initial_of


def rejoin(layers: Sequence[Layer], properties: Mapping[str, str]) -> tuple[Layer, ...]:
    """The layers with those joined that the descriptions among a file's properties say are one, and
    activations taken off that they say stand behind their layer.

    The graph is what counts: descriptions that are not of these very layers, of a file that was
    changed since, are nothing to go by and change nothing.
    """
    rest = list(layers)
    joined: list[Layer] = []
    try:
        while rest:
            line = properties.get(f"{PREFIX}layer.{len(joined)}")
            if line is None:
                return tuple(layers)
            kind, options = parse("", line)
            count = options.get("num_layers", 1)
            first, rest = rest[0], rest[1:]
            if isinstance(first, Recurrent) and first.num_layers < count:
                stack, rest = [first, *rest[: count - 1]], rest[count - 1 :]
                first = stacked(stack, count)
            if describe(first := with_options(first, kind, options)) != line:
                first, *behind = apart(first)
                first, rest = with_options(first, kind, options), [*behind, *rest]
            if describe(first) != line:
                return tuple(layers)
            joined.append(first)
    except RnnError:
        return tuple(layers)
    return tuple(joined)


def stacked(layers: Sequence[Layer], count: int) -> Recurrent:
    """One Recurrent of these, each of one layer; the first where they are no stack."""
    first, *others = layers
    assert isinstance(first, Recurrent)
    weights, options, joined = dict(first.weights), first.options, [first]
    for level, layer in enumerate(others, 1):
        wanted = {**first.options, "input_size": first.output_size}
        if level == count - 1:  # alone of the top layer it may be the last state that goes on
            wanted["return_sequences"] = getattr(layer, "return_sequences", True)
        if not isinstance(layer, Recurrent) or layer.options != wanted:
            return first
        options = {**first.options, "return_sequences": layer.return_sequences}
        joined.append(layer)
        for name, array in layer.weights.items():
            weights[name.replace("_l0", f"_l{level}", 1)] = array
    initial = initial_of(joined)
    return Recurrent(weights=weights, initial_state=initial, **{**options, "num_layers": count})


def apart(layer: Layer) -> tuple[Layer, ...]:
    """A layer without its activation, and this behind it, where it can stand there."""
    own = layer.own_activation
    if own in ("softmax", "log_softmax"):
        return layer.with_activation("identity"), Softmax(1, own == "log_softmax")
    if own not in CONSTANTS:
        return (layer,)
    return layer.with_activation("identity"), Elementwise(own)


def with_options(layer: Layer, kind: str, options: Mapping[str, Any]) -> Layer:
    """The layer with these options of its line, if they are its own but for the rounding of their
    numbers."""
    if isinstance(layer, Recurrent):
        wanted = {**layer.options, **options}
        wanted.pop("initial_state", None)  # which arrays say, not options
        same = rounded(wanted) == rounded(layer.options)
        return replace(layer, **wanted) if same else layer
    layer = norms.with_options(layer, options)
    if kind != layer.kind or _rounded(options) != _rounded(layer.line):
        return layer
    return LAYERS[kind].from_line(options, layer.arrays)


def _rounded(line: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a line with numbers and constants of functions as attributes keep them."""

    def kept(value: Any) -> Any:
        if isinstance(value, tuple):
            return [(f.name, *map(np.float32, f.constants)) for f in value]
        return np.float32(value) if isinstance(value, float) else value

    return {key: kept(value) for key, value in line.items()}
