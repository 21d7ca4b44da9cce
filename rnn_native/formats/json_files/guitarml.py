"""GuitarML's JSON, that of Proteus and NeuralPi too: one recurrent module and a linear one.

``model_data`` says the sizes and ``skip``, how many of the first features of x are added to the
output; ``state_dict`` has PyTorch's arrays of the modules ``rec`` and ``lin``. Where ``input_size``
is above 1, the features behind the first are knobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import FormatError, RnnError
from ...spec import Array, Linear, ModelSpec, Recurrent, recurrent_shapes
from ..names import some
from ..stored import Stored
from .document import Document, Path, open_document, stored_lists, told
from .skip import skipped

_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
_MOST = 10_000  # layers of the stack


def read_all(path: Path) -> tuple[ModelSpec, dict[str, str]]:
    return from_document(open_document(path))


def strings(path: Path) -> dict[str, str]:
    return read_all(path)[1]


def arrays(path: Path) -> dict[str, Stored]:
    return arrays_of(open_document(path))


def arrays_of(document: Document) -> dict[str, Stored]:
    """By the names of ``state_dict``: ``rec.weight_ih_l0``."""
    return stored_lists(document.inner("state_dict"), "array")


def is_one(document: Mapping[str, Any]) -> bool:
    return "model_data" in document


def from_document(document: Document) -> tuple[ModelSpec, dict[str, str]]:
    data = document.inner("model_data")
    model = data.text("model", "SimpleRNN")
    if model != "SimpleRNN":
        raise data.unsupported(f"model {model[:80]!r}: expected 'SimpleRNN'")
    unit = data.text("unit_type")
    if unit not in _CELLS:
        raise data.unsupported(f"unit_type {unit[:80]!r}: expected one of {', '.join(_CELLS)}")
    skip = data.natural("skip", 0, 0)
    arrays = document.inner("state_dict")
    try:
        layers = _layers(data, arrays, _CELLS[unit])
        spec = skipped((), layers, (), skip) if skip else ModelSpec(layers)
    except RnnError as error:
        raise FormatError(str(error)) from error
    return spec, told({key: value for key, value in document.items() if key != "state_dict"})


def _layers(data: Document, arrays: Document, cell: str) -> tuple[Recurrent, Linear]:
    sizes = {name: data.natural(name) for name in ("input_size", "hidden_size", "output_size")}
    count = data.natural("num_layers", default=1)
    if count > min(_MOST, len(arrays)):
        raise data.wrong("num_layers", f"as many as its {len(arrays)} arrays are of")
    features, hidden = sizes["input_size"], sizes["hidden_size"]
    options: dict[str, Any] = {"num_layers": count, "bias": "rec.bias_ih_l0" in arrays}
    weights: dict[str, Array] = {}
    for name, shape in recurrent_shapes(cell, features, hidden, **options):
        weights[name] = arrays.array(f"rec.{name}", *shape)
    weight = arrays.array("lin.weight", sizes["output_size"], hidden)
    has_bias = "lin.bias" in arrays
    bias = arrays.array("lin.bias", sizes["output_size"]) if has_bias else None
    said = data.get("bias_fl", has_bias)
    if bool(said) != has_bias:
        raise FormatError(f"bias_fl {said!r}, and lin.bias is {'' if has_bias else 'not '}there")
    expected = {*(f"rec.{name}" for name in weights), "lin.weight", "lin.bias"}
    if strangers := [name for name in arrays if name not in expected]:
        raise FormatError(f"state_dict: unexpected {some(strangers)}")
    return Recurrent(cell, features, hidden, weights, **options), Linear(weight, bias)
