"""Arrays that PyTorch calculates of others before a module runs: in float64, rounded once.

Each function takes the name that messages begin with, and the parts. PyTorch's own equations are
those of torch.nn.utils: weight_norm, spectral_norm, prune, and their parametrizations.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError
from ..spec import Array

_FITS: Final = 0.9  # cosine of what a vector should be and what it is, where shapes do not tell


def as_it_is(where: str, array: Array) -> Array:
    return array


def zeros(where: str, array: Array) -> Array:
    return np.zeros_like(array)


def pruned(where: str, original: Array, mask: Array) -> Array:
    """``original * mask``."""
    if original.shape != mask.shape:
        raise FormatError(f"{where}: a mask of shape {mask.shape} of numbers of {original.shape}")
    return _rounded(_numbers(where, original) * _numbers(where, mask), original)


def weight_normed(where: str, g: Array, v: Array) -> Array:
    """``g * v / |v|``, a length for each index of the axis that g has: of all where it has none."""
    v64, g64 = _numbers(where, v), _numbers(where, g)
    wide = [axis for axis, size in enumerate(g.shape) if size > 1]
    fits = not g.ndim or (g.ndim == v.ndim and all(g.shape[i] == v.shape[i] for i in wide))
    if not fits or len(wide) > 1:
        raise FormatError(
            f"{where}: a weight norm has a length for each index of one axis; got lengths of "
            f"shape {g.shape} for {v.shape}"
        )
    rest = tuple(axis for axis in range(v.ndim) if axis not in wide)
    with np.errstate(all="ignore"):
        length = np.sqrt((v64 * v64).sum(rest, keepdims=True))
        return _rounded(v64 * (g64 / length), v)


def spectral_normed(where: str, original: Array, u: Array, v: Array) -> Array:
    """``W / (u . W v)``, where W is a matrix with the axis in front that u has."""
    w64, u64, v64 = (_numbers(where, array) for array in (original, u, v))
    fits = [
        axis
        for axis, size in enumerate(original.shape)
        if u.shape == (size,) and v.shape == (original.size // max(size, 1),)
    ]
    if not fits:
        raise FormatError(
            f"{where}: a spectral norm has vectors for one axis and for the others; got "
            f"{u.shape} and {v.shape} for {original.shape}"
        )
    with np.errstate(all="ignore"):
        images = {axis: _matrix(w64, axis) @ v64 for axis in fits}
        axis = fits[0] if len(fits) == 1 else _axis(where, u64, images)
        return _rounded(w64 / (u64 @ images[axis]), original)


def _matrix(array: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def _axis(where: str, u: NDArray[np.float64], images: dict[int, NDArray[np.float64]]) -> int:
    """The axis for which u is the image of v, as the last step of the power method left it."""
    length = np.linalg.norm(u)
    near = {a: float(u @ image / (length * np.linalg.norm(image))) for a, image in images.items()}
    axis = max(near, key=lambda a: near[a] if math.isfinite(near[a]) else -math.inf)
    if not near[axis] > _FITS:
        raise UnsupportedError(
            f"{where}: of which axis its spectral norm is shows neither in shapes nor in numbers: "
            "torch.nn.utils.remove_spectral_norm, or parametrize.remove_parametrizations, and then "
            "state_dict(), gives plain weights"
        )
    return axis


def of_new_gate(where: str, bias_n: Array) -> Array:
    """The bias of a GRU's recurrent product: zeros, and that of the new gate."""
    if bias_n.ndim != 1:
        raise FormatError(f"{where}: bias_n: expected a vector, got shape {bias_n.shape}")
    return np.concatenate([np.zeros(2 * len(bias_n), bias_n.dtype), bias_n])


def of_lstm(where: str, bias: Array, weight_hh: Array) -> Array:
    """The one bias of a cell: an LSTM's."""
    if weight_hh.ndim != 2 or bias.shape != (4 * weight_hh.shape[1],):
        raise UnsupportedError(
            f"{where}: a cell with one bias is known as Equinox's LSTMCell, of 4 gates; got a "
            f"bias of shape {bias.shape} beside weight_hh {weight_hh.shape}"
        )
    return bias


def _numbers(where: str, array: Array) -> NDArray[np.float64]:
    kind: Any = array.dtype.kind
    if kind not in "fiub":
        raise FormatError(f"{where}: calculated of numbers; got {array.dtype}")
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        return array.astype(np.float64)


def _rounded(array: NDArray[np.float64], like: Array) -> Array:
    if like.dtype.kind != "f":
        raise FormatError(f"calculated of float32 or float64; got {like.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(like.dtype)
