"""What the weights of matrices and tables are stored as, and what is multiplied, where that is not
what is computed in.

float16 and bfloat16 are rounded when a model is packed, to the nearest and of two as near to the
even one, as NumPy's ``astype`` does, and widened when they are multiplied or looked up; int8 is of
``spec/integers.py``, and multiplied as integers; with ``compute`` both sides of a product are
rounded (docs/precision.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from .errors import OptionError, UnsupportedError
from .spec import ModelSpec
from .spec.multiplying import Multiplying
from .spec.products import COMPUTES as COMPUTES
from .spec.products import check_compute
from .spec.stored import weight_dtype_of

_LARGEST: Final = dict(_core.weight_types())
"""The largest number of each type, in the order of the core's codes 1, 2, ..."""

WEIGHT_DTYPES: Final = tuple(_LARGEST)
"""The names that ``weight_dtype=`` takes, which are those of ``src/weight_types.h``."""

MOST_INT8_FEATURES: Final = 1 << 17
"""Products of two int8 that an int32 has room for."""


def checked(
    weight_dtype: DTypeLike | None,
    compute: str | None,
    dtype: np.dtype[Any],
    matmul: str,
    spec: ModelSpec,
) -> tuple[str | None, str | None]:
    """Names of ``WEIGHT_DTYPES`` and ``COMPUTES``, or None. ``OptionError`` for anything else;
    ``UnsupportedError`` for what does not go with each other, with this CPU, with the type
    computed in, with who multiplies, or with a weight."""
    names = checked_anywhere(weight_dtype, compute, dtype, matmul, spec)
    if compute is not None and not _core.has_bf16_dot():
        raise UnsupportedError(
            f"compute={compute!r}: expected a CPU, and kernels in use, with AVX512_BF16 or, on "
            f"AArch64, FEAT_BF16; got {_core.isa()} without; weight_dtype={compute!r} runs on any "
            "CPU, products in float32"
        )
    return names


def checked_anywhere(
    weight_dtype: DTypeLike | None,
    compute: str | None,
    dtype: np.dtype[Any],
    matmul: str,
    spec: ModelSpec,
) -> tuple[str | None, str | None]:
    """The same of a model that another CPU runs."""
    name = weight_dtype_of(weight_dtype)
    check_compute(name, compute)
    name = name or compute
    if name is None:
        return None, None
    asked = f"weight_dtype={name!r}" if compute is None else f"compute={compute!r}"
    if dtype != np.float32:
        raise UnsupportedError(
            f"{asked}: expected dtype='float32', in which such weights are "
            f"multiplied; got {dtype.name!r}"
        )
    if matmul == "blas":
        raise UnsupportedError(
            f"{asked}: expected matmul='packed' or 'auto'; a BLAS has no product of "
            "such weights, got 'blas'"
        )
    _check_range(spec, name)
    return name, compute


def check_keep(keep: Sequence[str] | None, weight_dtype: str | None) -> None:
    """``OptionError`` where layers are to keep their matrices, and all do."""
    if keep and weight_dtype is None:
        raise OptionError(
            f"keep={keep!r}: only beside a weight_dtype; without one all layers are in dtype"
        )


def shown(weight_dtype: str | None, compute: str | None, keep: Sequence[str]) -> str:
    """What a Model's repr says of them."""
    if weight_dtype is None:
        return ""
    but = f" but of {' and '.join(keep)}" if keep else ""
    return f", weights in {weight_dtype}{but}" + (f", products in {compute}" if compute else "")


def compute_code(compute: str | None) -> int:
    """The core's code of a name."""
    return 0 if compute is None else 1 + COMPUTES.index(compute)


def code_of(weight_dtype: str | None) -> int:
    """The core's code of a name."""
    return 0 if weight_dtype is None else 1 + WEIGHT_DTYPES.index(weight_dtype)


def _check_int8(where: str, array: NDArray[Any], is_multiplied: bool) -> None:
    if not np.isfinite(array).all():
        raise UnsupportedError(
            f"weight_dtype='int8': {where}: expected finite weights, of which a row has one scale; "
            "got NaN or infinity"
        )
    features = array[0].size if len(array) else 0
    if is_multiplied and features > MOST_INT8_FEATURES:
        raise UnsupportedError(
            f"weight_dtype='int8': {where}: expected rows of at most {MOST_INT8_FEATURES} weights, "
            f"whose sums an int32 has room for; got {features}"
        )


def _check_range(spec: ModelSpec, weight_dtype: str) -> None:
    """``UnsupportedError``, which names the weight, where a finite one would become infinite."""
    for node in spec.reducible:
        layer = spec.nodes[node].layer
        for name in layer.packed():
            array = layer.arrays[name]
            if weight_dtype == "int8":
                _check_int8(f"{node}.{name}", array, isinstance(layer, Multiplying))
                continue
            beyond = np.isfinite(array) & (np.abs(array) > _LARGEST[weight_dtype])
            for value in map(float, array[beyond]):
                if np.isfinite(_core.weight_stored(code_of(weight_dtype), value)):
                    continue  # it rounds to the largest one
                raise UnsupportedError(
                    f"weight_dtype={weight_dtype!r}: {node}.{name} has {value:.9g}; "
                    f"{weight_dtype} ends at {_LARGEST[weight_dtype]:.9g}"
                )
