"""A ModelSpec's arrays by the names of the ``torch.nn.Sequential`` that has the same layers.

``Embedding``, ``RNN``, ``GRU``, ``LSTM`` and ``Linear`` take a place each, and so does the
activation behind a Linear: ``0.weight``, ``1.weight_ih_l0``, ``2.weight``, (3 is a ReLU), ...
A layer without arrays, such as a Merge, takes one as well. That a last state
alone goes on from a module changes none of its arrays either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from ...errors import FormatError, UnsupportedError
from ...spec import Array, Embedding, Layer, Linear, ModelSpec, Recurrent
from ..handlers import handler_of
from ..metadata import PREFIX, parse

_VALUES: Final = {"direction": ("forward", "bidirectional"), "nonlinearity": ("tanh", "relu")}
_ANY: Final = ("num_layers", "bias", "proj_size", "return_sequences")


def sequential_arrays(spec: ModelSpec) -> dict[str, Array]:
    """The arrays by name, in ``state_dict`` order; not copied.

    Raises ``UnsupportedError`` for a model or a layer with an option with which PyTorch's modules
    would make other numbers of the same arrays, or have no names for them; it names the option.
    """
    if spec.mask_value is not None:
        raise UnsupportedError(
            f"ModelSpec mask_value={spec.mask_value}: PyTorch's modules do not find lengths in x"
        )
    named = {}
    activations = (getattr(layer, "activation", "identity") for layer in spec.layers)
    for index, (layer, place) in enumerate(zip(spec.layers, _places(activations), strict=True)):
        where = f"layer {index}"
        if layer.arrays:
            handler_of(_CHECKS, layer, f"{where}: PyTorch")(where, layer)
        named.update({f"{place}.{name}": array for name, array in layer.arrays.items()})
    return named


def by_layers(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The same tensors by the names of ``formats.metadata``, which begin with the layer's index."""
    lines: list[Mapping[str, Any]] = []
    while (line := metadata.get(f"{PREFIX}layer.{len(lines)}")) is not None:
        lines.append(parse(f"layer {len(lines)}", line)[1])
    activations = (options.get("activation", "identity") for options in lines)
    layers = {str(place): index for index, place in enumerate(_places(activations))}
    named = {}
    for name in tensors:
        place, dot, own = name.partition(".")
        if not dot or place not in layers:
            raise FormatError(f"tensor {name!r}: the description has no layer in this place")
        named[f"{layers[place]}.{own}"] = tensors[name]
    return named


def _places(activations: Iterable[str]) -> Iterator[int]:
    place = 0
    for activation in activations:
        yield place
        place += 1 if activation == "identity" else 2


def _check(where: str, layer: Recurrent) -> None:
    """Refuses what is not PyTorch's: an option that neither is known here nor has its default."""
    if layer.initial_state is not None:
        raise UnsupportedError(
            f"{where}: PyTorch has no module for initial_state: its modules begin with zeros, or "
            "with the state of a call; .safetensors and .npz keep it"
        )
    for option in fields(Recurrent):
        if option.default is MISSING or option.name in _ANY:
            continue
        value = getattr(layer, option.name)
        if value not in _VALUES.get(option.name, (option.default,)):
            raise UnsupportedError(f"{where}: PyTorch has no module for {option.name}={value!r}")


def _any(where: str, layer: Layer) -> None:
    """PyTorch has all of it."""


_CHECKS: Final[Mapping[type[Layer], Callable[[str, Any], None]]] = {
    Embedding: _any,
    Recurrent: _check,
    Linear: _any,
}
