"""Some of the features of a step, in another order, or several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, ShapeError
from ..keys import MAX_SIZE, Key, size
from ..layer import Float64, Layer, Ran, State
from ..weights import Array

AXES: Final = 4
"""How many axes a view has; the core's RNNAT_STRIDED_AXES."""


@dataclass(frozen=True)
class Strided(Layer):
    """A view of the features of each step, as PyTorch's ``as_strided`` makes one: ``Slice``,
    ``Transpose`` and ``Repeat`` make it.

    y[i, j, ...] is feature ``offset + i * strides[0] + j * strides[1] + ...`` of x, where i is
    below ``sizes[0]`` and so on: one feature behind the other, the last axis fastest. A stride of 0
    gives a feature several times.

    Parameters
    ----------
    in_features
        Of x.
    sizes, strides
        One to four axes; those of size 1 and stride 0 in front are left out.

    Raises
    ------
    OptionError
        Other than one to four axes with a stride each, or numbers out of range.
    ShapeError
        A view that reaches beyond the features.
    """

    in_features: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    kind = "strided"
    keys = (
        Key("in_features", "natural", least=1),
        Key("offset", "natural"),
        *(Key(f"size{axis}", "natural", least=1) for axis in range(AXES)),
        *(Key(f"stride{axis}", "natural") for axis in range(AXES)),
    )
    trains = False

    def __post_init__(self) -> None:
        given = (self.sizes, self.strides)
        sizes, strides = (tuple(n) if isinstance(n, (tuple, list)) else () for n in given)
        if len(sizes) != len(strides) or not 1 <= len(sizes) <= AXES:
            raise OptionError(
                f"Strided: expected sizes and strides of 1 to {AXES} axes, got {self.sizes} and "
                f"{self.strides}"
            )
        object.__setattr__(self, "in_features", size("Strided in_features", self.in_features, 1))
        object.__setattr__(self, "offset", size("Strided offset", self.offset, 0))
        checked = tuple(size(f"Strided sizes[{i}]", n, 1) for i, n in enumerate(sizes))
        steps = tuple(size(f"Strided strides[{i}]", n, 0) for i, n in enumerate(strides))
        last = self.offset + sum((n - 1) * s for n, s in zip(checked, steps, strict=True))
        if last >= self.in_features:
            raise ShapeError(
                f"Strided: expected features below in_features={self.in_features}, "
                f"its last one is {last}"
            )
        if prod(checked) > MAX_SIZE:
            raise ShapeError(
                f"Strided sizes: expected at most {MAX_SIZE} features, got {prod(checked)}"
            )
        while len(checked) > 1 and (checked[0], steps[0]) == (1, 0):  # as a line fills them up
            checked, steps = checked[1:], steps[1:]
        object.__setattr__(self, "sizes", checked)
        object.__setattr__(self, "strides", steps)

    @property
    def input_size(self) -> int:
        return self.in_features

    @property
    def output_size(self) -> int:
        return prod(self.sizes)

    @property
    def fan_in(self) -> None:
        return None

    @property
    def options(self) -> dict[str, Any]:
        return {
            "in_features": self.in_features, "sizes": self.sizes, "strides": self.strides,
            "offset": self.offset,
        }  # fmt: skip

    @property
    def line(self) -> dict[str, Any]:
        missing = AXES - len(self.sizes)
        axes = zip((1,) * missing + self.sizes, (0,) * missing + self.strides, strict=True)
        pairs = list(enumerate(axes))
        return {
            "in_features": self.in_features,
            "offset": self.offset,
            **{f"size{axis}": count for axis, (count, _) in pairs},
            **{f"stride{axis}": stride for axis, (_, stride) in pairs},
        }

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Strided:
        cls.check_arrays(values, arrays)
        sizes = tuple(values[f"size{axis}"] for axis in range(AXES))
        strides = tuple(values[f"stride{axis}"] for axis in range(AXES))
        return cls(values["in_features"], sizes, strides, values["offset"])

    @property
    def read(self) -> NDArray[np.int64]:
        """The number of the feature of x that each feature of y is."""
        at = np.array([self.offset])
        for count, stride in zip(self.sizes, self.strides, strict=True):
            at = (at[:, None] + np.arange(count) * stride).reshape(-1)
        return at

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        return Ran((x[..., self.read],))


def Slice(features: int, start: int, stop: int, step: int = 1) -> Strided:  # noqa: N802
    """Features ``start``, ``start + step``, ... below ``stop`` of ``features``: see
    :class:`Strided`.

    >>> import rnn_native as rn
    >>> rn.Slice(8, 2, 8, 3).read
    array([2, 5])
    """
    for name, value in (("features", features), ("start", start), ("stop", stop), ("step", step)):
        size(f"Slice {name}", value, 0)
    if not 0 <= start < stop <= features or step < 1:
        raise OptionError(
            f"Slice: expected 0 <= start < stop <= features={features} and step from 1 on, "
            f"got {start}, {stop} and {step}"
        )
    return Strided(features, ((stop - start - 1) // step + 1,), (step,), start)


def Transpose(rows: int, columns: int) -> Strided:  # noqa: N802
    """Features [rows, columns] become [columns, rows]: see :class:`Strided`."""
    return Strided(rows * columns, (columns, rows), (1, columns))


def Repeat(features: int, times: int, each: bool = False) -> Strided:  # noqa: N802
    """All features ``times`` times, one behind the other; or ``each`` of them: see
    :class:`Strided`."""
    if each:
        return Strided(features, (features, times), (1, 0))
    return Strided(features, (times, features), (0, 1))
