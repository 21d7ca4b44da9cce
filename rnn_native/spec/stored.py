"""A model with its weights as a ``weight_dtype`` stores them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import OptionError, UnsupportedError
from .graph import ModelSpec
from .layer import Layer
from .rounding import bfloat16_weight, float16_weight, int8_weight

_ROUNDED: Final[Mapping[str, Callable[[NDArray[Any]], NDArray[np.float32]]]] = MappingProxyType(
    {"float16": float16_weight, "bfloat16": bfloat16_weight, "int8": int8_weight}
)

STORED: Final = tuple(_ROUNDED)
"""The types that weights can be stored as beside what is computed in."""


def weight_dtype_of(weight_dtype: DTypeLike | None) -> str | None:
    """A name of ``STORED``, or None; ``OptionError`` for anything else."""
    if weight_dtype is None:
        return None
    try:
        known = isinstance(weight_dtype, str) and weight_dtype in STORED
        name = str(weight_dtype) if known else np.dtype(weight_dtype).name
    except TypeError:
        name = ""
    if name not in STORED:
        raise OptionError(
            f"weight_dtype: expected None (weights in dtype) or {' or '.join(STORED)}; "
            f"got {weight_dtype!r}"
        )
    return name


def stored(spec: ModelSpec, weight_dtype: DTypeLike | None) -> ModelSpec:
    """The model whose matrices, tables of Embeddings too, are what a Model of this ``weight_dtype``
    stores, as ``model.spec`` gives them; layers of ``spec.keep`` have theirs as they are.

    Parameters
    ----------
    spec
        The model.
    weight_dtype
        ``"float16"``, ``"bfloat16"``, ``"int8"`` (integers with a scale for each row of a matrix),
        or None: as they are.

    Returns
    -------
    ModelSpec
        The same layers; those matrices float32 of the same shapes.

    Raises
    ------
    OptionError
        Another ``weight_dtype``.
    UnsupportedError
        A weight that the type has not: a finite one past its largest, of int8 one that is not
        finite.

    Example
    -------
    >>> import numpy as np, rnn_native as rn
    >>> spec = rn.ModelSpec((rn.Linear(np.array([[127.0, 0.4, -2.5], [1.0, 1.0, 0.0]])),))
    >>> rn.reference.stored(spec, "int8").layers[0].weight.tolist()
    [[127.0, 0.0, -2.0], [1.0, 1.0, 0.0]]
    """
    name = weight_dtype_of(weight_dtype)
    if name is None:
        return spec
    return spec.having(
        {node: stored_layer(node, spec.nodes[node].layer, name) for node in spec.reducible}
    )


def stored_layer(node: str, layer: Layer, weight_dtype: str) -> Layer:
    """The layer with its matrices rounded; ``node`` names it in messages."""
    arrays = dict(layer.arrays)
    for name in layer.packed():
        arrays[name] = _stored(f"{node}.{name}", arrays[name], weight_dtype)
    return layer.make(arrays, layer.options)


def _stored(where: str, array: NDArray[Any], weight_dtype: str) -> NDArray[np.float32]:
    finite = np.isfinite(array)
    with np.errstate(over="ignore"):
        has = np.isfinite(array.astype(np.float32)) if weight_dtype == "int8" else ~finite
        if weight_dtype != "int8" or has.all():
            rounded = _ROUNDED[weight_dtype](array)
            has |= np.isfinite(rounded)
    if has.all():
        return rounded
    raise UnsupportedError(
        f"weight_dtype={weight_dtype!r}: {where} has {float(array[~has][0]):.9g}, "
        f"which {weight_dtype} has not"
    )
