"""Operators that are a function of each number: each by the activation that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, isinf
from types import MappingProxyType
from typing import Final

import numpy as np

from ...activations import CONSTANTS, Activation
from ...errors import UnsupportedError
from .activations import ELEMENTWISE
from .graph import Node
from .values import Constant, Value

Values = Sequence[Value | None]


def _of_name(node: Node, inputs: Values) -> Activation:
    """An operator with the constants of the function as its attributes."""
    name = ELEMENTWISE[node.op]
    return Activation(
        name, **node.options(**{key: ("float", value) for key, value in CONSTANTS[name].items()})
    )


def _selu(node: Node, inputs: Values) -> Activation:
    alpha, beta = CONSTANTS["selu"].values()
    options = node.options(alpha=("float", alpha), gamma=("float", beta))
    return Activation("selu", options["alpha"], options["gamma"])


def _gelu(node: Node, inputs: Values) -> Activation:
    approximate = node.options(approximate=("string", "none"))["approximate"]
    if approximate not in ("none", "tanh"):
        raise node.malformed(f"attribute approximate={approximate!r}: expected none or tanh")
    return Activation("gelu_tanh" if approximate == "tanh" else "gelu")


def _clip(node: Node, inputs: Values) -> Activation:
    """Within bounds, each of which may be left out: attributes before operator set 11."""
    if node.opset < 11:
        options = node.options(min=("float", -np.inf), max=("float", np.inf))
        low, high = options["min"], options["max"]
    else:
        node.options()
        low, high = (
            missing if bound is None else _number(node, bound, where)
            for bound, where, missing in zip(
                [*inputs[1:], None, None], ("min", "max"), (-np.inf, np.inf), strict=False
            )
        )
    most = float(np.finfo(np.float32).max)  # as exporters write that there is no bound
    return within(node, *(np.inf * bound if abs(bound) >= most else bound for bound in (low, high)))


def within(node: Node, low: float, high: float) -> Activation:
    """min(max(x, low), high), of bounds that may be infinite."""
    if low == -np.inf and high == np.inf:
        return Activation("identity")
    if high == np.inf and isfinite(low):
        return Activation("max", low)
    if low == -np.inf and isfinite(high):
        return Activation("min", high)
    if isinf(low) or isinf(high):
        raise node.unsupported(f"bounds {low} and {high} leave no number")
    # where the bounds cross, the upper one is all there is
    return Activation("clip", min(low, high), high)


def _power(node: Node, inputs: Values) -> Activation:
    node.options()
    return Activation("pow", _number(node, inputs[1], "the exponent"))


def _extreme(node: Node, inputs: Values) -> Activation:
    """Max or Min of x and one number."""
    node.options()
    if len(inputs) != 2:
        raise node.unsupported(f"of {len(inputs)} inputs; only one of a value and a number can be")
    return Activation(node.op.lower(), _number(node, inputs[1], "the second input"))


def _number(node: Node, value: Value | None, where: str) -> float:
    if not isinstance(value, Constant) or value.array.size != 1:
        raise node.unsupported(f"expected {where} to be one constant number")
    number = float(value.array.reshape(()))
    if not isfinite(number) and where not in ("min", "max"):
        raise node.unsupported(f"expected {where} to be a finite number, got {number}")
    return number


FUNCTIONS: Final[Mapping[str, tuple[Callable[[Node, Values], Activation], int, int]]] = (
    MappingProxyType(
        {
            **dict.fromkeys(ELEMENTWISE, (_of_name, 1, 1)),
            "Clip": (_clip, 1, 3),
            "Gelu": (_gelu, 1, 1),
            "Max": (_extreme, 1, 1000),
            "Min": (_extreme, 1, 1000),
            "Pow": (_power, 2, 2),
            "Selu": (_selu, 1, 1),
        }
    )
)
"""What an operator is as an activation of its first input, and how many inputs it takes."""

WRITTEN: Final = (
    *(name for name in ELEMENTWISE.values() if name not in ("mish", "silu")),  # of later sets
    "affine", "clip", "max", "min", "pow", "selu",
)  # fmt: skip
"""The functions that operators of the set that is written calculate; affine is two, Mul and Add."""


def operator(f: Activation) -> tuple[str, dict[str, float], tuple[float, ...]]:
    """The operator that is written for a function, its attributes, and its further inputs."""
    if f.name not in WRITTEN:
        raise UnsupportedError(
            f"Elementwise function={f.name}: ONNX has no such operator; it has {', '.join(WRITTEN)}"
        )
    if f.name == "selu":
        alpha, beta = f.constants
        return "Selu", {"alpha": alpha, "gamma": beta}, ()
    if f.name in ("clip", "max", "min", "pow"):
        return f.name.capitalize(), {}, f.constants
    op = next(op for op, name in ELEMENTWISE.items() if name == f.name)
    if f.name == "hard_swish":
        if f != Activation("hard_swish"):
            raise UnsupportedError(
                f"Elementwise {f}: ONNX's HardSwish has no constants but alpha=1/6 and beta=0.5"
            )
        return op, {}, ()
    return op, dict(zip(CONSTANTS[f.name], f.constants, strict=True)), ()
