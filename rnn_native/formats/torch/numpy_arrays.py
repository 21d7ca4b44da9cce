"""NumPy's arrays in a pickle: what it says of each, of which one is made when it is asked for.

NumPy has an array made empty and then gives it a state: (version, shape, dtype, whether it is in
Fortran's order, bytes); or, where protocol 5 keeps bytes apart, ``_frombuffer(bytes, dtype, shape,
order)``. Pickles for Python 2 have the bytes as text of as many characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from ...spec import Array
from ..stored import Stored, empty
from .foreign import Foreign, Unread, refused

_FLOATS: Final = ("f8", "f4", "f2")
_NUMBERS: Final = (
    *_FLOATS, "b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "c8", "c16",
)  # fmt: skip
_ORDERS: Final = {"<": "<", "|": "<", ">": ">"}
_MAX_RANK: Final = 32
_TIMES: Final = 8
"""So often may arrays use the bytes of their file, as one under several names does."""
_SLACK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Bytes:
    """Those of the pickle from ``begin`` to ``end``."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Latin1:
    """Bytes that are written as text; or something else, which has none."""

    text: Any


class NumpyType:
    """A dtype by its code, such as ``"f4"``; its byte order is in its state."""

    __slots__ = ("code", "state")

    def __init__(self, code: str) -> None:
        self.code = code
        self.state: Any = None


class NumpyArray:
    """An array as it is claimed: nothing of its state is looked at before it is asked for."""

    __slots__ = ("state",)

    def __init__(self, state: Any = None) -> None:
        self.state = state


def reconstruct(args: tuple[Any, ...]) -> NumpyArray:
    """``numpy.core.multiarray._reconstruct``: an array whose state comes later."""
    return NumpyArray()


def from_buffer(args: tuple[Any, ...]) -> NumpyArray:
    """``numpy.core.numeric._frombuffer``."""
    if len(args) != 4:
        return NumpyArray()
    buffer, dtype, shape, order = args
    return NumpyArray((1, shape, dtype, type(order) is str and order == "F", buffer))


def numpy_type(args: tuple[Any, ...]) -> NumpyType:
    """``numpy.dtype``."""
    return NumpyType(args[0] if args and type(args[0]) is str else "an unknown one")


def encoded(args: tuple[Any, ...]) -> Latin1:
    """``_codecs.encode``, by which protocol 2 writes bytes."""
    return Latin1(args[0] if args else None)


class NumpyArrays(Mapping[str, Array]):
    """Arrays by name: views of ``data``, the bytes of the pickle, where they lie in these.

    ``named`` has what is foreign as well, in the place of an array. One that is malformed raises
    ``FormatError`` when it is asked for, one that is neither float64, float32 nor float16
    ``UnsupportedError``, so that what is not needed does no harm.
    """

    def __init__(self, named: Mapping[str, NumpyArray | Foreign | Unread], data: bytes) -> None:
        self.named = named
        self._data = data
        self._left = _TIMES * len(data) + _SLACK
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            array = self._array(f"array {name!r:.200}", self.named[name], _FLOATS)
            if not array.size:
                raise FormatError(f"array {name!r:.200}: has no elements: shape {array.shape}")
            self._made[name] = array
        return self._made[name]

    def stored(self, name: str) -> Stored:
        """An array of any type of numbers; ``UnsupportedError`` for what is none."""
        return self._array(f"array {name!r:.200}", self.named[name], _NUMBERS)

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)

    def _array(
        self, where: str, claim: NumpyArray | Foreign | Unread, codes: tuple[str, ...]
    ) -> NDArray[Any]:
        if isinstance(claim, (Foreign, Unread)):
            raise refused(where, claim)
        state = claim.state
        if type(state) is not tuple or len(state) != 5 or type(state[2]) is not NumpyType:
            raise FormatError(f"{where}: not an array as NumPy pickles it")
        _, shape, dtype, is_fortran, claimed = state
        code = dtype.code.lstrip("<>|")
        if code not in codes:
            raise UnsupportedError(
                f"{where}: expected {', '.join(codes)}; got dtype {dtype.code!r:.50}"
            )
        if type(shape) is not tuple or len(shape) > _MAX_RANK or not all(map(_is_size, shape)):
            raise FormatError(f"{where}: expected a shape of at most {_MAX_RANK} sizes")
        full = np.dtype(_order(where, dtype) + code)
        size = math.prod(shape) * full.itemsize
        self._left -= size
        if self._left < 0:
            raise FormatError(f"{where}: the arrays so far take more than {_TIMES} times the file")
        if not size:
            return empty(where, shape, full)
        data, begin, count = self._bytes(where, claimed)
        if count != size:
            raise FormatError(f"{where}: shape {shape} of {full} takes {size} bytes, got {count}")
        array: NDArray[Any] = np.ndarray(
            shape, full, data, begin, order="F" if is_fortran is True else "C"
        )
        array.flags.writeable = False
        return array

    def _bytes(self, where: str, claimed: Any) -> tuple[bytes, int, int]:
        """What holds the bytes of an array, where they begin in it, and how many there are."""
        if type(claimed) is Bytes:
            return self._data, claimed.begin, claimed.end - claimed.begin
        text = claimed.text if type(claimed) is Latin1 else claimed
        if type(text) is not str:
            raise FormatError(f"{where}: expected the bytes of numbers")
        try:
            data = text.encode("latin-1")
        except UnicodeEncodeError:
            raise FormatError(f"{where}: text that is no bytes") from None
        return data, 0, len(data)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _order(where: str, dtype: NumpyType) -> str:
    """``<`` or ``>``: of its state, which comes behind a version, or of its code."""
    state = dtype.state
    order = state[1] if type(state) is tuple and len(state) > 1 else dtype.code[:1]
    if type(order) is str and order in _ORDERS:
        return _ORDERS[order]
    if state is None:
        return "<"
    raise FormatError(f"{where}: a dtype of an unknown byte order")
