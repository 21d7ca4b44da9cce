"""What a model gives for a step: which activation, loss, prediction and score belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError
from ..train.losses import Loss, binary_cross_entropy, cross_entropy, mean_squared_error
from .inputs import DataError
from .labels import NOTHING, UNSEEN, Label, Labels, as_classes, listed


class Output:
    """One kind of output with ``size`` features, None where training data is to say how many:
    ``OUTPUTS`` has all kinds."""

    activation: str
    loss: Loss
    target_rank: int
    """Axes of one step's target: 0 for a class, 1 for a vector."""

    def __init__(self, size: int | None) -> None:
        self.size = size

    def is_per_step(self, y: NDArray[Any]) -> bool:
        """Whether y has a target for each step and not for each sequence, by its axes."""
        if y.ndim not in (1 + self.target_rank, 2 + self.target_rank):
            end = f", {self.size or 'features'}" if self.target_rank else ""
            hint = "; classes, not one-hot: y.argmax(axis=-1)" if self._is_one_hot(y) else ""
            raise ShapeError(
                f"y: expected shape (batch{end}) or (batch, time{end}), got {y.shape}{hint}"
            )
        return y.ndim == 2 + self.target_rank

    def learnt_from(
        self, y: NDArray[Any], counts: NDArray[np.bool_], unknown: Label | None
    ) -> Output:
        """The output whose classes or features are those of the training data."""
        return self if self.size is not None else type(self)(y.shape[-1])

    def with_classes(self, classes: Sequence[Label], unknown: Label | None) -> Output:
        """The output of a file that has ``classes``; ``OptionError`` where it can have none."""
        raise OptionError(f"classes: expected none of output={self.activation!r}")

    @property
    def classes(self) -> list[Label] | None:
        """As a file has them; None where the output has none."""
        return None

    def _is_one_hot(self, y: NDArray[Any]) -> bool:
        """Of classes of steps, [batch, time, classes]."""
        return self.target_rank == 0 and y.ndim == 3 and y.dtype.kind in "biuf"

    def is_flat(self, y: NDArray[Any]) -> bool:
        """Whether y lacks an axis for the one feature there is: [batch], or, where output_dim=1
        says that it is no feature, [batch, time]."""
        if self.target_rank == 0 or self.size not in (None, 1):
            return False
        return y.ndim == 1 or (y.ndim == 2 and y.shape[1] != 1 and self.size == 1)

    def targets(self, y: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[Any]:
        """y as the loss takes it, its values checked where they count: ``counts`` over the axes
        of sequences and steps."""
        raise NotImplementedError

    def expect_seen(self, targets: NDArray[Any], y: NDArray[Any], name: str = "y") -> None:
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

    def score(
        self, predicted: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None
    ) -> float:
        """How good predictions are, at places [n, ...] that count, each so many times: more is
        better."""
        raise NotImplementedError

    def doubt(self, y: NDArray[Any]) -> str | None:
        """Why a score over such targets says little, if it does."""
        return None

    def _vectors(self, y: NDArray[Any]) -> NDArray[Any]:
        if y.dtype.kind == "O":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise DataError(f"y: Unknown label type: expected numbers: {error}") from error
        if y.dtype.kind not in "fiub":
            raise DataError(f"y: expected real numbers, got {y.dtype}")
        if y.shape[-1] != self.size:
            raise ShapeError(f"y: expected {self.size} features, got shape {y.shape}")
        return y.astype(np.float64)


class Softmax(Output):
    """One of ``size`` classes. y: labels, see :mod:`rnn_native.models.labels`; an unknown one
    counts neither for the loss nor for the score. Score: the share that is right."""

    activation = "softmax"
    loss = staticmethod(cross_entropy)
    target_rank = 0

    def __init__(self, size: int | None, labels: Labels | None = None) -> None:
        super().__init__(size)
        self.labels = Labels(np.arange(size or 0)) if labels is None else labels

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

    def expect_seen(self, targets: NDArray[Any], y: NDArray[Any], name: str = "y") -> None:
        wrong = np.argwhere(targets == UNSEEN)
        if len(wrong):
            place = tuple(int(index) for index in wrong[0])
            label = y[place].item() if isinstance(y[place], np.generic) else y[place]
            raise ShapeError(
                f"{name}{list(place)}: expected one of the classes {listed(self.labels.classes)}; "
                f"got {label!r}"
            )

    def predict(self, activated: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(activated.argmax(axis=-1))

    def named(self, predicted: NDArray[Any]) -> NDArray[Any]:
        return self.labels.named(predicted)

    @property
    def filler(self) -> Any:
        return self.labels.filler

    def score(
        self, predicted: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None
    ) -> float:
        known = y != NOTHING
        return _share(predicted[known] == y[known], None if weights is None else weights[known])

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

    def score(
        self, predicted: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None
    ) -> float:
        return _share(predicted == (y >= 0.5), weights)


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

    def score(
        self, predicted: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None = None
    ) -> float:
        each = 1.0 if weights is None else weights[:, None]
        around = float(np.sum(each * (y - np.average(y, 0, weights)) ** 2))
        missed = float(np.sum(each * (y - predicted) ** 2))
        return 1.0 - missed / around if around else float(missed == 0.0)


def _share(right: NDArray[np.bool_], weights: NDArray[Any] | None) -> float:
    """Of the places [n, ...] that are right; NaN where there is none."""
    if right.size == 0 or (weights is not None and not weights.any()):
        return float("nan")
    if weights is None:
        return float(np.mean(right))
    return float(np.mean(np.average(right, axis=0, weights=weights)))


OUTPUTS: Final[Mapping[str, type[Output]]] = MappingProxyType(
    {"softmax": Softmax, "sigmoid": Sigmoid, "identity": Identity}
)


def make_output(name: str, size: int | None) -> Output:
    if name not in OUTPUTS:
        raise OptionError(f"output: expected one of {', '.join(OUTPUTS)}; got {name!r}")
    return OUTPUTS[name](size)
