"""A ModelSpec as named arrays and a few strings that describe its layers.

The strings, all of which begin with ``rnn_native.``, for a model of three layers::

    rnn_native.version   1
    rnn_native.layers    3
    rnn_native.layer.0   embedding num_embeddings=30 embedding_dim=8
    rnn_native.layer.1   recurrent cell=gru input_size=8 hidden_size=8 num_layers=1
                         direction=forward bias=true reset_after=true        (one line)
    rnn_native.layer.2   linear in_features=8 out_features=7 bias=true activation=softmax

and rnn_native.mask_value, a decimal number, where the model has one.

The arrays are called ``<index of the layer>.<name>``: ``0.weight``, ``1.weight_ih_l0``. Other
strings of ours, ``CARRIED``, say nothing of the layers: how the model is called, a golden input and
output, and the source.
docs/file-format.md says the same to those who write a reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..errors import FormatError, OptionError, RnnError, UnsupportedError
from ..spec import Array, Embedding, Layer, Linear, Merge, ModelSpec, Recurrent
from . import calling, golden, plain
from .activation_text import activations_text, number_text, read_activations, read_number

PREFIX: Final = "rnn_native."
VERSION: Final = "1"

SOURCE: Final = tuple(f"{PREFIX}source.{name}" for name in ("file", "format", "producer"))
"""Where the model came from, as far as whoever wrote the file knew."""

CARRIED: Final = calling.KEYS | golden.KEYS | frozenset(SOURCE)
"""Strings that a file carries beside those of its layers."""

ESTIMATOR: Final = "estimator"
"""What a model of ``rnn_native.models`` says of itself beside its layers, in .safetensors alone:
see ``models.saving``. Without our prefix, so that every reader passes over it."""

_KEYS: Final = {
    "embedding": ("num_embeddings", "embedding_dim"),
    "recurrent": ("cell", "input_size", "hidden_size", "num_layers", "direction", "bias"),
    "linear": ("in_features", "out_features", "bias", "activation"),
    "merge": ("features", "mode"),
}
_CELL_KEYS: Final = {
    "rnn": ("nonlinearity",),
    "gru": ("reset_after",),
    "lstm": ("proj_size", "peephole"),
}
# In the place of a cell's keys, where the first of these is there.
_VARIANT_KEYS: Final = {
    ("rnn", "output_layer"): ("nonlinearity", "output_layer", "output_nonlinearity"),
    ("gru", "gate_recurrent"): ("gate_recurrent",),
    ("lstm", "gate_recurrent"): ("gate_recurrent",),
}
# Besides, where they are used; activations in the place of an RNN's nonlinearity.
_EXTRA_KEYS: Final = {
    "rnn": ("activations", "clip"),
    "gru": ("activations", "clip"),
    "lstm": ("activations", "clip", "input_forget"),
}
# Keys with one value; without it there is no such key.
_ONLY: Final = {"gate_recurrent": "true", "input_forget": "true", "return_sequences": "false"}
_FLAGS: Final = frozenset({"bias", "reset_after", "peephole"})
_WORDS: Final = frozenset(
    {"cell", "direction", "nonlinearity", "activation", "output_nonlinearity", "mode"}
)
_NATURAL = re.compile(r"0|[1-9][0-9]{0,9}")
_DECIMAL = re.compile(r"(?=.{1,64}\Z)-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?")
_LARGEST: Final = 2**31 - 1  # so that every reader can use 32-bit integers


def to_metadata(spec: ModelSpec) -> dict[str, str]:
    """The strings that describe ``spec``, in a fixed order."""
    lines = {f"{PREFIX}layer.{i}": describe(layer) for i, layer in enumerate(spec.layers)}
    strings = {f"{PREFIX}version": VERSION, f"{PREFIX}layers": str(len(spec.layers)), **lines}
    if spec.mask_value is not None:
        strings[f"{PREFIX}mask_value"] = repr(spec.mask_value)
    return strings


def to_arrays(spec: ModelSpec) -> dict[str, Array]:
    """The arrays of ``spec`` by the names they have in a file; not copied."""
    return {
        f"{index}.{name}": array
        for index, layer in enumerate(spec.layers)
        for name, array in layer.arrays.items()
    }


def from_tensors(
    metadata: Mapping[str, str], tensors: Mapping[str, Array], **options: Any
) -> ModelSpec:
    """The model in a file of named tensors: described by ``metadata``, or a plain state_dict.

    ``options`` are those of ``plain.from_state_dict``; a file that describes its layers refuses
    them with an ``OptionError``.
    """
    if not any(key.startswith(PREFIX) for key in metadata):
        return plain.from_state_dict(tensors, **options)
    if options:
        raise OptionError(
            f"option {', '.join(options)}: only for a file that does not describe its layers; "
            "this one does"
        )
    return from_metadata(metadata, tensors)


def from_metadata(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> ModelSpec:
    """The model that ``metadata`` describes and whose arrays are exactly ``tensors``.

    Entries that do not begin with ``rnn_native.`` are somebody else's and ignored, and so are
    those of ``CARRIED``. Raises ``FormatError`` for anything missing, unknown, malformed or
    contradictory, and ``UnsupportedError`` for another version of the format.
    """
    ours = {
        key: value
        for key, value in metadata.items()
        if key.startswith(PREFIX) and key not in CARRIED
    }
    version = ours.pop(f"{PREFIX}version", None)
    if version is None:
        raise FormatError(f"metadata: {PREFIX}version is missing; found {', '.join(ours)}")
    if version != VERSION:
        raise UnsupportedError(
            f"metadata: {PREFIX}version is {version!r}; this release reads {VERSION!r}"
        )
    mask_value = _mask_value(ours.pop(f"{PREFIX}mask_value", None))
    count = _natural(f"metadata: {PREFIX}layers", ours.pop(f"{PREFIX}layers", "nothing"))
    if not 1 <= count <= len(ours):
        raise FormatError(f"metadata: {count} layers, but {len(ours)} descriptions of layers")
    names = [f"{PREFIX}layer.{index}" for index in range(count)]
    if set(names) != set(ours):
        raise FormatError(
            f"metadata: expected the entries {', '.join(names)}; found {', '.join(sorted(ours))}"
        )
    per_layer = _by_layer(tensors, count)
    layers = [
        _build(f"layer {index}", ours[name], per_layer[index]) for index, name in enumerate(names)
    ]
    try:
        return ModelSpec(tuple(layers), mask_value)
    except RnnError as error:
        raise FormatError(str(error)) from error


def describe(layer: Layer) -> str:
    """One line with everything about a layer except its numbers."""
    if isinstance(layer, Embedding):
        kind = "embedding"
        values: dict[str, Any] = {
            "num_embeddings": layer.num_embeddings,
            "embedding_dim": layer.output_size,
        }
    elif isinstance(layer, Recurrent):
        kind = "recurrent"
        keys = _KEYS[kind] + _cell_keys(layer.cell, layer.options)
        values = {key: getattr(layer, key) for key in keys}
    elif isinstance(layer, Merge):
        kind = "merge"
        values = {"features": layer.size, "mode": layer.mode}
    else:
        kind = "linear"
        values = {
            "in_features": layer.input_size,
            "out_features": layer.output_size,
            "bias": layer.bias is not None,
            "activation": layer.activation,
        }
    return " ".join([kind, *(f"{key}={_text(value)}" for key, value in values.items())])


def parse(where: str, line: str) -> tuple[str, dict[str, Any]]:
    """Kind and options of a line that ``describe`` made, keys in any order."""
    kind, *pairs = line.split(" ")
    if kind not in _KEYS:
        raise FormatError(f"{where}: expected {', '.join(_KEYS)}; got {kind!r}")
    texts: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals and text):
            raise FormatError(f"{where}: expected key=value, got {pair!r} in {line!r}")
        if key in texts:
            raise FormatError(f"{where}: {key} is there twice in {line!r}")
        texts[key] = text
    expected = _KEYS[kind]
    if kind == "recurrent":
        cell = texts.get("cell", "nothing")
        if cell not in _CELL_KEYS:
            raise FormatError(f"{where}: expected cell= {', '.join(_CELL_KEYS)}; got {cell}")
        expected += _cell_keys(cell, texts)
    if set(texts) != set(expected):
        raise FormatError(f"{where}: expected the keys {', '.join(expected)}; got {line!r}")
    return kind, {key: _value(f"{where}: {key}", key, texts[key]) for key in expected}


def _cell_keys(cell: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    own = _CELL_KEYS[cell]
    for (owner, option), keys in _VARIANT_KEYS.items():
        if cell == owner and options.get(option):
            own = keys
            break
    else:
        extra = tuple(key for key in _EXTRA_KEYS[cell] if options.get(key))
        own = tuple(k for k in own if k != "nonlinearity" or "activations" not in extra) + extra
    last = () if options.get("return_sequences", True) is True else ("return_sequences",)
    return own + last


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return activations_text(value)
    if isinstance(value, float):
        return number_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(where: str, key: str, text: str) -> Any:
    if key in _WORDS:
        return text
    if key == "activations":
        return read_activations(where, text)
    if key == "clip":
        return read_number(where, text)
    if key in _ONLY:
        if text != _ONLY[key]:
            raise FormatError(f"{where}: expected {_ONLY[key]}, or no such key; got {text!r}")
        return text == "true"
    if key in _FLAGS:
        if text not in ("true", "false"):
            raise FormatError(f"{where}: expected true or false, got {text!r}")
        return text == "true"
    return _natural(where, text)


def _natural(where: str, text: str) -> int:
    if not _NATURAL.fullmatch(text) or int(text) > _LARGEST:
        raise FormatError(f"{where}: expected an integer from 0 to {_LARGEST}, got {text!r}")
    return int(text)


def _mask_value(text: str | None) -> float | None:
    if text is not None and not _DECIMAL.fullmatch(text):
        raise FormatError(f"metadata: {PREFIX}mask_value: expected a decimal number, got {text!r}")
    return None if text is None else float(text)


def _by_layer(tensors: Mapping[str, Array], count: int) -> list[dict[str, Array]]:
    per_layer: list[dict[str, Array]] = [{} for _ in range(count)]
    for name in tensors:
        index, dot, own = name.partition(".")
        if not (dot and own and _NATURAL.fullmatch(index) and int(index) < count):
            raise FormatError(f"tensor {name!r} belongs to none of the {count} layers")
        per_layer[int(index)][own] = tensors[name]
    return per_layer


def _build(where: str, line: str, arrays: Mapping[str, Array]) -> Layer:
    kind, options = parse(where, line)
    try:
        if kind == "recurrent":
            # Bounds the work before the names of that many layers are made.
            if options["num_layers"] > len(arrays):
                raise FormatError(
                    f"num_layers={options['num_layers']}, but only {len(arrays)} tensors"
                )
            return Recurrent(weights=arrays, **options)
        if kind == "merge":
            if arrays:
                raise FormatError(f"expected no tensors; found {', '.join(sorted(arrays))}")
            return Merge(options["mode"], options["features"])
        names = {"weight", "bias"} if options.get("bias") else {"weight"}
        if set(arrays) != names:
            raise FormatError(
                f"expected the tensors {', '.join(sorted(names))}; "
                f"found {', '.join(sorted(arrays)) or 'none'}"
            )
        if kind == "embedding":
            sizes = (options["num_embeddings"], options["embedding_dim"])
        else:
            sizes = (options["out_features"], options["in_features"])
        if arrays["weight"].shape != sizes:
            raise FormatError(f"weight: expected shape {sizes}, got {arrays['weight'].shape}")
        if kind == "embedding":
            return Embedding(arrays["weight"])
        return Linear(arrays["weight"], arrays.get("bias"), options["activation"])
    except RnnError as error:
        raise FormatError(f"{where} ({kind}): {error}") from error
