"""Writing RTNeural's JSON: the layers of a chain with their weights as Keras has them.

An LSTM has one bias there: the sum of two, rounded to their type. A stack is a layer each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import Activation
from ...errors import UnsupportedError
from ...spec import (
    Array,
    Elementwise,
    Layer,
    Linear,
    ModelSpec,
    PReLU,
    Recurrent,
    Scale,
    Softmax,
)
from ...spec.layers.conv import Conv
from ..gates import reordered
from ..handlers import handler_of
from ..keras.cells import ORDER
from .document import write_document
from .rtneural_layers import same_sides

_Told = dict[str, Any]


def write(spec: ModelSpec, path: str | os.PathLike[str]) -> None:
    """Write a file; atomically. ``UnsupportedError``, which names the layer, for what RTNeural does
    not have."""
    if spec.mask_value is not None:
        raise UnsupportedError("RTNeural does not find lengths in x: expected no mask_value")
    layers: list[_Told] = []
    for index, layer in enumerate(spec.layers):
        where = f"layer {index}"
        layers += handler_of(_WRITERS, layer, f"{where}: RTNeural")(where, layer)
    first = spec.layers[0]
    pictures = isinstance(first, Conv) and layers[0]["type"] == "conv2d"
    sizes = [first.positions, first.in_channels] if pictures else [spec.input_size]  # type: ignore[attr-defined]
    features = spec.input_size
    for told in layers:
        features = told.pop("features", features)
        told.setdefault("shape", [None, None, features])
    write_document({"in_shape": [None, None, *sizes], "layers": layers}, path)


def refuse(where: str, layer: Layer, **expected: Any) -> None:
    """``UnsupportedError`` for an option that is another."""
    for name, value in expected.items():
        own = getattr(layer, name)
        if own != value:
            raise UnsupportedError(f"{where}: RTNeural has no {name}={own!r}, {value!r} alone")


def _layer(kind: str, activation: str, features: int | None, *weights: Array, **more: Any) -> _Told:
    own: _Told = {"type": kind, "activation": "" if activation == "identity" else activation}
    own |= {} if features is None else {"features": features}
    return {**own, "weights": [weight.tolist() for weight in weights], **more}


def _linear(where: str, layer: Linear) -> Iterator[_Told]:
    if layer.activation == "log_softmax":
        raise UnsupportedError(f"{where}: RTNeural has no log_softmax")
    weights = [layer.weight.T] + ([] if layer.bias is None else [layer.bias])
    yield _layer("dense", layer.activation, layer.output_size, *weights)


def _recurrent(where: str, layer: Recurrent) -> Iterator[_Told]:
    if layer.cell == "rnn" or layer.gate_recurrent:
        raise UnsupportedError(f"{where}: RTNeural has LSTM and GRU, no {layer.title}")
    refuse(
        where, layer, direction="forward", reset_after=True, proj_size=0, peephole=False,
        activations=None, clip=None, input_forget=False, return_sequences=True,
        initial_state=None, positions=1, along="time",
    )  # fmt: skip
    order = np.argsort(ORDER[layer.cell])
    for k in range(layer.num_layers):
        arrays = {name: np.asarray(layer.arrays[f"{name}_l{k}"]) for name in _MATRICES}
        none = np.zeros(len(arrays["weight_ih"]), arrays["weight_ih"].dtype)
        both = [np.asarray(layer.arrays.get(f"bias_{i}_l{k}", none)) for i in ("ih", "hh")]
        kernels = [reordered(array, order.tolist()).T for array in arrays.values()]
        if layer.cell == "gru":
            bias = np.stack([reordered(one, order.tolist()) for one in both])
        else:
            bias = both[0] + both[1]
        yield _layer(layer.cell, "tanh", layer.hidden_size, *kernels, bias)


_MATRICES: Final = ("weight_ih", "weight_hh")


def _conv(where: str, layer: Conv) -> Iterator[_Told]:
    reach = (layer.kernel_time - 1) * layer.dilation_time
    refuse(
        where, layer, stride_time=1, before=reach, after=0, height=1, kernel_height=1, top=0,
        bottom=0, dilation=1,
    )  # fmt: skip
    taps = (layer.kernel_time, layer.kernel_size, layer.in_channels // layer.groups)
    weight = layer.weight.reshape(-1, *taps).transpose(1, 2, 3, 0)
    bias = np.zeros(len(layer.weight), weight.dtype) if layer.bias is None else layer.bias
    if layer.activation in ("softmax", "log_softmax"):
        raise UnsupportedError(f"{where}: RTNeural has no {layer.activation} of a convolution")
    if layer.kernel_size == 1 and layer.positions == 1:
        refuse(where, layer, left=0, right=0)
        yield _layer(
            "conv1d", layer.activation, layer.output_size, weight[:, 0], bias,
            kernel_size=[layer.kernel_time], dilation=[layer.dilation_time], groups=layer.groups,
        )  # fmt: skip
        return
    refuse(where, layer, groups=1, padding_mode="zeros")
    yield _layer(
        "conv2d", layer.activation, layer.output_size, weight, bias,
        shape=[None, None, layer.positions_made, layer.out_channels],
        kernel_size_time=layer.kernel_time, kernel_size_feature=layer.kernel_size,
        dilation=layer.dilation_time, strides=layer.stride, num_filters_in=layer.in_channels,
        num_features_in=layer.positions, num_filters_out=layer.out_channels,
        padding=_padding(where, layer),
    )  # fmt: skip


def _padding(where: str, layer: Conv) -> str:
    sides = (layer.left, layer.right)
    if sides == (0, 0):
        return "valid"
    if sides == same_sides(layer.positions, layer.kernel_size, layer.stride):
        return "same"
    raise UnsupportedError(f"{where}: RTNeural has no padding {sides} of positions")


def _scale(where: str, layer: Scale) -> Iterator[_Told]:
    """As a norm of mean 0 and variance 1."""
    zeros, ones = np.zeros_like(layer.scale), np.ones_like(layer.scale)
    yield _layer("batchnorm", "", None, layer.scale, layer.shift, zeros, ones, epsilon=0.0)


def _prelu(where: str, layer: PReLU) -> Iterator[_Told]:
    yield _layer("prelu", "", None, next(iter(layer.arrays.values())).reshape(1, -1))


def _elementwise(where: str, layer: Elementwise) -> Iterator[_Told]:
    function = layer.as_activation
    if function not in map(Activation, ("tanh", "relu", "sigmoid", "elu")):
        raise UnsupportedError(
            f"{where}: RTNeural has no {function}; expected tanh, relu, sigmoid or elu of 1"
        )
    yield _layer("activation", function.name, None)


def _softmax(where: str, layer: Softmax) -> Iterator[_Told]:
    refuse(where, layer, groups=1, log=False)
    yield _layer("activation", "softmax", None)


_WRITERS: Final[Mapping[type[Layer], Callable[[str, Any], Iterator[_Told]]]] = MappingProxyType(
    {
        Linear: _linear,
        Recurrent: _recurrent,
        Conv: _conv,
        Scale: _scale,
        PReLU: _prelu,
        Elementwise: _elementwise,
        Softmax: _softmax,
    }
)
