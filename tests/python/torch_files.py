"""Files as ``torch.save`` writes them, made by hand: pickles, opcode by opcode, in both containers.

A pickle is described by Python's own values and, for what stands in them, ``Name`` (what it asks
for), ``Call`` (of a function with arguments), ``Made`` (an object), ``Storage`` and ``Raw``
(opcodes as they are).
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
KINDS = {
    "float64": "DoubleStorage", "float32": "FloatStorage", "float16": "HalfStorage",
    "int64": "LongStorage", "int32": "IntStorage", "uint8": "ByteStorage", "bool": "BoolStorage",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """``module.attribute``: the opcode GLOBAL."""

    module: str
    attribute: str


@dataclass(frozen=True)
class Call:
    """A function, or anything else, and its arguments: the opcode REDUCE."""

    function: Any
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Made:
    """An object of a class, made without arguments, and its state: NEWOBJ and BUILD."""

    of: Name
    state: Any


@dataclass(frozen=True)
class Raw:
    opcodes: bytes


@dataclass(eq=False)
class Storage:
    """The bytes under a key, and what a pickle says of them."""

    key: str
    data: bytes
    kind: str = "FloatStorage"
    numel: int = 0
    module: str = "torch"
    view: tuple[str, int, int] | None = None

    @classmethod
    def of(cls, key: str, array: NDArray[Any], kind: str | None = None) -> Storage:
        return cls(key, array.tobytes(), kind or KINDS[array.dtype.name], array.size)


ORDERED = Name("collections", "OrderedDict")


def tensor(
    storage: Storage, shape: Sequence[int], stride: Sequence[int], offset: int = 0, *more: Any
) -> Call:
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    return Call(
        rebuild, (storage, offset, tuple(shape), tuple(stride), False, Call(ORDERED), *more)
    )


def whole(key: str, array: NDArray[Any], kind: str | None = None) -> Call:
    """A tensor of all that is under a key."""
    stride = [step // array.itemsize for step in np.empty(array.shape, array.dtype).strides]
    return tensor(Storage.of(key, np.ascontiguousarray(array), kind), array.shape, stride)


def state_dict(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Call]:
    return {name: whole(str(key), array) for key, (name, array) in enumerate(arrays.items())}


class Pickle:
    """The bytes of a value, and the storages in it."""

    def __init__(self, value: Any, legacy: bool = False) -> None:
        self.storages: dict[str, Storage] = {}
        self._legacy = legacy
        self.data = b"\x80\x02" + self._opcodes(value) + b"."

    def _opcodes(self, value: Any) -> bytes:
        if isinstance(value, Raw):
            return value.opcodes
        if isinstance(value, Name):
            return f"c{value.module}\n{value.attribute}\n".encode()
        if isinstance(value, Call):
            return self._opcodes(value.function) + self._opcodes(value.args) + b"R"
        if isinstance(value, Made):
            return self._opcodes(value.of) + b")\x81" + self._opcodes(value.state) + b"b"
        if isinstance(value, Storage):
            self.storages.setdefault(value.key, value)
            parts = ("storage", Name(value.module, value.kind), value.key, "cpu", value.numel)
            return self._opcodes(parts + ((value.view,) if self._legacy else ())) + b"Q"
        if isinstance(value, dict):
            items = b"".join(map(self._opcodes, (part for item in value.items() for part in item)))
            return b"}(" + items + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(map(self._opcodes, value)) + b"e"
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self._opcodes, value)) + b"t"
        if isinstance(value, str):
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        if isinstance(value, float):
            return b"G" + struct.pack(">d", value)
        if value is None or isinstance(value, bool):
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        assert isinstance(value, int)
        size = value.bit_length() // 8 + 1
        return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def zip_file(value: Any, records: Mapping[str, bytes] | None = None, **options: Any) -> bytes:
    """The archive; ``records`` are more of them, or others in their place."""
    pickled = Pickle(value)
    contents = {"data.pkl": pickled.data, "byteorder": b"little", "version": b"3\n"}
    contents |= {f"data/{key}": storage.data for key, storage in pickled.storages.items()}
    return archive(
        {f"archive/{k}": v for k, v in (contents | dict(records or {})).items()}, options
    )


def archive(contents: Mapping[str, bytes], options: Mapping[str, Any] | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **(options or {})) as whole:
        for name, data in contents.items():
            whole.writestr(zipfile.ZipInfo(name), data, (options or {}).get("compression"))
    return file.getvalue()


def legacy_file(value: Any, facts: Any = None, keys: Any = None) -> bytes:
    """The old container."""
    pickled = Pickle(value, legacy=True)
    storages = pickled.storages
    keys = sorted(storages) if keys is None else keys
    parts = [MAGIC, VERSION, {"protocol_version": VERSION, "little_endian": True} | (facts or {})]
    data = [*(Pickle(part).data for part in parts), pickled.data, Pickle(keys).data]
    for key in keys:
        if key in storages:
            data += [struct.pack("<q", storages[key].numel), storages[key].data]
    return b"".join(data)


CONTAINERS = {"zip": zip_file, "legacy": legacy_file}
