"""TensorFlow.js's layers models: ``model.json``, and shards with the weights beside it.

``modelTopology`` is the configuration of a Keras model, ``weightsManifest`` lists groups of files,
each with the arrays that lie in them one behind the other: ``shards``. Keras's reader makes the
model of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError
from ...spec import ModelSpec
from ..keras import read_described
from ..keras.config import MODELS, mapping, parse_json
from ..keras.file import KerasFile
from ..keras.store import Array, NamedStore
from ..stored import gathered
from .document import Document, Path, open_document
from .shards import Stored, locations, read_arrays

OPTIONS: Final = ("node", "between")
_BROWSER: Final = "2.0"  # what TensorFlow.js's own layers are like
_ABOUT: Final = ("format", "generatedBy", "convertedBy")


def read_all(path: Path, **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    return from_document(open_document(path), **options)


def strings(path: Path) -> dict[str, str]:
    """Who made it, and which arrays are stored in fewer bits than they had."""
    document = open_document(path)
    about = {key: document.text(key) for key in _ABOUT if isinstance(document.get(key), str)}
    packed: dict[str, list[str]] = {}
    for entry in locations(document).entries:
        if entry.packed:
            packed.setdefault(entry.packed, []).append(entry.name)
    if packed:
        said = [f"{len(names)} arrays in {dtype}" for dtype, names in packed.items()]
        about["quantised"] = ", ".join(said)
    return about


def beside(path: Path) -> list[str]:
    return locations(open_document(path)).paths


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    return arrays_of(open_document(path))


def arrays_of(document: Document) -> dict[str, NDArray[Any]]:
    """As the shards have them; beside one that is quantised ``NAME.scale`` and ``NAME.min``."""
    found: dict[str, NDArray[Any]] = {}
    for name, one in read_arrays(document).items():
        parts = {name: one.raw}
        if one.entry.is_quantised:
            parts[f"{name}.scale"] = np.asarray(one.entry.scale)
            parts[f"{name}.min"] = np.asarray(one.entry.least)
        if found.keys() & parts.keys():
            raise FormatError(f"weightsManifest: {name[:200]!r} is there twice")
        found |= parts
    return gathered(found, found.__getitem__)


def is_one(document: Mapping[str, Any]) -> bool:
    return "modelTopology" in document or "weightsManifest" in document


def from_document(
    document: Document, node: str | None = None, between: tuple[str, str] | None = None
) -> tuple[ModelSpec, dict[str, str]]:
    if document.get("format", "layers-model") != "layers-model":
        raise document.unsupported(
            f"format {str(document['format'])[:80]!r}: only layers models are read, which have "
            "Keras's layers; convert the Keras model itself, or read its .h5"
        )
    topology = document.inner("modelTopology")
    config: Mapping[str, Any] = topology
    if "model_config" in topology:
        described = topology["model_config"]
        if isinstance(described, str):
            described = parse_json(described, "model_config")
        config = mapping(described, "model_config")
    version = topology.get("keras_version")
    if isinstance(version, str) and version.startswith("tfjs"):
        version = _BROWSER
    weights = _Weights(read_arrays(document), _models_in(config))
    file = KerasFile(NamedStore(weights, ""), config, version)
    return read_described(file, node, between), {}


def _models_in(config: Mapping[str, Any]) -> set[str]:
    """The names of the layers of the outermost model that are models themselves."""
    options = config.get("config")
    layers = options.get("layers") if isinstance(options, dict) else options
    found = set()
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and layer.get("class_name") in MODELS:
            own = layer.get("config")
            name = layer.get("name", own.get("name") if isinstance(own, dict) else None)
            found.add(name if isinstance(name, str) else "")
    return found


class _Weights:
    """The arrays as groups by layer, which their names begin with; those of models inside of the
    model need not have its name."""

    def __init__(self, arrays: Mapping[str, Stored], models: set[str]) -> None:
        self._arrays, self._models = arrays, models
        self._paths: dict[str, str] = {}
        self._of: dict[str, list[str]] = {}
        for name in arrays:
            for part in dict.fromkeys(name.split("/")[:-1]):
                self._of.setdefault(part, []).append(name)

    @property
    def datasets(self) -> Mapping[str, Any]:
        return {path: self._arrays[name] for path, name in self._paths.items()}

    def names(self, group: str, attribute: str) -> list[str] | None:
        if attribute != "weight_names":
            return None
        begin = f"{group}/"
        found = self._of.get(group) or [name for name in self._arrays if name.startswith(begin)]
        if not found and group in self._models:
            found = list(self._arrays)
        self._paths |= {f"{group}/{name}": name for name in found}
        return found or None

    def array(self, path: str) -> Array:
        if path not in self._paths:
            raise FormatError(f"no array {path[:200]!r} in the manifest")
        return self._arrays[self._paths[path]].array
