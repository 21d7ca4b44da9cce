"""A model's weights as Keras's layers take them: ``keras_layer.set_weights(arrays)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import DTypeError, UnsupportedError
from ...spec import Embedding, InstanceNorm, Layer, LayerNorm, Linear, ModelSpec, Recurrent
from ..gates import reordered
from ..handlers import handler_of
from .cells import ORDER

Array = NDArray[np.floating[Any]]


class _HasSpec(Protocol):
    """A Model."""

    @property
    def spec(self) -> ModelSpec: ...


def keras_weights(model: _HasSpec | ModelSpec) -> list[list[Array]]:
    """The arrays of each Keras layer that the model's layers are, in the order of the model.

    One list for each Embedding, Dense, normalising and recurrent layer, and for each layer of a
    stack, in the order of ``layer.get_weights()``; a Bidirectional has the arrays of the forward
    layer and then those of the backward one. A Merge is part of the Bidirectional before it
    (``merge_mode``), activations are arguments of the layers, and a layer that runs in reverse is
    one with ``go_backwards=True``, which gives its outputs in the order in which it makes them.

    Weights keep their bits. Of LSTM, RNN and a GRU that resets before the product Keras has one
    bias, the sum of both, which is rounded to the weights' type unless one of the two is zero, as
    in all that came from Keras.

    Raises
    ------
    UnsupportedError
        What Keras's layers cannot hold, by its name: peepholes, projections, cells with gates that
        recur on gates, an output layer, clip, cell_clip, input_forget, an LSTM whose
        activations g and h differ.
    DTypeError
        ``model`` is neither a Model nor a ModelSpec.
    """
    spec = getattr(model, "spec", model)
    if not isinstance(spec, ModelSpec):
        raise DTypeError(f"expected a Model or a ModelSpec, got {type(model).__name__}")
    lists: list[list[Array]] = []
    for index, layer in enumerate(spec.layers):
        if layer.arrays:
            lists += handler_of(_LISTS, layer, f"layer {index}: Keras")(index, layer)
    return lists


def _embedding(index: int, layer: Embedding) -> list[list[Array]]:
    return [[layer.weight.copy()]]


def _dense(index: int, layer: Linear) -> list[list[Array]]:
    bias = [] if layer.bias is None else [layer.bias.copy()]
    return [[_transposed(layer.weight), *bias]]


def _norm(index: int, layer: LayerNorm) -> list[list[Array]]:
    """Of a LayerNormalization gamma and beta, of an RMSNormalization scale."""
    if layer.groups > 1:
        raise UnsupportedError(
            f"layer {index}: groups={layer.groups}: Keras's LayerNormalization has one"
        )
    if layer.bias is not None and not layer.subtract_mean:
        raise UnsupportedError(
            f"layer {index}: subtract_mean=False with a bias: Keras's RMSNormalization has none"
        )
    return [[array.copy() for array in layer.arrays.values()]]


def _check(index: int, layer: Recurrent) -> None:
    if layer.initial_state is not None:
        raise UnsupportedError(
            f"layer {index}: initial_state: Keras's layers have none; a call of theirs takes one"
        )
    for option in (
        "peephole", "proj_size", "gate_recurrent", "output_layer", "clip", "input_forget",
        "cell_clip",
    ):  # fmt: skip
        value = getattr(layer, option)
        if value:
            raise UnsupportedError(
                f"layer {index}: {option}={value}: Keras has no such {layer.cell}"
            )
    for option, plain in (("positions", 1), ("along", "time")):
        value = getattr(layer, option)
        if value != plain:
            raise UnsupportedError(
                f"layer {index}: {option}={value}: Keras's layers run over time, each step one "
                "vector"
            )
    for direction in range(layer.num_directions):
        names = layer.activations_of(direction)
        if layer.cell == "lstm" and names[1] != names[2]:
            raise UnsupportedError(
                f"layer {index}: activations {names[1]} and {names[2]} of g and h: Keras has one"
            )


def _norm_over_time(index: int, layer: InstanceNorm) -> list[list[Array]]:
    """Of a GroupNormalization: gamma and beta."""
    return [[array.copy() for array in layer.arrays.values()]]


def _recurrent(index: int, layer: Recurrent) -> list[list[Array]]:
    _check(index, layer)
    return [
        [array for suffix in layer.suffixes for array in _cell(layer, f"_l{level}{suffix}")]
        for level in range(layer.num_layers)
    ]


_LISTS: Final[Mapping[type[Layer], Callable[[int, Any], list[list[Array]]]]] = {
    Embedding: _embedding,
    Recurrent: _recurrent,
    Linear: _dense,
    InstanceNorm: _norm_over_time,
    LayerNorm: _norm,
}


def _cell(layer: Recurrent, ending: str) -> list[Array]:
    order = ORDER[layer.cell]  # its own inverse
    own = [layer.arrays[name + ending] for name in ("weight_ih", "weight_hh")]
    arrays = [_transposed(reordered(array, order)) for array in own]
    if not layer.bias:
        return arrays
    first, second = (
        reordered(layer.arrays[name + ending], order) for name in ("bias_ih", "bias_hh")
    )
    if layer.cell == "gru" and layer.reset_after:
        return [*arrays, np.stack([first, second])]
    if not second.any():  # a sum would turn -0 into 0
        return [*arrays, first]
    return [*arrays, second if not first.any() else first + second]


def _transposed(array: Array) -> Array:
    return np.ascontiguousarray(array.T)
