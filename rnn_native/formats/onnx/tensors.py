"""Tensors of an ONNX file: their numbers, in the file itself or in files beside it.

Nothing is taken from a tensor before its shape, its element type and the number of its bytes are
seen to agree, and no more memory is used than the file gives reason for (``Budget``).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from ..bfloat16 import widened
from ..outside import resolve
from ..reading import Watch, read_exactly

Anything = NDArray[Any]

_ELEMENTS: Final = (
    "UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL",
    "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN",
    "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1", "FLOAT8E8M0",
    "UINT2", "INT2",
)  # fmt: skip
"""ONNX's element types by their code."""

_BITS: Final[Mapping[str, int]] = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "BOOL": 8,
    "INT4": 4, "UINT4": 4, "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16,
    "INT32": 32, "UINT32": 32, "INT64": 64, "UINT64": 64,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8,
}  # fmt: skip
"""Of one element, for every element type that is read."""


class Budget:
    """How many bytes may still be made of what a file says, and how much be calculated for that.

    A few bytes can ask for more than any memory holds, by a shape or by using one weight a
    thousand times; weights in their own type, widened or put together out of pieces, take a small
    multiple of what the file has. Likewise for ``steps``, of about a nanosecond: two square
    matrices of float32 are multiplied in ``STEPS`` a byte up to a size of 2048.
    """

    FREE: Final = 2**24
    FACTOR: Final = 16
    FREE_STEPS: Final = 2**28
    STEPS: Final = 2**8

    def __init__(self, size: int, steps: float | None = None) -> None:
        self.left = self.FREE + self.FACTOR * size
        self.steps: float = self.FREE_STEPS + self.STEPS * size if steps is None else steps

    def grow(self, size: int) -> None:
        """For ``size`` more bytes that were found beside the file."""
        self.left += self.FACTOR * size
        self.steps += self.STEPS * size

    def work(self, where: str, steps: int) -> None:
        """Takes the steps of what is about to be calculated, with a ``FormatError`` if there are
        too few left."""
        if steps > self.steps:
            raise FormatError(
                f"{where}: asks for {steps} steps of calculation, where {self.steps:.0f} are left "
                "of what a file of this size may ask for"
            )
        self.steps -= steps

    def check(self, where: str, size: int) -> None:
        """Refuses what is about to be made, with a ``FormatError``, if it is too large."""
        if size > self.left:
            raise FormatError(
                f"{where}: asks for {size} bytes, where {self.left} are left of what a file of "
                "this size may ask for"
            )

    def take(self, where: str, size: int) -> None:
        self.check(where, size)
        self.left -= size


