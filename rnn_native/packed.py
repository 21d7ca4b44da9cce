"""What a Model keeps of its ModelSpec: everything but the matrices, which the core holds packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .activations import Activation
from .errors import UnsupportedError
from .spec import Layer, ModelSpec
from .spec.layer import Place


class Unpacks(Protocol):
    """A core that tells of its matrices: ``CoreModel``, ``ForeignWeights``."""

    def unpack(
        self, node: int, direction: int, name: str, shape: tuple[int, ...], /
    ) -> NDArray[Any]: ...


class Packing(NamedTuple):
    """What the core is told of a model beside its bytes, in its order."""

    dtype: int
    matmul: int
    counts: tuple[int, ...]
    names: tuple[str, ...] | None
    weight_dtype: int
    compute: int

    @property
    def options(self) -> tuple[int, int, int, int]:
        """Those on which the packed weights depend."""
        return self.dtype, self.matmul, self.weight_dtype, self.compute


class Packed:
    """The layers of a spec without their matrices, and the way back."""

    def __init__(self, spec: ModelSpec, dtype: np.dtype[Any]) -> None:
        check_range(spec, dtype)
        self._layers: list[_WayBack] = []
        self.cells: list[str] = []
        self.mask_value = spec.mask_value
        self._reads = None if spec.is_chain else {n: node.inputs for n, node in spec.nodes.items()}
        self._inputs, self._outputs = dict(spec.inputs), dict(spec.outputs)
        self.keep = spec.keep
        node = 0
        for layer, reads in spec.nodes.values():
            self._layers.append(_WayBack.of(layer, dtype, node))
            self.cells.append(layer.title)
            node += layer.nodes_reading(len(reads))

    def spec(self, core: Unpacks) -> ModelSpec:
        """The spec again, its matrices unpacked from the core in the model's dtype."""
        layers = tuple(way.back(core) for way in self._layers)
        if self._reads is None:
            return ModelSpec(layers, self.mask_value, keep=self.keep)
        pairs = zip(self._reads.items(), layers, strict=True)
        nodes = {name: (layer, reads) for (name, reads), layer in pairs}
        return ModelSpec(
            (),
            self.mask_value,
            nodes=nodes,
            inputs=self._inputs,
            outputs=self._outputs,
            keep=self.keep,
        )


def check_range(spec: ModelSpec, dtype: np.dtype[Any]) -> None:
    """``UnsupportedError``, which names it, where a finite number of the model is past all numbers
    of the type: a constant of an activation, an element of an array."""
    most = float(np.finfo(dtype).max)
    for name, node in spec.nodes.items():
        stated = (value for value in node.layer.line.values() if isinstance(value, tuple))
        for activation in (one for some in stated for one in some if isinstance(one, Activation)):
            for number in activation.constants:
                if abs(number) > most:
                    raise UnsupportedError(
                        f"layer {name}, {node.layer.kind}: {activation.name} with the constant "
                        f"{number!r}: {dtype} ends at {most:.4g}"
                    )
        for array_name, array in node.layer.arrays.items():
            if array.dtype.itemsize > dtype.itemsize:
                _check_array(f"layer {name}, {node.layer.kind}: {array_name}", array, dtype)


def _check_array(where: str, array: NDArray[Any], dtype: np.dtype[Any]) -> None:
    most = float(np.finfo(dtype).max)
    if -most <= array.min(initial=0.0) and array.max(initial=0.0) <= most:
        return  # neither is true of a NaN
    with np.errstate(over="ignore"):
        beyond = np.isfinite(array) & np.isinf(array.astype(dtype))
    if beyond.any():
        raise UnsupportedError(
            f"{where} has {float(array[beyond][0]):.9g}: {dtype} ends at {most:.4g}; "
            "dtype='float64' has room for it"
        )


@dataclass(frozen=True)
class _WayBack:
    """What makes a layer again; it holds none of its matrices."""

    layer: type[Layer]
    options: dict[str, Any]
    vectors: dict[str, NDArray[Any]]
    places: Mapping[str, Place]
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, layer: Layer, dtype: np.dtype[Any], node: int) -> _WayBack:
        """That of a layer whose first node in the core is ``node``."""
        places = {
            name: place._replace(node=node + place.node) for name, place in layer.packed().items()
        }
        vectors = {
            name: array.astype(dtype) for name, array in layer.arrays.items() if name not in places
        }
        shapes = {name: layer.arrays[name].shape for name in places}
        return cls(type(layer), layer.options, vectors, places, shapes)

    def back(self, core: Unpacks) -> Layer:
        matrices = {name: core.unpack(*at, self.shapes[name]) for name, at in self.places.items()}
        return self.layer.make(self.vectors | matrices, self.options)
