"""The layers of RTNeural's JSON, each with its weights as Keras has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import Activation
from ...errors import FormatError
from ...spec import (
    Array,
    Conv1d,
    Conv2d,
    Elementwise,
    Layer,
    Linear,
    PReLU,
    Recurrent,
    Scale,
    Softmax,
)
from ...spec.layers.conv import Conv
from ..keras.cells import Cell, convert
from .document import Document, array_of

ACTIVATIONS: Final = ("tanh", "relu", "sigmoid", "softmax", "elu")
_OWN: Final[Mapping[type[Layer], tuple[str, ...]]] = MappingProxyType(
    {Linear: ("tanh", "relu", "sigmoid", "softmax"), Conv: ("tanh", "relu", "sigmoid")}
)
_TANH: Final = Activation("tanh")
_SIGMOID: Final = Activation("sigmoid")


class Chain:
    """The layers so far, and the features that the last of them gives."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.layers: list[Layer] = []

    def add(self, layer: Layer) -> None:
        self.layers.append(layer)
        if layer.output_size is not None:
            self.features = layer.output_size

    def activate(self, document: Document) -> None:
        """What the layer says of an activation: the last layer's own, where it can have it."""
        name = document.text("activation", "")
        if not name:
            return
        if name not in ACTIVATIONS:
            raise document.unsupported(
                f"no activation {name[:80]!r} in RTNeural; there are {', '.join(ACTIVATIONS)}"
            )
        last = self.layers[-1] if self.layers else None
        own = () if last is None else _OWN.get(type(last), ())
        if last is not None and name in own and last.own_activation == "identity":
            self.layers[-1] = last.with_activation(name)
        elif name == "softmax":
            self.add(Softmax())
        else:
            self.add(Elementwise(name, *((1.0,) if name == "elu" else ())))

    def check(self, document: Document) -> None:
        """``FormatError`` where a layer's shape is another than what its weights make."""
        shape = document.list("shape")
        sizes = shape[2:] if len(shape) == 4 else shape[-1:]
        if any(type(n) is not int for n in sizes) or prod(sizes) != self.features:
            raise document.wrong("shape", f"{self.features} features, as its weights make them")


def weights_of(document: Document, *shapes: tuple[int | None, ...], most: int = 0) -> list[Array]:
    """Its arrays, of these shapes; of the last ones some may be missing, all but ``most``."""
    values = document.list("weights")
    least = most or len(shapes)
    if not least <= len(values) <= len(shapes):
        raise document.wrong("weights", f"a list of {least} to {len(shapes)} arrays")
    return [
        array_of(value, f"{document.where}: weights[{index}]", shape)
        for index, (value, shape) in enumerate(zip(values, shapes, strict=False))
    ]


def _dense(document: Document, chain: Chain) -> None:
    values = document.list("weights")
    kernel = array_of(values[0] if values else [], f"{document.where}: weights[0]", (None, None))
    shapes = ((chain.features, None), (kernel.shape[1],))
    weight, *bias = weights_of(document, *shapes, most=1)
    chain.add(Linear(weight.T, bias[0] if bias else None))
    chain.activate(document)


def _recurrent(document: Document, chain: Chain) -> None:
    cell = document.text("type")
    name = document.text("activation", "")
    if name not in ("", "tanh"):
        raise document.unsupported(
            f"activation {name[:80]!r}: RTNeural's cells have tanh, whatever the file says"
        )
    shape = document.list("shape")
    units = shape[-1] if shape else None
    if type(units) is not int or not 1 <= units < 2**31:
        raise document.wrong("shape", "[batch, time, units]")
    width = units * (4 if cell == "lstm" else 3)
    bias = (width,) if cell == "lstm" else (2, width)
    arrays = weights_of(document, (chain.features, width), (units, width), bias)
    functions = (_SIGMOID, _TANH, _TANH) if cell == "lstm" else (_SIGMOID, _TANH)
    made = Cell(document.where, cell, units, True, cell == "gru", functions)
    weights = convert(made, arrays)
    chain.add(Recurrent(cell, chain.features, units, weights))


