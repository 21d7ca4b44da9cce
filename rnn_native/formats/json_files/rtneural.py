"""RTNeural's JSON: ``in_shape`` and ``layers`` with Keras's weights, and AIDA-X's, which says more.

Every layer runs step by step: convolutions are causal, and each step gives an output. AIDA-X's
files have besides a skip around the network, gains of its input and output, a golden pair:
``aida``. What RTNeural itself passes over, a layer that it does not know or an activation of a
cell that it never applies, is refused here: the numbers would be others than the trained ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final

from ...errors import FormatError, RnnError
from ...spec import ModelSpec
from ..stored import Stored
from . import aida
from .document import Document, Path, open_document, stored_lists, told
from .rtneural_layers import MAKERS, Chain
from .rtneural_writing import write as write

_MOST: Final = 1000  # layers


def read_all(path: Path) -> tuple[ModelSpec, dict[str, str]]:
    return from_document(open_document(path))


def strings(path: Path) -> dict[str, str]:
    return read_all(path)[1]


def arrays(path: Path) -> dict[str, Stored]:
    return arrays_of(open_document(path))


def arrays_of(document: Document) -> dict[str, Stored]:
    """``layers.0.weights.1`` and so on, as the file has them; of AIDA-X's the golden pair, too."""
    lists = {key: document[key] for key in aida.GOLDEN if isinstance(document.get(key), list)}
    for index, layer in enumerate(document.list("layers")):
        weights = layer.get("weights") if isinstance(layer, dict) else None
        for number, value in enumerate(weights if isinstance(weights, list) else ()):
            lists[f"layers.{index}.weights.{number}"] = value
    return stored_lists(lists, "array")


def is_one(document: Mapping[str, Any]) -> bool:
    return "in_shape" in document and "layers" in document


def from_document(document: Document) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and the strings that the file carries.

    Raises ``FormatError`` for what is malformed, and for a golden pair that the network does not
    give; ``UnsupportedError`` for a layer or an activation that RTNeural does not have.
    """
    layers = document.list("layers")
    if not 1 <= len(layers) <= _MOST:
        raise FormatError(f"layers: expected 1 to {_MOST}, got {len(layers)}")
    chain = Chain(features_of(document, "in_shape"))
    for index, value in enumerate(layers):
        layer = document.of(value, f"layers[{index}]")
        kind = layer.text("type")
        if kind not in MAKERS:
            raise layer.unsupported(
                f"no layer {kind[:80]!r}, which RTNeural leaves out; there are {', '.join(MAKERS)}"
            )
        layer.where = f"layers[{index}] ({kind})"
        try:
            MAKERS[kind](layer, chain)
            chain.check(layer)
        except RnnError as error:
            if str(error).startswith(layer.where):
                raise
            raise FormatError(f"{layer.where}: {error}") from error
    if not chain.layers:
        raise FormatError("layers: expected one at least that does something")
    spec = ModelSpec(tuple(chain.layers))
    about = told({key: value for key, value in document.items() if key not in ("layers",)})
    return aida.around(spec, document, about)


def features_of(document: Document, key: str) -> int:
    """Those of a step, of a shape [batch, time, features] or, of a step of positions, [batch, time,
    positions, channels]."""
    shape = document.list(key)
    sizes = shape[2:] if len(shape) == 4 else shape[-1:]
    if not sizes or any(type(n) is not int or not 1 <= n < 2**31 for n in sizes):
        raise document.wrong(key, "[..., features] or [batch, time, positions, channels]")
    return prod(sizes)
