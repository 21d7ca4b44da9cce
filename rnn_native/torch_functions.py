"""Modules of ``torch.nn`` that are a function of each number: each by the activation that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from .activations import Activation


def _softplus(module: Any) -> Activation | None:
    """It is x itself above its threshold: from 20 on both are the same within float32."""
    plain = module.beta == 1 and module.threshold >= 20
    return Activation("softplus") if plain else None


FUNCTIONS: Final[Mapping[str, Callable[[Any], Activation | None]]] = MappingProxyType({
    "ELU": lambda module: Activation("elu", module.alpha),
    "GELU": lambda module: Activation("gelu_tanh" if module.approximate == "tanh" else "gelu"),
    "Hardsigmoid": lambda module: Activation("hard_sigmoid", 1 / 6, 0.5),
    "Hardswish": lambda module: Activation("hard_swish"),
    "Hardtanh": lambda module: Activation("clip", module.min_val, module.max_val),
    "LeakyReLU": lambda module: Activation("leaky_relu", module.negative_slope),
    "Mish": lambda module: Activation("mish"),
    "ReLU": lambda module: Activation("relu"),
    "ReLU6": lambda module: Activation("clip", 0.0, 6.0),
    "SELU": lambda module: Activation("selu"),
    "SiLU": lambda module: Activation("silu"),
    "Sigmoid": lambda module: Activation("sigmoid"),
    "Softplus": _softplus,
    "Softsign": lambda module: Activation("softsign"),
    "Tanh": lambda module: Activation("tanh"),
})  # fmt: skip


def function_of(kind: str | None, module: Any) -> Activation | None:
    """The activation that a module of this class is; None where it is none of ours."""
    make = FUNCTIONS.get(kind or "")
    return None if make is None else make(module)
