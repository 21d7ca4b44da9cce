"""Keras's activations by name, in the terms of a cell and of a Linear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ...activations import Activation
from ...errors import UnsupportedError

_LINEAR: Final[Mapping[str, str]] = MappingProxyType({
    "linear": "identity", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu",
    "softmax": "softmax", "log_softmax": "log_softmax",
})  # fmt: skip


def _hard_sigmoid(version: int) -> Activation:
    """0.2 x + 0.5 in Keras 1 and 2, x / 6 + 0.5 since 3, within 0..1."""
    return Activation("hard_sigmoid", 0.2 if version < 3 else 1 / 6, 0.5)


_OF_CELLS: Final[Mapping[str, Callable[[int], Activation]]] = MappingProxyType({
    "linear": lambda version: Activation("identity"),
    "sigmoid": lambda version: Activation("sigmoid"),
    "tanh": lambda version: Activation("tanh"),
    "relu": lambda version: Activation("relu"),
    "hard_sigmoid": _hard_sigmoid,
    "leaky_relu": lambda version: Activation("leaky_relu", 0.2),
    "elu": lambda version: Activation("elu", 1.0),
    "softsign": lambda version: Activation("softsign"),
    "softplus": lambda version: Activation("softplus"),
    **dict.fromkeys(("silu", "swish"), lambda version: Activation("silu")),
    **dict.fromkeys(("hard_silu", "hard_swish"), lambda version: Activation("hard_swish")),
    "gelu": lambda version: Activation("gelu"),
    "selu": lambda version: Activation("selu"),
    "mish": lambda version: Activation("mish"),
    "exponential": lambda version: Activation("exp"),
    "relu6": lambda version: Activation("clip", 0.0, 6.0),
    "hard_tanh": lambda version: Activation("clip", -1.0, 1.0),
})  # fmt: skip
CELL_ACTIVATIONS: Final = tuple(_OF_CELLS)
BEHIND_DENSE: Final = tuple(name for name in _OF_CELLS if name not in _LINEAR)
"""Those that a Linear does not have itself: an Elementwise behind it has them."""


def cell_activation(where: str, value: object, version: int) -> Activation:
    """An activation of a cell, as Keras of this major version calculates it."""
    name = "linear" if value is None else value
    make = _OF_CELLS.get(name) if isinstance(name, str) else None
    if make is None:
        raise _unsupported(where, value, CELL_ACTIVATIONS)
    return make(version)


def linear_activation(where: str, value: object) -> str:
    """An activation of a Dense layer, by the name that a Linear has for it."""
    name = "linear" if value is None else value
    ours = _LINEAR.get(name) if isinstance(name, str) else None
    if ours is None:
        raise _unsupported(where, value, tuple(_LINEAR))
    return ours


def _unsupported(where: str, value: object, known: tuple[str, ...]) -> UnsupportedError:
    if isinstance(value, dict):  # of a function or layer of the user's own
        value = value.get("config") if value.get("class_name") == "function" else value.get(
            "class_name"
        )  # fmt: skip
    return UnsupportedError(
        f"{where}={str(value)[:80]!r} is not supported; expected one of {', '.join(known)}"
    )
