"""What the weights of matrices are stored as, where that is not what is computed in.

Rounded when a model is packed, to the nearest and of two as near to the even one, as NumPy's
``astype`` does; widened when they are multiplied (docs/numerics.md).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from .errors import OptionError, UnsupportedError
from .spec import ModelSpec

_LARGEST: Final = dict(_core.weight_types())
"""The largest number of each type, in the order of the core's codes 1, 2, ..."""

WEIGHT_DTYPES: Final = tuple(_LARGEST)
"""The names that ``weight_dtype=`` takes, which are those of ``src/weight_types.h``."""


def checked(
    weight_dtype: DTypeLike | None, dtype: np.dtype[Any], matmul: str, spec: ModelSpec
) -> str | None:
    """A name of ``WEIGHT_DTYPES``, or None. ``OptionError`` for anything else; ``UnsupportedError``
    for what does not go with the type computed in, with who multiplies, or with a weight."""
    if weight_dtype is None:
        return None
    try:
        known = isinstance(weight_dtype, str) and weight_dtype in WEIGHT_DTYPES
        name = str(weight_dtype) if known else np.dtype(weight_dtype).name
    except TypeError:
        name = ""
    if name not in WEIGHT_DTYPES:
        raise OptionError(
            f"weight_dtype: expected None (weights in dtype) or {' or '.join(WEIGHT_DTYPES)}; "
            f"got {weight_dtype!r}"
        )
    if dtype != np.float32:
        raise UnsupportedError(
            f"weight_dtype={name!r}: expected dtype='float32', in which such weights are "
            f"multiplied; got {dtype.name!r}"
        )
    if matmul == "blas":
        raise UnsupportedError(
            f"weight_dtype={name!r}: expected matmul='packed' or 'auto'; a BLAS has no product of "
            "such weights, got 'blas'"
        )
    _check_range(spec, name)
    return name


def code_of(weight_dtype: str | None) -> int:
    """The core's code of a name."""
    return 0 if weight_dtype is None else 1 + WEIGHT_DTYPES.index(weight_dtype)


def _check_range(spec: ModelSpec, weight_dtype: str) -> None:
    """``UnsupportedError``, which names the weight, where a finite one would become infinite."""
    for node, (layer, _) in spec.nodes.items():
        if not layer.takes_weight_dtype:
            continue
        for name in layer.packed():
            array = layer.arrays[name]
            beyond = np.isfinite(array) & (np.abs(array) > _LARGEST[weight_dtype])
            for value in map(float, array[beyond]):
                if np.isfinite(_core.weight_stored(code_of(weight_dtype), value)):
                    continue  # it rounds to the largest one
                raise UnsupportedError(
                    f"weight_dtype={weight_dtype!r}: {node}.{name} has {value:.9g}; "
                    f"{weight_dtype} ends at {_LARGEST[weight_dtype]:.9g}"
                )
