"""Matrices of fewer bytes in a file: float16, bfloat16, or int8 with a scale for each row.

A matrix NAME of int8 is [rows, columns], and ``NAME_scale`` beside it float32 [rows]: a weight is
integer * scale, rounded to float32 once. What is read of a file is floats, whatever it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..spec import Array, ModelSpec
from ..spec.integers import dequantised, int8_rows
from .bfloat16 import upper_halves, widened

SCALE: Final = "_scale"
"""What follows the name of int8 weights in that of their scales. No layer's array ends so."""

Arrays = dict[str, NDArray[Any]]


def narrowed(arrays: Mapping[str, Array], spec: ModelSpec, weight_dtype: str | None) -> Arrays:
    """The arrays of ``spec`` as a file of that ``weight_dtype`` has them, with scales: of int8 and
    float16, or, of bfloat16, uint16 that are its bits.

    A Model's matrices have numbers of its ``weight_dtype``. One that has others, such as of a spec
    that no Model was made of, stays as it is, so that no file changes a number.
    """
    narrow = _WAYS.get(weight_dtype or "")
    if narrow is None:
        return dict(arrays)
    names = {
        f"{index}.{name}"
        for index, node in enumerate(spec.nodes.values())
        if node.layer.takes_weight_dtype
        for name in node.layer.packed()
    }
    found: Arrays = {}
    for name, array in arrays.items():
        found[name] = array
        if name in names and array.dtype == np.float32:
            numbers, scales, floats = narrow(array)
            if np.array_equal(floats.view(np.uint32), array.view(np.uint32)):
                found[name] = numbers
                if scales is not None:
                    found[f"{name}{SCALE}"] = scales
    return found


def has_integers(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether some of these are int8."""
    return any(array.dtype == np.int8 for array in arrays.values())


class Floats(Mapping[str, Array]):
    """The tensors of a file, its int8 ones as what they stand for, without their scales.

    ``FormatError``, which names the tensor and says what was expected, for one whose scales are
    missing or wrong, for one that is no matrix, and for scales of what is not int8.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Array:
        array, beside = self._tensors[name], f"{name}{SCALE}"
        if name.endswith(SCALE):
            raise FormatError(
                f"tensor {name!r}: expected the int8 weights {name.removesuffix(SCALE)!r}, whose "
                "scales it has; there are none"
            )
        if array.dtype != np.int8:
            if beside in self._tensors:
                raise FormatError(
                    f"tensor {beside!r}: expected no scales beside {name!r}, which is "
                    f"{array.dtype}, not int8"
                )
            return array
        if array.ndim != 2:
            raise FormatError(
                f"tensor {name!r}: expected int8 for a matrix alone, and float32 for this one; got "
                f"int8 of shape {array.shape}"
            )
        if beside not in self._tensors:
            raise FormatError(
                f"tensor {name!r}: int8, expected its scales beside it, float32 [{len(array)}] "
                f"called {beside!r}; there are none"
            )
        return dequantised(array, _checked_scales(beside, self._tensors[beside], len(array)))

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._tensors if not self._are_scales(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _are_scales(self, name: str) -> bool:
        """Whether they are looked at with what they are the scales of."""
        of = name.removesuffix(SCALE)
        return of != name and of in self._tensors and not of.endswith(SCALE)


def _checked_scales(name: str, scales: NDArray[Any], rows: int) -> NDArray[np.float32]:
    if scales.dtype != np.float32 or scales.shape != (rows,):
        raise FormatError(
            f"tensor {name!r}: expected float32 of shape ({rows},), a scale for each row of int8; "
            f"got {scales.dtype} of shape {scales.shape}"
        )
    wrong = np.flatnonzero(~(np.isfinite(scales) & (scales >= 0)))
    if len(wrong):
        raise FormatError(
            f"tensor {name!r}: expected finite scales from 0; that of row {wrong[0]} is "
            f"{scales[wrong[0]]}"
        )
    return scales


class _Narrow(NamedTuple):
    """Numbers of fewer bytes, their scales, if they have some, and what they stand for."""

    numbers: NDArray[Any]
    scales: NDArray[np.float32] | None
    floats: NDArray[np.float32]


def _float16(matrix: NDArray[np.float32]) -> _Narrow:
    with np.errstate(over="ignore", under="ignore"):
        halves = matrix.astype(np.float16)
    return _Narrow(halves, None, halves.astype(np.float32))


def _bfloat16(matrix: NDArray[np.float32]) -> _Narrow:
    halves = upper_halves(matrix)
    return _Narrow(halves, None, widened(halves))


def _int8(matrix: NDArray[np.float32]) -> _Narrow:
    if not np.isfinite(matrix).all():
        return _Narrow(matrix, None, matrix)
    integers, scales = int8_rows(matrix)
    return _Narrow(integers, scales, dequantised(integers, scales))


_WAYS: Final[Mapping[str, Callable[[NDArray[np.float32]], _Narrow]]] = {
    "float16": _float16, "bfloat16": _bfloat16, "int8": _int8
}  # fmt: skip
