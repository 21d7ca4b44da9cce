"""The storages that a pickle refers to, and the tensors that are views of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from ...spec import Array
from ..bfloat16 import widened
from ..stored import FLOAT8, Stored, empty, in_float32
from .foreign import Foreign, Unread, refused
from .values import QUANTIZED, Quantizer, Storage, StorageType, Tensor, describe, is_natural

_FLOATS: Final = {"float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2"}
_QUANTIZED: Final = dict(zip(QUANTIZED, ("i1", "u1", "i4"), strict=True))
_STORED: Final = {
    **_FLOATS, **_QUANTIZED, **dict.fromkeys(FLOAT8, "u1"),
    "bool": "b1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "complex64": "c8", "complex128": "c16",
}  # fmt: skip
_ZEROS: Final = {"int64": "i8", "int32": "i4"}
_TIMES: Final = 8
"""So often may tensors use the bytes of their file, as tied weights do."""
_SLACK: Final = 2**20


class Storages:
    """What a pickle claims of its storages: ``roots``, by their keys."""

    def __init__(self) -> None:
        self.roots: dict[str, Storage] = {}

    def persistent(self, value: Any) -> Storage | Foreign:
        """The storage of a persistent id: ``("storage", type, key, location, numel)``, in the old
        format with a sixth part, None or the ``(key, offset, size)`` of a view; there also the
        class of a module, ``("module", class, file, source)``."""
        if type(value) is tuple and len(value) == 4 and type(value[0]) is str:
            kind, of, _, _ = value
            if kind == "module" and type(of) is Foreign:
                return of
        if type(value) is not tuple or len(value) not in (5, 6):
            raise FormatError(f"persistent id: expected that of a storage, got {describe(value)}")
        kind, of, key, _, numel, view = value if len(value) == 6 else (*value, None)
        if type(kind) is not str or kind != "storage" or type(of) is not StorageType:
            came = describe(of if type(of) is Foreign else kind)
            raise FormatError(f"persistent id: expected that of a storage, got {came}")
        if type(key) is not str or not is_natural(numel):
            raise FormatError(f"storage {describe(key)}: {describe(numel)} elements")
        root = Storage(key, of.dtype, 0, numel)
        known = self.roots.setdefault(key, root)
        if known.nbytes != root.nbytes:
            raise FormatError(
                f"storage {describe(key)}: once {known.nbytes} bytes, once {root.nbytes}"
            )
        return root if view is None else _view(root, view)


def _view(root: Storage, view: Any) -> Storage:
    where = f"storage {describe(root.key)}: view"
    if type(view) is not tuple or len(view) != 3 or not all(map(is_natural, view[1:])):
        raise FormatError(f"{where}: expected a key, an offset and a size")
    _, offset, size = view
    if offset + size > root.numel:
        raise FormatError(f"{where}: {size} elements from {offset} of {root.numel}")
    return Storage(root.key, root.dtype, offset * root.dtype.itemsize, size)


class Tensors(Mapping[str, Array]):
    """Tensors by name: float32 or float64 views of the file's bytes where possible.

    float16 and bfloat16 are widened to float32, and what is quantized is what it stands for in
    float32; a tensor of any other dtype raises ``UnsupportedError`` when it is asked for, so that
    one that is not needed does no harm.

    ``named`` has what is foreign as well, in the place of a tensor. ``fetch`` gives the bytes under
    a storage's key; ``size`` is that of the file, a small multiple of which is all that the tensors
    asked for may take. ``said`` are options of modules by their prefixes, ``notes`` tell of tensors
    that were asked for and are not as they stand in the file.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor | Foreign | Unread],
        fetch: Callable[[str], memoryview],
        byteorder: str,
        size: int,
        said: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.named = named
        self.said = said or {}
        self.notes: dict[str, str] = {}
        self._fetch = fetch
        self._byteorder = byteorder
        self._left = _TIMES * size + _SLACK
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            tensor = self.named[name]
            self._made[name] = self._array(f"tensor {name!r:.200}", tensor)
            if isinstance(tensor, Tensor) and tensor.quantizer is not None:
                self.notes[name] = f"what its {tensor.dtype.name} stands for, as float32"
        return self._made[name]

    def stored(self, name: str) -> Stored:
        """A tensor in its own type, quantized ones as their integers; ``UnsupportedError`` for one
        that NumPy has no numbers for."""
        where, tensor = f"tensor {name!r:.200}", self.named[name]
        if not isinstance(tensor, Tensor):
            raise refused(where, tensor)
        return self.numbers(where, tensor)

    def numbers(self, where: str, tensor: Tensor) -> Stored:
        """As :meth:`stored` of one that has a name."""
        raw = self._numbers(where, tensor, _STORED)
        if tensor.dtype.name == "bfloat16" or tensor.dtype.name in FLOAT8:
            return in_float32(tensor.dtype.name, raw)
        return raw

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)

    def _array(self, where: str, tensor: Tensor | Foreign | Unread) -> Array:
        if not isinstance(tensor, Tensor):
            raise refused(where, tensor)
        if 0 in tensor.shape:
            raise FormatError(f"{where}: has no elements: shape {tensor.shape}")
        if tensor.quantizer is not None:
            return self._dequantized(where, tensor, tensor.quantizer)
        raw = self._numbers(where, tensor, _FLOATS)
        if tensor.dtype.name == "bfloat16":
            return widened(raw)
        return raw.astype(np.float32) if tensor.dtype.name == "float16" else raw

    def _numbers(self, where: str, tensor: Tensor, types: Mapping[str, str]) -> NDArray[Any]:
        """A view of the file's bytes, of one of these types."""
        dtype = tensor.dtype
        if dtype.name not in types:
            raise UnsupportedError(f"{where}: expected {', '.join(types)}; got dtype {dtype.name}")
        if not tensor.plain:
            raise UnsupportedError(f"{where}: is a view that conjugates or negates")
        self._left -= math.prod(tensor.shape) * dtype.itemsize
        if self._left < 0:
            raise FormatError(f"{where}: the tensors so far take more than {_TIMES} times the file")
        if 0 in tensor.shape:
            return empty(where, tensor.shape, types[dtype.name])
        step = dtype.itemsize
        raw: NDArray[Any] = np.ndarray(
            tensor.shape,
            np.dtype(self._byteorder + types[dtype.name]),
            self._fetch(tensor.storage.key),
            tensor.storage.begin + tensor.offset * step,
            tuple(stride * step for stride in tensor.stride),
        )
        raw.flags.writeable = False
        return raw

    def _dequantized(self, where: str, tensor: Tensor, by: Quantizer) -> Array:
        """``(q - zero) * scale`` with a scale of float32, as PyTorch has it."""
        q = self._numbers(where, tensor, _QUANTIZED)
        self._left -= q.size * (4 - q.itemsize)  # of what is made of it
        if isinstance(by.scale, Tensor) and isinstance(by.zero, Tensor):
            axis = by.axis or 0
            wanted = (tensor.shape[axis],)
            if by.scale.shape != wanted or by.zero.shape != wanted:
                raise FormatError(
                    f"{where}: scales {by.scale.shape} and zeros {by.zero.shape} of {wanted[0]} "
                    "channels"
                )
            shape = [-1 if index == axis else 1 for index in range(q.ndim)]
            scale = self._numbers(where, by.scale, _FLOATS).reshape(shape)
            zero = self._numbers(where, by.zero, _ZEROS).reshape(shape)
        else:
            scale, zero = np.asarray(by.scale), np.asarray(by.zero)
        with np.errstate(all="ignore"):
            exact = (q.astype(np.float64) - zero) * scale.astype(np.float32)
            rounded: Array = exact.astype(np.float32)
        return rounded
