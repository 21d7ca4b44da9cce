"""A ModelSpec as named arrays and a few strings that describe its layers.

The strings, all of which begin with ``rnn_native.``, for a model of three layers::

    rnn_native.version   1
    rnn_native.layers    3
    rnn_native.layer.0   embedding num_embeddings=30 embedding_dim=8
    rnn_native.layer.1   recurrent cell=gru input_size=8 hidden_size=8 num_layers=1
                         direction=forward bias=true reset_after=true        (one line)
    rnn_native.layer.2   linear in_features=8 out_features=7 bias=true activation=softmax

and rnn_native.mask_value, a decimal number, where the model has one. weight_dtype=float32 is in the
line of a layer that keeps its matrices, whatever ``weight_dtype`` a Model has (``ModelSpec.keep``).
What is no chain is version 2, whose strings are those of ``graph_text`` besides; so is a chain with
a key that version 1 has not (``Key.version``), without these, and what has int8 (``narrow``).

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
from ..spec import LAYERS, Array, Layer, ModelSpec, Node
from ..spec.keys import Key, in_line
from . import calling, chain, golden, graph_text, plain
from .activation_text import activations_text, number_text, read_activations, read_number
from .calculated import Calculated
from .narrow import Floats

PREFIX: Final = "rnn_native."
VERSION: Final = "1"

SOURCE: Final = tuple(f"{PREFIX}source.{name}" for name in ("file", "format", "producer"))
"""Where the model came from, as far as whoever wrote the file knew."""

QUANTIZED: Final = f"{PREFIX}source.quantized"
"""Which integers the weights were there, and the values whose range was fixed:
``weights int8; values uint8``."""

CARRIED: Final = calling.KEYS | golden.KEYS | frozenset((*SOURCE, QUANTIZED))
"""Strings that a file carries beside those of its layers."""

ESTIMATOR: Final = "estimator"
"""What a model of ``rnn_native.models`` says of itself beside its layers, in .safetensors alone:
see ``models.saving``. Without our prefix, so that every reader passes over it."""

_KEPT: Final = "weight_dtype=float32"
_NATURAL = re.compile(r"0|[1-9][0-9]{0,9}")
_DECIMAL = re.compile(r"(?=.{1,64}\Z)-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?")
_LARGEST: Final = 2**31 - 1  # so that every reader can use 32-bit integers


def to_metadata(spec: ModelSpec, integers: bool = False) -> dict[str, str]:
    """The strings that describe ``spec``, in a fixed order; ``integers``: of a file with int8."""
    nodes = list(spec.nodes.values())
    reads = [""] * len(nodes) if spec.is_chain else graph_text.reads(spec)
    versioned = integers or spec.keep or any(map(_needs_version_2, nodes))
    plain = spec.is_chain and not versioned
    kept = [f" {_KEPT}" if name in spec.keep else "" for name in spec.nodes]
    strings = {f"{PREFIX}version": VERSION if plain else graph_text.VERSION}
    strings[f"{PREFIX}layers"] = str(len(nodes))
    for index, (node, *behind) in enumerate(zip(nodes, kept, reads, strict=True)):
        strings[f"{PREFIX}layer.{index}"] = describe(node.layer) + "".join(behind)
    if not spec.is_chain:
        strings |= {f"{PREFIX}{key}": text for key, text in graph_text.to_strings(spec).items()}
    if spec.mask_value is not None:
        strings[f"{PREFIX}mask_value"] = repr(spec.mask_value)
    return strings


def to_arrays(spec: ModelSpec) -> dict[str, Array]:
    """The arrays of ``spec`` by the names they have in a file; not copied."""
    return {
        f"{index}.{name}": array
        for index, node in enumerate(spec.nodes.values())
        for name, array in node.layer.arrays.items()
    }


def from_tensors(
    metadata: Mapping[str, str], tensors: Mapping[str, Array], **options: Any
) -> ModelSpec:
    """The model of ``read_tensors`` alone."""
    return read_tensors(metadata, tensors, **options)[0]


def read_tensors(
    metadata: Mapping[str, str], tensors: Mapping[str, Array], **options: Any
) -> tuple[ModelSpec, dict[str, str]]:
    """The model in a file of named tensors: described by ``metadata``, or a plain state_dict; and
    ``metadata``, with what there is to tell of how tensors were made.

    ``options`` are those of ``plain.from_state_dict`` or, with ``chain`` among them, of
    ``chain.from_state_dict``; a file that describes its layers refuses them with an
    ``OptionError``.
    """
    if not any(key.startswith(PREFIX) for key in metadata):
        read = chain.from_state_dict if "chain" in options else plain.from_state_dict
        calculated = Calculated(tensors)
        spec = read(calculated, **options)
        return spec, dict(metadata) | calculated.told()
    if options:
        raise OptionError(
            f"option {', '.join(options)}: only for a file that does not describe its layers; "
            "this one does"
        )
    return from_metadata(metadata, tensors), dict(metadata)


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
    if version not in (VERSION, graph_text.VERSION):
        raise UnsupportedError(
            f"metadata: {PREFIX}version is {version!r}; this release reads {VERSION!r} and "
            f"{graph_text.VERSION!r}"
        )
    mask_value = _mask_value(ours.pop(f"{PREFIX}mask_value", None))
    count = _natural(f"metadata: {PREFIX}layers", ours.pop(f"{PREFIX}layers", "nothing"))
    if not 1 <= count <= len(ours):
        raise FormatError(f"metadata: {count} layers, but {len(ours)} descriptions of layers")
    names = [f"{PREFIX}layer.{index}" for index in range(count)]
    rest = ours.keys() - set(names)
    if len(rest) + count != len(ours) or (rest and version == VERSION):
        raise FormatError(
            f"metadata: expected the entries {', '.join(names)}; found {', '.join(sorted(ours))}"
        )
    lines = [ours[name] for name in names]
    wiring = None
    if rest:
        texts = {key.removeprefix(PREFIX): ours[key] for key in rest}
        lines, wiring = graph_text.from_strings(lines, texts)
    per_layer = _by_layer(Floats(tensors), count)
    plain, keeps = zip(*map(_without_kept, lines), strict=True)
    layers = [_build(f"layer {index}", line, per_layer[index]) for index, line in enumerate(plain)]
    try:
        spec = wiring.spec(layers, mask_value) if wiring else ModelSpec(layers, mask_value)
        keep = [name for name, is_kept in zip(spec.nodes, keeps, strict=True) if is_kept]
        return spec.having(keep=keep) if keep else spec
    except RnnError as error:
        raise FormatError(str(error)) from error


def _needs_version_2(node: Node) -> bool:
    line = node.layer.line
    return any(key.version > 1 and key.name in line for key in node.layer.keys_of(line))


def _without_kept(line: str) -> tuple[str, bool]:
    """A line without the key with which any layer keeps its matrices, and whether it had that."""
    kind, *pairs = line.split(" ")
    if _KEPT not in pairs:
        return line, False
    pairs.remove(_KEPT)
    return " ".join([kind, *pairs]), True


def describe(layer: Layer) -> str:
    """One line with everything about a layer except its numbers."""
    return " ".join([layer.kind, *(f"{key}={_text(value)}" for key, value in layer.line.items())])


def parse(where: str, line: str) -> tuple[str, dict[str, Any]]:
    """Kind and values of a line that ``describe`` made, keys in any order."""
    kind, *pairs = line.split(" ")
    if kind not in LAYERS:
        raise FormatError(f"{where}: expected {', '.join(LAYERS)}; got {kind!r}")
    texts: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals and text):
            raise FormatError(f"{where}: expected key=value, got {pair!r} in {line!r}")
        if key in texts:
            raise FormatError(f"{where}: {key} is there twice in {line!r}")
        texts[key] = text
    try:
        expected = in_line(LAYERS[kind].keys_of(texts), texts)
    except RnnError as error:
        raise FormatError(f"{where}: {error}") from error
    names = [key.name for key in expected]
    if set(texts) != set(names):
        raise FormatError(f"{where}: expected the keys {', '.join(names)}; got {line!r}")
    return kind, {
        key.name: _value(f"{where}: {key.name}", key, texts[key.name]) for key in expected
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return activations_text(value)
    if isinstance(value, float):
        return number_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(where: str, key: Key, text: str) -> Any:
    if key.kind == "word":
        return text
    if key.kind == "activations":
        return read_activations(where, text)
    if key.kind == "number":
        return read_number(where, text)
    if key.kind == "natural":
        return _natural(where, text)
    if key.optional and text != _text(not key.default):
        raise FormatError(
            f"{where}: expected {_text(not key.default)}, or no such key; got {text!r}"
        )
    if text not in ("true", "false"):
        raise FormatError(f"{where}: expected true or false, got {text!r}")
    return text == "true"


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
    kind, values = parse(where, line)
    try:
        return LAYERS[kind].from_line(values, arrays)
    except RnnError as error:
        raise FormatError(f"{where} ({kind}): {error}") from error
