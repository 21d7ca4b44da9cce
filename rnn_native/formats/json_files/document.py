"""A JSON file of somebody's: parsed within bounds, and its lists of numbers as arrays.

Every value that is used is checked for its type first. Numbers are finite; an array is float32
where all of its numbers are such, and float64 otherwise.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import numpy as np

from ...errors import FormatError, UnsupportedError
from ...spec import Array
from ..files import replacing
from ..names import some
from ..reading import read_bytes
from ..stored import Stored, gathered

MAX_BYTES: Final = 2**26
"""Of a file: parsed, it takes some twenty times as many."""
Path = str | os.PathLike[str]
Shape = tuple[int | None, ...]


def open_document(path: Path) -> Document:
    """Raises ``FormatError`` for what is no JSON object, is too large or too deep, or says a key
    twice."""
    data = read_bytes(path)
    if len(data) > MAX_BYTES:
        raise FormatError(f"{len(data)} bytes of JSON; at most {MAX_BYTES} are read")
    try:
        value = json.loads(data, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"no JSON that could be read: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise FormatError(f"expected a JSON object, got {short(value)}")
    return Document(value, "", path)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise FormatError(f"{keys.most_common(1)[0][0][:80]!r} is there twice in one object")
    return value


def _refuse(text: str) -> NoReturn:
    raise FormatError(f"expected finite numbers, got {text}")


class Document(Mapping[str, Any]):
    """An object in a file; ``where`` is what messages call it, "" of the whole one, ``path`` the
    file's."""

    def __init__(self, values: dict[str, Any], where: str, path: Path) -> None:
        self._values, self.where, self.path = values, where, path

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def at(self, key: str) -> str:
        """What messages call the value of a key."""
        return f"{self.where}: {key}" if self.where else key

    def wrong(self, key: str, expected: str) -> FormatError:
        got = short(self[key]) if key in self else "no such key"
        return FormatError(f"{self.at(key)}: expected {expected}, got {got}")

    def inner(self, key: str) -> Document:
        return self.of(self.get(key), key)

    def of(self, value: Any, key: str) -> Document:
        """An object inside of this one."""
        if not isinstance(value, dict):
            raise FormatError(f"{self.at(key)}: expected an object, got {short(value)}")
        return Document(value, self.at(key), self.path)

    def list(self, key: str) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, "a list")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def natural(self, key: str, least: int = 1, default: int | None = None) -> int:
        """A whole number; the last one of a list, as Keras writes sizes of windows."""
        value = self.get(key, default)
        if isinstance(value, list) and value:
            value = value[-1]
        if type(value) is not int or not least <= value < 2**31:
            raise self.wrong(key, f"a whole number from {least}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.get(key, default)
        if type(value) not in (int, float) or not abs(value) < 1e300:
            raise self.wrong(key, "a number")
        return float(value)

    def array(self, key: str, *shape: int | None) -> Array:
        if key not in self:
            raise FormatError(f"{self.at(key)} is missing; there are {some(list(self))}")
        return array_of(self[key], self.at(key), shape)

    def unsupported(self, message: str) -> UnsupportedError:
        return UnsupportedError(f"{self.where}: {message}" if self.where else message)


def array_of(value: object, where: str, shape: Sequence[int | None] | None = None) -> Array:
    """An array of nested lists of numbers; None in ``shape`` is any size but 0."""
    try:
        with np.errstate(over="ignore"):
            array = np.array(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise FormatError(f"{where}: expected lists of equal lengths: {error}") from error
    if array.dtype.kind not in "fiu" and array.size:
        raise FormatError(f"{where}: expected lists of numbers, got {short(value)}")
    if shape is not None and (
        array.ndim != len(shape)
        or any(n != (size or n) or n == 0 for n, size in zip(array.shape, shape, strict=True))
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise FormatError(f"{where}: expected shape ({wanted}), got {array.shape}")
    return as_stored(array, where)


def as_stored(array: np.ndarray[Any, Any], where: str) -> Array:
    """As float32 where that is exact, else as float64."""
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    exact = bool((narrow == array).all())
    made: Array = narrow if exact else array.astype(np.float64)
    if not np.isfinite(made).all():
        raise FormatError(f"{where}: expected finite numbers")
    return made


def stored_lists(lists: Mapping[str, Any], what: str) -> dict[str, Stored]:
    """Lists of numbers by name as arrays; a warning says which of them are of something else."""

    def stored(name: str) -> Stored:
        try:
            return array_of(lists[name], f"{what} {name[:200]!r}")
        except FormatError as error:
            raise UnsupportedError(str(error)) from error

    return gathered(lists, stored)


def short(value: object) -> str:
    """A value in a message."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {some(list(value), 3)}"[:80]
    return repr(value)[:80]


def told(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """What an object says of the model in texts and numbers, for whoever asks a file: objects in it
    by dots, without lists."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and prefix.count(".") < 2:
            found |= told(value, f"{prefix}{key}.")
        elif isinstance(value, (str, int, float)):
            found[f"{prefix}{key}"] = str(value)
    return found


def write_document(value: Mapping[str, Any], path: Path) -> None:
    """Write a file; atomically. ``UnsupportedError`` for numbers that JSON does not have."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise UnsupportedError("JSON has no NaN and no infinity, and a weight is one") from error
    with replacing(path) as file:
        file.write(text.encode())
