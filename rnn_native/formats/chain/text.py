"""The texts in ``chain=``: the name of a module and the words behind it, or a class of PyTorch's.

``"fc:relu"``, ``"lstm:h_n"``, ``"conv.0:Conv1d(8, 16, kernel_size=(3,), stride=(2,)):relu"``,
``"MaxPool2d(2)"``: a class is written as PyTorch prints it, and calls nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...activations import CONSTANTS, Activation
from ...errors import OptionError
from ..names import similar

OVER_FEATURES: Final = ("softmax", "log_softmax")
WORDS: Final = (
    "h_n of a recurrent module, linear, eps=NUMBER of a BatchNorm, a class of PyTorch's such as "
    "Conv1d(stride=2), or an activation"
)
_LONGEST: Final = 1000  # characters of a text
_FUNCTION = re.compile(r"(?P<name>[a-z_0-9]+)(\((?P<constants>[^()]*)\))?")
_CLASS = re.compile(r"[A-Z][A-Za-z0-9]*(\(.*\))?", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """``Conv1d(8, 16, stride=2)``: a class of PyTorch's and its arguments."""

    name: str
    args: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


@dataclass
class Item:
    """What a text says. ``module`` is None where it is a class alone."""

    text: str
    module: str | None
    kind: Call | None = None
    options: dict[str, Any] = field(default_factory=dict)  # h_n, linear, eps
    functions: list[Activation | str] = field(default_factory=list)


def read(text: str) -> Item:
    """Raises ``OptionError`` for what is not understood."""
    if len(text) > _LONGEST:
        raise OptionError(f"chain: expected at most {_LONGEST} characters, got {text!r:.60}...")
    first, *words = _split(text, ":")
    if first.endswith(")"):
        item = Item(text, None, _class(text, first))
    else:
        item = Item(text, first.removesuffix("."))
    for word in words:
        _read_word(item, word.strip())
    return item


def split(text: str) -> list[str]:
    """The items of a list that is one text: between its commas, but for those in parentheses."""
    return _split(text, ",")


def _split(text: str, at: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == at and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _read_word(item: Item, word: str) -> None:
    if word in ("h_n", "linear"):
        item.options[word] = True
    elif word.startswith("eps="):
        item.options["eps"] = _number(item.text, word.removeprefix("eps="))
    elif _CLASS.fullmatch(word):
        if item.kind or item.options or item.functions:
            raise OptionError(f"chain: {item.text!r}: {word} stands directly behind the name, once")
        item.kind = _class(item.text, word)
    else:
        item.functions.append(_function(item.text, word))


def _class(text: str, word: str) -> Call:
    expected = f"chain: {text!r}: expected a class of PyTorch's such as Conv1d(stride=2)"
    if not _CLASS.fullmatch(word):
        raise OptionError(f"{expected}, or the name of a module; got {word!r}")
    try:
        tree = ast.parse(word.replace("\n", " "), mode="eval").body
        if isinstance(tree, ast.Name):
            return Call(tree.id)
        assert isinstance(tree, ast.Call)
        assert isinstance(tree.func, ast.Name)
        named = tuple((word.arg or "**", _value(word.value)) for word in tree.keywords)
        return Call(tree.func.id, tuple(map(_value, tree.args)), named)
    except (SyntaxError, ValueError, AssertionError, RecursionError, MemoryError) as error:
        raise OptionError(f"{expected}, with numbers and words in it; got {word!r}") from error


def _value(tree: ast.expr) -> Any:
    """A number, a word, True, False, None, or a tuple of such; ``ValueError`` for anything else."""
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, (ast.Tuple, ast.List)):
        return tuple(map(_value, tree.elts))
    value = ast.literal_eval(tree)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError


def _function(text: str, word: str) -> Activation | str:
    if word in OVER_FEATURES:
        return word
    match = _FUNCTION.fullmatch(word)
    if match is None:
        raise OptionError(f"chain: {text!r}: expected {WORDS} behind a colon; got {word!r}")
    texts: Sequence[str] = match["constants"].split(",") if match["constants"] else []
    if len(texts) > 2:
        raise OptionError(f"chain: {text!r}: expected at most 2 constants, got {len(texts)}")
    try:
        return Activation(match["name"], *(_number(text, constant) for constant in texts))
    except OptionError as error:
        near = similar(word, [*CONSTANTS, *OVER_FEATURES, "h_n", "linear"], 1)
        hint = f"; is {near[0]!r} meant?" if near and match["name"] not in CONSTANTS else ""
        raise OptionError(f"chain: {text!r}: {error}{hint}") from None


def _number(item: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"chain: {item!r}: expected a number, got {text!r}") from None
