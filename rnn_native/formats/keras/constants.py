"""A value and a number, as Keras 3's ``1 - gate`` and ``y * 0.5`` have them."""

from __future__ import annotations

import numpy as np

from ...activations import Activation
from ...spec import Scale
from .config import Layer
from .flow import Flow
from .functions import elementwise
from .padding import settle
from .shape import total


def with_constant(layer: Layer, constant: tuple[int, float], flow: Flow) -> None:
    """Appends what an operator makes of a value and a number."""
    index, number = constant
    if flow.padding:
        settle(layer, flow)
    divides = layer.kind in ("operator Divide", "operator TrueDivide")
    if divides and (index == 0 or number == 0):
        raise layer.unsupported("only a value by a number but 0 can be divided")
    if divides:
        factors = (1 / number, 0.0)
    elif layer.kind == "operator Multiply":
        factors = (number, 0.0)
    elif layer.kind == "operator Add":
        factors = (1.0, number)
    else:
        factors = (-1.0, number) if index == 0 else (1.0, -number)
    inside = None if flow.shape is None or flow.layers else total(flow.shape.inside)
    if inside is None:
        elementwise(flow, Activation("affine", *factors))
    else:  # a chain may begin with it
        flow.layers.append(Scale(*(np.full(inside, n, np.float32) for n in factors)))
    if flow.mask_value is not None:  # which operators do not pass on
        flow.mask_lost = str(layer)
