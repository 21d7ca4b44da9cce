"""What a chain of Keras's layers has become so far.

Keras's ``go_backwards`` gives its outputs in the order in which it made them, the last step's
first; a Recurrent of ours that runs in reverse gives them in the order of its input. So a sequence
of Keras can be ours turned round (``flipped``): what works on steps does not care, and of what
follows, each forward layer is a reverse one and the other way round, until a layer turns it back.

A bidirectional layer on such a sequence has its directions exchanged, and so the two halves of
its outputs (``swapped``): the next layer with a matrix has the rows for them exchanged as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...spec import Layer, Linear, Merge, ModelSpec, Recurrent
from ...warn import warn
from .cells import Cell, convert
from .config import Layer as KerasLayer
from .store import Array

DIRECTIONS = ("forward", "reverse")
TURNED = (
    "the outputs are in the order of the input's steps; the Keras model, whose go_backwards turns "
    "them round, gives y[::-1]"
)
"""A warning."""


class Flow:
    """Layers are appended in their order; ``finish`` makes a model of them."""

    def __init__(self, no_mask: str = "") -> None:
        """``no_mask``: why none of its layers can mask steps, if that is so."""
        self.no_mask = no_mask
        self.layers: list[Layer] = []
        self.flipped = False
        self.swapped = 0
        self.mask_value: float | None = None
        self.mask_lost = ""

    def matrix(self, kernel: Array) -> Array:
        """A kernel [in, out] with its rows in the order of what it will multiply."""
        half, self.swapped = self.swapped, 0
        if not half or kernel.ndim != 2 or len(kernel) != 2 * half:
            return kernel
        return np.concatenate([kernel[half:], kernel[:half]])

    def linear(self, kernel: Array, bias: Array | None, activation: str) -> None:
        self.layers.append(Linear(self.matrix(kernel).T, bias, activation))

    def recurrent(
        self, cell: Cell, arrays: Sequence[Array], backwards: bool, sequences: bool
    ) -> None:
        """A cell in one direction, Keras's ``go_backwards`` or not."""
        reverse = backwards != self.flipped
        arrays = [self.matrix(arrays[0]), *arrays[1:]]
        weights = convert(cell, arrays, "_reverse" if reverse else "")
        self._append(cell, weights, DIRECTIONS[reverse], cell.activations, sequences)
        self.flipped = reverse and sequences

    def bidirectional(
        self,
        cells: tuple[Cell, Cell],
        arrays: tuple[Sequence[Array], Sequence[Array]],
        backwards: bool,
        sequences: bool,
        merge_mode: str,
    ) -> None:
        """Two cells, Keras's forward layer and its backward one; ``backwards`` is of the first."""
        reverse = backwards != self.flipped
        half = self.swapped
        first, second = (list(part) for part in arrays)
        first[0] = self.matrix(first[0])
        self.swapped = half
        second[0] = self.matrix(second[0])
        parts = [(cells[0], first), (cells[1], second)]
        (forward, a), (backward, b) = reversed(parts) if reverse else parts
        weights = convert(forward, a) | convert(backward, b, "_reverse")
        activations = forward.activations + backward.activations
        self._append(forward, weights, "bidirectional", activations, sequences)
        if merge_mode != "concat":
            self.layers.append(Merge(merge_mode, forward.units))
        elif reverse:
            self.swapped = forward.units
        self.flipped = reverse and sequences

    def _append(
        self,
        cell: Cell,
        weights: dict[str, Array],
        direction: str,
        activations: Sequence[object],
        sequences: bool,
    ) -> None:
        first = weights["weight_ih_l0_reverse" if direction == "reverse" else "weight_ih_l0"]
        self.layers.append(
            Recurrent(
                input_size=first.shape[1],
                weights=weights,
                direction=direction,
                activations=tuple(activations),  # type: ignore[arg-type]
                return_sequences=sequences,
                **cell.options,
            )
        )

    def mask(self, layer: KerasLayer, value: float) -> None:
        if self.layers or self.mask_value is not None or self.no_mask:
            why = self.no_mask or "only the first layer of a model can mask steps"
            raise layer.unsupported(why)
        self.mask_value = value

    def unswap(self, dtype: np.dtype[Any]) -> None:
        """Puts the features in Keras's order, by a matrix of zeros and ones."""
        self.linear(np.eye(2 * self.swapped, dtype=dtype), None, "identity")

    def finish(self) -> ModelSpec:
        """Warns with a ``UserWarning`` where the outputs are in another order than Keras's."""
        if self.swapped:
            self.unswap(next(iter(self.layers[-1].arrays.values())).dtype)
        if self.flipped:
            warn(TURNED)
        return ModelSpec(tuple(self.layers), self.mask_value)
