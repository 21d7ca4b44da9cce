"""The storages that a pickle refers to, and the tensors that are views of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ...spec import Array
from ..bfloat16 import widened
from .foreign import Foreign, refused
from .values import Storage, StorageType, Tensor, describe, is_natural

_FLOATS: Final = {"float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2"}
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

    float16 and bfloat16 are widened to float32; a tensor of any other dtype raises
    ``FormatError`` when it is asked for, so that one that is not needed does no harm.

    ``named`` has what is foreign as well, in the place of a tensor. ``fetch`` gives the bytes under
    a storage's key; ``size`` is that of the file, a small multiple of which is all that the tensors
    asked for may take.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor | Foreign],
        fetch: Callable[[str], memoryview],
        byteorder: str,
        size: int,
    ) -> None:
        self.named = named
        self._fetch = fetch
        self._byteorder = byteorder
        self._left = _TIMES * size + _SLACK
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            self._made[name] = self._array(f"tensor {name!r:.200}", self.named[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)

    def _array(self, where: str, tensor: Tensor | Foreign) -> Array:
        if isinstance(tensor, Foreign):
            raise refused(where, tensor)
        dtype = tensor.dtype
        if dtype.name not in _FLOATS:
            raise FormatError(f"{where}: expected {', '.join(_FLOATS)}; got dtype {dtype.name}")
        if not tensor.plain:
            raise FormatError(f"{where}: is a view that conjugates or negates")
        if 0 in tensor.shape:
            raise FormatError(f"{where}: has no elements: shape {tensor.shape}")
        self._left -= math.prod(tensor.shape) * dtype.itemsize
        if self._left < 0:
            raise FormatError(f"{where}: the tensors so far take more than {_TIMES} times the file")
        step = dtype.itemsize
        raw: NDArray[Any] = np.ndarray(
            tensor.shape,
            np.dtype(self._byteorder + _FLOATS[dtype.name]),
            self._fetch(tensor.storage.key),
            tensor.storage.begin + tensor.offset * step,
            tuple(stride * step for stride in tensor.stride),
        )
        raw.flags.writeable = False
        if dtype.name == "bfloat16":
            return widened(raw)
        return raw.astype(np.float32) if dtype.name == "float16" else raw
