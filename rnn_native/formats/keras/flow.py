"""What a chain of Keras's layers has become so far.

Keras's ``go_backwards`` gives its outputs in the order in which it made them, the last step's
first; a Recurrent of ours that runs in reverse gives them in the order of its input. So a sequence
of Keras can be ours turned round (``flipped``): what works on steps does not care, and of what
follows, each forward layer is a reverse one and the other way round, until a layer turns it back.

A bidirectional layer on such a sequence has its directions exchanged, and so the two halves of
its outputs (``swapped``): the next layer with a matrix has the rows for them exchanged as well.

The value that the last layer gives has Keras's axes (``shape``, None where nothing tells even how
many), and may be padded on some of them (``padding``) for the convolution behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...spec import Layer, Linear, Merge, ModelSpec, Recurrent, Reduce
from ...spec.layers.conv import Conv
from ...warn import warn
from .cells import Cell, convert
from .config import Layer as KerasLayer
from .shape import Shape, sequence
from .store import Array

DIRECTIONS = ("forward", "reverse")
_READS_MASKS = (Recurrent, Reduce)
"""Layers to whose other steps a masked one makes a difference."""
TURNED = (
    "the outputs are in the order of the input's steps; the Keras model, whose go_backwards turns "
    "them round, gives y[::-1]"
)
"""A warning."""


class Flow:
    """Layers are appended in their order; ``finish`` makes a model of them."""

    def __init__(self, no_mask: str = "", shape: Shape | None = None) -> None:
        """``no_mask``: why none of its layers can mask steps, if that is so; ``shape``: of what
        the first one reads."""
        self.no_mask = no_mask
        self.shape = shape
        self.padding: dict[int, tuple[int, int]] = {}
        self.layers: list[Layer] = []
        self._is_within = False
        self.flipped = False
        self.swapped = 0
        self.mask_value: float | None = None
        self._masks = ""  # the class of the layer here that masks steps
        self.mask_lost = ""
        self.static = False  # what the first one reads has no time, although an index of it has one
        self.over_time: int | None = None  # as often a RepeatVector gives steps; None: features

    def expect(self, layer: KerasLayer, rank: int) -> Shape:
        """The axes of what a layer reads, which has to have so many besides the batch."""
        if self.shape is None:
            self.shape = Shape((None,) * rank, None if self._is_within else 0)
        if self.shape.rank != rank:
            raise layer.unsupported(
                f"its input {self.shape}: expected {rank} axes besides the batch"
            )
        return self.shape

    def expect_steps(self, layer: KerasLayer) -> Shape:
        """The axes of what a recurrent layer reads: steps, or inside each step positions."""
        if self._is_within:
            return self._expect_positions(layer)
        shape = self.shape or sequence(None, None)
        if not shape.is_sequence:
            raise layer.unsupported(
                f"its input {shape}: expected [batch, time, features], with the time as the input "
                "of the model has it; steps cannot be made of features, nor of one output"
            )
        return shape

    def _expect_positions(self, layer: KerasLayer) -> Shape:
        """The same of one that runs along the positions of each step."""
        shape = self.expect(layer, 2)
        if shape.sizes[0] is None:
            raise layer.unsupported(f"the file does not say how large its input {shape} is")
        if self.mask_value is not None:
            raise layer.unsupported("inside each step, in a model that masks steps")
        if self.swapped:
            raise layer.unsupported("inside each step, behind a Bidirectional that runs backwards")
        return shape

    @contextmanager
    def within(self, layer: KerasLayer) -> Iterator[None]:
        """Of the layers that are added inside, each step is the whole input."""
        outer = self.shape
        if outer is not None and outer.time != 0:
            raise layer.unsupported(f"its input {outer}: expected the time as the first axis")
        self._is_within = True
        self.shape = None if outer is None else Shape(outer.sizes[1:], None)
        self.padding = {axis - 1: sides for axis, sides in self.padding.items()}
        yield
        self._is_within = False
        self.padding = {axis + 1: sides for axis, sides in self.padding.items()}
        steps = None if outer is None else outer.sizes[0]
        self.shape = None if self.shape is None else Shape((steps, *self.shape.sizes), 0)

    def matrix(self, kernel: Array) -> Array:
        """A kernel [in, out] with its rows in the order of what it will multiply."""
        half, self.swapped = self.swapped, 0
        if not half or kernel.ndim != 2 or len(kernel) != 2 * half:
            return kernel
        return np.concatenate([kernel[half:], kernel[:half]])

    def linear(self, kernel: Array, bias: Array | None, activation: str) -> None:
        self.layers.append(Linear(self.matrix(kernel).T, bias, activation))

    def pointwise(self, layer: KerasLayer, kernel: Array, bias: Array | None) -> None:
        """A kernel [in, out] for the channels of each position."""
        positions: int | None = 1
        if self.shape is not None:
            positions = self.shape.positions
            if not self.shape.has_channels:
                raise layer.unsupported(f"its input {self.shape} has the time as its last axis")
            if positions is None:
                raise layer.unsupported(
                    f"the file does not say how large its input {self.shape} is"
                )
            self.shape = self.shape.with_channels(kernel.shape[1])
        if positions == 1:
            self.linear(kernel, bias, "identity")
            return
        weight = np.ascontiguousarray(kernel.T)
        self.layers.append(Conv(weight, bias, in_channels=len(kernel), positions=positions or 1))

    def recurrent(
        self, cell: Cell, arrays: Sequence[Array], backwards: bool, sequences: bool
    ) -> None:
        """A cell in one direction, Keras's ``go_backwards`` or not."""
        reverse = backwards != (self.flipped and not self._is_within)
        self._check_order(cell, reverse, sequences)
        arrays = [self.matrix(arrays[0]), *arrays[1:]]
        weights = convert(cell, arrays, "_reverse" if reverse else "")
        self._append(cell, weights, DIRECTIONS[reverse], cell.activations, sequences)
        self._turns(reverse and sequences)
        self._gives(cell.units, sequences)

    def _turns(self, flipped: bool) -> None:
        """What a layer gives is turned round or not; the steps are, as they were, by one inside."""
        if not self._is_within:
            self.flipped = flipped

    def _check_order(self, cell: Cell, reverse: bool, sequences: bool) -> None:
        """Positions cannot be turned round."""
        if self._is_within and reverse and sequences:
            raise UnsupportedError(
                f"{cell.where}: go_backwards=True with return_sequences=True inside each step: its "
                "positions would be turned round"
            )

    def bidirectional(
        self,
        cells: tuple[Cell, Cell],
        arrays: tuple[Sequence[Array], Sequence[Array]],
        backwards: bool,
        sequences: bool,
        merge_mode: str,
    ) -> None:
        """Two cells, Keras's forward layer and its backward one; ``backwards`` is of the first."""
        reverse = backwards != (self.flipped and not self._is_within)
        self._check_order(cells[0], reverse, sequences)
        if self._is_within and sequences and merge_mode != "concat" and self._positions > 1:
            raise UnsupportedError(
                f"{cells[0].where}: merge_mode={merge_mode!r} of positions inside each step is not "
                "supported; 'concat' is"
            )
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
        self._turns(reverse and sequences)
        self._gives(forward.units * (1 + (merge_mode == "concat")), sequences)

    @property
    def _positions(self) -> int:
        """Inside each step, of what a recurrent layer reads."""
        return (self.shape.sizes[0] if self.shape else None) or 1

    def _gives(self, features: int, sequences: bool) -> None:
        if self._is_within:
            self.shape = Shape((self._positions, features) if sequences else (features,), None)
            return
        steps = None if self.shape is None else self.shape.steps
        self.shape = sequence(steps, features) if sequences else Shape((features,), None)

    def _append(
        self,
        cell: Cell,
        weights: dict[str, Array],
        direction: str,
        activations: Sequence[object],
        sequences: bool,
    ) -> None:
        first = weights["weight_ih_l0_reverse" if direction == "reverse" else "weight_ih_l0"]
        inside: dict[str, Any] = {}
        if self._is_within:
            inside = {"positions": self._positions, "along": "positions"}
        self.layers.append(
            Recurrent(
                input_size=first.shape[1],
                weights=weights,
                direction=direction,
                activations=tuple(activations),  # type: ignore[arg-type]
                return_sequences=sequences,
                **inside,
                **cell.options,
            )
        )

    def mask(self, layer: KerasLayer, value: float) -> None:
        if self.layers or self.mask_value is not None or self.no_mask:
            why = self.no_mask or "only the first layer of a model can mask steps"
            raise layer.unsupported(why)
        self.mask_value, self._masks = value, layer.kind

    def lose_mask(self, layer: KerasLayer) -> None:
        """Past a layer that passes no mask on, Keras's layers read all steps; ours do where none
        of those before has read a mask, whose steps hold nothing that it alone would hide."""
        within = self._is_within or (self.shape is not None and self.shape.time is None)
        if self.mask_value is None or within:
            return
        recurrent = any(isinstance(own, _READS_MASKS) for own in self.layers)
        if not self._masks or recurrent or (self._masks == "Masking" and self.mask_value):
            raise layer.unsupported(
                "in a model that masks steps: Keras passes no mask on here, and reads those as well"
            )
        self.mask_value, self._masks = None, ""

    def put_in_order(self) -> None:
        """Puts the features in Keras's order, by a matrix of zeros and ones, if they are not."""
        if self.swapped:
            self.unswap(self.dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its last array."""
        arrays = [a for layer in self.layers for a in layer.arrays.values()]
        return arrays[-1].dtype if arrays else np.dtype(np.float32)

    def unswap(self, dtype: np.dtype[Any]) -> None:
        self.linear(np.eye(2 * self.swapped, dtype=dtype), None, "identity")

    def finish(self) -> ModelSpec:
        """Warns with a ``UserWarning`` where the outputs are in another order than Keras's."""
        self.put_in_order()
        if self.flipped:
            warn(TURNED)
        return ModelSpec(tuple(self.layers), self.mask_value)
