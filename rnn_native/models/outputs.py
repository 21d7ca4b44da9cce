"""What a model gives for a step: which activation, loss, prediction and score belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, OptionError, ShapeError
from ..train.losses import Loss, binary_cross_entropy, cross_entropy, mean_squared_error
from .labels import NOTHING, UNSEEN, Label, Labels, as_classes, listed


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

    def learnt_from(
        self, y: NDArray[Any], counts: NDArray[np.bool_], unknown: Label | None
    ) -> Output:
        """The output whose classes are those of the training data."""
        return self

    def with_classes(self, classes: Sequence[Label], unknown: Label | None) -> Output:
        """The output of a file that has ``classes``; ``OptionError`` where it can have none."""
        raise OptionError(f"classes: expected none of output={self.activation!r}")

    @property
    def classes(self) -> list[Label] | None:
        """As a file has them; None where the output has none."""
        return None

    def targets(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
        """y as the loss takes it, its values checked where they count: ``counts`` over the axes
        of sequences and steps."""
        raise NotImplementedError

    def expect_seen(self, targets: NDArray[Any], y: NDArray[Any]) -> None:
        """``ShapeError`` where one of the targets, made of ``y``, is of no class there is, so
        that it has no loss."""

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        """The prediction of what the network gives, activation included, as ``score`` takes it."""
        raise NotImplementedError

    def named(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """The prediction as callers have it."""
        return predicted

    @property
    def filler(self) -> Any:
        """What stands where there is nothing to predict, past a row's length."""
        return 0

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        """How good predictions are, at places [n, ...] that count: more is better."""
        raise NotImplementedError

    def doubt(self, y: NDArray[Any]) -> str | None:
        """Why a score over such targets says little, if it does."""
        return None

    def _vectors(self, y: NDArray[Any]) -> NDArray[Any]:
        if y.dtype.kind not in "fiub":
            raise DTypeError(f"y: expected real numbers, got {y.dtype}")
        if y.shape[-1] != self.size:
            raise ShapeError(f"y: expected {self.size} features, got shape {y.shape}")
        return y.astype(np.float64)


class Softmax(Output):
    """One of ``size`` classes. y: labels, see :mod:`rnn_native.models.labels`; an unknown one
    counts neither for the loss nor for the score. Score: the share that is right."""

    activation = "softmax"
    loss = staticmethod(cross_entropy)
    target_rank = 0

    def __init__(self, size: int, labels: Labels | None = None) -> None:
        super().__init__(size)
        self.labels = Labels(np.arange(size)) if labels is None else labels

    def learnt_from(
        self, y: NDArray[Any], counts: NDArray[np.bool_], unknown: Label | None
    ) -> Output:
        labels = Labels.of(y, counts, self.size, unknown)
        return Softmax(len(labels.classes), labels)

    def with_classes(self, classes: Sequence[Label], unknown: Label | None) -> Output:
        labels = Labels(as_classes(classes), unknown)
        return Softmax(len(labels.classes), labels)

    @property
    def classes(self) -> list[Label]:
        found: list[Label] = self.labels.classes.tolist()
        return found

    def targets(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
        return self.labels.columns(y, counts)

    def expect_seen(self, targets: NDArray[Any], y: NDArray[Any]) -> None:
        wrong = np.argwhere(targets == UNSEEN)
        if len(wrong):
            place = tuple(int(index) for index in wrong[0])
            label = y[place].item() if isinstance(y[place], np.generic) else y[place]
            raise ShapeError(
                f"y{list(place)}: expected one of the classes {listed(self.labels.classes)}; "
                f"got {label!r}"
            )

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(activated.argmax(axis=-1))

    def named(self, predicted: NDArray[Any]) -> NDArray[Any]:
        return self.labels.named(predicted)

    @property
    def filler(self) -> Any:
        return self.labels.filler

    def score(self, predicted: NDArray[Any], y: NDArray[Any]) -> float:
        known = y != NOTHING
        return float(np.mean(predicted[known] == y[known])) if known.any() else float("nan")

    def doubt(self, y: NDArray[Any]) -> str | None:
        known = y[y != NOTHING]
        if self.size == 1 or len(known) < 2 or (known != known[0]).any():
            return None
        which = "none of the classes"
        if known[0] != UNSEEN:
            which = f"of class {self.labels.classes[known[0]].item()!r}"
        return f"every target that counts is {which}: a score over one class tells little"


class Sigmoid(Output):
    """``size`` independent yes-or-no features. y: 0 to 1. Score: the share of features right."""

    activation = "sigmoid"
    loss = staticmethod(binary_cross_entropy)
    target_rank = 1

    def targets(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
        vectors = self._vectors(y)
        if ((vectors < 0) | (vectors > 1))[counts].any():
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

    def targets(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
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
