"""Gradient clipping: long products of derivatives may explode, one step must not undo the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_array
from .checks import above_zero


def clip_grad_norm(gradients: Mapping[str, NDArray[Any]], max_norm: float) -> float:
    """Scale all gradients together, in place, so that their norm is at most ``max_norm``.

    g <- g max_norm / ||g||   where ||g|| > max_norm   (Pascanu et al. 2013, algorithm 1)

    ||g|| is the Euclidean norm over all arrays, summed in float64; it is returned, as it was
    before. Where it is not finite nothing is changed: such a step is for the caller to skip.
    """
    max_norm = above_zero("max_norm", max_norm)
    norm = grad_norm(gradients)
    if np.isfinite(norm) and norm > max_norm:
        for gradient in gradients.values():
            gradient *= gradient.dtype.type(max_norm / norm)
    return norm


def grad_norm(gradients: Mapping[str, NDArray[Any]]) -> float:
    """The Euclidean norm over all arrays, summed in float64."""
    total = 0.0
    for name, given in gradients.items():
        gradient = as_array(f"gradients[{name!r}]", given)
        # Not by a dot product: a BLAS may sum in another order with other threads.
        total += float(np.sum(np.square(gradient, dtype=np.float64)))
    return float(np.sqrt(total))
