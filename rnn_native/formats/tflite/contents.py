"""The numbers of a file's constants."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...errors import FormatError, UnsupportedError
from ..onnx.tensors import Anything, Contents
from .model import Scale, Tensor
from .schema import DTYPES


class Constants(Contents):
    """What ``formats.onnx`` reads constants of a graph with: here tensors of this format, or arrays
    that stand in the place of some."""

    runner = "TensorFlow Lite's interpreter"
    instead = "the .keras or .h5 file that it was converted from is read"
    extends = True

    def __init__(self, size: int) -> None:
        super().__init__(None, size)

    def array(self, where: str, tensor: Any) -> Anything:
        held: Tensor | Anything = tensor.holds
        return self.of(held) if isinstance(held, Tensor) else held

    def of(self, tensor: Tensor) -> Anything:
        """The numbers of a constant, as float32 where integers stand for others."""
        where = f"tensor {tensor.name!r}"
        array = self._kept(where, tensor)
        if tensor.scale is None or array.dtype.kind == "f":
            return array
        self.budget.check(where, 4 * array.size)
        self.budget.work(where, 4 * array.size)
        return _scaled(where, array, tensor.scale)

    def stored(self, tensor: Tensor) -> Anything:
        """The numbers of a constant as they are kept; those of four bits as int8 or uint8."""
        where = f"tensor {tensor.name!r}"
        array = self._kept(where, tensor)
        self.budget.take(where, array.nbytes)
        return array.astype(np.uint8) if tensor.element == "UINT4" else array

    def _kept(self, where: str, tensor: Tensor) -> Anything:
        if tensor.data is None:
            raise UnsupportedError(f"{where}: expected a constant")
        if tensor.is_sparse:
            raise UnsupportedError(
                f"{where}: its numbers are kept sparse; a converter without sparsity keeps all"
            )
        shape = tuple(size or 0 for size in tensor.sizes)
        count = prod(shape)
        if tensor.element in ("INT4", "UINT4"):
            self.budget.work(where, 4 * count)
            numbers = _halves(where, tensor, count)
        elif tensor.element in DTYPES:
            numbers = _whole(where, tensor, count)
        else:
            raise UnsupportedError(f"{where}: its element type is {tensor.element}")
        try:
            return numbers.reshape(shape)
        except ValueError as error:  # beyond what an array can be, of no elements
            raise FormatError(f"{where}: a shape of {len(shape)} dimensions: {error}") from error


def _whole(where: str, tensor: Tensor, count: int) -> Anything:
    assert tensor.data is not None
    dtype = np.dtype(DTYPES[tensor.element]).newbyteorder("<")
    if tensor.data.size != count * dtype.itemsize:
        raise FormatError(
            f"{where}: {tensor.element} of shape {tensor.sizes} takes {count * dtype.itemsize} "
            f"bytes, there are {tensor.data.size}"
        )
    numbers: Anything = np.ascontiguousarray(tensor.data).view(dtype)
    return numbers.astype(dtype.newbyteorder("="), copy=False)


def _halves(where: str, tensor: Tensor, count: int) -> Anything:
    """Integers of four bits, two of them in a byte, the first one in its lower half."""
    assert tensor.data is not None
    if tensor.data.size != -(-count // 2):
        raise FormatError(
            f"{where}: {tensor.element} of shape {tensor.sizes} takes {-(-count // 2)} bytes, "
            f"there are {tensor.data.size}"
        )
    both = np.stack([tensor.data & 15, tensor.data >> 4], axis=1).reshape(-1)[:count]
    numbers: Anything = both.astype(np.int8)
    if tensor.element == "INT4":
        numbers[numbers > 7] -= 16
    return numbers


def _scaled(where: str, array: Anything, scale: Scale) -> Anything:
    """(q - zero) * scale, rounded once; per slice along an axis where there are several scales."""
    shape: list[int] = []
    if len(scale.scale) > 1:
        if not 0 <= scale.axis < array.ndim or array.shape[scale.axis] != len(scale.scale):
            raise FormatError(
                f"{where}: {len(scale.scale)} scales along dimension {scale.axis} of the shape "
                f"{array.shape}"
            )
        shape = [len(scale.scale) if i == scale.axis else 1 for i in range(array.ndim)]
    if len(scale.zero) not in (1, len(scale.scale)):
        raise FormatError(f"{where}: {len(scale.zero)} zero points for {len(scale.scale)} scales")
    wide = np.float64 if array.dtype.itemsize > 2 else np.float32  # q - zero is exact in these
    zero = scale.zero.astype(wide).reshape(shape if len(scale.zero) > 1 else [])
    made: Anything = array.astype(wide)
    made -= zero
    made *= scale.scale.reshape(shape)
    return made.astype(np.float32, copy=False)
