"""Mutants of HDF5: of its words where it is a file, and files made anew of a changed model.

The HDF5 library only ever writes here: a mutant of its own files might do it harm.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np

from .seeds import chain, everything
from .texts import change_json, change_text

_WORDS = (0, 1, 8, 2**16, 2**32 - 1, 2**63, 2**64 - 1)
_DTYPES = ("f2", "f8", ">f4", "i4", "c8", "S4", "?", "u1")


def change_h5(rng: random.Random, data: bytes) -> bytes:
    return _change_words(rng, data) if rng.random() < 0.7 else _made_anew(rng, data)


def _change_words(rng: random.Random, data: bytes) -> bytes:
    """Addresses, sizes and counts: words that are not 0, and others in their place."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        while True:
            at = rng.randrange(len(changed))
            if changed[at] or rng.random() < 0.02:
                break
        size = rng.choice((1, 2, 4, 8))
        at -= at % size
        what = rng.random()
        if what < 0.4:
            word = rng.choice((*_WORDS, len(changed))) % 2 ** (8 * size)
        elif what < 0.7:
            word = int.from_bytes(changed[at : at + size], "little") + rng.choice(
                (-8, -1, 1, 8, 24)
            )
        else:
            begin = rng.randrange(0, len(changed), 8)
            word = int.from_bytes(changed[begin : begin + size], "little")
        changed[at : at + size] = (word % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed)


def _made_anew(rng: random.Random, data: bytes) -> bytes:
    """A file of a model with another configuration or other arrays; of weights alone where
    ``data`` is such a file."""
    if b"model_config" not in data and b"weight_names" not in data:
        groups = chain()[1]
        group = rng.choice(list(groups))
        groups[group][rng.randrange(len(groups[group]))] = _array(rng)
        return kf.numbered(groups)
    config, weights = everything()
    what = rng.random()
    if what < 0.6:
        for _ in range(rng.choice((1, 2))):
            config = change_json(rng, config)
    else:
        layer = rng.choice(list(weights))
        name = rng.choice(list(weights[layer]))
        if what < 0.8:
            weights[layer][name] = _array(rng)
        else:
            renamed = change_text(rng, name).replace("\0", "")
            weights[layer][renamed or "x"] = weights[layer].pop(name)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return kf.write_h5(Path(folder, "m.h5"), config, weights).read_bytes()


def _array(rng: random.Random) -> Any:
    shape = tuple(rng.choice((0, 1, 3, 4, 12, 16)) for _ in range(rng.randrange(4)))
    return np.zeros(shape, rng.choice(_DTYPES))
