"""A recurrent node as ONNX calls it, run by a Model of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import RnnError, ShapeError
from ..formats.onnx.graph import Node
from ..formats.onnx.recurrent import layer_of
from ..model import Model
from ..spec import ModelSpec

Array = NDArray[Any]

INPUTS: Final[Mapping[str, int]] = {"RNN": 6, "GRU": 6, "LSTM": 8}
"""The operators that run in the core, and how many inputs they have at most."""


class Cell:
    """A recurrent node with its weights: a model for each type that is calculated in, at first
    that of the weights; ``constant`` says that it never gets others."""

    def __init__(
        self,
        node: Node,
        weights: Sequence[Array | None],
        options: Mapping[str, Any],
        constant: bool = False,
    ) -> None:
        self._weights = None if constant else [None if w is None else np.array(w) for w in weights]
        self._node, self._options = node, options
        self._layer, self._layout = layer_of(node, weights)
        wide = any(w is not None and w.dtype == np.float64 for w in weights)
        self._models: dict[str, Model] = {}
        self._model("float64" if wide else "float32")

    def _model(self, dtype: str) -> Model:
        if dtype not in self._models:
            spec = ModelSpec((self._layer,))
            self._models[dtype] = Model(spec, dtype=dtype, **self._options)
        return self._models[dtype]

    def has(self, weights: Sequence[Array | None]) -> bool:
        """Whether these are its weights."""
        return self._weights is None or all(
            (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
            for a, b in zip(self._weights, weights, strict=True)
        )

    def run(self, x: Array, lengths: Array | None, states: Sequence[Array | None]) -> list[Array]:
        """Y, Y_h and, of an LSTM, Y_c; x and states in ONNX's shapes, None where left out."""
        layer = self._layer
        if x.dtype.kind != "f" or x.ndim != 3 or x.shape[2] != layer.input_size:
            raise ShapeError(
                f"{self._node}: X: expected floats, 3 axes, {layer.input_size} features; "
                f"got {x.dtype} {x.shape}"
            )
        dtype = "float64" if x.dtype == np.float64 else "float32"
        data = (x.swapaxes(0, 1) if self._layout else x).astype(dtype, copy=False)
        given = [
            self._state(name, state, data.shape[1]).astype(dtype, copy=False)
            for name, state in zip(layer.state_names, states, strict=False)
        ]
        y: Array
        final: Any
        try:
            y, final = self._model(dtype)(
                data, tuple(given) if len(given) > 1 else given[0], lengths
            )
        except RnnError as error:
            raise type(error)(f"{self._node}: {error}") from error
        y = y.reshape(*y.shape[:2], layer.num_directions, layer.hidden_size)
        finals = list(final) if len(given) > 1 else [final]
        if self._layout:  # our own y is [T, B, D, H], our states are [D, B, H]
            results = [y.swapaxes(0, 1), *(state.swapaxes(0, 1) for state in finals)]
        else:
            results = [y.swapaxes(1, 2), *finals]
        return [result.astype(x.dtype, copy=False) for result in results]

    def _state(self, name: str, state: Array | None, batch: int) -> Array:
        directions, size = self._layer.num_directions, self._layer.hidden_size
        if state is None:
            return np.zeros((directions, batch, size), np.float32)
        shape = (batch, directions, size) if self._layout else (directions, batch, size)
        if state.shape != shape or state.dtype.kind != "f":
            raise ShapeError(
                f"{self._node}: initial_{name}: expected floats {shape}, "
                f"got {state.dtype} {state.shape}"
            )
        return state.swapaxes(0, 1) if self._layout else state


def of_weights(inputs: Sequence[Any]) -> list[Any]:
    """W, R, B and P among the inputs of a recurrent node, or their names."""
    padded = [*inputs, *[None] * 8]
    return [padded[i] for i in (1, 2, 3, 7)]
