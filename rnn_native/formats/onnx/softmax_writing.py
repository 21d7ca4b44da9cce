"""What is written for a softmax, one over time, and an attention pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from ...spec import AttentionPool, Layer, Softmax, SoftmaxOverTime

if TYPE_CHECKING:
    from .layers import NodeWriter


def _write_softmax(writer: NodeWriter, layer: Softmax, x: str) -> str:
    op = "LogSoftmax" if layer.log else "Softmax"
    if layer.groups == 1:
        return writer.node(op, x, axis=-1)
    sizes = [-1, layer.groups, writer.features // layer.groups]
    y = writer.node("Reshape", x, writer.constant("shape", np.array(sizes)))
    y = writer.node(op, y, axis=-1)
    return writer.node("Reshape", y, writer.node("Shape", x))


def _write_over_time(writer: NodeWriter, layer: SoftmaxOverTime, x: str) -> str:
    return writer.node("Softmax", x, axis=0)


def _write_pool(writer: NodeWriter, layer: AttentionPool, x: str, scores: str) -> str:
    """Softmax over time, times the values, summed; of several heads each times its block."""
    weights = writer.node("Softmax", scores, axis=0)
    if layer.heads > 1:
        shape = writer.constant("shape", np.array([0, 0, layer.heads, -1]))
        x = writer.node("Reshape", x, shape)
        weights = writer.node("Unsqueeze", weights, writer.constant("axis", np.array([3])))
    y = writer.node("Mul", weights, x)
    y = writer.node("ReduceSum", y, writer.constant("axis", np.array([0])), keepdims=0)
    if layer.heads == 1:
        return y
    return writer.node("Reshape", y, writer.constant("shape", np.array([0, -1])))


WRITERS: Final[Mapping[type[Layer], Callable[..., str]]] = MappingProxyType(
    {
        AttentionPool: _write_pool,
        Softmax: _write_softmax,
        SoftmaxOverTime: _write_over_time,
    }
)
"""What writes a layer that reads the tensors of these names."""
