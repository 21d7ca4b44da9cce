"""Features over all steps of a row less their mean, by their deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, ShapeError
from ..keys import MAX_SIZE, Key, size
from ..layer import Float64, Ran, State, float64
from ..normalising import Normalising
from ..weights import Array


@dataclass(frozen=True, eq=False)
class InstanceNorm(Normalising):
    """y = (x - mean) / sqrt(variance + epsilon) * weight + bias, over all steps of each row.

    Mean and variance, the mean of the squares of x - mean, are of each row and feature by itself,
    over all steps that count. Where a step has several ``positions``, [positions, channels], they
    are over these too, of each channel by itself; and with ``groups``, of each of so many equal
    blocks of channels. ``weight`` and ``bias`` [features / positions], or None. PyTorch's
    InstanceNorm1d and, with positions, its InstanceNorm2d, without running statistics, and its
    GroupNorm.

    It takes whole sequences: a stream refuses it. In float32 too it adds up in float64, step after
    step.

    Raises
    ------
    ShapeError
        ``positions`` is no divisor of ``features``, or ``groups`` none of the channels; an array
        has another shape.
    OptionError
        ``epsilon`` is not above 0.

    Examples
    --------
    >>> import numpy as np, rnn_native as rn
    >>> model = rn.Model([rn.InstanceNorm(1, epsilon=0.5)])
    >>> model(np.array([[[1.0]], [[2.0]]]))[0].ravel().tolist()
    [-0.5773502588272095, 0.5773502588272095]
    """

    features: int
    weight: Array | None = None
    bias: Array | None = None
    epsilon: float = 1e-5
    positions: int = 1
    groups: int | None = None

    kind = "instance_norm"
    keys = (
        Key("channels", "natural", least=1),
        Key("positions", "natural", least=1),
        Key("groups", "natural", least=1),
        Key("epsilon", "number"),
        Key("weight", "flag"),
        Key("bias", "flag"),
    )

    def __post_init__(self) -> None:
        features = size("InstanceNorm features", self.features, 1)
        positions = size("InstanceNorm positions", self.positions, 1)
        if features % positions:
            raise ShapeError(
                f"InstanceNorm positions: expected a divisor of {features} features, got "
                f"{positions}"
            )
        channels = features // positions
        groups = channels if self.groups is None else size("InstanceNorm groups", self.groups, 1)
        if channels % groups:
            raise ShapeError(
                f"InstanceNorm groups: expected a divisor of {channels} channels, got {groups}"
            )
        epsilon = self.keys[3].checked("InstanceNorm", self.epsilon)
        if epsilon is None:
            raise OptionError("InstanceNorm epsilon: expected a number above 0, got None")
        known = {"features": features, "positions": positions, "groups": groups}
        for name, value in (known | {"epsilon": epsilon}).items():
            object.__setattr__(self, name, value)
        self.check_weights(channels)

    @property
    def channels(self) -> int:
        """Features of each position."""
        return self.features // self.positions

    @property
    def options(self) -> dict[str, Any]:
        names = ("features", "epsilon", "positions", "groups")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> InstanceNorm:
        cls.check_arrays(values, arrays)
        features = values["channels"] * values["positions"]
        if features > MAX_SIZE:
            raise ShapeError(f"expected at most {MAX_SIZE} features, got {features}")
        names = ("epsilon", "positions", "groups")
        return cls.make(arrays, {"features": features} | {name: values[name] for name in names})

    @property
    def needs_steps(self) -> bool:
        return True

    @property
    def needs_all(self) -> str:
        return "a normalisation over all steps"

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        steps, batch = valid.shape
        groups = self.groups or 1
        inside = (self.positions, groups, self.channels // groups)
        blocks = x.reshape(steps, batch, *inside)
        count = np.maximum(np.sum(valid, axis=0), 1) * self.positions * blocks.shape[-1]
        there = valid[:, :, None, None, None]

        def mean(of: Float64) -> Float64:
            total = np.sum(np.where(there, of, 0.0), axis=(0, 2, 4), keepdims=True)
            return float64(total / count[:, None, None, None])

        left = blocks - mean(blocks)
        y = left / np.sqrt(mean(left**2) + self.epsilon)
        y = self.scaled(y.reshape(steps, batch, self.positions, self.channels))
        return Ran((y.reshape(x.shape),))
