"""Keras's layers, one function a class: what each adds to a chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError
from ...spec import MERGE_MODES, Embedding, Scale
from ...spec.layers.conv import Conv
from ..folding import normalized
from . import norms, reductions
from .cells import KINDS, Cell, cell_of
from .config import Layer, Step, layers_of, snake_case
from .convolution import CONVOLUTIONS
from .flow import Flow
from .functions import ACTIVATIONS, activated, check_activation, prelu, spread
from .padding import settle
from .pooling import POOLS
from .reshaping import PADDING, RESHAPING
from .shape import Shape, sequence
from .store import Part, Store

MAX_INSIDE: Final = 32
"""Layers of a Sequential in a TimeDistributed, which a small file can call often."""
Handler = Callable[[Layer, Store, Flow], None]
NOTHING: Final = (
    "InputLayer", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Identity",
)  # fmt: skip
"""Layers that only act while a model learns."""


def add(layer: Layer, store: Store, flow: Flow) -> None:
    """Appends what a layer is; raises ``UnsupportedError`` for one that nothing of ours is."""
    handler = HANDLERS.get(layer.kind)
    if handler is None:
        raise layer.unsupported("this layer is not supported")
    if flow.padding and layer.kind not in (*CONVOLUTIONS, *PADDING, *NOTHING, "TimeDistributed"):
        settle(layer, flow)
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
    if flow.shape is not None and flow.shape.rank != 1:
        raise layer.unsupported(f"its input {flow.shape}: expected [batch, time]")
    steps = None if flow.shape is None else flow.shape.sizes[0]
    flow.shape = Shape((steps, size[1]), None) if flow.static else sequence(steps, size[1])


def _dense(layer: Layer, store: Store, flow: Flow) -> None:
    units, bias = layer.option("units", int), layer.option("use_bias", bool, True)
    check_activation(layer)
    ((kernel, *rest),) = store.arrays(layer, [Part((), ("kernel", "bias")[: 1 + bias])])
    if kernel.ndim != 2 or kernel.shape[1] != units:
        raise FormatError(f"{layer}: kernel: expected (features, {units}), got {kernel.shape}")
    flow.pointwise(layer, kernel, rest[0] if bias else None)
    activated(layer, store, flow)


def _batch_normalization(layer: Layer, store: Store, flow: Flow) -> None:
    """Over the features, with the mean and the variance that it has learnt: numbers of each."""
    axis = layer.options.get("axis", -1)
    rank = 2 if flow.shape is None else flow.shape.rank
    if axis not in (-1, [-1], rank, [rank]) or (flow.shape and not flow.shape.has_channels):
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
    gamma, beta = found.get("gamma", np.ones_like(mean)), found.get("beta", np.zeros_like(mean))
    epsilon = layer.option("epsilon", float, 1e-3)
    by = Scale.normalizing(mean, found["moving_variance"], gamma, beta, epsilon)
    last = flow.layers[-1] if flow.layers else None
    if (
        isinstance(last, Conv)
        and last.activation == "identity"
        and last.out_channels == len(mean)
        and (flow.shape is None or flow.shape.channels == len(mean))
    ):
        flow.layers[-1] = normalized(last, by)
        return
    flow.layers.append(Scale(*(spread(layer, flow, array) for array in (by.scale, by.shift))))


def _time_distributed(layer: Layer, store: Store, flow: Flow) -> None:
    """A layer, or a Sequential of some, of each step by itself."""
    inner = layer.inner("layer", "layer")
    every = [own for own, _ in layers_of(inner)] if inner.kind == "Sequential" else [inner]
    if len(every) > MAX_INSIDE:
        raise layer.unsupported(f"of {len(every)} layers; up to {MAX_INSIDE} are supported")
    if 0 in flow.padding:
        settle(layer, flow)
    with flow.within(layer):
        for own in every:
            if own.kind not in _OF_STEPS:
                raise layer.unsupported(f"of a {own.kind}: this is not supported")
            add(own, store, flow)


def _masking(layer: Layer, store: Store, flow: Flow) -> None:
    flow.mask(layer, layer.option("mask_value", float, 0.0))


def _recurrent(layer: Layer, store: Store, flow: Flow) -> None:
    _check_mask(layer, flow)
    flow.expect_steps(layer)
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
    flow.expect_steps(layer)
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


_OF_STEPS: Final[Mapping[str, Handler]] = MappingProxyType({
    **dict.fromkeys(NOTHING, _nothing),
    **ACTIVATIONS,
    **CONVOLUTIONS,
    **POOLS,
    **RESHAPING,
    **norms.HANDLERS,
    **dict.fromkeys([kind for kind in KINDS if not kind.endswith("Cell")], _recurrent),
    "BatchNormalization": _batch_normalization,
    "Bidirectional": _bidirectional,
    "Dense": _dense,
    "PReLU": prelu,
    "RNN": _recurrent,
})  # fmt: skip
HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType({
    **_OF_STEPS,
    **reductions.HANDLERS,
    "Embedding": _embedding,
    "Masking": _masking,
    "TimeDistributed": _time_distributed,
})  # fmt: skip
