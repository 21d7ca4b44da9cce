"""Which layers are one stack: a graph does not tell, but a file of our own says it besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import RnnError
from ..spec import Layer, Recurrent
from .metadata import PREFIX, describe, parse


def rejoin(layers: Sequence[Layer], properties: Mapping[str, str]) -> tuple[Layer, ...]:
    """The layers with those joined that the descriptions among a file's properties say are one.

    The graph is what counts: descriptions that are not of these very layers, of a file that was
    changed since, are nothing to go by and change nothing.
    """
    rest = list(layers)
    joined: list[Layer] = []
    try:
        for index in range(len(rest)):
            line = properties.get(f"{PREFIX}layer.{index}")
            if line is None:
                break
            kind, options = parse("", line)
            count = options.get("num_layers", 1)
            stack, rest = rest[:count], rest[count:]
            if len(stack) != count:
                return tuple(layers)
            layer = _stack(stack, options) if kind == "recurrent" else stack[0]
            if layer is None or describe(layer) != line:
                return tuple(layers)
            joined.append(layer)
    except RnnError:
        return tuple(layers)
    return tuple(layers) if rest else tuple(joined)


def _stack(layers: Sequence[Layer], options: Mapping[str, object]) -> Recurrent | None:
    """One Recurrent of these, each of one layer, if all have its options."""
    weights = {}
    for level, layer in enumerate(layers):
        own = {"num_layers": 1, "input_size": getattr(layer, "input_size", None)}
        if not isinstance(layer, Recurrent) or layer.options != {**layer.options, **options, **own}:
            return None
        for name, array in layer.arrays.items():
            weights[name.replace("_l0", f"_l{level}", 1)] = array
    return Recurrent(weights=weights, **options)  # type: ignore[arg-type]
