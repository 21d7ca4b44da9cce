"""Modules in a ``state_dict``: each found by its name, and made the layer that its arrays are.

A ``state_dict`` does not say of what class a module is; names and shapes of its arrays do:

==============  ==================================================================================
Embedding       ``weight`` [indices, features] alone, where it is first
RNN, GRU, LSTM  ``weight_ih_l0`` and so on, as ``formats.plain`` reads them; cells without ``_l0``
Linear          ``weight`` [out, in], with ``bias`` [out] or without
BatchNorm       ``running_mean``, ``running_var`` [features], with ``weight``, ``bias`` or without
PReLU           ``weight`` [features], or [1], alone
==============  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import FormatError, OptionError, RnnError, UnsupportedError
from ..spec import Array, Embedding, Layer, Linear, PReLU, Recurrent, Scale
from . import plain
from .names import similar, some

EPSILON: Final = 1e-5
"""A BatchNorm's in PyTorch, unless it was given another: a ``state_dict`` does not have it."""

_LISTED: Final = 50  # modules to choose from
_UNDERSTOOD: Final = "those of Embedding, RNN, GRU, LSTM, their cells, Linear, BatchNorm and PReLU"
_STATISTICS: Final = ("running_mean", "running_var")
_COUNTS: Final = "num_batches_tracked"  # of a BatchNorm in training


@dataclass(frozen=True)
class Place:
    """Where a module stands in a chain, which says more of what it is."""

    is_first: bool = False
    features: int | None = None  # that come, where something is before it
    linear: bool = False  # a weight alone is a Linear's
    epsilon: float = EPSILON


class Modules:
    """The modules whose names begin with ``prefix``, with or without its last dot.

    ``given``: options of ``plain.from_state_dict`` that are of all recurrent modules, each of those
    that have it.
    """

    def __init__(self, tensors: Mapping[str, Array], prefix: str, given: Mapping[str, Any]) -> None:
        self._tensors = tensors
        self._start = prefix if prefix.endswith(".") or not prefix else f"{prefix}."
        self._given = {name: value for name, value in given.items() if value is not None}
        self._unused = set(self._given) - {"cell"}
        self._recurrent = plain.modules_of(tensors)
        self._arrays: dict[str, dict[str, str]] = {}  # of each module: its own names -> the file's
        for name in tensors:
            module, _, own = name.rpartition(".")
            self._arrays.setdefault(module, {})[own] = name

    def layer(self, name: str, place: Place) -> Layer:
        """The layer that the module of this name is.

        Raises ``OptionError`` where there is none, or several, ``UnsupportedError`` for arrays that
        are not understood, ``FormatError`` for those that contradict each other.
        """
        for key in (f"{self._start}{name}", f"{self._start}{name}."):
            if key in self._recurrent:
                return self._recurrent_layer(key)
        key = f"{self._start}{name}"
        if key not in self._arrays:
            key = self._inside(name, f"{key}.")
            if f"{key}." in self._recurrent:
                return self._recurrent_layer(f"{key}.")
        try:
            return self._plain_layer(key, place)
        except (FormatError, UnsupportedError):
            raise
        except RnnError as error:
            raise FormatError(f"module {key!r}: {error}") from error

    def check_used(self) -> None:
        """``OptionError`` for an option that no recurrent module so far has."""
        for name in sorted(self._unused):
            raise OptionError(f"{name}={self._given[name]!r}: no module of the chain has it")

    def _inside(self, name: str, within: str) -> str:
        """The only module that another holds; ``OptionError`` where there is no such one."""
        known = [module.removeprefix(self._start) for module in self._names()]
        inside = [module for module in self._arrays if module.startswith(within)]
        if len(inside) == 1:
            return inside[0]
        if inside:
            held = [module.removeprefix(self._start) for module in inside]
            raise OptionError(
                f"chain: {name!r} holds several modules, {some(list(map(repr, held)), _LISTED)}: "
                "name each that is run"
            )
        deeper = [module for module in known if module.endswith(f".{name}")]
        near = deeper[:3] or similar(name, known)
        hint = f"; is {' or '.join(map(repr, near))} meant?" if near else ""
        if deeper:
            above = deeper[0].removesuffix(f".{name}")
            hint += f" prefix={self._start + above!r} says what all names begin with"
        where = f" in {self._start!r}" if self._start else ""
        raise OptionError(
            f"chain: there is no module {name!r}{where}{hint}; there are "
            f"{some(list(map(repr, known)), _LISTED)}"
        )

    def _names(self) -> list[str]:
        """All modules; of the recurrent ones also those whose arrays' names go on without a dot."""
        odd = [key for key in self._recurrent if key and not key.endswith(".")]
        theirs = {name for key in odd for name in self._recurrent[key].values()}
        dotted = [key for key, names in self._arrays.items() if not theirs >= set(names.values())]
        return [key for key in (*dotted, *odd) if key.startswith(self._start)]

    def _recurrent_layer(self, key: str) -> Recurrent:
        names = self._recurrent[key]
        layer, used = plain.recurrent_of(self._tensors, key, names, self._given, strict=False)
        self._unused -= used
        return layer

    def _plain_layer(self, key: str, place: Place) -> Layer:
        names = {own: name for own, name in self._arrays[key].items() if own != _COUNTS}
        is_norm = set(_STATISTICS) <= names.keys()
        known = {"weight", "bias", *(_STATISTICS if is_norm else ())}
        arrays = {own: self._tensors[name] for own, name in names.items() if own in known}
        weight, bias = arrays.get("weight"), arrays.get("bias")
        if arrays.keys() == names.keys():
            if is_norm:
                return _batch_norm(arrays, place.epsilon)
            if weight is not None and weight.ndim == 2:
                is_table = bias is None and place.is_first and not place.linear
                return Embedding(weight) if is_table else Linear(weight, bias)
            if weight is not None and weight.ndim == 1 and bias is None:
                return _prelu(weight, place.features)
        told = [f"{own} {arrays[own].shape}" if own in arrays else own for own in names]
        raise UnsupportedError(
            f"module {key!r}: {some(told)}: these arrays are not {_UNDERSTOOD}"
            + _guess(names, weight)
        )


def _batch_norm(arrays: Mapping[str, Array], epsilon: float) -> Scale:
    mean, variance = (arrays[name] for name in _STATISTICS)
    if mean.ndim != 1 or any(array.shape != mean.shape for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise FormatError(f"a BatchNorm: expected vectors of equal size, got {shapes}")
    gamma = arrays.get("weight", np.ones_like(mean))
    beta = arrays.get("bias", np.zeros_like(mean))
    return Scale.normalizing(mean, variance, gamma, beta, epsilon)


def _prelu(slope: Array, features: int | None) -> PReLU:
    return PReLU(np.repeat(slope, features) if slope.size == 1 and features else slope)


def _guess(names: Mapping[str, str], weight: Array | None) -> str:
    """What the arrays of a module may be, and what can be done; or nothing."""
    if any(name in ("weight_g", "weight_v", "original0", "original1") for name in names):
        return (
            "; with a weight norm, as it seems: torch.nn.utils.remove_weight_norm or "
            "parametrize.remove_parametrizations, then save again"
        )
    if weight is not None and weight.ndim > 2:
        return "; a convolution's, as it seems"
    if weight is not None and weight.ndim == 1 and "bias" in names:
        return "; a LayerNorm's or GroupNorm's, as it seems"
    return ""