class Contents:
    """What the tensors of one file are read with: the folder of the files beside it, a budget.

    ``folder`` is None for a model that came without a file, and so without files beside it.
    """

    runner: str = "rnn_native.onnx_backend"
    instead: str = (
        "a file that keeps RNN, GRU and LSTM is read, as torch.onnx.export(..., dynamo=False) "
        "writes it; so is the .pt or .keras file itself"
    )
    """What runs a graph that is no model of ours."""
    extends: bool = False
    """Whether an LSTM may have what ONNX's has not: ``cell_clip``, and a projection [directions,
    projected, units] as its ninth input."""

    def __init__(self, folder: str | None, size: int) -> None:
        self.budget = Budget(size)
        self._folder = folder
        self._regions: dict[str, list[tuple[int, int]]] = {}  # (begin, end) by file, sorted
        self._watches: dict[str, Watch] = {}  # by file
        self._outside: dict[tuple[str, int, int, str], Anything] = {}  # by region and element type

    def array(self, where: str, tensor: Any) -> Anything:
        """A tensor as an array; bfloat16, which NumPy has not, as float32."""
        from onnx import TensorProto, numpy_helper

        element = element_name(tensor.data_type)
        dims = tuple(tensor.dims)
        if element not in _BITS:
            known = tensor.data_type in TensorProto.DataType.values()
            error = UnsupportedError if known else FormatError
            raise error(f"{where}: not a tensor of numbers: its element type is {element}")
        if min(dims, default=0) < 0:
            raise FormatError(f"{where}: not a tensor: its shape is {dims}")
        size = -(-prod(dims) * _BITS[element] // 8)
        if tensor.data_location == TensorProto.EXTERNAL:
            return self._array_outside(where, tensor, size).reshape(dims)
        if tensor.HasField("raw_data") and len(tensor.raw_data) != size:
            raise FormatError(
                f"{where}: not a tensor: {element} of shape {dims} takes {size} bytes, "
                f"there are {len(tensor.raw_data)}"
            )
        try:
            array: Anything = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise FormatError(f"{where}: not a tensor: {error}") from error
        if element == "BFLOAT16" and array.dtype != np.float32:
            return widened(array.view(np.uint16))
        return array

    def _array_outside(self, where: str, tensor: Any, size: int) -> Anything:
        """The numbers in a row of a tensor that lies in another file, where it takes ``size``
        bytes; tensors of one type in the same place share them."""
        from onnx import TensorProto

        location, path, begin = self._place(where, tensor, size)
        element = element_name(tensor.data_type)
        key = (path, begin, begin + size, element)
        if key not in self._outside:
            data = self._bytes(where, location, path, begin, size)
            row = TensorProto(data_type=tensor.data_type, dims=[prod(tensor.dims)], raw_data=data)
            array = self.array(where, row)
            self.budget.take(where, array.nbytes)
            self._outside[key] = array
        return self._outside[key]

    def _place(self, where: str, tensor: Any, size: int) -> tuple[str, str, int]:
        """The file of a tensor that lies outside, as the tensor names it and as it is, and where
        in it that begins; no part of it is part of another tensor."""
        entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
        location = entries.get("location", "")
        begin = _number(where, "offset", entries.get("offset", "0"))
        length = _number(where, "length", entries.get("length", str(size)))
        if length != size:
            raise FormatError(
                f"{where}: kept outside the file: {tuple(tensor.dims)} takes {size} bytes, "
                f"length says {length}"
            )
        path = self._resolve(where, location)
        end = begin + size
        regions = self._regions.setdefault(path, [])
        index = bisect_left(regions, (begin, end))
        for other_begin, other_end in regions[max(0, index - 1) : index + 1]:
            same = (other_begin, other_end) == (begin, end)
            if not same and max(begin, other_begin) < min(end, other_end):
                raise FormatError(
                    f"{where}: kept outside the file: bytes {begin} to {end} of {location!r} "
                    f"overlap {other_begin} to {other_end}, which are another tensor"
                )
        return location, path, begin

    def _bytes(self, where: str, location: str, path: str, begin: int, size: int) -> bytes:
        """``size`` bytes of a file, which are a tensor from here on."""
        end = begin + size
        try:
            with open(path, "rb") as file:
                watch = self._watches.setdefault(path, Watch(file))  # since its first tensor
                available = os.fstat(file.fileno()).st_size
                if end > available:
                    raise FormatError(f"ends at byte {end} of {location!r}, which has {available}")
                data = read_exactly(file, begin, size)
                watch.check(file)
        except OSError as error:
            raise FormatError(f"{where}: kept outside the file: {location!r}: {error}") from error
        except FormatError as error:
            raise FormatError(
                f"{where}: kept outside the file, in {location!r}: {error}"
            ) from error
        regions = self._regions[path]
        index = bisect_left(regions, (begin, end))
        if size and regions[index : index + 1] != [(begin, end)]:
            regions.insert(index, (begin, end))
            self.budget.grow(size)
        return data

    def _resolve(self, where: str, location: str) -> str:
        """The file that a location names, which has to be an ordinary one in the folder."""
        if self._folder is None:
            raise FormatError(
                f"{where}: kept outside the file, in {location!r:.200}: a model that comes "
                "without a file has to have its tensors loaded"
            )
        try:
            return resolve(self._folder, location)
        except FormatError as error:
            raise FormatError(f"{where}: kept outside the file: {error}") from error


class Constants(Mapping[str, Anything]):
    """The initializers by name, converted when they are asked for, and kept while they are used."""

    def __init__(self, initializers: Any, contents: Contents) -> None:
        self._initializers = initializers
        self._tensors = {text(tensor.name): i for i, tensor in enumerate(initializers)}
        self._contents = contents
        self._arrays: WeakValueDictionary[str, Anything] = WeakValueDictionary()

    def __getitem__(self, name: str) -> Anything:
        array = self._arrays.get(name)
        if array is None:
            tensor = self._initializers[self._tensors[name]]
            array = self._contents.array(f"initializer {name!r}", tensor)
            self._arrays[name] = array
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def text(value: str | bytes) -> str:
    """A string of the file, which protobuf gives as bytes where it is no UTF-8."""
    if isinstance(value, bytes):
        raise FormatError(f"not an ONNX model: {value!r:.100} is no text")
    return value


def element_name(code: int) -> str:
    """``FLOAT`` for 1 and so on."""
    return _ELEMENTS[code] if 0 <= code < len(_ELEMENTS) else f"element type {code}"


def element_code(name: str) -> int:
    """1 for ``FLOAT`` and so on; 0 for what is none."""
    return _ELEMENTS.index(name) if name in _ELEMENTS else 0


def element_of(array: Anything) -> str:
    """The element type of an array as ONNX calls it."""
    names = {"f4": "FLOAT", "f8": "DOUBLE", "f2": "FLOAT16", "i4": "INT32", "i8": "INT64"}
    return names.get(array.dtype.str[1:], array.dtype.name)


def _number(where: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise FormatError(
            f"{where}: kept outside the file: {key}: expected a number of bytes, got {text!r:.200}"
        )
    return int(text)
