"""Models in JSON: amplifiers and small networks of audio, browsers' ones, state_dicts as text.

Several formats share the suffix; which one a file is, its keys say. Each is a module of its own
here, and has a name that ``format=`` takes.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from ...errors import FormatError, OptionError, UnsupportedError
from ...spec import ModelSpec
from ..calculated import prefixes
from ..names import some
from ..stored import Stored
from .document import Document, Path, open_document
from .rtneural import write as write

KINDS: Final = ("rtneural", "guitarml", "nam", "tfjs", "state_dict")
"""The modules, each of which tells its own by ``is_one``; the first one is taken."""


def read_all(path: Path, **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    document = open_document(path)
    module = _module_of(document)
    if options and not hasattr(module, "OPTIONS"):
        raise OptionError(
            f"option {', '.join(options)}: only for a file that does not describe its layers; "
            "this one does"
        )
    known: tuple[str, ...] = getattr(module, "OPTIONS", ())
    if unknown := [name for name in options if name not in known]:
        raise OptionError(f"{', '.join(unknown)}: not of such a file; known are {', '.join(known)}")
    spec, carried = module.from_document(document, **options)
    return spec, carried


def strings(path: Path) -> dict[str, str]:
    module = _module_of(open_document(path))
    found: dict[str, str] = module.strings(path)
    return found


def choices(path: Path) -> list[dict[str, str]]:
    """The recurrent modules of a ``state_dict``."""
    document = open_document(path)
    module = _module_of(document)
    return (
        prefixes(module.arrays_of(document)) if "prefix" in getattr(module, "OPTIONS", ()) else []
    )


def arrays(path: Path) -> dict[str, Stored]:
    document = open_document(path)
    found: dict[str, Stored] = _module_of(document).arrays_of(document)
    return found


def beside(path: Path) -> list[str]:
    module = _module_of(open_document(path))
    return list(module.beside(path)) if hasattr(module, "beside") else []


def _module_of(document: Document) -> Any:
    for name in KINDS:
        module = importlib.import_module(f".{name}", __name__)
        if module.is_one(document):
            return module
    if "class_name" in document and "config" in document:
        raise UnsupportedError(
            "the configuration of a Keras model, without its weights: rn.load(weights, config=path)"
        )
    raise FormatError(
        "expected the JSON of RTNeural or AIDA-X (in_shape, layers), GuitarML (model_data, "
        "state_dict), Neural Amp Modeler (architecture, weights), TensorFlow.js (modelTopology, "
        f"weightsManifest) or a state_dict (lists of numbers by name); found {some(list(document))}"
    )
