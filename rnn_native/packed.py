"""What a Model keeps of its ModelSpec: everything but the matrices, which the core holds packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import CoreModel
from .errors import UnsupportedError
from .spec import Embedding, Layer, Linear, Merge, ModelSpec, Recurrent

Vectors = dict[str, NDArray[Any]]
Rebuild = Callable[[CoreModel], Layer]


class Packed:
    """The layers of a spec without their matrices, and the way back."""

    def __init__(self, spec: ModelSpec, dtype: np.dtype[Any]) -> None:
        check_constants(spec, dtype)
        self._layers: list[Rebuild] = []
        self.cells: list[str] = []
        self.mask_value = spec.mask_value
        op = 0
        for layer in spec.layers:
            vectors = {
                name: array.astype(dtype) for name, array in layer.arrays.items() if array.ndim == 1
            }
            if isinstance(layer, Recurrent):
                self._layers.append(_recurrent(layer, vectors, op))
                self.cells.append(layer.cell)
                op += layer.num_layers + (layer.output_layer > 0)
            else:
                self._layers.append(_plain(layer, vectors, op))
                self.cells.append(type(layer).__name__.lower())
                op += 1

    def spec(self, core: CoreModel) -> ModelSpec:
        """The spec again, its matrices unpacked from the core in the model's dtype."""
        return ModelSpec(tuple(rebuild(core) for rebuild in self._layers), self.mask_value)


def check_constants(spec: ModelSpec, dtype: np.dtype[Any]) -> None:
    """``UnsupportedError`` where a constant of an activation is past all numbers of the type."""
    most = float(np.finfo(dtype).max)
    for layer in spec.recurrents:
        for activation in layer.activations or ():
            for number in activation.constants:
                if abs(number) > most:
                    raise UnsupportedError(
                        f"{layer.cell}: {activation.name} with the constant {number!r}: {dtype} "
                        f"ends at {most:.4g}"
                    )


def _recurrent(layer: Recurrent, vectors: Vectors, op: int) -> Rebuild:
    options = layer.options
    shapes = {name: array.shape for name, array in layer.arrays.items() if array.ndim == 2}
    suffixes, layer_count = layer.suffixes, layer.num_layers

    def rebuild(core: CoreModel) -> Layer:
        weights = dict(vectors)
        for name, shape in shapes.items():
            if name == "weight_ho":  # the output layer is an operation behind the stack
                weights[name] = core.unpack(op + layer_count, 0, "weight", shape)
                continue
            kind, _, place = name.rpartition("_l")
            depth, reverse, _ = place.partition("_reverse")
            if name == "weight_xo":
                kind, depth, reverse = name, "0", suffixes[0]
            direction = suffixes.index(reverse)
            weights[name] = core.unpack(op + int(depth), direction, kind, shape)
        return Recurrent(weights=weights, **options)

    return rebuild


def _plain(layer: Embedding | Linear | Merge, vectors: Vectors, op: int) -> Rebuild:
    if isinstance(layer, Merge):
        return lambda core: layer
    shape = layer.weight.shape
    if isinstance(layer, Embedding):
        return lambda core: Embedding(core.unpack(op, 0, "weight", shape))
    activation = layer.activation
    return lambda core: Linear(core.unpack(op, 0, "weight", shape), vectors.get("bias"), activation)
