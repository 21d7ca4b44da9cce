"""What stands for a ModelSpec where one is asked for: a layer, or a list of layers."""

from __future__ import annotations

from os import PathLike
from typing import Protocol

from .errors import OptionError
from .spec import Layer, ModelSpec, Recurrent


class HasLayer(Protocol):
    """What stands for a layer: ``rn.RNN``, ``rn.GRU`` and ``rn.LSTM``."""

    @property
    def spec(self) -> Recurrent: ...


def as_spec(value: object) -> ModelSpec:
    """``value`` as a ModelSpec: one, a layer, or a list of layers; ``rn.RNN``, ``GRU`` and ``LSTM``
    stand for their layer. ``OptionError`` for anything else."""
    if isinstance(value, ModelSpec):
        return value
    if isinstance(value, (list, tuple)):
        parts = [
            (f"spec[{index}]", one)
            for index, part in enumerate(value)
            for one in (part if isinstance(part, tuple) and part else (part,))
        ]
    else:
        parts = [("spec", value)]
    return ModelSpec(tuple(_as_layer(where, part) for where, part in parts))


def _as_layer(where: str, part: object) -> Layer:
    layer = part if isinstance(part, Layer) else getattr(part, "spec", None)
    if isinstance(layer, Layer):
        return layer
    hint = ""
    if isinstance(part, ModelSpec) or isinstance(layer, ModelSpec):
        hint = "; the layers of a ModelSpec are its .layers, those of a Model its .spec.layers"
    elif isinstance(part, (str, PathLike)):
        hint = "; rnn_native.load reads a file"
    elif type(part).__module__.startswith("torch."):
        hint = "; rnn_native.from_torch takes a module of PyTorch's"
    expected = "a layer (Embedding, Recurrent, Linear, Merge, or an rn.RNN, GRU or LSTM)"
    if where == "spec":
        expected = f"a ModelSpec, {expected} or a list of layers"
    raise OptionError(f"{where}: expected {expected}, got {type(part).__name__}{hint}")
