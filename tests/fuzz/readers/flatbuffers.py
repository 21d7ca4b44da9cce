"""Mutants of FlatBuffers: of the distances, lengths and places of fields that one is made of."""

from __future__ import annotations

import random
import struct

_NUMBERS = (0, 1, 2, 3, 4, 8, 127, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def change(rng: random.Random, data: bytes) -> bytes:
    """Some number of four or two bytes is another one: near by, that of another place, or large."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        width, code = rng.choice(((4, "<I"), (4, "<I"), (2, "<H")))
        at = rng.randrange(0, len(changed) - width + 1, width)
        (number,) = struct.unpack_from(code, changed, at)
        other = rng.randrange(0, len(changed) - width + 1, width)
        choices = [
            number + rng.choice((-8, -4, -2, -1, 1, 2, 4, 8)),
            struct.unpack_from(code, changed, other)[0],
            other - at,  # so that a distance leads there
            rng.choice(_NUMBERS),
        ]
        struct.pack_into(code, changed, at, rng.choice(choices) % 2 ** (8 * width))
    return bytes(changed)
