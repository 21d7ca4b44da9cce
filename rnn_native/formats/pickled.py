"""Pickles, .pkl and .pickle: a dict of NumPy's arrays, or what ``torch.save`` called so.

Nothing is executed: the interpreter of ``formats.torch`` knows plain containers and NumPy's arrays,
and has a stand-in for whatever else a pickle names. Dicts, lists and tuples in each other are
flattened by dots, and from the names ``formats.plain`` and ``formats.chain`` take their modules.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import FormatError
from ..spec import ModelSpec
from . import torch
from .metadata import read_tensors
from .reading import read_bytes
from .stored import Stored, gathered
from .torch import foreign
from .torch.flat import flatten
from .torch.numpy_arrays import NumpyArray, NumpyArrays
from .torch.unpickle import Machine


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a pickle that holds a ``state_dict`` of arrays; options as of ``plain.from_state_dict``
    and ``chain.from_state_dict``."""
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and the strings beside it where it is a file of ``torch.save``."""
    data = read_bytes(path)
    if torch.is_saved(data):
        return torch.from_bytes(data, **options)
    arrays = unpack(data)
    with foreign.told(arrays.named):
        return read_tensors({}, arrays, **options)


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Every array of NumPy's; of a file of ``torch.save``, see ``torch.every``."""
    data = read_bytes(path)
    if torch.is_saved(data):
        return torch.every(data)
    found = unpack(data)
    return gathered(found, found.stored)


def strings(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a file of ``torch.save`` says beside the weights, where it is one of ours."""
    data = read_bytes(path)
    return torch.unpack(data)[0] if torch.is_saved(data) else {}


def unpack(data: bytes) -> NumpyArrays:
    """All arrays by their dotted names; ``FormatError`` for what is malformed,
    ``UnsupportedError`` for a pickle of other objects without an array."""
    if not data.startswith(b"\x80"):
        raise FormatError(
            f"not a pickle of protocol 2 or newer: expected b'\\x80', got {data[:8]!r}; "
            "numpy.savez(path, **arrays) writes a file that is no pickle"
        )
    machine = Machine(data, 0, len(data))
    value = machine.load()
    if machine.position != len(data):
        raise FormatError(f"pickle: {len(data) - machine.position} bytes follow its end")
    return NumpyArrays(flatten(value, len(data), NumpyArray), data)
