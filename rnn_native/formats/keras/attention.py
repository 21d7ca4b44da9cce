"""Keras's layers that weigh the steps of a sequence: attention, and products over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError
from ...spec import Attention
from .config import Layer
from .shape import Shape
from .store import Part, Store

Reader = Callable[[Layer, Store, Shape], Attention]


def attention(layer: Layer, store: Store, shape: Shape) -> Attention:
    """Attention: the products of query and key, times a number that it has learnt."""
    if layer.option("score_mode", str, "dot") != "dot":
        raise layer.unsupported(f"score_mode={layer.options['score_mode']!r}; 'dot' is supported")
    scale = 1.0
    if layer.option("use_scale", bool, False):
        scale = float(store.arrays(layer, [Part((), ("scale",))])[0][0].reshape(()))
    if not scale > 0:
        raise layer.unsupported(f"a scale of {scale}: expected a number above 0")
    return Attention(1, scale)


def additive(layer: Layer, store: Store, shape: Shape) -> Attention:
    """AdditiveAttention: the sum of tanh(query + key), of each feature times a number."""
    if layer.option("use_scale", bool, True):
        (weight,) = store.arrays(layer, [Part((), ("scale",))])[0]
        if weight.ndim != 1:
            raise FormatError(f"{layer}: scale: expected shape (features,), got {weight.shape}")
        return Attention(weight=weight)
    if shape.channels is None:
        raise layer.unsupported(f"the file does not say how large its input {shape} is")
    return Attention(weight=np.ones(shape.channels, np.float32))


ATTENTIONS: Final[Mapping[str, Reader]] = MappingProxyType(
    {"AdditiveAttention": additive, "Attention": attention}
)
"""What reads the layers that take a query, a value and perhaps a key."""


def check_attended(layer: Layer, shapes: Sequence[Shape | None], masked: bool) -> Shape:
    """The axes of what is weighed; ``UnsupportedError`` unless all are sequences."""
    if masked:
        raise layer.unsupported("in a model that masks steps")
    if len(shapes) not in (2, 3):
        raise layer.unsupported(f"expected query, value and perhaps key, it has {len(shapes)}")
    for shape in shapes:
        if shape is not None and not shape.is_sequence:
            raise layer.unsupported(f"its input {shape}: expected [batch, time, features]")
    if None in shapes:
        raise layer.unsupported("the file does not say how large its inputs are")
    return [shape for shape in shapes if shape is not None][1]


def summed_axis(layer: Layer, shapes: Sequence[Shape | None]) -> tuple[int, Shape]:
    """Of a Dot over the time: which of both is one number a step, and the axes of the result."""
    axes = layer.options.get("axes")
    known = [shape for shape in shapes if shape is not None]
    over = [axes, axes] if isinstance(axes, int) else axes
    if layer.option("normalize", bool, False) or over not in ([1, 1], [-2, -2]):
        raise layer.unsupported(f"axes={axes!r}; only the product over the time is supported")
    if len(known) != 2 or any(not shape.is_sequence for shape in known):
        raise layer.unsupported("expected two values [batch, time, features]")
    sizes = [shape.channels for shape in known]
    if 1 not in sizes or None in sizes:
        raise layer.unsupported(f"of {sizes[0]} and {sizes[1]} features; one of both has to be 1")
    return sizes.index(1), Shape((sizes[0], sizes[1]), None)