def _conv1d(document: Document, chain: Chain) -> None:
    groups = document.natural("groups", default=1)
    _refuse_strides(document)
    if chain.features % groups:
        raise document.wrong("groups", f"a divisor of {chain.features} features")
    kernel = document.natural("kernel_size")
    weight, bias = weights_of(document, (kernel, chain.features // groups, None), (None,))
    layer = Conv1d(
        np.ascontiguousarray(weight.transpose(2, 1, 0)), bias, padding="causal", groups=groups,
        dilation=document.natural("dilation", default=1),
    )  # fmt: skip
    chain.add(layer)
    chain.activate(document)


def _refuse_strides(document: Document) -> None:
    if document.natural("strides", default=1) != 1:
        raise document.unsupported("strides over time, which RTNeural does not have here")


def _conv2d(document: Document, chain: Chain) -> None:
    """Causal over time; a stride is over the positions, a dilation over time."""
    positions, channels = document.natural("num_features_in"), document.natural("num_filters_in")
    out, stride = document.natural("num_filters_out"), document.natural("strides")
    over_time, over = (document.natural(f"kernel_size_{axis}") for axis in ("time", "feature"))
    if positions * channels != chain.features:
        raise FormatError(
            f"{document.where}: {positions} positions of {channels} channels; "
            f"{chain.features} features come"
        )
    padding = document.text("padding")
    if padding not in ("valid", "same"):
        raise document.wrong("padding", "'valid' or 'same'")
    sides = same_sides(positions, over, stride) if padding == "same" else (0, 0)
    weight, bias = weights_of(document, (over_time, over, channels, out), (out,))
    layer = Conv2d(
        np.ascontiguousarray(weight.transpose(3, 2, 0, 1)), bias, positions=positions,
        stride=(1, stride), padding=("causal", sides),
        dilation=(document.natural("dilation"), 1),
    )  # fmt: skip
    chain.add(layer)
    chain.activate(document)


def same_sides(positions: int, kernel: int, stride: int) -> tuple[int, int]:
    """Keras's padding "same" on both sides."""
    both = max((-(-positions // stride) - 1) * stride + kernel - positions, 0)
    return both // 2, both - both // 2


def _batch_norm(document: Document, chain: Chain) -> None:
    channels = chain.features
    if document.text("type") == "batchnorm2d":
        channels = document.natural("num_filters_in")
        if document.natural("num_features_in") * channels != chain.features:
            raise document.wrong("num_filters_in", f"filters of {chain.features} features")
    values = document.list("weights")
    if len(values) not in (2, 4):
        raise document.wrong("weights", "gamma, beta, mean and variance, or the last two")
    arrays = weights_of(document, *[(channels,)] * len(values))
    plain: list[Array] = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]
    gamma, beta, mean, variance = arrays if len(arrays) == 4 else plain + arrays
    own = Scale.normalizing(mean, variance, gamma, beta, document.number("epsilon"))
    times = chain.features // channels
    chain.add(Scale(np.tile(own.scale, times), np.tile(own.shift, times)))


def _prelu(document: Document, chain: Chain) -> None:
    (slope,) = weights_of(document, (1, None))
    if slope.size not in (1, chain.features):
        raise document.wrong("weights", f"a slope, or one for each of {chain.features} features")
    chain.add(PReLU(np.broadcast_to(slope.reshape(-1), (chain.features,))))


def _activation(document: Document, chain: Chain) -> None:
    chain.activate(document)


MAKERS: Final[Mapping[str, Callable[[Document, Chain], Any]]] = MappingProxyType(
    {
        "dense": _dense,
        "time-distributed-dense": _dense,
        "lstm": _recurrent,
        "gru": _recurrent,
        "conv1d": _conv1d,
        "conv2d": _conv2d,
        "batchnorm": _batch_norm,
        "batchnorm2d": _batch_norm,
        "prelu": _prelu,
        "activation": _activation,
    }
)
"""By the name that the file has for them."""
