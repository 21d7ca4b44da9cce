"""Neural Amp Modeler's ``.nam``: JSON with all numbers of the network in one list.

An ``LSTM`` has in this list of each layer the rows [W_ih W_hh] of its gates i, f, g, o, one bias,
and the h and c that it begins with; then the weight and the bias of a linear layer. Other
architectures have no recurrent layer and are refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from ...errors import FormatError, RnnError, UnsupportedError
from ...spec import Array, Linear, ModelSpec, Recurrent
from ..stored import Stored
from .document import Document, Path, open_document, stored_lists, told, write_document

_MOST: Final = 1000  # layers
_CONTAINER: Final = "SlimmableContainer"
_OTHERS: Final = ("WaveNet", "ConvNet", "Linear", "CatLSTM", _CONTAINER)
_VERSION: Final = "0.5.4"  # of the file
_OF_CHANNELS: Final = "0.7.0"  # of one with several channels


def read_all(path: Path) -> tuple[ModelSpec, dict[str, str]]:
    return from_document(open_document(path))


def strings(path: Path) -> dict[str, str]:
    return _about(open_document(path))


def arrays(path: Path) -> dict[str, Stored]:
    return arrays_of(open_document(path))


def arrays_of(document: Document) -> dict[str, Stored]:
    """``weights``, the one list that all numbers of an architecture are in; of each model in a
    container its own."""
    lists = {"weights": document["weights"]} if "weights" in document else {}
    config = document.get("config")
    inside = config.get("submodels") if isinstance(config, dict) else None
    for index, one in enumerate(inside if isinstance(inside, list) else ()):
        model = one.get("model") if isinstance(one, dict) else None
        if isinstance(model, dict) and "weights" in model:
            lists[f"config.submodels.{index}.model.weights"] = model["weights"]
    return stored_lists(lists, "array")


def is_one(document: Mapping[str, Any]) -> bool:
    return "architecture" in document and "config" in document


def _about(document: Document) -> dict[str, str]:
    return told({key: value for key, value in document.items() if key != "weights"})


def from_document(document: Document) -> tuple[ModelSpec, dict[str, str]]:
    architecture = document.text("architecture")
    if architecture != "LSTM":
        known = "" if architecture in _OTHERS else ", which is not known"
        hint = "; save its LSTM by itself" if architecture == _CONTAINER else ""
        raise document.unsupported(
            f"architecture {architecture[:80]!r}{known}: only LSTM is read{hint}"
        )
    config = document.inner("config")
    count = config.natural("num_layers")
    features, hidden = config.natural("input_size"), config.natural("hidden_size")
    outputs = config.natural("out_channels", default=1)
    if config.natural("in_channels", default=features) != features:
        raise config.wrong("in_channels", f"input_size, {features}")
    numbers = _Numbers(document.array("weights", None))
    numbers.expect(features, hidden, count, outputs)
    weights: dict[str, Array] = {}
    begin: list[list[Array]] = [[], []]
    for k in range(count):
        inputs = hidden if k else features
        rows = numbers.take(4 * hidden, inputs + hidden)
        weights[f"weight_ih_l{k}"] = rows[:, :inputs]
        weights[f"weight_hh_l{k}"] = rows[:, inputs:]
        weights[f"bias_ih_l{k}"] = numbers.take(4 * hidden)
        weights[f"bias_hh_l{k}"] = np.zeros_like(weights[f"bias_ih_l{k}"])
        for state in begin:
            state.append(numbers.take(hidden))
    head = Linear(numbers.take(outputs, hidden), numbers.take(outputs))
    try:
        lstm = Recurrent(
            "lstm", features, hidden, weights, count,
            initial_state={n: np.stack(rows) for n, rows in zip("hc", begin, strict=True)},
        )  # fmt: skip
    except RnnError as error:
        raise FormatError(str(error)) from error
    return ModelSpec((lstm, head)), _about(document)


@dataclass
class _Numbers:
    """The list, taken from its beginning on."""

    numbers: Array
    used: int = 0

    def expect(self, features: int, hidden: int, count: int, outputs: int) -> None:
        """``FormatError`` where a network of these sizes has not as many."""
        per_layer = [4 * hidden * (n + hidden + 1) + 2 * hidden for n in (features, hidden)]
        if count > _MOST:
            raise FormatError(f"num_layers: expected 1 to {_MOST}, got {count}")
        needed = per_layer[0] + (count - 1) * per_layer[1] + outputs * (hidden + 1)
        if needed != self.numbers.size:
            raise FormatError(
                f"weights: {count} layers of {hidden} units on {features} inputs and {outputs} "
                f"outputs have {needed} numbers, got {self.numbers.size}"
            )

    def take(self, *shape: int) -> Array:
        begin, self.used = self.used, self.used + int(np.prod(shape))
        return self.numbers[begin : self.used].reshape(shape)


def write(spec: ModelSpec, path: str | os.PathLike[str]) -> None:
    """Write a file; atomically. Both biases of a gate become their sum, rounded to float32.

    ``UnsupportedError`` for anything but an LSTM and a Linear layer behind it.
    """
    shape = tuple(map(type, spec.layers))
    if shape != (Recurrent, Linear) or spec.mask_value is not None:
        kinds = ", ".join(layer.title for layer in spec.layers)
        raise UnsupportedError(f"a .nam file has an LSTM and a Linear behind it, not {kinds:.200}")
    lstm, head = cast(tuple[Recurrent, Linear], spec.layers)
    _check(lstm, head)
    begin = lstm.initial_state
    none = np.zeros((lstm.num_layers, lstm.hidden_size), np.float32)
    pieces: list[Any] = []
    for k in range(lstm.num_layers):
        own = {name: np.asarray(array) for name, array in lstm.arrays.items()}
        pieces.append(np.hstack([own[f"weight_ih_l{k}"], own[f"weight_hh_l{k}"]]))
        if lstm.bias:
            pieces.append(own[f"bias_ih_l{k}"] + own[f"bias_hh_l{k}"])
        else:
            pieces.append(np.zeros(4 * lstm.hidden_size))
        pieces += [none[k] if begin is None else begin[state][k] for state in "hc"]  # type: ignore[call-overload,index]
    pieces += [head.weight, np.zeros(head.output_size) if head.bias is None else head.bias]
    channels = (lstm.input_size, head.output_size)
    config = {
        "input_size": lstm.input_size, "hidden_size": lstm.hidden_size,
        "num_layers": lstm.num_layers,
    }  # fmt: skip
    if channels != (1, 1):
        config |= {"in_channels": channels[0], "out_channels": channels[1]}
    numbers = np.concatenate([np.ravel(piece) for piece in pieces]).astype(np.float32)
    version = _VERSION if channels == (1, 1) else _OF_CHANNELS
    told = {"version": version, "architecture": "LSTM", "config": config}
    write_document({**told, "weights": numbers.tolist()}, path)


def _check(lstm: Recurrent, head: Linear) -> None:
    options: dict[str, Any] = {
        "cell": "lstm", "direction": "forward", "proj_size": 0, "peephole": False,
        "gate_recurrent": False, "activations": None, "clip": None, "input_forget": False,
        "return_sequences": True, "positions": 1, "along": "time",
    }  # fmt: skip
    for name, value in options.items():
        if getattr(lstm, name) != value:
            raise UnsupportedError(f"a .nam file has no {name}={getattr(lstm, name)!r}")
    if head.activation != "identity":
        raise UnsupportedError(f"a .nam file has no activation {head.activation!r} of its output")
