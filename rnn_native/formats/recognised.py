"""Which format a file is of, by its content: for one whose suffix says nothing.

Only what is certain counts: words that a format begins with, or a whole structure that checks out.
Nothing is made of a file here but lists of names.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..errors import RnnError

_HEAD: Final = 512  # bytes in front that are looked at first
_SMALL: Final = 2**26  # of a file that is read as a whole to tell
_LONGEST_HEADER: Final = 100_000_000
_RNNOISE: Final = b"rnnoise-nu model file version "
_LEGACY: Final = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
_TAGS: Final = {
    0x08: "number", 0x28: "number",  # ir_version, model_version
    0x12: "bytes", 0x1A: "bytes", 0x22: "bytes", 0x32: "bytes",  # who made it, domain, text
    0x3A: "bytes", 0x42: "bytes", 0x72: "bytes",  # graph, opset_import, metadata_props
    0xA2: "bytes", 0xCA: "bytes", 0xD2: "bytes",  # training_info, functions, configuration
}  # fmt: skip
"""The first byte of the key of each field of ONNX's ModelProto, and what follows."""
_GRAPH: Final = 0x3A


def recognised(path: str | os.PathLike[str]) -> str | None:
    """The name of the format, as ``formats.FORMATS`` has it; None where nothing says it for sure.
    ``OSError`` as Python raises it."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        for name, begins in _BEGINNINGS.items():
            if begins(head):
                return name
        if head.startswith(b"PK"):
            return _zip(path)
        if _is_safetensors(head, size):
            return "safetensors"
        if size > _SMALL:
            return None
        data = head + file.read()
    return next((name for name, is_one in _WHOLE.items() if is_one(data)), None)


_BEGINNINGS: Final[Mapping[str, Callable[[bytes], bool]]] = MappingProxyType(
    {
        "keras": lambda head: head.startswith(b"\x89HDF\r\n\x1a\n"),
        "tflite": lambda head: head[4:8] == b"TFL3",
        "rnnoise": lambda head: head.startswith(_RNNOISE),
        "torch": lambda head: head.startswith(b"\x80") and _LEGACY in head[:32],
    }
)


def _zip(path: str | os.PathLike[str]) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        return None
    if any(name.count("/") == 1 and name.endswith("/data.pkl") for name in names):
        return "torch"
    if "config.json" in names and "model.weights.h5" in names:
        return "keras"
    return "npz" if names and all(name.endswith(".npy") for name in names) else None


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and 2 <= length <= min(size - 8, _LONGEST_HEADER)


def _is_pickle(data: bytes) -> bool:
    """Of protocol 2 or newer, as NumPy's arrays are pickled."""
    return data[:1] == b"\x80" and data[1:2] in (b"\2", b"\3", b"\4", b"\5") and data[-1:] == b"."


def _is_onnx(data: bytes) -> bool:
    """Whether the fields of a message fill the file, each of ONNX's, with a version in front."""
    if data[:1] != b"\x08":
        return False
    at, has_graph = 0, False
    while at < len(data):
        tag = data[at]
        kind = _TAGS.get(tag)
        at += 2 if tag >= 0x80 else 1
        if kind is None:
            return False
        value, at = _number(data, at)
        has_graph = has_graph or tag == _GRAPH
        at += value if kind == "bytes" else 0
    return has_graph and at == len(data)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends: behind the data, where it does not."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    return value, len(data) + 1


def _is_json(data: bytes) -> bool:
    if data.lstrip()[:1] != b"{":
        return False
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _is_tree(data: bytes) -> bool:
    """Flax's, of arrays."""
    if not (0x81 <= data[0] <= 0x8F or data[0] in (0xDE, 0xDF)):
        return False
    from . import msgpack

    try:
        return bool(msgpack.arrays(data))
    except RnnError:
        return False


_WHOLE: Final[Mapping[str, Callable[[bytes], bool]]] = MappingProxyType(
    {
        "pickle": _is_pickle,
        "onnx": _is_onnx,
        "json": _is_json,
        "flax": lambda data: bool(data) and _is_tree(data),
    }
)
