"""Tensors that a module calculates before it runs, of others that a ``state_dict`` has.

==================  ===============================================================================
weight norm         ``X_g``, ``X_v``, or ``parametrizations.X.original0`` and ``original1``
spectral norm       ``X_orig``, ``X_u``, ``X_v``, or ``parametrizations.X.original``, ``.0._u``,
                    ``.0._v``
pruning             ``X_orig``, ``X_mask``
weight drop         ``X_raw``, which is ``X`` itself where nothing is dropped; an ``X`` beside it,
                    or in the ``module`` that is wrapped, is left over from training
Equinox's cells     ``bias``, and of a GRUCell ``bias_n``, beside ``weight_ih`` and ``weight_hh``
Flax's cells        see ``flax``
==================  ===============================================================================

X is an array of a recurrent module, or any module's ``weight`` or ``bias``. All of what belongs to
one has to be there, and nothing else: what is not understood keeps its names, and the module that
it is in is refused (``strangers``). Numbers are those of float64, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ..spec import Array
from . import flax
from . import reparametrized as ways
from .array_names import ARRAY, LONGEST, modules_of
from .recipe import Found, Recipe

_SUFFIXES: Final[Mapping[frozenset[str], tuple[str, tuple[str, ...], Callable[..., Array]]]] = {
    frozenset(parts): (what, parts, calculate)
    for what, parts, calculate in (
        ("pruning", ("_orig", "_mask"), ways.pruned),
        ("weight norm", ("_g", "_v"), ways.weight_normed),
        ("spectral norm", ("_orig", "_u", "_v"), ways.spectral_normed),
        ("weight norm", (".original0", ".original1"), ways.weight_normed),
        ("spectral norm", (".original", ".0._u", ".0._v"), ways.spectral_normed),
    )
}
"""What stands behind the name of a tensor in those that it is calculated of."""

_WITHIN: Final = "parametrizations."
_DROPPED: Final = "_raw"


class Calculated(Mapping[str, Array]):
    """The tensors of a file by name, those that are calculated in the place of their parts.

    ``said`` are options of modules that the file itself says, by their prefixes. ``notes`` tell of
    each calculated tensor that was asked for what it was made of.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self.said: Mapping[str, Mapping[str, Any]] = getattr(tensors, "said", {})
        self.notes: dict[str, str] = {}
        self._tensors = tensors
        self._slashed = flax.dotted(tensors)
        self._recipes: dict[str, Recipe] = {}
        self._made: dict[str, Array] = {}
        dots = {name: dotted for dotted, name in self._slashed.items()}
        names = dict.fromkeys(dots.get(name, name) for name in tensors)
        for find in (
            _suffixed,
            _suffixed,
            _dropped,
            _equinox,
            flax.cells,
        ):  # what is pruned may be a part
            found = [
                (name, recipe)
                for name, recipe in find(names)
                if name not in names or name in recipe.leaves
            ]
            gone = {part for _, recipe in found for part in (*recipe.parts, *recipe.leaves)}
            self._recipes |= found
            names = dict.fromkeys((*(name for name in names if name not in gone), *dict(found)))
        self._names = names

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        return self._get(name)

    def _get(self, name: str) -> Array:
        recipe = self._recipes.get(name)
        if recipe is None:
            return self._tensors[self._slashed.get(name, name)]
        if name not in self._made:
            parts = [self._get(part) for part in (*recipe.parts, *recipe.beside)]
            self._made[name] = recipe.calculate(f"tensor {name!r:.200}", *parts)
            self.notes[name] = f"{recipe.what} of {', '.join(recipe.parts)}"
        return self._made[name]

    def sources(self, names: Iterable[str]) -> list[str]:
        """What the file has of these: in the place of one that is calculated, its parts."""
        found: dict[str, None] = {}
        waiting = list(names)[::-1]
        while waiting:
            name = waiting.pop()
            recipe = self._recipes.get(name)
            if recipe is None or name in recipe.parts:
                found[self._slashed.get(name, name)] = None
            else:
                waiting += recipe.parts[::-1]
        return list(found)

    def told(self) -> dict[str, str]:
        """The notes, and those of the tensors themselves, as strings of a file are."""
        notes = {**getattr(self._tensors, "notes", {}), **self.notes}
        return {f"calculated {name}": text for name, text in notes.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def prefixes(tensors: Mapping[str, Array]) -> list[dict[str, str]]:
    """The recurrent modules that there are of tensors, as options that choose one."""
    return [{"prefix": prefix} for prefix in modules_of(Calculated(tensors))]


def _suffixed(names: Mapping[str, None]) -> Found:
    """What is calculated of several with a word behind its name each, all of those there are."""
    groups: dict[str, dict[str, str]] = {}  # by what they are of: words -> names
    for name in names:
        stem, word = _split(name)
        if word:
            groups.setdefault(stem, {})[word] = name
    found = []
    for stem, group in groups.items():
        known = _SUFFIXES.get(frozenset(group))
        if known is not None and stem not in names and _is_target(stem):
            what, words, calculate = known
            found.append((stem, Recipe(what, tuple(group[word] for word in words), calculate)))
    return found


def _split(name: str) -> tuple[str, str]:
    """What a part is of, and the word behind it; no word where it is none."""
    before, within, behind = name.rpartition(_WITHIN)
    if within and (not before or before.endswith(".")):
        own, dot, rest = behind.partition(".")
        return f"{before}{own}", f"{dot}{rest}"
    stem, line, word = name.rpartition("_")
    return (stem, f"_{word}") if f"{line}{word}" in _WORDS else (name, "")


_WORDS: Final = {word for words in _SUFFIXES for word in words if word.startswith("_")}


def _is_target(name: str) -> bool:
    own = name.rpartition(".")[2].removesuffix("_g").removesuffix("_v")
    return own in ("weight", "bias") or _is_array(own)


def _is_array(name: str) -> bool:
    return ARRAY.fullmatch(name, max(0, len(name) - LONGEST)) is not None


def _dropped(names: Mapping[str, None]) -> Found:
    """The raw weights of a weight drop, in the module itself or in a ``module`` that it wraps."""
    found = []
    wrapped = {name[: name.rindex(".") + 1] for name in names if "." in name and _is_array(name)}
    for name in names:
        stem = name.removesuffix(_DROPPED)
        if stem == name or not _is_array(stem):
            continue
        before, dot, own = stem.rpartition(".")
        within = f"{before}{dot}module."
        target = f"{within}{own}" if within in wrapped else stem
        found.append((target, Recipe("weight drop", (name,), ways.as_it_is, leaves=(target,))))
    return found


def _equinox(names: Mapping[str, None]) -> Found:
    """The biases of PyTorch's cells, of those that Equinox's have."""
    found = []
    for name in names:
        before = name.removesuffix("weight_hh")
        ih, bias, more = (f"{before}{own}" for own in ("weight_ih", "bias", "bias_n"))
        taken = f"{before}bias_ih" in names or f"{before}bias_hh" in names
        if before == name or ih not in names or bias not in names or taken:
            continue
        if more in names:
            first = Recipe("Equinox's GRUCell", (bias,), ways.as_it_is)
            second = Recipe(first.what, (more,), ways.of_new_gate)
        else:
            first = Recipe("Equinox's LSTMCell", (bias,), ways.of_lstm, beside=(name,))
            second = Recipe(first.what, (bias,), ways.zeros)
        found += [(f"{before}bias_ih", first), (f"{before}bias_hh", second)]
    return found
