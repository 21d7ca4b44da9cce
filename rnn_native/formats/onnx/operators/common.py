"""What the functions of operators share: their types, and what a file may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Anything, Node
from ..tensors import element_name
from ..values import Constant, Value

Arrays = Sequence[Any]
"""The inputs of a node, None where one is left out."""

Function = Callable[[Node, Arrays], Any]
"""Gives an array, or a list of one for each output."""

Entry = tuple[Function, int, int]
"""A function, how many inputs it requires, and how many there may be."""

MANY: Final = 1000
"""Inputs of an operator that takes any number."""

DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "FLOAT": "f4", "DOUBLE": "f8", "FLOAT16": "f2", "BOOL": "?",
        "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8",
        "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8",
    }
)  # fmt: skip
"""The element types that are calculated with, as NumPy calls them."""


def limit(node: Node, elements: int, *arrays: Anything) -> None:
    """Refuses a result of so many elements before it is made, if the file may not ask for it."""
    node.contents.budget.check(str(node), elements * max(array.itemsize for array in arrays))


def work(node: Node, products: int, array: Anything) -> None:
    """Refuses so many multiplications before they are begun, if the file may not ask for them."""
    fast = array.dtype in (np.float32, np.float64)  # BLAS has these
    node.contents.budget.work(str(node), products if fast else 16 * products)


def show(arrays: Arrays) -> str:
    return ", ".join(f"{a.dtype} {a.shape}" for a in arrays if a is not None)


def values(arrays: Arrays) -> list[Value | None]:
    return [None if array is None else Constant(array) for array in arrays]


def padded(arrays: Arrays, count: int) -> list[Any]:
    """``count`` inputs, None for those at the end that the node has not."""
    return [*arrays, *[None] * count][:count]


def dtype_of(node: Node, code: int, attribute: str) -> np.dtype[Any]:
    """The type that an attribute asks for."""
    name = element_name(code)
    if name not in DTYPES:
        raise node.unsupported(f"attribute {attribute}={name} is not supported")
    return np.dtype(DTYPES[name])


def floats(node: Node, *arrays: Anything) -> None:
    if any(array.dtype.kind != "f" for array in arrays):
        raise node.unsupported(f"expected floats, got {show(arrays)}")


def scalar(node: Node, array: Anything, what: str) -> Any:
    """The only number of an array."""
    if array.size != 1:
        raise node.malformed(f"{what}: expected one number, got an array of shape {array.shape}")
    return array.reshape(()).item()


def along(array: Anything, axis: int, rank: int) -> Anything:
    """A vector as a tensor of this rank, along one axis."""
    return array.reshape([-1 if i == axis else 1 for i in range(rank)])
