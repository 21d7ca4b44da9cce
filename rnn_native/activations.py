"""The activations: of a cell's gates with their constants, and of a layer's outputs.

Those of ONNX's operators RNN, GRU and LSTM (https://onnx.ai/onnx/operators/onnx__LSTM.html), whose
defaults the constants have, and the identity::

    identity            x
    relu                max(0, x)
    tanh                tanh(x)
    sigmoid             1 / (1 + exp(-x))
    affine              alpha x + beta
    leaky_relu          x if x >= 0, else alpha x
    thresholded_relu    x if x >= alpha, else 0
    scaled_tanh         alpha tanh(beta x)
    hard_sigmoid        min(max(alpha x + beta, 0), 1)
    elu                 x if x >= 0, else alpha (exp(x) - 1)
    softsign            x / (1 + |x|)
    softplus            log(1 + exp(x))

Further ones, as PyTorch, Keras and ONNX have them. ``relu6`` is ``clip`` with 0 and 6, ``square``
is ``pow`` with 2, minus x is ``affine`` with -1 and 0::

    silu                x / (1 + exp(-alpha x)), also called swish
    gelu                x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2
    gelu_tanh           x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
    mish                x tanh(log(1 + exp(x)))
    hard_swish          x min(max(alpha x + beta, 0), 1)
    selu                beta x if x >= 0, else beta alpha (exp(x) - 1)
    clip                min(max(x, alpha), beta)
    max                 max(x, alpha)
    min                 min(x, alpha)
    abs                 |x|
    exp                 exp(x)
    log                 log(x)
    sqrt                sqrt(x)
    reciprocal          1 / x
    pow                 x^alpha
    erf                 erf(x)

A Linear layer and an RNN's output layer have those of ``ACTIVATIONS``, two of which are over the
features of one step::

    softmax             exp(x) / sum(exp(x))
    log_softmax         x - log(sum(exp(x)))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

ACTIVATIONS: Final = ("identity", "sigmoid", "tanh", "relu", "softmax", "log_softmax")
"""Of a Linear layer, and of the output layer of an RNN."""

CONSTANTS: Final[Mapping[str, Mapping[str, float | None]]] = MappingProxyType(
    {
        "identity": {},
        "relu": {},
        "tanh": {},
        "sigmoid": {},
        "affine": {"alpha": 1.0, "beta": 0.0},
        "leaky_relu": {"alpha": 0.01},
        "thresholded_relu": {"alpha": 1.0},
        "scaled_tanh": {"alpha": None, "beta": None},
        "hard_sigmoid": {"alpha": 0.2, "beta": 0.5},
        "elu": {"alpha": 1.0},
        "softsign": {},
        "softplus": {},
        "silu": {"alpha": 1.0},
        "gelu": {},
        "gelu_tanh": {},
        "mish": {},
        "hard_swish": {"alpha": 1 / 6, "beta": 0.5},
        "selu": {"alpha": 1.6732632423543772, "beta": 1.0507009873554805},
        "clip": {"alpha": None, "beta": None},
        "max": {"alpha": None},
        "min": {"alpha": None},
        "abs": {},
        "exp": {},
        "log": {},
        "sqrt": {},
        "reciprocal": {},
        "pow": {"alpha": None},
        "erf": {},
    }
)
"""Which constants an activation takes, and their defaults; None where there is none."""
_ALSO_CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "swish": "silu", "leakyrelu": "leaky_relu", "hardswish": "hard_swish",
        "hardsigmoid": "hard_sigmoid", "exponential": "exp", "linear": "identity",
        "relu6": "clip with 0 and 6", "hardtanh": "clip with -1 and 1", "square": "pow with 2",
        "neg": "affine with -1 and 0",
    }
)  # fmt: skip
"""What those are that others have under another name."""


def finite(where: str, value: object) -> float:
    """A number that is finite, Python's or NumPy's; ``OptionError`` for anything else."""
    try:
        if not isinstance(value, bool) and isinstance(value, Real) and isfinite(value):
            return float(value)
    except OverflowError:  # an integer past every float
        pass
    raise OptionError(f"{where}: expected a finite number, got {value!r}")


@dataclass(frozen=True)
class Activation:
    """An activation and its constants.

    Parameters
    ----------
    name
        One of the names above.
    alpha, beta
        Finite numbers. None: the default of ONNX's operator of that name (affine 1 and 0,
        leaky_relu 0.01, thresholded_relu 1, hard_sigmoid 0.2 and 0.5, elu 1, silu 1, hard_swish
        1/6 and 0.5, selu 1.67326 and 1.0507); scaled_tanh, clip, max, min and pow have none, so
        theirs have to be given. clip's alpha is at most its beta.

    Raises
    ------
    OptionError
        An unknown name, a constant that is no finite number, one that the activation does not
        take, or the lack of one that has no default.
    """

    name: str
    alpha: float | None = None
    beta: float | None = None

    def __post_init__(self) -> None:
        if self.name not in CONSTANTS:
            known = _ALSO_CALLED.get(str(self.name))
            raise OptionError(
                f"Activation name: expected one of {', '.join(CONSTANTS)}; got {self.name!r}"
                + (f", which is {known} here" if known else "")
            )
        takes = CONSTANTS[self.name]
        for constant in ("alpha", "beta"):
            value = getattr(self, constant)
            where = f"Activation {self.name} {constant}"
            if value is not None and constant not in takes:
                raise OptionError(f"{where}: expected none, {self.name} takes none; got {value!r}")
            if constant not in takes:
                continue
            value = finite(where, takes[constant] if value is None else value)
            object.__setattr__(self, constant, value + 0.0)  # -0 is 0
        if self.name == "clip" and self.constants[0] > self.constants[1]:
            raise OptionError(
                f"Activation clip: expected alpha, the least, of at most beta; got {self.constants}"
            )

    @property
    def constants(self) -> tuple[float, ...]:
        """alpha and beta, as far as it takes them."""
        return tuple(v for v in (self.alpha, self.beta) if v is not None)

    @property
    def function(self) -> Function:
        """Its equation in float64."""
        return lambda x: FUNCTIONS[self.name](x, *self.constants)


# Equations in float64: NaN stays NaN in each of them


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by whichever of its two forms never takes exp of a positive number."""
    e: Array = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def log_softmax(x: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis, shifted by the maximum so as not to overflow."""
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so as not to overflow."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


def softsign(x: Array) -> Array:
    """x / (1 + |x|), and its limit at infinity."""
    return np.where(np.isinf(x), np.sign(x), x / (1.0 + np.abs(x)))


def silu(x: Array, alpha: float = 1.0) -> Array:
    """x sigmoid(alpha x), and 0 where sigmoid is 0."""
    gate = sigmoid(alpha * x)
    return np.where(gate == 0, 0.0, x * gate)


def erf(x: Array) -> Array:
    """The error function of each x."""
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)


def gelu(x: Array) -> Array:
    """x Phi(x), where Phi(x) = erfc(-x / sqrt(2)) / 2 has no cancellation; 0 where Phi is 0."""
    phi = np.asarray(np.frompyfunc(math.erfc, 1, 1)(-x / math.sqrt(2)), dtype=np.float64) / 2
    return np.where(phi == 0, 0.0, x * phi)


def gelu_tanh(x: Array) -> Array:
    """x (1 + tanh(u)) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    gate = sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))
    return np.where(gate == 0, 0.0, x * gate)


def mish(x: Array) -> Array:
    """x tanh(log(1 + exp(x))), and 0 where exp is 0."""
    gate = np.tanh(np.logaddexp(0.0, x))
    return np.where(gate == 0, 0.0, x * gate)


FUNCTIONS: Final[Mapping[str, Callable[..., Array]]] = MappingProxyType({
    "identity": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "softsign": softsign,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "affine": lambda x, alpha, beta: alpha * x + beta,
    "leaky_relu": lambda x, alpha: np.where(x < 0, alpha * x, x),
    "thresholded_relu": lambda x, alpha: np.where(x < alpha, 0.0, x),
    "scaled_tanh": lambda x, alpha, beta: alpha * np.tanh(beta * x),
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0.0, 1.0),
    "elu": lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x),
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "mish": mish,
    "hard_swish": lambda x, alpha, beta: x * np.clip(alpha * x + beta, 0.0, 1.0),
    "selu": lambda x, alpha, beta: beta * np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
    "clip": np.clip,
    "max": np.maximum,
    "min": np.minimum,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "reciprocal": lambda x: 1.0 / x,
    "pow": np.power,
    "erf": erf,
})  # fmt: skip
"""Of x and the activation's constants."""
