"""A matrix that multiplies one of several axes of features: at each position of a step, as a
convolution of single positions does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...spec.layers.conv import Conv
from .features import of_features
from .graph import Anything, Node
from .layout import arranged
from .values import Data, live, size_of

_OP = "MatMul"


def is_inside(data: Data) -> bool:
    """Whether the last dimension is some axes of the features, and not all."""
    return (
        bool(data.dims)
        and of_features(data, -1)
        and len(live(data.dims[-1])) < len(live(data.features))
    )


def linear(node: Node, data: Data, weight: Anything) -> Data:
    """The product with a matrix [out, in] at each position."""
    data.check_floats(node)
    own = live(data.dims[-1])
    rest = tuple(axis for axis in live(data.features) if axis not in own)
    positions, count = size_of(rest), size_of(own)
    if positions is None or count is None or count != weight.shape[1]:
        raise node.malformed(f"its weights take {weight.shape[1]} features, {count} come")
    node.contents.budget.take(str(node), weight.size * max(4, weight.itemsize))
    data = arranged(node, data, (*rest, *own))
    layer = Conv(np.ascontiguousarray(weight), in_channels=count, positions=positions)
    features = data.fresh(len(weight))
    return data.then(layer, (*data.dims[:-1], features), (*rest, *features))


def is_product_inside(data: Data) -> bool:
    """Whether it is such a product and nothing else."""
    draft, step = data.draft, data.step
    plain = isinstance(draft, Conv) and draft.bias is None and draft.activation == "identity"
    return plain and step is not None and step.node is not None and step.node.op == _OP


def with_bias(data: Data, array: Anything) -> Data | None:
    """A product with a bias of each feature that it makes at a position; None for what is none."""
    draft = data.draft
    assert isinstance(draft, Conv)
    if live(data.dims[-1]) != data.features[-1:] or array.shape not in (
        (draft.out_channels,), (1, draft.out_channels), (1, 1, draft.out_channels),
    ):  # fmt: skip
        return None
    return data.instead(replace(draft, bias=array.reshape(-1)))
