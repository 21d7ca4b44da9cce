"""The arrays into which the core shows what its cells calculate, under the names of
``reference.trace``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import ModelSpec, Recurrent


@dataclass(frozen=True)
class _Cell:
    """One direction of one layer of a stack: names, with the features of each."""

    gates: dict[str, int]
    h: dict[str, int]
    c: dict[str, int]
    o: dict[str, int]  # what the stack's output layer gives, in its first cell


class Layout:
    """What a model's cells calculate, in the core's order of its cells."""

    def __init__(self, spec: ModelSpec) -> None:
        self._cells: list[_Cell] = []
        for index, layer in enumerate(spec.layers):
            if isinstance(layer, Recurrent):
                prefix = f"{index}." if len(spec.layers) > 1 else ""
                self._cells += _cells(layer, prefix)

    def arrays(
        self, time: int, batch: int, dtype: np.dtype[Any]
    ) -> tuple[dict[str, NDArray[Any]], list[Any]]:
        """Arrays of zeros [time, batch, features] by name, and the same as the core takes them."""
        named: dict[str, NDArray[Any]] = {}

        def make(sizes: dict[str, int]) -> list[NDArray[Any]]:
            new = {name: np.zeros((time, batch, size), dtype) for name, size in sizes.items()}
            named.update(new)
            return list(new.values())

        cells = []
        outputs: dict[str, NDArray[Any]] = {}
        for cell in self._cells:
            gates, c, h = make(cell.gates), make(cell.c), make(cell.h)
            o = [np.zeros((time, batch, size), dtype) for size in cell.o.values()]
            outputs.update(zip(cell.o, o, strict=True))
            cells.append((gates, h[0], c[0] if c else None, o[0] if o else None))
        return named | outputs, cells


def _cells(layer: Recurrent, prefix: str) -> list[_Cell]:
    cells: list[_Cell] = []
    for level in range(layer.num_layers):
        for suffix in layer.suffixes:
            end = f"_l{level}{suffix}"
            size = layer.hidden_size
            cells.append(
                _Cell(
                    {prefix + n + end: size for n in layer.trace_names if n not in "hc"},
                    {f"{prefix}h{end}": layer.state_size},
                    {f"{prefix}c{end}": size} if "c" in layer.trace_names else {},
                    {f"{prefix}o": layer.output_layer} if layer.output_layer and not cells else {},
                )
            )
    return cells
