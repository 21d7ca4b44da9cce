"""Keras's layers, one function a class: what each adds to a chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from ...activations import Activation
from ...errors import FormatError
from ...spec import (
    MERGE_MODES,
    AvgPool,
    Elementwise,
    Embedding,
    Linear,
    MaxPool,
    PReLU,
    Scale,
)
from . import norms, reductions
from .activations import BEHIND_DENSE, cell_activation, linear_activation
from .cells import KINDS, Cell, cell_of
from .config import Layer, Step, snake_case
from .flow import Flow
from .store import Array, Part, Store

Handler = Callable[[Layer, Store, Flow], None]
_NOTHING: Final = (
    "InputLayer", "Dropout", "SpatialDropout1D", "AlphaDropout", "GaussianDropout",
    "GaussianNoise", "ActivityRegularization", "Identity",
)  # fmt: skip
"""Layers that only act while a model learns."""


def add(layer: Layer, store: Store, flow: Flow) -> None:
    """Appends what a layer is; raises ``UnsupportedError`` for one that nothing of ours is."""
    handler = HANDLERS.get(layer.kind)
    if handler is None:
        raise layer.unsupported("this layer is not supported")
    handler(layer, store, flow)


def _nothing(layer: Layer, store: Store, flow: Flow) -> None:
    """Dropout and its kin."""


def _embedding(layer: Layer, store: Store, flow: Flow) -> None:
    if flow.layers or flow.mask_value is not None:
        raise layer.unsupported("an Embedding can only be first")
    ((weight,),) = store.arrays(layer, [Part((), ("embeddings",))])
    size = (layer.option("input_dim", int), layer.option("output_dim", int))
    if weight.shape != size:
        raise FormatError(f"{layer}: embeddings: expected {size}, got {weight.shape}")
    if layer.option("mask_zero", bool, False):
        flow.mask(layer, 0)
    flow.layers.append(Embedding(weight))


def _dense(layer: Layer, store: Store, flow: Flow, groups: tuple[Step, ...] = ()) -> None:
    units, bias = layer.option("units", int), layer.option("use_bias", bool, True)
    where, name = f"{layer}: activation", layer.options.get("activation")
    behind = name in BEHIND_DENSE
    activation = "identity" if behind else linear_activation(where, name)
    ((kernel, *rest),) = store.arrays(layer, [Part(groups, ("kernel", "bias")[: 1 + bias])])
    if kernel.ndim != 2 or kernel.shape[1] != units:
        raise FormatError(f"{layer}: kernel: expected (features, {units}), got {kernel.shape}")
    flow.linear(kernel, rest[0] if bias else None, activation)
    if behind:
        _elementwise(flow, cell_activation(where, name, layer.version))


def _as_they_come(flow: Flow, numbers: Array) -> Array:
    """Numbers of each feature, in the order of what they meet."""
    return np.roll(numbers, flow.swapped) if len(numbers) == 2 * flow.swapped else numbers


def _prelu(layer: Layer, store: Store, flow: Flow) -> None:
    """With one slope, or one of each feature that all steps share."""
    ((slope,),) = store.arrays(layer, [Part((), ("alpha",))])
    if slope.size == 1:
        _elementwise(flow, Activation("leaky_relu", float(slope.reshape(()))))
    elif slope.ndim and slope.size == slope.shape[-1]:
        flow.layers.append(PReLU(_as_they_come(flow, slope.reshape(-1))))
    else:
        raise layer.unsupported(
            f"a slope of each step: expected shared_axes=[1], got {slope.shape}"
        )


def _batch_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    """Over the features, with the mean and the variance that it has learnt: numbers of each."""
    axis = layer.options.get("axis", -1)
    steps = all(own.gives_steps for own in flow.layers)
    if axis not in (-1, [-1], 1 + steps, [1 + steps]):
        raise layer.unsupported(f"axis={axis!r} is not the features, the last one")
    if layer.option("renorm", bool, False):
        raise layer.unsupported("renorm=True is not supported")
    scaled, centred = layer.option("scale", bool, True), layer.option("center", bool, True)
    names = ("gamma",) * scaled + ("beta",) * centred + ("moving_mean", "moving_variance")
    (arrays,) = store.arrays(layer, [Part((), names)])
    found = dict(zip(names, arrays, strict=True))
    mean = found["moving_mean"]
    for name, array in found.items():
        if array.ndim != 1 or array.shape != mean.shape:
            raise FormatError(f"{layer}: {name}: expected shape (features,), got {array.shape}")
        found[name] = _as_they_come(flow, array)
    mean = found["moving_mean"]
    gamma, beta = found.get("gamma", np.ones_like(mean)), found.get("beta", np.zeros_like(mean))
    epsilon = layer.option("epsilon", float, 1e-3)
    flow.layers.append(Scale.normalizing(mean, found["moving_variance"], gamma, beta, epsilon))


def _activation(layer: Layer, store: Store, flow: Flow) -> None:
    """Activation, ReLU and Softmax: that of the Dense layer before, or one by itself."""
    if layer.kind == "ReLU" and (shaped := _shaped_relu(layer)):
        _elementwise(flow, shaped)
        return
    if layer.kind == "Softmax" and layer.options.get("axis", -1) != -1:
        raise layer.unsupported(f"axis={layer.options['axis']!r} is not supported")
    name = {"ReLU": "relu", "Softmax": "softmax"}.get(layer.kind, layer.options.get("activation"))
    last = flow.layers[-1] if flow.layers else None
    where = f"{layer}: activation"
    if isinstance(last, Linear) and last.activation == "identity" and name not in BEHIND_DENSE:
        flow.layers[-1] = replace(last, activation=linear_activation(where, name))
        return
    if name in ("softmax", "log_softmax"):
        raise layer.unsupported(
            "softmax is only supported right after a Dense layer whose outputs nothing else reads"
        )
    _elementwise(flow, cell_activation(where, name, layer.version))


def _elementwise(flow: Flow, function: Activation) -> None:
    if function.name != "identity":
        flow.layers.append(Elementwise(function.name, *function.constants))


def _leaky_relu(layer: Layer, store: Store, flow: Flow) -> None:
    """LeakyReLU, whose slope Keras 2 called alpha."""
    old, new = layer.options.get("alpha"), layer.options.get("negative_slope")
    slope = layer.option("alpha" if new is None and old is not None else "negative_slope", float)
    _elementwise(flow, Activation("leaky_relu", slope))


def _elu(layer: Layer, store: Store, flow: Flow) -> None:
    _elementwise(flow, Activation("elu", layer.option("alpha", float, 1.0)))


def _shaped_relu(layer: Layer) -> Activation | None:
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


def _pool(layer: Layer, store: Store, flow: Flow) -> None:
    """AveragePooling1D and MaxPooling1D over time."""
    size = _of_one(layer, "pool_size", 2)
    stride = size if layer.options.get("strides") is None else _of_one(layer, "strides", size)
    padding = layer.options.get("padding", "valid")
    if layer.options.get("data_format") not in (None, "channels_last"):
        raise layer.unsupported(f"data_format={layer.options['data_format']!r} is not supported")
    if padding not in ("valid", "same"):
        raise layer.unsupported(f"padding={padding!r}: expected 'valid' or 'same'")
    if padding == "same" and stride > 1:
        raise layer.unsupported(
            "padding='same' with strides above 1, whose padding depends on how many steps come; "
            "padding='valid' is supported"
        )
    if flow.mask_value is not None:
        raise layer.unsupported("in a model that masks steps: Keras pools those as well")
    if flow.flipped:
        raise layer.unsupported("after go_backwards=True, of steps that Keras turned round")
    before = (size - 1) // 2 if padding == "same" else 0
    after = size - 1 - before if padding == "same" else 0
    if layer.kind == "MaxPooling1D":
        flow.layers.append(MaxPool(size, stride, (before, after)))
    else:
        flow.layers.append(AvgPool(size, stride, (before, after), count_include_pad=False))


def _of_one(layer: Layer, name: str, default: int) -> int:
    """An integer that may be written as a list of one."""
    value = layer.options.get(name, default)
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FormatError(f"{layer}: {name}: expected an integer from 1 on, got {value!r}")
    return value


_ACTIVATIONS: Final[Mapping[str, Handler]] = MappingProxyType({
    **dict.fromkeys(("Activation", "ReLU", "Softmax"), _activation),
    "ELU": _elu,
    "LeakyReLU": _leaky_relu,
})  # fmt: skip


def _time_distributed(layer: Layer, store: Store, flow: Flow) -> None:
    inner = layer.inner("layer", "layer")
    if inner.kind == "Dense":
        _dense(replace(inner, groups=layer.groups), store, flow, ("layer",))
    elif inner.kind in (*_NOTHING, *_ACTIVATIONS):
        add(inner, store, flow)
    else:
        raise layer.unsupported(f"of a {inner.kind}: this is not supported")


def _masking(layer: Layer, store: Store, flow: Flow) -> None:
    flow.mask(layer, layer.option("mask_value", float, 0.0))


def _recurrent(layer: Layer, store: Store, flow: Flow) -> None:
    _check_mask(layer, flow)
    parts = _cells(layer, ())
    sequences = layer.option("return_sequences", bool, False)
    masks = flow.mask_value is not None
    if masks and not sequences and layer.option("zero_output_for_mask", bool, False):
        raise layer.unsupported("zero_output_for_mask=True of a masked row's last output")
    backwards = layer.option("go_backwards", bool, False)
    arrays = store.arrays(layer, [part for _, part in parts])
    for index, ((cell, _), own) in enumerate(zip(parts, arrays, strict=True)):
        last = index == len(parts) - 1
        flow.recurrent(cell, own, backwards and index == 0, sequences or not last)


def _bidirectional(layer: Layer, store: Store, flow: Flow) -> None:
    _check_mask(layer, flow)
    mode = layer.options.get("merge_mode", "concat")
    if mode not in (*MERGE_MODES, "concat"):
        where = " but before an Add, Average, Concatenate or Multiply" if mode is None else ""
        raise layer.unsupported(f"merge_mode={mode!r} is not supported{where}")
    first = layer.inner("layer")
    second = layer.inner("backward_layer") if layer.options.get("backward_layer") else None
    backwards = first.option("go_backwards", bool, False)
    if second is not None and second.option("go_backwards", bool, False) == backwards:
        raise FormatError(f"{layer}: both layers have go_backwards={backwards}")
    (forward, a), (backward, b) = (
        _one_cell(inner or first, group)
        for inner, group in ((first, "forward_layer"), (second, "backward_layer"))
    )
    for what in ("kind", "units", "bias", "reset_after"):
        if getattr(forward, what) != getattr(backward, what):
            raise layer.unsupported("layers of different cells, sizes or biases")
    sequences = first.option("return_sequences", bool, False)
    if second is not None and second.option("return_sequences", bool, False) != sequences:
        raise FormatError(f"{layer}: one layer alone has return_sequences=True")
    arrays = store.arrays(layer, [a, b])
    flow.bidirectional((forward, backward), (arrays[0], arrays[1]), backwards, sequences, str(mode))


def _check_mask(layer: Layer, flow: Flow) -> None:
    """Where Keras, once steps are masked, would not mask those that are."""
    if flow.mask_value is None:
        return
    if flow.flipped:
        raise layer.unsupported(
            "after go_backwards=True in a model that masks steps: Keras turns the steps round and "
            "their mask not"
        )
    if flow.mask_lost:
        raise layer.unsupported(
            f"behind {flow.mask_lost}, which does not pass a mask on in Keras 3"
        )


def _one_cell(layer: Layer, group: str) -> tuple[Cell, Part]:
    if layer.kind != "RNN" and layer.kind not in KINDS:
        raise layer.unsupported("a Bidirectional of this layer is not supported")
    cells = _cells(layer, (group,))
    if len(cells) != 1:
        raise layer.unsupported("a Bidirectional of several stacked cells is not supported")
    return cells[0]


def _cells(layer: Layer, groups: tuple[Step, ...]) -> list[tuple[Cell, Part]]:
    """The cells of a recurrent layer, from the bottom of the stack, and where their arrays are."""
    if layer.option("time_major", bool, False):
        raise layer.unsupported("time_major=True is not supported")
    if layer.options.get("num_constants"):
        raise layer.unsupported("constants beside the states are not supported")
    # Layers of a cell have one by the name of cell; those of cuDNN had none.
    own = () if layer.kind.startswith("CuDNN") else ("cell",)
    cells = [(layer, (*groups, *own))]
    if layer.kind == "RNN":
        cells = _stacked(layer.inner("cell"), (*groups, "cell"))
    return [(cell := cell_of(one), Part(at, cell.names)) for one, at in cells]


def _stacked(cell: Layer, groups: tuple[Step, ...]) -> list[tuple[Layer, tuple[Step, ...]]]:
    if cell.kind != "StackedRNNCells":
        return [(cell, groups)]
    configs = cell.options.get("cells")
    if not isinstance(configs, list) or not configs:
        raise FormatError(f"{cell}: cells: expected a list of cells")
    counts: dict[str, int] = {}
    cells = []
    for config in configs:
        one = cell.wrapped(config, "cells")
        name = snake_case(one.kind)
        cells.append((one, (*groups, "cells", (name, counts.get(name, 0)))))
        counts[name] = counts.get(name, 0) + 1
    return cells


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType({
    **dict.fromkeys(_NOTHING, _nothing),
    **_ACTIVATIONS,
    **norms.HANDLERS,
    **reductions.HANDLERS,
    **dict.fromkeys([kind for kind in KINDS if not kind.endswith("Cell")], _recurrent),
    "RNN": _recurrent,
    "BatchNormalization": _batch_normalization,
    "Bidirectional": _bidirectional,
    "Dense": _dense,
    "Embedding": _embedding,
    "Masking": _masking,
    **dict.fromkeys(("AveragePooling1D", "MaxPooling1D"), _pool),
    "PReLU": _prelu,
    "TimeDistributed": _time_distributed,
})  # fmt: skip
