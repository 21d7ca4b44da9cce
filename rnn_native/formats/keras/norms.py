"""Keras's layers that normalise: the features of each step by themselves, or over all steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError
from ...spec import InstanceNorm, LayerNorm
from .config import Layer
from .flow import Flow
from .shape import sequence
from .store import Part, Store

Handler = Callable[[Layer, Store, Flow], None]


def _check_axis(layer: Layer, flow: Flow) -> None:
    axis = layer.options.get("axis", -1)
    rank = 2 if flow.shape is None else flow.shape.rank
    if axis not in (-1, [-1], rank, [rank]) or (flow.shape and not flow.shape.has_channels):
        raise layer.unsupported(f"axis={axis!r} is not the features, the last one")
    if flow.shape is not None and flow.shape.positions != 1:
        raise layer.unsupported(f"of the channels of {flow.shape}: a step has several positions")


def _layer_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    """LayerNormalization; not with ``rms_scaling``, which divides x by its deviation from the mean
    without taking this off."""
    _check_axis(layer, flow)
    if layer.option("rms_scaling", bool, False):
        raise layer.unsupported("rms_scaling=True is not supported; RMSNormalization is")
    scaled, centred = layer.option("scale", bool, True), layer.option("center", bool, True)
    _append(layer, store, flow, ("gamma",) * scaled + ("beta",) * centred, subtract_mean=True)


def _rms_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    _check_axis(layer, flow)
    _append(layer, store, flow, ("scale",), subtract_mean=False)


def _group_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    """GroupNormalization, over all steps and positions, those that are masked too."""
    axis, shape = layer.options.get("axis", -1), flow.shape or sequence(None, None)
    if axis not in (-1, shape.rank) or not shape.has_channels:
        raise layer.unsupported(f"axis={axis!r} is not the features, the last one")
    if flow.mask_value is not None:
        raise layer.unsupported("in a model that masks steps: Keras takes those as well")
    names = ("gamma",) * layer.option("scale", bool, True)
    names += ("beta",) * layer.option("center", bool, True)
    arrays = store.arrays(layer, [Part((), names)])[0] if names else []
    found = dict(zip(names, arrays, strict=True))
    channels = len(arrays[0]) if names else shape.channels
    if channels is None or shape.positions is None:
        raise layer.unsupported(f"the file does not say how large its input {shape} is")
    if any(array.shape != (channels,) for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise FormatError(f"{layer}: expected gamma and beta of shape (features,), got {shapes}")
    groups = layer.option("groups", int, 32)
    groups = channels if groups == -1 else groups
    if channels == 2 * flow.swapped:
        if groups not in (1, channels):
            raise layer.unsupported(f"groups={groups} of two directions that are exchanged")
        found = {name: np.roll(array, flow.swapped) for name, array in found.items()}
    numbers, positions = (found.get("gamma"), found.get("beta")), shape.positions
    epsilon = layer.option("epsilon", float, 1e-3)
    if shape.time is not None:
        made = InstanceNorm(channels * positions, *numbers, epsilon, positions, groups)
        flow.layers.append(made)
    elif positions == 1:
        flow.layers.append(LayerNorm(channels, *numbers, groups, epsilon))
    else:
        raise layer.unsupported(f"its input {shape} has positions, and no time")


def _unit_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    """x / ||x||: the root mean square of n features, and a weight of 1 / sqrt(n). Where the norm is
    0, both give 0; below 1e-11 Keras gives less than 1, and so does this."""
    _check_axis(layer, flow)
    known = None if flow.shape is None else flow.shape.channels
    features = _features(layer, flow) if known is None else known
    weight = np.full(features, features**-0.5, dtype=flow.dtype)
    flow.layers.append(
        LayerNorm(features, weight, None, epsilon=1e-24 / features, subtract_mean=False)
    )


def _append(
    layer: Layer, store: Store, flow: Flow, names: tuple[str, ...], subtract_mean: bool
) -> None:
    arrays = store.arrays(layer, [Part((), names)])[0] if names else []
    found = {}
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 1 or array.shape != arrays[0].shape:
            raise FormatError(f"{layer}: {name}: expected shape (features,), got {array.shape}")
        # in the order of what it meets
        halves = len(array) == 2 * flow.swapped
        found[name] = np.roll(array, flow.swapped) if halves else array
    features = len(arrays[0]) if names else _features(layer, flow)
    flow.layers.append(
        LayerNorm(
            features,
            found.get("gamma", found.get("scale")),
            found.get("beta"),
            epsilon=layer.option("epsilon", float, 1e-3 if subtract_mean else 1e-6),
            subtract_mean=subtract_mean,
        )
    )


def _features(layer: Layer, flow: Flow) -> int:
    """Of what comes, where no array says how many."""
    sizes = [own.output_size for own in flow.layers if own.output_size is not None]
    if not sizes:
        raise layer.unsupported("at the beginning, without gamma and beta: how many features come?")
    return sizes[-1]


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "GroupNormalization": _group_normalization,
        "LayerNormalization": _layer_normalization,
        "RMSNormalization": _rms_normalization,
        "UnitNormalization": _unit_normalization,
    }
)
