"""The arrays into which the core shows what its cells calculate, under the names of
``reference.trace``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spec import ModelSpec
from .spec.graph import refuse_untraceable
from .spec.window import steps_behind


class Layout:
    """What a model's cells calculate, in the core's order of its cells. It holds no weights."""

    def __init__(self, spec: ModelSpec) -> None:
        several = len(spec.nodes) > 1
        self._untraceable = spec.untraceable
        self._cells = [
            (node.inputs[0], cell)
            for name, node in spec.nodes.items()
            for cell in node.layer.traced(f"{name}." if several else "")
        ]
        self._changing = {source: spec.changing(source) for source, _ in self._cells}

    def arrays(
        self, time: int, batch: int, dtype: np.dtype[Any], state: Any = None
    ) -> tuple[dict[str, NDArray[Any]], list[Any]]:
        """Arrays of zeros [time, batch, features] by name, and the same as the core takes them.
        ``time``: steps of the model's inputs, from ``state`` on; a cell may have others."""
        refuse_untraceable(self._untraceable)
        named: dict[str, NDArray[Any]] = {}
        steps = {name: steps_behind(each, time, state) for name, each in self._changing.items()}

        def make(sizes: dict[str, int], time: int) -> list[NDArray[Any]]:
            new = {name: np.zeros((time, batch, size), dtype) for name, size in sizes.items()}
            named.update(new)
            return list(new.values())

        cells = []
        outputs: dict[str, NDArray[Any]] = {}
        for source, cell in self._cells:
            own = steps[source]
            gates, c, h = make(cell.gates, own), make(cell.c, own), make(cell.h, own)
            o = [np.zeros((own, batch, size), dtype) for size in cell.output.values()]
            outputs.update(zip(cell.output, o, strict=True))
            cells.append((gates, h[0], c[0] if c else None, o[0] if o else None))
        return named | outputs, cells
