"""Pooling inside a step: the mean, or the largest, of some positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, ShapeError
from ..keys import MAX_SIZE, Key, flag, one_of, size
from ..layer import Float64, Layer, Ran, State
from .pool import POOL_MODES


@dataclass(frozen=True)
class PoolWithin(Layer):
    """Pooling over positions inside each step, whose features are [positions, channels], of each
    channel by itself.

    y[j] is the mean, or the largest, of positions ``j * stride - left``, ... of them
    ``kernel_size``. What is padding is as :class:`Pool` has it, and so are sums and NaNs. With
    ``kernel_size=positions`` it is that of all. A pooling over steps and positions is this layer
    and a :class:`Pool`.

    Raises
    ------
    OptionError
        An option out of range: ``left`` and ``right`` are below ``kernel_size``.
    ShapeError
        A kernel longer than the positions with their padding.
    """

    mode: str
    positions: int
    channels: int
    kernel_size: int
    stride: int | None = None
    left: int = 0
    right: int = 0
    count_include_pad: bool = True

    kind = "pool_within"
    keys = (
        Key("mode", "word", words=POOL_MODES),
        Key("positions", "natural", least=1),
        Key("channels", "natural", least=1),
        Key("kernel_size", "natural", least=1),
        Key("stride", "natural", least=1),
        Key("left", "natural"),
        Key("right", "natural"),
        Key("count_include_pad", "flag"),
    )
    trains = False

    def __post_init__(self) -> None:
        one_of("PoolWithin mode", self.mode, POOL_MODES)
        stride = self.kernel_size if self.stride is None else self.stride
        object.__setattr__(self, "stride", stride)
        for key in self.keys:
            if key.kind == "natural":
                value = size(f"PoolWithin {key.name}", getattr(self, key.name), key.least)
                object.__setattr__(self, key.name, value)
        for name in ("left", "right"):
            if getattr(self, name) >= self.kernel_size:
                raise OptionError(
                    f"PoolWithin {name}: expected 0 to {self.kernel_size - 1}, got "
                    f"{getattr(self, name)}"
                )
        counts = flag("PoolWithin count_include_pad", self.count_include_pad)
        object.__setattr__(self, "count_include_pad", counts)
        padded = self.left + self.positions + self.right
        if self.kernel_size > padded:
            raise ShapeError(
                f"PoolWithin: a kernel over {self.kernel_size} positions, but there are {padded}, "
                "padding included"
            )
        if self.input_size > MAX_SIZE or self.output_size > MAX_SIZE:
            raise ShapeError(
                f"PoolWithin positions * channels: expected at most {MAX_SIZE}, got "
                f"{max(self.input_size, self.output_size)}"
            )

    @property
    def positions_made(self) -> int:
        """How many positions a step of the output has."""
        assert self.stride is not None
        return (self.left + self.positions + self.right - self.kernel_size) // self.stride + 1

    @property
    def input_size(self) -> int:
        return self.positions * self.channels

    @property
    def output_size(self) -> int:
        return self.positions_made * self.channels

    @property
    def fan_in(self) -> None:
        return None

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        assert self.stride is not None
        steps = x.reshape(*x.shape[:-1], self.positions, self.channels)
        made = []
        for first in range(-self.left, -self.left + self.positions_made * self.stride, self.stride):
            taps = steps[..., max(first, 0) : max(first + self.kernel_size, 0), :]
            if self.mode == "max":
                made.append(np.max(taps, axis=-2, initial=-np.inf))
                continue
            count = self.kernel_size if self.count_include_pad else taps.shape[-2]
            made.append(np.sum(taps, axis=-2) / count)
        return Ran((np.concatenate(made, axis=-1),))
