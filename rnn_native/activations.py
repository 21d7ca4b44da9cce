"""The activations that a cell's gates can have, with their constants.

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
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from types import MappingProxyType
from typing import Final

from .errors import OptionError

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
    }
)
"""Which constants an activation takes, and their defaults; None where there is none."""


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
        leaky_relu 0.01, thresholded_relu 1, hard_sigmoid 0.2 and 0.5, elu 1); scaled_tanh has
        none, so both have to be given.

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
            raise OptionError(
                f"Activation name: expected one of {', '.join(CONSTANTS)}; got {self.name!r}"
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

    @property
    def constants(self) -> tuple[float, ...]:
        """alpha and beta, as far as it takes them."""
        return tuple(v for v in (self.alpha, self.beta) if v is not None)


STANDARD: Final[Mapping[str, tuple[Activation, ...]]] = MappingProxyType(
    {
        "rnn": (Activation("tanh"),),
        "gru": (Activation("sigmoid"), Activation("tanh")),
        "lstm": (Activation("sigmoid"), Activation("tanh"), Activation("tanh")),
    }
)
"""What a cell of each kind has where nothing else is said, in ONNX's order: f; f, g; f, g, h."""


def of_all_directions(
    cell: str, directions: int, activations: Sequence[Activation]
) -> tuple[Activation, ...]:
    """The activations of every direction, those of the first one first.

    ``activations`` are those of one direction, which all then have, or of all.
    """
    given = tuple(activations) if isinstance(activations, (tuple, list)) else ()
    if not given or not all(isinstance(one, Activation) for one in given):
        raise OptionError(
            f"Recurrent activations: expected a tuple of Activations, got {activations!r}"
        )
    count = len(STANDARD[cell])
    if len(given) not in (count, count * directions):
        raise OptionError(
            f"Recurrent activations: expected {count}, or {count} for each direction "
            f"({directions}), for the cell {cell!r}; got {len(given)}"
        )
    return given if len(given) == count * directions else given * directions
