"""Keras's layers that normalise the features of each step by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError
from ...spec import LayerNorm
from .config import Layer
from .flow import Flow
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
        "LayerNormalization": _layer_normalization,
        "RMSNormalization": _rms_normalization,
        "UnitNormalization": _unit_normalization,
    }
)
