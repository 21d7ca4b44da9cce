"""Which layers are one stack: a graph does not tell, but a file of our own says it besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import RnnError
from ...spec import Layer, Recurrent
from ..metadata import PREFIX, describe, parse
from .activations import rounded
from .drafts import initial_of


def rejoin(layers: Sequence[Layer], properties: Mapping[str, str]) -> tuple[Layer, ...]:
    """The layers with those joined that the descriptions among a file's properties say are one.

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
            _, options = parse("", line)
            count = options.get("num_layers", 1)
            first, rest = rest[0], rest[1:]
            if isinstance(first, Recurrent):
                if first.num_layers < count:
                    stack, rest = [first, *rest[: count - 1]], rest[count - 1 :]
                    first = _stack(stack, count)
                first = _with(first, options)
            if describe(first) != line:
                return tuple(layers)
            joined.append(first)
    except RnnError:
        return tuple(layers)
    return tuple(joined)


def _stack(layers: Sequence[Layer], count: int) -> Recurrent:
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


def _with(layer: Recurrent, options: Mapping[str, Any]) -> Recurrent:
    """The layer with these options, if they are its own but for the rounding of their numbers."""
    wanted = {**layer.options, **options}
    wanted.pop("initial_state", None)  # which arrays say, not options
    if rounded(wanted) != rounded(layer.options):
        return layer
    return replace(layer, **wanted)
