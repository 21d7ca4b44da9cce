"""safetensors files, with NumPy and json alone.

The container (https://github.com/huggingface/safetensors): 8 bytes, the length of the header as
an unsigned little-endian integer; the header, a JSON object padded with spaces, that gives for
every tensor its dtype, shape and place in the data, and under ``__metadata__`` strings; then the
data, row-major and little-endian, without holes.

What is read is not trusted: nothing is taken from the data before the whole header is checked.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, FormatError, UnsupportedError
from ..spec import Array, ModelSpec
from .bfloat16 import widened
from .calling import WEIGHT_DTYPE
from .files import replacing
from .metadata import PREFIX, from_tensors, read_tensors, to_arrays, to_metadata
from .narrow import has_integers, narrowed
from .reading import read_exactly, reading
from .stored import Stored, empty, gathered, in_float32

Bytes = bytes | bytearray | memoryview
Fetch = Callable[[int, int], Bytes]

MAX_HEADER: Final = 100_000_000
"""Longest header in bytes, that of the format's own library."""

MAX_CORE_HEADER: Final = 1024 * 1024
"""Longest header in bytes that the C core reads (src/file/safetensors.h)."""

ALIGNMENT: Final = 64
"""Written data begin at a multiple of this many bytes: a cache line, a vector register."""

_BITS: Final = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
_FLOATS: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_WRITTEN: Final = {"f8": "F64", "f4": "F32", "f2": "F16", "u2": "BF16", "i1": "I8"}
_PLAIN: Final = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
_WIDENED: Final = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
_MAX_RANK: Final = 32
_MAX_INTEGER: Final = 2**63 - 1


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a file: ours, or one that holds a PyTorch ``state_dict`` (see ``formats.plain``)."""
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and what is under ``__metadata__``, among other strings."""
    with reading(path) as file:
        metadata, tensors = _open(file)
        return read_tensors(metadata, tensors, **options)


def _open(file: BinaryIO) -> tuple[dict[str, str], Tensors]:
    """As of ``unpack``, of a file from which tensors are read when they are asked for."""
    if not file.seekable():
        return unpack(file.read())
    size = file.seek(0, os.SEEK_END)
    length = _header_length(read_exactly(file, 0, min(8, size)), size)
    begin = 8 + length

    def fetch(first: int, last: int) -> bytes:
        return read_exactly(file, begin + first, last - first)

    return _checked(read_exactly(file, 8, length), size - begin, fetch)


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Every tensor, in its own type; BF16 and those of 8 bits as float32."""
    with reading(path) as file:
        tensors = _open(file)[1]
        return gathered(tensors, tensors.stored)


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """What is under ``__metadata__``; no more than the header is read."""
    with reading(path) as file:
        length = _header_length(file.read(8), os.fstat(file.fileno()).st_size)
        return _split(file.read(length))[0]


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file that any reader of safetensors can open; atomically.

    ``strings`` are kept beside those that describe the layers; matrices lie there in the weight
    dtype that these state (``narrow``). ``FormatError`` where they make the header longer than the
    C core reads.
    """
    strings = strings or {}
    arrays = narrowed(to_arrays(spec), spec, strings.get(WEIGHT_DTYPE))
    parts = pack(arrays, {**to_metadata(spec, has_integers(arrays)), **strings})
    if strings and len(parts[0]) > MAX_CORE_HEADER:
        raise FormatError(
            f"the header would be {len(parts[0])} bytes, more than the {MAX_CORE_HEADER} that the "
            f"C core reads, with {sum(map(len, strings.values()))} of {', '.join(strings)}"
        )
    with replacing(path) as file:
        file.writelines(parts)


def loads(data: Bytes, **options: Any) -> ModelSpec:
    """The model in the bytes of a file; options and errors as of ``formats.read``."""
    metadata, tensors = unpack(data)
    return from_tensors(metadata, tensors, **options)


