"""Modules in a ``state_dict``: each found by its name, and of which class its arrays are.

A ``state_dict`` does not say of what class a module is; names and shapes of its arrays do:

==============  ==================================================================================
Embedding       ``weight`` [indices, features] alone, where it is first
RNN, GRU, LSTM  ``weight_ih_l0`` and so on, as ``formats.plain`` reads them; cells without ``_l0``
Linear          ``weight`` [out, in], with ``bias`` [out] or without
Conv1d, Conv2d  ``weight`` [out, in / groups, kernel ...], with ``bias`` [out] or without
BatchNorm       ``running_mean``, ``running_var`` [features], with ``weight``, ``bias`` or without
PReLU           ``weight`` [features], or [1], alone
==============  ==================================================================================

Of others the chain says the class.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from ...errors import OptionError, UnsupportedError
from ...spec import Array, Recurrent
from .. import plain
from ..array_names import modules_of
from ..names import similar, some
from ..strangers import check_deeper
from .classes import STATISTICS

_LISTED: Final = 50  # modules to choose from
_COUNTS: Final = "num_batches_tracked"  # of a BatchNorm in training
_CONVOLUTIONS: Final = {3: "Conv1d", 4: "Conv2d"}


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
        self._recurrent = modules_of(tensors)
        self._arrays: dict[str, dict[str, str]] = {}  # of each module: its own names -> the file's
        for name in tensors:
            module, _, own = name.rpartition(".")
            self._arrays.setdefault(module, {})[own] = name

    def find(self, name: str) -> tuple[str, Recurrent | None, dict[str, str]]:
        """The module of this name: what messages call it, the layer that it is where it is
        recurrent, and the names of its arrays, its own and the file's.

        Raises ``OptionError`` where there is none, or several, ``FormatError`` for arrays of a
        recurrent one that contradict each other, ``UnsupportedError`` for one that holds more.
        """
        for key in (f"{self._start}{name}", f"{self._start}{name}."):
            if key in self._recurrent:
                return key, self._recurrent_layer(key), {}
        key = f"{self._start}{name}"
        if key not in self._arrays:
            key = self._inside(name, f"{key}.")
            if f"{key}." in self._recurrent:
                return key, self._recurrent_layer(f"{key}."), {}
        names = self._arrays[key]
        check_deeper(key, [n for module in self._modules_in(key) for n in module.values()])
        return key, None, {own: n for own, n in names.items() if own != _COUNTS}

    def arrays(self, names: Mapping[str, str]) -> dict[str, Array]:
        return {own: self._tensors[name] for own, name in names.items()}

    def check_used(self) -> None:
        """``OptionError`` for an option that no recurrent module so far has."""
        for name in sorted(self._unused):
            raise OptionError(f"{name}={self._given[name]!r}: no module of the chain has it")

    def _modules_in(self, key: str) -> list[dict[str, str]]:
        return [names for name, names in self._arrays.items() if name.startswith(f"{key}.")]

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


def class_of(where: str, arrays: Mapping[str, Array], is_table: bool) -> str:
    """Of which class these arrays are; ``UnsupportedError`` where they are of none that is known.
    ``is_table``: a matrix alone is an Embedding's."""
    weight, bias = arrays.get("weight"), arrays.get("bias")
    is_norm = set(STATISTICS) <= arrays.keys()
    if arrays.keys() <= {"weight", "bias", *(STATISTICS if is_norm else ())}:
        if is_norm:
            return "BatchNorm1d"
        if weight is not None and weight.ndim == 2:
            return "Embedding" if bias is None and is_table else "Linear"
        if weight is not None and weight.ndim in _CONVOLUTIONS:
            return _CONVOLUTIONS[weight.ndim]
        if weight is not None and weight.ndim == 1 and bias is None:
            return "PReLU"
    told = [f"{own} {array.shape}" for own, array in arrays.items()]
    raise UnsupportedError(
        f"{where}: {some(told)}: these arrays do not say of which class they are"
        + _guess(arrays, weight)
    )


def _guess(names: Container[str], weight: Array | None) -> str:
    """What the arrays of a module may be, and what can be done; or nothing."""
    if weight is not None and weight.ndim == 1 and "bias" in names:
        return "; a norm's, as it seems: 'name:LayerNorm(eps=1e-05)' says which"
    if "low_hz_" in names:
        return "; ParamSincFB's, as it seems: 'name:ParamSincFB(stride=10)' says it"
    return ""
