"""A softmax: of the features of each step, or of all steps of each feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...activations import log_softmax, softmax
from ...errors import ShapeError
from ..keys import Key, flag, size
from ..layer import Float64, Layer, Ran, State, Value


@dataclass(frozen=True)
class Softmax(Layer):
    """y = exp(x) / sum(exp(x)), or its logarithm, over all features of each step, or over each of
    ``groups`` equal blocks of them, one behind the other.

    Where the features are [groups, n], it is over the n of each group; a view
    (:class:`Transpose`, :class:`Strided`) puts another axis there. It is the softmax of a
    :class:`Linear`, whose bits it has, behind anything. Without weights or state; in a chain it
    cannot be first.

    Raises
    ------
    ShapeError
        In a model: ``groups`` is no divisor of the features that come.

    Examples
    --------
    >>> import numpy as np, rnn_native as rn
    >>> model = rn.Model([rn.Linear(np.eye(4)), rn.Softmax(groups=2)])
    >>> model(np.zeros((1, 1, 4)))[0].tolist()
    [[[0.5, 0.5, 0.5, 0.5]]]
    """

    groups: int = 1
    log: bool = False

    kind = "softmax"
    keys = (Key("groups", "natural", least=1), Key("log", "flag"))
    trains = False
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", size("Softmax groups", self.groups, 1))
        object.__setattr__(self, "log", flag("Softmax log", self.log))

    def outputs(self, where: str, name: str, inputs: Sequence[Value]) -> tuple[Value, ...]:
        given = super().outputs(where, name, inputs)
        if given[0].features % self.groups:
            raise ShapeError(
                f"{where} (Softmax): groups: expected a divisor of {given[0].features} features, "
                f"got {self.groups}"
            )
        return given

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        blocks = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        return Ran(((log_softmax if self.log else softmax)(blocks).reshape(x.shape),))


def LogSoftmax(groups: int = 1) -> Softmax:  # noqa: N802
    """x - log(sum(exp(x))): see :class:`Softmax`."""
    return Softmax(groups, log=True)


@dataclass(frozen=True)
class SoftmaxOverTime(Layer):
    """y = exp(x) / sum(exp(x)) of each row and feature by itself, over all steps that count.

    The weights of an attention that has no state: times a value, and summed by ``Reduce("sum")``,
    they are an :class:`AttentionPool`, which streams as well. It takes whole sequences: a stream
    refuses it. In float32 too the sum is in float64. Without weights; in a chain it cannot be
    first.
    """

    kind = "softmax_over_time"
    trains = False
    input_size = None
    output_size = None

    @property
    def needs_steps(self) -> bool:
        return True

    @property
    def needs_all(self) -> str:
        return "a softmax over all steps"

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        if not len(x):
            return Ran((x,))
        there = np.where(valid[..., None], x, -np.inf)
        top = np.max(there, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):  # of a row without steps
            e = np.exp(there - top)
            return Ran((np.where(valid[..., None], e / np.sum(e, axis=0), 0.0),))
