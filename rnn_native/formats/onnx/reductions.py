"""Operators that make one number of many: over the features of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from .constants import axis_of, integers
from .graph import Node
from .norms import mean_of_features
from .values import Data, Roles, Value

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]


def reduced(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """ReduceMean of the features: attributes say which axes before operator set 18."""
    data = inputs[0]
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    if node.opset < 18:
        options = node.options(axes=("ints", None), keepdims=("int", 1))
        axes = options["axes"]
    else:
        options = node.options(keepdims=("int", 1), noop_with_empty_axes=("int", 0))
        given = len(inputs) > 1 and inputs[1] is not None
        axes = integers(node, inputs[1], "axes") if given else None
    if axes is None or len(axes) != 1:
        raise node.unsupported(f"axes={axes}: expected one, the features")
    at = axis_of(node, axes[0], len(data.dims))
    return [mean_of_features(node, data, at, bool(options["keepdims"]))]


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {"ReduceMean": (reduced, 1, 2)}
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
