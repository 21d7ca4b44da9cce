"""Flax's cells, by the names of their parameters in a flat tree: ``LSTMCell_0/hf/bias``.

==========================  =======================================================================
GRUCell                     ``ir``, ``iz``, ``in`` and ``hr``, ``hz``, ``hn``, each with a kernel
                            and a bias or none; NNX: ``dense_i``, ``dense_h``, of all gates
LSTMCell, OptimizedLSTM...  ``ii``, ``if``, ``ig``, ``io`` and ``hi``, ``hf``, ``hg``, ``ho``; NNX:
                            ``if_``, or ``dense_i``, ``dense_h``
SimpleCell                  ``i`` and ``h``; NNX: ``dense_i``, ``dense_h``
==========================  =======================================================================

A kernel is [in, out]. Gates come in PyTorch's order, and the reset gate is behind the product.
Around such cells a ``kernel`` [in, out] is a Dense's, and an ``embedding`` an Embed's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from ..errors import FormatError
from ..spec import Array
from .recipe import Found, Recipe

_GATES: Final[Mapping[frozenset[str], tuple[str, tuple[str, ...]]]] = {
    frozenset(side + gate for side in "ih" for gate in gates): (what, gates)
    for what, gates in (
        ("GRUCell", ("r", "z", "n")),
        ("LSTMCell", ("i", "f", "g", "o")),
        ("LSTMCell", ("i", "f_", "g", "o")),
        ("SimpleCell", ("",)),
    )
} | {
    frozenset({"ii", "if_", "ig", "io", "hi", "hf", "hg", "ho"}): (
        "LSTMCell",
        ("i", "f", "g", "o"),
    ),
    frozenset({"dense_i", "dense_h"}): ("cell", ("dense",)),
}
"""The parts of a cell: which it is, and its gates."""


def dotted(names: Iterable[str]) -> dict[str, str]:
    """Names with dots -> those of the file, where these have slashes and cells of Flax's among
    them; nothing in other files."""
    slashed = [name for name in names if "/" in name]
    if not slashed or not any(_part(name.replace("/", ".")) for name in slashed):
        return {}
    renamed = {name.replace("/", "."): name for name in slashed}
    if len(renamed) != len(slashed):
        raise FormatError("names with dots and with slashes that are the same")
    return renamed


def cells(names: Mapping[str, None]) -> Found:
    """Arrays under PyTorch's names, of those of cells and of what stands around them."""
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        if name.endswith((".kernel", ".bias")) and (part := _part(name)):
            groups.setdefault(part[0], {})[part[1]] = name
    found: Found = []
    for before, group in groups.items():
        parts = frozenset(own.partition(".")[0] for own in group)
        known = _GATES.get(parts)
        if known is not None and all(f"{part}.kernel" in group for part in parts):
            found += _arrays(before, group, *known)
    taken = {part for _, recipe in found for part in recipe.parts}
    return found + (_around(name for name in names if name not in taken) if found else [])


def _part(name: str) -> tuple[str, str] | None:
    """The prefix of a cell, and the part's own name, ``hf.kernel``; None where it is none."""
    before, _, kind = name.rpartition(".")
    outer, dot, part = before.rpartition(".")
    if kind not in ("kernel", "bias") or not any(part in parts for parts in _GATES):
        return None
    return f"{outer}{dot}", f"{part}.{kind}"


def _arrays(before: str, group: Mapping[str, str], what: str, gates: tuple[str, ...]) -> Found:
    has_bias = any(own.endswith(".bias") for own in group)
    found: Found = []
    for side in "ih":
        owns = [_own(group, side, gate) for gate in gates]
        kernels = tuple(group[f"{own}.kernel"] for own in owns)
        found.append((f"{before}weight_{side}h", Recipe(f"Flax's {what}", kernels, _weight)))
        if has_bias:
            biases = tuple(group[f"{own}.bias"] for own in owns if f"{own}.bias" in group)
            where = tuple(f"{own}.bias" in group for own in owns)
            made = Recipe(f"Flax's {what}", biases, _Bias(where), beside=kernels)
            found.append((f"{before}bias_{side}h", made))
    return found


def _own(group: Mapping[str, str], side: str, gate: str) -> str:
    if gate == "dense":
        return f"dense_{side}"
    return f"{side}{gate}_" if f"{side}{gate}_.kernel" in group else f"{side}{gate}"


def _weight(where: str, *kernels: Array) -> Array:
    if any(kernel.ndim != 2 for kernel in kernels):
        raise FormatError(f"{where}: expected kernels [in, out], got {kernels[0].shape}")
    return _joined(where, [kernel.T for kernel in kernels])


class _Bias:
    """Of all gates, zeros for those that have none; ``there`` says which have one."""

    def __init__(self, there: tuple[bool, ...]) -> None:
        self._there = there

    def __call__(self, where: str, *arrays: Array) -> Array:
        count = sum(self._there)
        biases, kernels = iter(arrays[:count]), arrays[count:]
        return _joined(
            where,
            [
                next(biases) if there else np.zeros(kernel.shape[-1:], kernel.dtype)
                for there, kernel in zip(self._there, kernels, strict=True)
            ],
        )


def _joined(where: str, arrays: list[Array]) -> Array:
    if any(array.shape != arrays[0].shape for array in arrays):
        raise FormatError(f"{where}: gates of shapes {', '.join(str(a.shape) for a in arrays)}")
    return np.concatenate(arrays)


def _around(names: Iterable[str]) -> Found:
    found: Found = []
    for name in names:
        before, _, own = name.rpartition(".")
        if own == "kernel":
            found.append((f"{before}.weight", Recipe("Flax's kernel", (name,), _turned)))
        elif own == "embedding":
            found.append((f"{before}.weight", Recipe("Flax's embedding", (name,), _same)))
    return found


def _turned(where: str, kernel: Array) -> Array:
    if kernel.ndim != 2:
        raise FormatError(f"{where}: expected the kernel [in, out] of a Dense, got {kernel.shape}")
    return kernel.T


def _same(where: str, array: Array) -> Array:
    return array
