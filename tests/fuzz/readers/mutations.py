"""Mutants of files: of their bytes, and of what they are, put together again so that lengths and
checksums hold and what lies behind them is reached."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from . import archives, flatbuffers, keras, pickles, protobuf
from .texts import change_json

_NUMBERS = (0, 1, 2, 8, 127, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)


def mutate(rng: random.Random, format: str, data: bytes, others: Sequence[bytes]) -> bytes:
    """A mutant of a file; ``others`` are files of the same format, for what to put into it."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = _change_bytes
        if rng.random() < 0.75:
            change = _structural(format, data)
        try:
            data = change(rng, data) if rng.random() < 0.95 else _splice(rng, data, others)
        except Exception:  # what was changed before is no longer what it was
            data = _change_bytes(rng, data)
    return data


def _structural(format: str, data: bytes) -> Callable[[random.Random, bytes], bytes]:
    if format == "onnx":
        return protobuf.change
    if format == "tflite":
        return flatbuffers.change
    if data.startswith(b"PK"):
        return _change_archive
    if format == "safetensors":
        return _change_safetensors
    if format == "torch":
        return pickles.change_legacy
    if format == "pickle":
        return pickles.change
    if format in ("json", "nam"):
        return _change_json
    if format == "rnnoise":
        return _change_words
    return keras.change_h5 if format == "keras" else _change_bytes


def _change_archive(rng: random.Random, data: bytes) -> bytes:
    return archives.change(rng, data, _change_member)


def _change_member(rng: random.Random, name: str, data: bytes) -> bytes:
    if rng.random() < 0.2:
        return _change_bytes(rng, data)
    if name.endswith(".npy"):
        return archives.change_npy(rng, data)
    if name.endswith(".pkl"):
        return pickles.change(rng, data)
    if name.endswith(".json"):
        return json.dumps(change_json(rng, json.loads(data))).encode()
    if name.endswith(".h5"):
        return keras.change_h5(rng, data)
    return _change_bytes(rng, data)


def _change_safetensors(rng: random.Random, data: bytes) -> bytes:
    size = int.from_bytes(data[:8], "little")
    header: Any = change_json(rng, json.loads(data[8 : 8 + size]))
    text = json.dumps(header, ensure_ascii=rng.random() < 0.9).encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _change_json(rng: random.Random, data: bytes) -> bytes:
    return json.dumps(change_json(rng, json.loads(data))).encode("utf-8", "surrogatepass")


def _change_words(rng: random.Random, data: bytes) -> bytes:
    """Another of its first numbers, which are sizes and activations, or of all."""
    words = data.split(b" ")
    at = rng.randrange(min(len(words), rng.choice((8, len(words)))))
    new = (b"0", b"-1", b"3", b"128", b"1e3", b"99999999999", b"", str(rng.randrange(99)).encode())
    words[at] = rng.choice(new)
    return b" ".join(words)


def _change_bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    if not changed:
        return rng.randbytes(8)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(min(len(changed), rng.choice((64, 1024, len(changed)))))
        what = rng.random()
        if what < 0.3:
            changed[at] = rng.randrange(256)
        elif what < 0.5:
            changed[at] ^= 1 << rng.randrange(8)
        elif what < 0.7:
            size = rng.choice((2, 4, 8))
            number = rng.choice((*_NUMBERS, len(changed), at)) % 2 ** (8 * size)
            changed[at : at + size] = number.to_bytes(size, rng.choice(("little", "little", "big")))
        elif what < 0.8:
            begin = rng.randrange(len(changed))
            changed[at:at] = changed[begin : begin + rng.randrange(1, 64)]
        elif what < 0.9:
            del changed[at : at + rng.randrange(1, 16)]
        elif what < 0.95:  # aligned words, such as the addresses of HDF5
            begin = rng.randrange(len(changed)) & ~7
            changed[at & ~7 : (at & ~7) + 8] = changed[begin : begin + 8]
        else:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    at, begin = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:at] + other[begin:]
