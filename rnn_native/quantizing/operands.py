"""What each matrix multiplies on calibration data, as sums over all of its products.

The reference runs the model as it is, in float64, and hands each of its products to ``dot``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..reference import run_with
from ..spec import ModelSpec
from ..spec.layer import Float64
from ..spec.products import exact
from ..spec.rounding import int8_operand
from .calibration import Batch

_AT_ONCE: Final = 1 << 22
"""Numbers that are kept before they are added up."""


@dataclass
class Sums:
    """Over all rows x [k] that some rows of a matrix multiply, where x^ is x rounded to int8."""

    rounded: Float64
    """x^ x^', [k, k]."""
    missing: Float64
    """x^ (x - x^)', [k, k]."""
    count: int
    """How many rows."""


@dataclass(frozen=True)
class Block:
    """Rows of a matrix that multiply the same."""

    node: str
    matrix: str
    rows: slice
    sums: Sums


class Operands:
    """What the matrices of a model multiply, in the inputs that it is given."""

    def __init__(self, spec: ModelSpec) -> None:
        layers = {}
        for name in spec.reducible:
            layer = spec.nodes[name].layer
            # copies: a layer may be that of two nodes, or two of its arrays one
            wide = {key: np.array(array, np.float64) for key, array in layer.arrays.items()}
            layers[name] = layer.make(wide, layer.options)
        self._spec = spec.having(layers)  # no array is widened once more: rows are told by address
        self._matrices = {
            (name, key): layer.arrays[key]
            for name, layer in layers.items()
            for key in layer.packed()
        }
        self._kept: dict[tuple[str, str, int, int], list[Float64]] = {}
        self._count = 0
        self._sums: dict[tuple[str, str, int, int], Sums] = {}

    def read(self, batch: Batch) -> None:
        """Runs the model on it."""
        for x, state, lengths in batch.without_padding(self._spec):
            run_with(self._dot, self._spec, x, state, lengths)
        self._add_up()

    def blocks(self) -> Iterator[Block]:
        """In the order of a matrix's rows; neighbours that multiply the same are one."""
        merged: list[Block] = []
        for (node, matrix, first, last), sums in sorted(self._sums.items(), key=lambda one: one[0]):
            rows = slice(first, last)
            if merged and _goes_on(merged[-1], node, matrix, first, sums):
                rows = slice(merged.pop().rows.start, last)
            merged.append(Block(node, matrix, rows, sums))
        yield from merged

    def _dot(self, x: Float64, weight: Float64) -> Float64:
        self._kept.setdefault(self._place(weight), []).append(x)
        self._count += x.size
        if self._count >= _AT_ONCE:
            self._add_up()
        return exact(x, weight)

    def _place(self, weight: Float64) -> tuple[str, str, int, int]:
        """Node, matrix, and which rows."""
        address = weight.ctypes.data
        for (node, matrix), array in self._matrices.items():
            offset = address - array.ctypes.data
            if 0 <= offset < array.nbytes:
                first = offset // array.strides[0]
                return node, matrix, first, first + len(weight)
        raise AssertionError("a product with what is no rows of a matrix")

    def _add_up(self) -> None:
        """The sums of what is kept; those of the same rows x once."""
        known: dict[tuple[int, ...], Sums] = {}
        for place, parts in self._kept.items():
            same = tuple(map(id, parts))
            if same not in known:
                known[same] = _sums(np.concatenate([_rows(part) for part in parts]))
            new = known[same]
            if (sums := self._sums.get(place)) is None:
                self._sums[place] = Sums(new.rounded.copy(), new.missing.copy(), new.count)
            else:
                sums.rounded += new.rounded
                sums.missing += new.missing
                sums.count += new.count
        self._kept.clear()
        self._count = 0


def _goes_on(block: Block, node: str, matrix: str, first: int, sums: Sums) -> bool:
    return (block.node, block.matrix, block.rows.stop) == (node, matrix, first) and all(
        np.array_equal(a, b)
        for a, b in ((block.sums.rounded, sums.rounded), (block.sums.missing, sums.missing))
    )


def _rows(x: NDArray[Any]) -> Float64:
    return x.reshape(-1, x.shape[-1])


def _sums(x: Float64) -> Sums:
    """Of rows that are numbers: int8 has nothing for others."""
    x = x[np.isfinite(x).all(axis=1)]
    rounded = int8_operand(x)
    return Sums(rounded.T @ rounded, rounded.T @ (x - rounded), len(x))
