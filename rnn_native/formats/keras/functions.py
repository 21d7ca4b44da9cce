"""Keras's layers that are a function of each number, and the activations of other layers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...activations import Activation
from ...errors import FormatError
from ...spec import MAX_SIZE, Elementwise, Layer, PReLU, Softmax, SoftmaxOverTime
from .activations import BEHIND_DENSE, cell_activation, linear_activation
from .config import Layer as KerasLayer
from .flow import Flow
from .store import Array, Part, Store


def activated(layer: KerasLayer, store: Store, flow: Flow) -> None:
    """Adds the activation that is an option of the layer: by its name, as a function of Keras's by
    that name, or as a layer of its own."""
    value = layer.options.get("activation")
    if isinstance(value, Mapping) and value.get("class_name") in ACTIVATIONS:
        own = layer.inner("activation")
        ACTIVATIONS[own.kind](own, store, flow)
        return
    _apply(layer, flow, f"{layer}: activation", value)


def check_activation(layer: KerasLayer) -> None:
    """Raises ``UnsupportedError`` where the activation that is an option of it is none of ours."""
    name = _named(layer.options.get("activation"))
    of_layer = isinstance(name, Mapping) and name.get("class_name") in ACTIVATIONS
    if not of_layer and name not in BEHIND_DENSE:
        linear_activation(f"{layer}: activation", name)


def _apply(layer: KerasLayer, flow: Flow, where: str, value: Any) -> None:
    """An activation that the layer just before has itself where it can; else an Elementwise."""
    name = _named(value)
    last = _without_activation(flow)
    if name in ("softmax", "log_softmax") and flow.shape and not flow.shape.has_channels:
        last = None  # whose softmax would be of the features
    if last is not None and name not in BEHIND_DENSE:
        flow.layers[-1] = last.with_activation(linear_activation(where, name))
        return
    if name in ("softmax", "log_softmax"):
        _softmax(layer, flow, name == "log_softmax", -1)
        return
    elementwise(flow, cell_activation(where, name, layer.version))


def _softmax(layer: KerasLayer, flow: Flow, log: bool, axis: int) -> None:
    """That of the last axis, which may be the time, or of the time."""
    shape = flow.shape
    place = axis if axis < 0 else axis - 1 - (0 if shape is None else shape.rank)
    if shape is not None and shape.time is not None and place == shape.time - shape.rank:
        if log or flow.mask_value is not None:
            why = "log_softmax" if log else "in a model that masks steps"
            raise layer.unsupported(f"a softmax over the time, {why}")
        flow.layers.append(SoftmaxOverTime())
        return
    positions = 1 if shape is None else shape.positions
    if place != -1 or positions is None:
        raise layer.unsupported(f"a softmax over axis {axis} of {shape}")
    flow.layers.append(Softmax(positions, log))


def _named(value: Any) -> Any:
    """The name of a function that was written down as one of Keras's, which a function of the
    user's is too: Keras itself looks for both among its own."""
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        name = value.get("config")
        return name if isinstance(name, str) and value.get("module") == "builtins" else value
    return value


def _without_activation(flow: Flow) -> Layer | None:
    """The layer just before, if it has no activation yet, and its channels are those that Keras has
    by now."""
    last = flow.layers[-1] if flow.layers else None
    if last is None or last.options.get("activation") != "identity":
        return None
    channels = len(last.arrays["weight"])
    return last if flow.shape is None or flow.shape.channels in (None, channels) else None


def elementwise(flow: Flow, function: Activation) -> None:
    if function.name != "identity":
        flow.layers.append(Elementwise(function.name, *function.constants))


def _activation(layer: KerasLayer, store: Store, flow: Flow) -> None:
    """Activation, ReLU and Softmax: that of the layer before, or one by itself."""
    if layer.kind == "Activation":
        activated(layer, store, flow)
        return
    if layer.kind == "ReLU" and (shaped := _shaped_relu(layer)):
        elementwise(flow, shaped)
        return
    rank = 2 if flow.shape is None else flow.shape.rank
    axis = layer.options.get("axis", -1)
    if layer.kind == "Softmax" and axis not in (-1, rank):
        if not isinstance(axis, int):
            raise layer.unsupported(f"axis={axis!r} is not supported")
        _softmax(layer, flow, False, axis)
        return
    name = {"ReLU": "relu", "Softmax": "softmax"}[layer.kind]
    _apply(layer, flow, f"{layer}: activation", name)


