"""The classes of a softmax: from any labels to the columns of a network, and back.

``classes_`` are as scikit-learn has them, all labels of the training data, sorted. Only integers
that all lie within 0..output_dim-1 are columns already: there ``classes_`` are all of these,
whether they were seen or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError
from .inputs import DataError
from .label_lists import mixed

Label = bool | int | float | str

NOTHING: Final = -1
"""In the place of a column: a target that does not count."""

UNSEEN: Final = -2
"""In the place of a column: a label that is none of the classes."""


@dataclass(frozen=True)
class Labels:
    """``classes`` [n], one for each column; ``unknown``: the label of what nobody knows, or None
    where every label is a class."""

    classes: NDArray[Any]
    unknown: Label | None = None

    @classmethod
    def of(
        cls, y: NDArray[Any], counts: NDArray[np.bool_], most: int | None, unknown: Label | None
    ) -> Self:
        """The classes of those labels that count, of which there may be ``most``; None: any number.

        Raises ``ShapeError`` where there are more, and ``DTypeError`` or ``ShapeError`` where they
        are no labels.
        """
        _expect_finite(y, counts, unknown)
        known = [label for label in _distinct(y[counts])[0] if not _is(label, unknown)]
        if most is None:
            if not known:
                raise ShapeError(f"y: expected at least one class, got none but {unknown!r}")
            return cls(as_classes(known), unknown)
        integers = all(isinstance(label, int) and not isinstance(label, bool) for label in known)
        if integers and all(0 <= label < most for label in known):
            return cls(np.arange(most), unknown)
        if len(known) > most:
            hint = "" if unknown is not None else "; where one of them means unknown, say unknown="
            raise ShapeError(
                f"y: expected at most output_dim={most} classes, got {len(known)}: "
                f"{listed(known)}{hint}"
            )
        return cls(as_classes(known), unknown)

    def columns(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Of each label its column, in the shape of y: ``NOTHING`` where it does not count or is
        unknown, ``UNSEEN`` where it is none of the classes."""
        labels, places = _distinct(y[counts])
        column = {label: index for index, label in enumerate(self.classes.tolist())}
        found = [
            NOTHING if _is(label, self.unknown) else column.get(label, UNSEEN) for label in labels
        ]
        columns = np.full(y.shape, NOTHING, dtype=np.int64)
        columns[counts] = np.array(found, dtype=np.int64)[places]
        return columns

    def named(self, columns: NDArray[Any]) -> NDArray[Any]:
        """The classes of columns."""
        return np.asarray(self.classes[columns])

    @property
    def filler(self) -> Any:
        """What stands where there is nothing to predict: unknown, or the first class where that
        is none or of another kind."""
        if np.asarray(self.unknown).dtype.kind == self.classes.dtype.kind:
            return self.unknown
        return self.classes[0]


def as_classes(labels: Sequence[Label]) -> NDArray[Any]:
    """Sorted labels of one kind as an array: the same one whatever array held them."""
    array = _array(labels)
    if array.dtype.kind not in "biufU" or array.ndim != 1 or len(array) == 0:
        raise DataError(f"y: expected labels of one kind, got {listed(labels)}")
    classes = np.unique(array)
    if classes.tolist() != list(labels):
        raise DataError(f"y: expected sorted labels of one kind, got {listed(labels)}")
    return classes


def as_class_list(value: Any) -> list[Label] | None:
    """The option ``classes``; ``OptionError`` where it is no list of labels."""
    if value is None:
        return None
    if isinstance(value, str) or np.ndim(np.array(value, dtype=object)) != 1 or len(value) == 0:
        raise OptionError(f"classes: expected None or a list of labels, got {value!r}")
    return [label.item() if isinstance(label, np.generic) else label for label in value]


def as_unknown(value: Any) -> Label | None:
    """The option ``unknown``; ``OptionError`` where it is no label."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is not None and not isinstance(plain, (bool, int, float, str)):
        raise OptionError(f"unknown: expected a label or None, got {value!r}")
    return plain


def _expect_finite(y: NDArray[Any], counts: NDArray[np.bool_], unknown: Label | None) -> None:
    """``ShapeError`` with the place of a label that is NaN or infinite."""
    if y.dtype.kind != "f":
        return
    for place in np.argwhere(counts & ~np.isfinite(y)):
        label = y[tuple(place)].item()
        if not _is(label, unknown):
            where = [int(index) for index in place]
            raise ShapeError(f"y{where}: expected a class, got {label}")


def _distinct(y: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The labels of an array as Python's own values, and which of them stands at each place."""
    if y.dtype.kind == "O":
        y = _plain(y)
    elif y.dtype.kind == "T":  # NumPy's strings of any length
        y = np.array(y.ravel().tolist(), dtype=np.str_).reshape(y.shape)
    if y.dtype.kind not in "biufU":
        raise DataError(f"y: expected classes as integers, booleans or strings, got {y.dtype}")
    labels, places = np.unique(y, return_inverse=True)
    if y.dtype.kind == "f":
        broken = labels[np.isfinite(labels) & (labels != np.round(labels))]
        if len(broken):
            raise ShapeError(
                f"y: Unknown label type: continuous. Expected classes, got {broken[0]}: "
                "numbers are learnt with output='identity'"
            )
    return labels.tolist(), places.reshape(-1)


def _plain(y: NDArray[Any]) -> NDArray[Any]:
    """An array of objects as one of their own type."""
    values = y.ravel().tolist()
    kinds = {type(value.item() if isinstance(value, np.generic) else value) for value in values}
    if len(kinds) > 1:
        raise mixed("y", values)
    return _array(values).reshape(y.shape)


def _array(values: Sequence[Any]) -> NDArray[Any]:
    """Of Python's values; integers above int64 are uint64, of which NumPy would make floats."""
    array = np.array(values)
    if array.dtype.kind == "f" and all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.uint64 if min(values) >= 0 else object)
    return array


def _is(label: Any, unknown: Label | None) -> bool:
    if unknown is None:
        return False
    both_nan = label != label and unknown != unknown
    return both_nan or bool(label == unknown)


def listed(labels: Sequence[Any] | NDArray[Any]) -> str:
    """The first few, for a message."""
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    shown = ", ".join(repr(value) for value in values[:8])
    return shown + (", ..." if len(values) > 8 else "")
