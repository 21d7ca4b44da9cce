"""Checkpoints: what a killed ``fit`` needs to go on with the same bits, in one file.

A safetensors file. Its arrays are named ``weights.<name>``, ``optimizer.<name>`` and, where the
best weights so far are kept, ``best.<name>``; everything else is the JSON text under ``fit`` in the
file's metadata. It takes the old one's place in one step, so a kill leaves one of the two whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, OptionError
from ..formats import naming
from ..formats.files import replacing
from ..formats.reading import read_bytes
from ..formats.safetensors import pack, unpack

PathLike = str | os.PathLike[str]
Arrays = dict[str, NDArray[Any]]

_KEY: Final = "fit"
_GROUPS: Final = ("weights", "optimizer", "best")


@dataclass
class Checkpoint:
    """The state of a ``fit`` between two epochs.

    ``run`` tells which fit it is: settings, and a digest of the data. ``optimizer`` has the state
    without its count of updates, which is ``updates``. Nothing is drawn from a random generator
    that lives longer than an epoch, so there is none to keep.
    """

    run: dict[str, Any]
    history: dict[str, list[float]]
    updates: int
    best_epoch: int
    weights: Arrays
    optimizer: Arrays
    best: Arrays
    is_stopped: bool = False
    """Whether a callback ended the fit."""

    def save(self, path: PathLike) -> None:
        arrays = {
            f"{group}.{name}": array
            for group in _GROUPS
            for name, array in getattr(self, group).items()
        }
        facts = {
            "run": self.run,
            "history": self.history,
            "updates": self.updates,
            "best_epoch": self.best_epoch,
            "stopped": self.is_stopped,
        }
        with replacing(path) as file:  # floats keep their bits in JSON: the shortest that reads so
            file.writelines(pack(arrays, {_KEY: json.dumps(facts)}))


def check_folder(path: PathLike) -> None:
    """``OptionError`` where the path's folder is not there: said before an epoch is spent."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise OptionError(f"checkpoint: expected a path in a folder that exists, got {folder}")


def load(path: PathLike, run: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint of this very run; None where there is no file.

    Raises ``OptionError`` where it is of another run, and ``FormatError`` where it is none.
    """
    where = os.fspath(path)
    if not Path(path).exists():
        return None
    with naming(path):
        metadata, tensors = unpack(read_bytes(path))
    try:
        facts = json.loads(metadata[_KEY])
        arrays: dict[str, Arrays] = {group: {} for group in _GROUPS}
        for name in tensors:
            group, _, own = name.partition(".")
            arrays[group][own] = tensors[name]
        found = Checkpoint(
            facts["run"],
            facts["history"],
            facts["updates"],
            facts["best_epoch"],
            arrays["weights"],
            arrays["optimizer"],
            arrays["best"],
            bool(facts.get("stopped")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: not a checkpoint of fit: {error!r}") from error
    differing = [key for key in {**run, **found.run} if found.run.get(key) != run.get(key)]
    if differing:
        raise OptionError(
            f"checkpoint: {where} is of another fit, which differs in {', '.join(differing)}; "
            "remove it, or give another path"
        )
    return found


def digest(*arrays: NDArray[Any] | None) -> str:
    """The same for equal arrays only."""
    total = hashlib.sha256()
    for array in arrays:
        if array is None:
            total.update(b"none")
            continue
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