def dumps(spec: ModelSpec) -> bytes:
    """The bytes of a file, equal for equal models."""
    return b"".join(parts(spec))


def parts(spec: ModelSpec) -> list[bytes | memoryview]:
    """The bytes of a file in pieces: all up to the data, and each array where it lies."""
    return pack(to_arrays(spec), to_metadata(spec))


def pack(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> list[bytes | memoryview]:
    """The container in pieces to be written one after another, of tensors of float32, float64,
    float16, int8, and uint16, which are the bits of bfloat16.

    Tensors stand in the order of the format's own library, the larger dtype first and then by
    name, so that each is aligned to its own element; the pieces are views of them.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts: list[bytes | memoryview] = []
    end = 0
    for name in order:
        dtype = _WRITTEN.get(tensors[name].dtype.str[1:])
        if dtype is None:
            raise DTypeError(
                f"tensor {name!r}: expected float32 or float64, or what a weight_dtype makes of "
                f"them; got {tensors[name].dtype}"
            )
        array = np.ascontiguousarray(tensors[name]).reshape(tensors[name].shape)
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        parts.append(little_endian.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise FormatError(f"the header would be {len(text)} bytes, more than {MAX_HEADER}")
    return [struct.pack("<Q", len(text)) + text, *parts]


def unpack(data: Bytes) -> tuple[dict[str, str], Tensors]:
    """The strings under ``__metadata__`` and the tensors of a container, checked.

    Raises ``FormatError``, which names the tensor, unless the header is well formed and the
    tensors fill the data exactly.
    """
    view = memoryview(data).cast("B")
    length = _header_length(view[:8], len(view))
    contents = view[8 + length :]

    def fetch(begin: int, end: int) -> memoryview:
        return contents[begin:end]

    return _checked(bytes(view[8 : 8 + length]), len(contents), fetch)


def _checked(text: bytes, size: int, fetch: Fetch) -> tuple[dict[str, str], Tensors]:
    """As of ``unpack``, of a header and ``size`` bytes of data, which ``fetch`` gives."""
    metadata, header = _split(text)
    entries = {name: _entry(name, info) for name, info in header.items()}
    _check_places(entries, size)
    ours = any(name.startswith(PREFIX) for name in metadata)
    return metadata, Tensors(entries, fetch, integers=ours)


@dataclass(frozen=True)
class Entry:
    """What the header says of one tensor; ``begin`` and ``end`` count bytes of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Tensors(Mapping[str, Array]):
    """The tensors of a container by name, each fetched when it is asked for: float32 or float64
    views of its bytes where possible.

    F16 and BF16 are widened to float32, and I8 is int8 where ``integers``, as in a file that
    describes its layers; a tensor of any other dtype raises ``UnsupportedError`` when it is asked
    for, so that one that is not needed does no harm.
    """

    def __init__(self, entries: Mapping[str, Entry], fetch: Fetch, integers: bool) -> None:
        self._entries = entries
        self._fetch = fetch
        self._integers = integers

    def __getitem__(self, name: str) -> Array:
        entry = self._entries[name]
        if entry.dtype == "I8" and self._integers:
            return self.stored(name)
        if entry.dtype not in _FLOATS:
            raise UnsupportedError(
                f"tensor {name!r}: expected {', '.join(_FLOATS)}; got dtype {entry.dtype}"
            )
        dtype = np.dtype(_FLOATS[entry.dtype])
        count = math.prod(entry.shape)
        if count == 0:
            return empty(f"tensor {name!r}", entry.shape, np.float32)
        raw: NDArray[Any] = np.frombuffer(self._fetch(entry.begin, entry.end), dtype)
        if entry.dtype == "BF16":
            raw = widened(raw)
        elif entry.dtype == "F16":
            raw = raw.astype(np.float32)
        return raw.reshape(entry.shape)

    def stored(self, name: str) -> Stored:
        """A tensor in its own type; ``UnsupportedError`` for one that is several to a byte."""
        entry = self._entries[name]
        wide = _WIDENED.get(entry.dtype)
        if wide is None and entry.dtype not in _PLAIN:
            raise UnsupportedError(f"tensor {name!r}: {entry.dtype}, of less than a byte each")
        code = _PLAIN.get(entry.dtype) or ("<u2" if wide == "bfloat16" else "u1")
        if entry.begin == entry.end:
            return empty(f"tensor {name!r}", entry.shape, np.float32 if wide else code)
        raw: Stored = np.frombuffer(self._fetch(entry.begin, entry.end), code)
        if wide is not None:
            raw = in_float32(wide, raw)
        return raw.reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _header_length(start: Bytes, size: int) -> int:
    """The length of the header of a file that begins so and has that many bytes."""
    if len(start) < 8:
        raise FormatError(f"safetensors: expected at least 8 bytes, got {len(start)}")
    length = int.from_bytes(start, "little")
    if length > MAX_HEADER:
        raise FormatError(f"header: {length} bytes long, more than the {MAX_HEADER} allowed")
    if 8 + length > size:
        raise FormatError(f"header: {length} bytes long, but only {size - 8} bytes follow")
    return length


def _split(text: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """The strings of a header, and what it says of each tensor."""
    header = _parse(text)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError("header: __metadata__ is not an object of strings")
    return metadata, header


def _parse(text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            times = Counter(name for name, _ in pairs)
            twice = next(name for name, count in times.items() if count > 1)
            raise FormatError(f"header: the key {twice!r} is there twice")
        for name in result:
            name.encode()  # refuses half of a surrogate pair, which is no text
        return result

    if not text.startswith(b"{"):
        raise FormatError(f"header: expected a JSON object, got {text[:20]!r}")
    try:
        header = json.loads(text.decode(), object_pairs_hook=unique)
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:  # of JSON, of UTF-8, of endless digits or nests
        raise FormatError(f"header: not a JSON object: {error}") from error
    if not isinstance(header, dict):
        raise FormatError("header: expected a JSON object")
    return header


def _entry(name: str, info: Any) -> Entry:
    where = f"tensor {name!r}"
    if not isinstance(info, dict) or set(info) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{where}: expected dtype, shape and data_offsets; got {info!r:.200}")
    dtype, shape, offsets = info["dtype"], info["shape"], info["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise FormatError(f"{where}: unknown dtype {dtype!r:.100}; known are {', '.join(_BITS)}")
    if not _naturals(shape) or len(shape) > _MAX_RANK:
        raise FormatError(
            f"{where}: shape: expected at most {_MAX_RANK} integers from 0; got {shape!r:.200}"
        )
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(f"{where}: data_offsets: expected [begin, end]; got {offsets!r:.200}")
    bits = math.prod(shape) * _BITS[dtype]
    if bits % 8 or bits // 8 != offsets[1] - offsets[0]:
        raise FormatError(
            f"{where}: {dtype} of shape {tuple(shape)} takes {-(-bits // 8)} bytes; "
            f"data_offsets span {offsets[1] - offsets[0]}"
        )
    return Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item <= _MAX_INTEGER for item in value
    )


def _check_places(entries: Mapping[str, Entry], size: int) -> None:
    end, last = 0, "the header"
    for name in sorted(entries, key=lambda name: (entries[name].begin, entries[name].end)):
        entry = entries[name]
        if entry.begin != end:
            what = "overlaps" if entry.begin < end else "leaves a hole after"
            raise FormatError(
                f"tensor {name!r}: begins at byte {entry.begin}, expected {end}: {what} {last}"
            )
        end, last = entry.end, f"tensor {name!r}"
        if end > size:
            raise FormatError(f"{last}: ends at byte {end}, past the {size} bytes of data")
    if end != size:
        raise FormatError(f"{size} bytes of data, but the tensors end at byte {end}, with {last}")
