"""A trained model in a .safetensors file: the layers as in any file of ours, and how to use them.

What the models of this package have beyond their layers is the JSON text ``estimator`` of the
file's metadata, which other readers pass over.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..errors import FormatError, OptionError
from ..formats import calling, naming
from ..formats.files import replacing
from ..formats.metadata import ESTIMATOR, from_metadata, to_arrays, to_metadata
from ..formats.reading import read_bytes
from ..formats.safetensors import pack, unpack
from ..spec import ModelSpec
from ..train.checks import whole
from .labels import Label
from .outputs import Output

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Saved:
    """How to use the layers: the constructor's arguments, what y was like, and its classes."""

    parameters: dict[str, Any]
    per_step: bool
    is_flat: bool
    columns: int | None
    classes: list[Label] | None

    def checked_columns(self, spec: ModelSpec, head: Output) -> int | None:
        """``columns``; ``OptionError`` where that or ``is_flat`` is not of such a model."""
        if self.is_flat and (head.target_rank == 0 or head.size != 1):
            raise OptionError("flat: expected false where there is not one feature")
        if self.columns is None:
            return None
        if spec.input_size != 1:
            raise OptionError("columns: expected none where X has several features")
        return whole("columns", self.columns, 1)


def write(path: PathLike, spec: ModelSpec, name: str, saved: Saved) -> None:
    """``name`` is the class's; atomically. ``FormatError`` for another suffix than .safetensors.

    ``rn.load`` makes the Model of it that the class has, which is batch first.
    """
    suffix = PurePath(path).suffix
    if suffix.lower() != ".safetensors":
        raise FormatError(
            f"{os.fspath(path)}: a {name} is saved as .safetensors, which holds its labels and "
            f"parameters too; got the suffix {suffix!r}. The layers alone, in the format of a "
            "suffix: model.model_.save(path)"
        )
    entry = {"class": name, "parameters": saved.parameters, "per_step": saved.per_step}
    if saved.columns is not None:
        entry["columns"] = saved.columns
    if saved.is_flat:
        entry["flat"] = True
    if saved.classes is not None:
        entry["classes"] = saved.classes
    called = calling.to_strings(calling.Calling(True, saved.parameters["dtype"]))
    strings = to_metadata(spec) | called | {ESTIMATOR: json.dumps(entry)}
    with replacing(path) as file:
        file.writelines(pack(to_arrays(spec), strings))


def read(path: PathLike, name: str) -> tuple[ModelSpec, Saved]:
    """What the class ``name`` wrote; raises ``FormatError`` for any other file."""
    where = os.fspath(path)
    with naming(path):
        metadata, tensors = unpack(read_bytes(path))
    try:
        entry = json.loads(metadata[ESTIMATOR])
        found = entry["class"]
        saved = Saved(
            dict(entry["parameters"]), bool(entry["per_step"]), bool(entry.get("flat")),
            entry.get("columns"), entry.get("classes"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{where}: not a saved {name}: {error!r}") from error
    if found != name:
        raise FormatError(f"{where}: expected a {name}, found a {found}")
    return from_metadata(metadata, tensors), saved


def in_dtype(text: str, dtype: str | None) -> tuple[str, str] | None:
    """The class that wrote the text of a file's ``ESTIMATOR``, and the text of the same model that
    computes in ``dtype`` (None: in what it did); None for a text that is not ours."""
    try:
        entry = json.loads(text)
        name = str(entry["class"])
        if dtype is not None:
            entry["parameters"]["dtype"] = dtype
    except (KeyError, TypeError, ValueError):
        return None
    return name, text if dtype is None else json.dumps(entry)
