"""Labels in lists, looked at one by one before NumPy makes one type of them.

``np.asarray`` turns ``["a", nan]`` into two words, ``[1, "a"]`` into ``"1"`` and ``"a"``,
``[True, 2]`` into integers, and integers beyond int64 into floats that are no longer them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from ..tensors import array_of, is_tensor
from .inputs import DataError, plain

_SIGNED: Final = np.iinfo(np.int64)
_UNSIGNED: Final = np.iinfo(np.uint64)


def of_one_kind(name: str, given: Any) -> Any:
    """What was given, as NumPy may take it: lists of labels of one kind, of integers and floats
    such as are the same as floats; anything but a list as it is.

    ``DataError`` for labels of several kinds, and for integers that no type of NumPy holds.
    """
    if not isinstance(given, (list, tuple)):
        return given
    labels = list(_leaves(given))
    kinds = {type(label) for label in labels}
    if len(kinds) > 1 and kinds != {int, float}:
        raise mixed(name, labels)
    if int not in kinds:
        return given
    integers = [label for label in labels if isinstance(label, int)]
    least, most = min(integers), max(integers)
    if float in kinds:
        for label in integers:
            if abs(label) > 2**53:
                raise DataError(f"{name}: expected labels that are floats exactly, got {label}")
        return given
    if _SIGNED.min <= least and most <= _SIGNED.max:
        return given
    if least < 0 or most > _UNSIGNED.max:
        raise DataError(
            f"{name}: expected integers that int64 or uint64 holds, got {least} to {most}"
        )
    return _unsigned(given)


def sorted_labels(classes: Any) -> list[Any]:
    """Each of ``classes`` once."""
    listed = classes if isinstance(classes, (list, tuple)) else plain("classes", classes).tolist()
    found: list[Any] = np.unique(plain("classes", of_one_kind("classes", listed))).tolist()
    return found


def mixed(name: str, labels: list[Any]) -> DataError:
    """The error for labels of several kinds."""
    names = ", ".join(sorted({type(_value(label)).__name__ for label in labels}))
    hint = ""
    if any(label is None or label != label for label in labels):
        hint = "; put in the place of None and NaN a label that unknown= names"
    return DataError(f"{name}: expected labels of one kind, got objects of {names}{hint}")


def _leaves(given: Any) -> Iterator[Any]:
    """The labels as Python's own values; of an array of numbers the least and the most stand for
    all. What is not plain is passed over, and refused or read where it is made an array."""
    for part in given:
        array = array_of("y", part) if is_tensor(part) else part
        if isinstance(array, (list, tuple)):
            yield from _leaves(array)
        elif type(array) is np.ndarray:
            if array.dtype.kind in "iuf":
                yield from (array.min().item(), array.max().item()) if array.size else ()
            else:
                yield from map(_value, array.ravel().tolist())
        elif isinstance(array, np.generic) or not hasattr(array, "__array__"):
            yield _value(array)


def _value(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _unsigned(given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        return [_unsigned(part) for part in given]
    return given.astype(np.uint64) if isinstance(given, np.ndarray) else np.uint64(given)
