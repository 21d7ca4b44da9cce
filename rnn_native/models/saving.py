"""A trained model in a .safetensors file: the layers as in any file of ours, and how to use them.

What the models of this package have beyond their layers is the JSON text ``estimator`` of the
file's metadata, which other readers pass over.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from ..errors import FormatError
from ..formats.files import replacing
from ..formats.metadata import from_metadata, to_arrays, to_metadata
from ..formats.safetensors import pack, unpack
from ..spec import ModelSpec
from .labels import Label

PathLike = str | os.PathLike[str]

_ENTRY: Final = "estimator"


def write(
    path: PathLike,
    spec: ModelSpec,
    name: str,
    parameters: dict[str, Any],
    per_step: bool,
    classes: list[Label] | None,
) -> None:
    """``name`` is the class's; ``parameters`` its constructor's; atomically."""
    entry = {"class": name, "parameters": parameters, "per_step": per_step}
    if classes is not None:
        entry["classes"] = classes
    with replacing(path) as file:
        file.writelines(pack(to_arrays(spec), to_metadata(spec) | {_ENTRY: json.dumps(entry)}))


def read(path: PathLike, name: str) -> tuple[ModelSpec, dict[str, Any], bool, list[Label] | None]:
    """The layers, parameters, ``per_step`` and classes of a file that the class ``name`` wrote.

    Raises ``FormatError`` for any other file.
    """
    where = os.fspath(path)
    metadata, tensors = unpack(Path(path).read_bytes())
    try:
        entry = json.loads(metadata[_ENTRY])
        found, parameters, per_step = entry["class"], dict(entry["parameters"]), entry["per_step"]
        classes = entry.get("classes")
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: not a saved {name}: {error!r}") from error
    if found != name:
        raise FormatError(f"{where}: expected a {name}, found a {found}")
    return from_metadata(metadata, tensors), parameters, bool(per_step), classes
