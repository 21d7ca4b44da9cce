"""What a module holds beside the arrays of a cell: then it is another kind of cell.

A name that begins as those of the module do is inside it, at any depth: ``layernorm_h.weight`` as
well as ``scale``. What these arrays do is not in the file, and without them the result would be
wrong, so that a module with a stranger is refused, chosen or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ..errors import FormatError, UnsupportedError
from .array_names import ARRAY, LONGEST
from .names import SHOWN, similar, some

_COMPARED: Final = 200  # names, and none as long as LONGEST, among which to look for a likeness
_PLAIN: Final = ("weight", "bias")  # of any module
_ADVICE: Final[Mapping[str, str]] = {
    r"parametrizations\.|_[gv]\Z": "a parametrization that is not known here: "
    "torch.nn.utils.parametrize.remove_parametrizations, or remove_weight_norm, and then "
    "state_dict(), gives plain weights",
    r"_(u|v|orig|sigma|bar)\Z": "pruning or a spectral norm, but not with the arrays of one: "
    "torch.nn.utils.prune.remove, or remove_spectral_norm, and then state_dict(), gives plain "
    "weights",
    r"_mask\Z": "pruning, but without what is pruned: torch.nn.utils.prune.remove, and then "
    "state_dict(), gives plain weights",
}
"""What such names are of, and what helps."""
_UNKNOWN: Final = "what they do is in no file, and without them the result would be another"


class Strangers:
    """What a file has inside the module of this prefix beside the arrays of the cell.

    ``others`` are the prefixes of other recurrent modules: where no dot ends the prefix, as in
    ``enc_weight_ih_l0``, what is theirs is not inside.
    """

    def __init__(self, prefix: str, tensors: Iterable[str], own: Iterable[str]) -> None:
        self._prefix = prefix
        taken = set(own)
        self._rest = [name for name in tensors if name not in taken]
        self._inside = [name for name in self._rest if name.startswith(prefix)]
        if prefix and not prefix.endswith("."):
            self._inside = [name for name in self._inside if not _is_array(name)]

    def check(self) -> None:
        """``UnsupportedError`` where there are some."""
        if not self._inside:
            return
        advice = _advice(self._inside) or _UNKNOWN
        root = "" if self._prefix else (
            "; names with a prefix, 'lstm.weight_ih_l0', say what is a module of its own"
        )  # fmt: skip
        raise UnsupportedError(
            f"module {self._prefix!r}: unexpected {some(self._inside)}: a cell with more arrays "
            f"than those of RNN, GRU and LSTM ({advice}){root}"
        )

    def missing(self, names: Sequence[str], found: Sequence[str]) -> FormatError | UnsupportedError:
        """The error where these arrays of the cell are missing, and others were found."""
        text = f"module {self._prefix!r}: missing {some(names)}; found {some(found)}"
        if advice := _advice(self._inside):
            return UnsupportedError(f"{text}; {some(self._inside)} are of {advice}")
        return FormatError(text + hint(names, self._rest))


def check_deeper(module: str, names: Sequence[str]) -> None:
    """``UnsupportedError`` where a module that is no cell has these in modules inside it."""
    if names:
        raise UnsupportedError(
            f"module {module!r}: unexpected {some(names)}: a module with arrays of its own that "
            f"holds other modules ({_advice(names) or _UNKNOWN})"
        )


def hint(missing: Sequence[str], found: Sequence[str]) -> str:
    """``; is 'lstm.w_hh' meant to be weight_hh_l0?`` for names much alike, of which each says by
    its letters which array it is, and is none of something else: no ``weight_hh_l0_orig``."""
    own = {full.rpartition(".")[2]: full for full in reversed(found[:_COMPARED])}
    likely = {
        name: full
        for name, full in own.items()
        if len(name) < LONGEST and name not in _PLAIN and not _says_more(name)
    }
    for name in missing[:SHOWN]:
        letters = name.split("_")[1]
        near = similar(name, [other for other in likely if letters in other], 1)
        if near:
            return f"; is {likely[near[0]]!r} meant to be {name}?"
    return ""


def _says_more(name: str) -> bool:
    """Whether it is an array's name, or one with a word behind it."""
    match = ARRAY.match(name)
    return (
        match is not None
        and re.fullmatch(r"|_[A-Za-z].*", name[match.end() :], re.DOTALL) is not None
    )


def _is_array(name: str) -> bool:
    return ARRAY.fullmatch(name, max(0, len(name) - LONGEST)) is not None


def _advice(names: Sequence[str]) -> str:
    for pattern, advice in _ADVICE.items():
        if any(re.search(pattern, name[-LONGEST:]) for name in names):
            return advice
    return ""
