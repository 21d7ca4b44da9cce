"""What a model gives for a step: which activation, loss, prediction and score belong together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, OptionError, ShapeError
from ..train.losses import Loss, binary_cross_entropy, cross_entropy, mean_squared_error


class Output:
    """One kind of output with ``size`` features: ``OUTPUTS`` has all kinds."""

    activation: str
    loss: Loss
    target_rank: int
    """Axes of one step's target: 0 for a class, 1 for a vector."""

    def __init__(self, size: int) -> None:
        self.size = size

    def is_per_step(self, y: NDArray[Any]) -> bool:
        """Whether y has a target for each step and not for each sequence, by its axes."""
        if y.ndim not in (1 + self.target_rank, 2 + self.target_rank):
            end = f", {self.size}" if self.target_rank else ""
            raise ShapeError(f"y: expected shape (batch{end}) or (batch, time{end}), got {y.shape}")
        return y.ndim == 2 + self.target_rank

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """y as the loss takes it, its values checked."""
        raise NotImplementedError

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        """The prediction of what the network gives, activation included."""
        raise NotImplementedError

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        """How good predictions are, at places [n, ...] that count: more is better."""
        raise NotImplementedError

    def _vectors(self, y: NDArray[Any]) -> NDArray[Any]:
        if y.dtype.kind not in "fiub":
            raise DTypeError(f"y: expected real numbers, got {y.dtype}")
        if y.shape[-1] != self.size:
            raise ShapeError(f"y: expected {self.size} features, got shape {y.shape}")
        return y.astype(np.float64)


class Softmax(Output):
    """One of ``size`` classes. y: integers 0 to size - 1, or -1 where the class is unknown, which
    then counts neither for the loss nor for the score. Score: the share that is right."""

    activation = "softmax"
    loss = staticmethod(cross_entropy)
    target_rank = 0

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        if y.dtype.kind not in "iu":
            raise DTypeError(f"y: expected classes as integers, got {y.dtype}")
        wrong = np.argwhere((y.astype(np.int64) < -1) | (y.astype(np.int64) >= self.size))
        if len(wrong):
            place = tuple(int(index) for index in wrong[0])
            raise ShapeError(f"y{list(place)}: expected -1..{self.size - 1}, got {y[place]}")
        return y.astype(np.int64)

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(activated.argmax(axis=-1))

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        known = y >= 0
        return float(np.mean(predicted[known] == y[known])) if known.any() else float("nan")


class Sigmoid(Output):
    """``size`` independent yes-or-no features. y: 0 to 1. Score: the share of features right."""

    activation = "sigmoid"
    loss = staticmethod(binary_cross_entropy)
    target_rank = 1

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        vectors = self._vectors(y)
        if ((vectors < 0) | (vectors > 1)).any():
            raise ShapeError("y: expected 0 to 1 everywhere")
        return vectors

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        return (activated >= 0.5).astype(np.int64)

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        return float(np.mean(predicted == (y >= 0.5)))


class Identity(Output):
    """``size`` numbers. y: numbers. Score: R^2, 1 - sum (y - p)^2 / sum (y - mean y)^2, the sums
    over all features (1 where every p is right, 0 for the mean)."""

    activation = "identity"
    loss = staticmethod(mean_squared_error)
    target_rank = 1

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        return self._vectors(y)

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        return activated

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        around = float(np.sum((y - y.mean(axis=0)) ** 2))
        missed = float(np.sum((y - predicted) ** 2))
        return 1.0 - missed / around if around else float(missed == 0.0)


OUTPUTS: Final[Mapping[str, type[Output]]] = MappingProxyType(
    {"softmax": Softmax, "sigmoid": Sigmoid, "identity": Identity}
)


def make_output(name: str, size: int) -> Output:
    if name not in OUTPUTS:
        raise OptionError(f"output: expected one of {', '.join(OUTPUTS)}; got {name!r}")
    return OUTPUTS[name](size)
