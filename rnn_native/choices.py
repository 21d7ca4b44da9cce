"""What a Model is told of types and of who multiplies, checked."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from .errors import OptionError, UnsupportedError

DTYPES: Final = ("float32", "float64")
"""What is computed in, by the core's codes."""
MATMULS: Final = ("auto", "packed", "blas")
"""Who multiplies, by the core's codes."""


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64; ``OptionError`` for anything else."""
    try:
        known = None if dtype is None else np.dtype(dtype)
    except TypeError:
        known = None
    if known is None or known.name not in DTYPES:
        raise OptionError(f"dtype: expected one of {', '.join(DTYPES)}; got {dtype!r}")
    return known


def matmul_code(matmul: str) -> int:
    if matmul not in MATMULS:
        raise OptionError(f"matmul: expected one of {', '.join(MATMULS)}; got {matmul!r}")
    if matmul == "blas" and not find_blas():
        raise UnsupportedError("matmul='blas': this process has no BLAS that could be used")
    return MATMULS.index(matmul)


def as_shared(shared: bool | str | os.PathLike[str]) -> bool | str:
    """True, False or a folder; ``OptionError`` for anything else."""
    if isinstance(shared, (bool, np.bool_)):
        return bool(shared)
    if isinstance(shared, (str, os.PathLike)) and (folder := os.fsdecode(shared)):
        return folder
    raise OptionError(f"shared: expected True, False or a folder, got {shared!r}")


def find_blas() -> str | None:
    """The name of the BLAS in use, found and handed to the core at the first call."""
    from . import blas

    library = blas.find()
    if library is None or not (_core.blas_available() or _core.use_blas(library)):
        return None
    return library.name
