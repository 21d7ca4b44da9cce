"""Features of one step less their mean, by their deviation: layer and group normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...activations import finite
from ...errors import OptionError, ShapeError
from ..keys import Key, flag, size
from ..layer import Float64, Ran, State
from ..normalising import Normalising
from ..weights import Array, as_weight


@dataclass(frozen=True, eq=False)
class LayerNorm(Normalising):
    """y = (x - mean) / sqrt(variance + epsilon) * weight + bias, of each step by itself.

    Mean and variance, the mean of the squares of x - mean, are over all features or, of several
    ``groups``, over each of so many equal blocks of them, one behind the other; ``subtract_mean``
    False has 0 in the place of the mean, which is RMSNorm. ``weight`` and ``bias`` [features], or
    None. PyTorch's LayerNorm and RMSNorm, and its GroupNorm of one step.
    """

    features: int
    weight: Array | None = None
    bias: Array | None = None
    groups: int = 1
    epsilon: float = 1e-5
    subtract_mean: bool = True

    kind = "norm"
    keys = (
        Key("features", "natural"),
        Key("groups", "natural"),
        Key("epsilon", "number"),
        Key("subtract_mean", "flag"),
        Key("weight", "flag"),
        Key("bias", "flag"),
    )

    def __post_init__(self) -> None:
        features = size("LayerNorm features", self.features, 1)
        groups = size("LayerNorm groups", self.groups, 1)
        if features % groups:
            raise ShapeError(
                f"LayerNorm groups: expected a divisor of {features} features, got {groups}"
            )
        epsilon = finite("LayerNorm epsilon", self.epsilon)
        if epsilon <= 0:
            raise OptionError(f"LayerNorm epsilon: expected a number above 0, got {self.epsilon}")
        known = {
            "features": features,
            "groups": groups,
            "epsilon": epsilon,
            "subtract_mean": flag("LayerNorm subtract_mean", self.subtract_mean),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)
        self.check_weights(features)

    @property
    def options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("features", *_OPTIONS)}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> LayerNorm:
        cls.check_arrays(values, arrays)
        options = {name: values[name] for name in ("features", *_OPTIONS)}
        return cls.make(arrays, options)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        blocks = x.reshape(*x.shape[:-1], self.groups, self.features // self.groups)
        if self.subtract_mean:
            blocks = blocks - np.mean(blocks, axis=-1, keepdims=True)
        variance = np.mean(blocks**2, axis=-1, keepdims=True)
        return Ran((self.scaled((blocks / np.sqrt(variance + self.epsilon)).reshape(x.shape)),))


_OPTIONS = ("groups", "epsilon", "subtract_mean")


def RMSNorm(  # noqa: N802
    features: int, weight: ArrayLike | None = None, epsilon: float = 1e-5
) -> LayerNorm:
    """y = x / sqrt(mean(x x) + epsilon) * weight: see :class:`LayerNorm`."""
    own = None if weight is None else as_weight("RMSNorm weight", weight)
    return LayerNorm(features, own, epsilon=epsilon, subtract_mean=False)
