"""Flax's files made by hand: trees of arrays in MessagePack, and cells by Flax's names."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


def packed(value: Any) -> bytes:
    """A value in the longest form that there is of it, or the shortest where it is short."""
    if isinstance(value, dict):
        items = b"".join(packed(part) for item in value.items() for part in item)
        short = (
            bytes([0x80 + len(value)])
            if len(value) < 16
            else b"\xdf" + struct.pack(">I", len(value))
        )
        return short + items
    if isinstance(value, (list, tuple)):
        short = (
            bytes([0x90 + len(value)])
            if len(value) < 16
            else b"\xdc" + struct.pack(">H", len(value))
        )
        return short + b"".join(map(packed, value))
    if isinstance(value, str):
        text = value.encode()
        return (
            bytes([0xA0 + len(text)]) if len(text) < 32 else b"\xda" + struct.pack(">H", len(text))
        ) + text
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, np.ndarray):
        inner = packed((value.shape, value.dtype.name, value.tobytes()))
        return b"\xc9" + struct.pack(">I", len(inner)) + b"\x01" + inner
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    return bytes([value]) if 0 <= value < 128 else b"\xd3" + struct.pack(">q", value)


def cell(units: int = 4, features: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(2)

    def part(rows: int, bias: bool) -> dict[str, Any]:
        arrays = {"kernel": rng.normal(size=(rows, units)).astype("f4")}
        return arrays | ({"bias": rng.normal(size=units).astype("f4")} if bias else {})

    sides = {f"i{gate}": part(features, False) for gate in "ifgo"}
    return sides | {f"h{gate}": part(units, True) for gate in "ifgo"}