def _leaky_relu(layer: KerasLayer, store: Store, flow: Flow) -> None:
    """LeakyReLU, whose slope Keras 2 called alpha."""
    old, new = layer.options.get("alpha"), layer.options.get("negative_slope")
    slope = layer.option("alpha" if new is None and old is not None else "negative_slope", float)
    elementwise(flow, Activation("leaky_relu", slope))


def _elu(layer: KerasLayer, store: Store, flow: Flow) -> None:
    elementwise(flow, Activation("elu", layer.option("alpha", float, 1.0)))


def _shaped_relu(layer: KerasLayer) -> Activation | None:
    """A ReLU with one of its options: an upper bound, a slope below 0 or a threshold."""
    bound = layer.options.get("max_value")
    top = None if bound is None else layer.option("max_value", float)
    slope = layer.option("negative_slope", float, 0.0)
    threshold = layer.option("threshold", float, 0.0)
    if sum((top is not None, slope != 0, threshold != 0)) > 1:
        raise layer.unsupported(
            f"max_value={top}, negative_slope={slope} and threshold={threshold}: one of them alone "
            "is supported"
        )
    if top is not None:
        if top < 0:
            raise FormatError(f"{layer}: max_value: expected at least 0, got {top}")
        return Activation("clip", 0.0, top)
    if slope:
        return Activation("leaky_relu", slope)
    return Activation("thresholded_relu", threshold) if threshold else None


def prelu(layer: KerasLayer, store: Store, flow: Flow) -> None:
    """With one slope, or one of each feature that all steps share."""
    ((slope,),) = store.arrays(layer, [Part((), ("alpha",))])
    if slope.size == 1:
        elementwise(flow, Activation("leaky_relu", float(slope.reshape(()))))
        return
    shape = flow.shape
    if shape is not None and shape.time is not None and slope.ndim == shape.rank:
        if slope.shape[shape.time] != 1:
            raise layer.unsupported(
                f"a slope of each step: expected shared_axes=[{shape.time + 1}], got {slope.shape}"
            )
        slope = np.squeeze(slope, shape.time)
    elif slope.ndim == 0 or slope.size != slope.shape[-1]:
        if shape is None or slope.ndim != shape.rank:
            raise layer.unsupported(
                f"a slope of each step: expected shared_axes=[1], got {slope.shape}"
            )
    else:
        slope = slope.reshape(-1)
    flow.layers.append(PReLU(spread(layer, flow, slope)))


def spread(layer: KerasLayer, flow: Flow, numbers: Array) -> Array:
    """Numbers of each channel, or of all that is in a step as far as it is not shared, as one of
    each feature, in the order of what they meet."""
    inside = None if flow.shape is None else flow.shape.inside
    if numbers.ndim == 1 and (inside is None or len(inside) == 1):
        return np.roll(numbers, flow.swapped) if len(numbers) == 2 * flow.swapped else numbers
    if inside is None or None in inside[:-1]:
        raise layer.unsupported(f"the file does not say how large its input {flow.shape} is")
    sizes = tuple(n for n in inside if n is not None)
    sizes = sizes if len(sizes) == len(inside) else (*sizes, numbers.shape[-1])
    if prod(sizes) > MAX_SIZE:
        raise layer.unsupported(f"steps of {prod(sizes)} features; at most {MAX_SIZE}")
    try:
        return np.broadcast_to(numbers, sizes).reshape(-1)
    except ValueError:
        raise FormatError(
            f"{layer}: expected numbers for steps of {list(sizes)}, got {numbers.shape}"
        ) from None


ACTIVATIONS: Final = MappingProxyType({
    **dict.fromkeys(("Activation", "ReLU", "Softmax"), _activation),
    "ELU": _elu,
    "LeakyReLU": _leaky_relu,
})  # fmt: skip
"""The layers that have a function and no arrays."""
