"""Convolution over time, over positions inside a step, or over both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...activations import ACTIVATIONS, FUNCTIONS
from ...errors import OptionError, ShapeError
from ..keys import MAX_SIZE, Key, one_of, size
from ..layer import Float64, Ran, State, float64
from ..weights import Array, as_weight, brief, expect
from ..window import MOST, Window
from ..windowed import Windowed

PADDING_MODES: Final = ("zeros", "reflect", "replicate")


@dataclass(frozen=True, eq=False)
class Conv(Windowed):
    """Convolution: ``Conv1d`` and ``Conv2d`` make one.

    A step's features are ``positions`` times ``in_channels``, the channels of a position one behind
    the other. Each output step and position is ``activation(bias + sum weight x)`` over
    ``kernel_time`` steps, ``kernel_size`` positions of each, and the channels of its group, added
    up in this order. As cross-correlation, like PyTorch's.

    Padding over time is 0, ``before`` the first step and ``after`` the last one; inside a step
    there are ``left`` and ``right`` more positions, of 0, or what ``padding_mode`` says:
    ``"reflect"`` without the edge, ``"replicate"`` the edge. Without padding behind the last step
    it runs in streams, whose state has the steps that later ones need and, with a stride, the
    phase: see :class:`Pool`.

    Parameters
    ----------
    weight
        [out_channels, kernel_time * kernel_size * in_channels / groups], a column for each number
        in that order.
    bias
        [out_channels], or None.
    activation
        Of :class:`Linear`; ``softmax`` and ``log_softmax`` run over the channels of a position.

    Raises
    ------
    OptionError
        An option out of range; padding that its mode cannot make of so few positions.
    ShapeError
        Arrays of another shape; a kernel longer than the positions with their padding.
    """

    weight: Array
    bias: Array | None = None
    in_channels: int = 1
    groups: int = 1
    kernel_time: int = 1
    stride_time: int = 1
    dilation_time: int = 1
    before: int = 0
    after: int = 0
    positions: int = 1
    kernel_size: int = 1
    stride: int = 1
    dilation: int = 1
    left: int = 0
    right: int = 0
    padding_mode: str = "zeros"
    activation: str = "identity"

    kind = "conv"
    activation_key = "activation"
    keys = (
        Key("in_channels", "natural", least=1),
        Key("out_channels", "natural", least=1),
        Key("groups", "natural", least=1),
        Key("kernel_time", "natural", least=1),
        Key("stride_time", "natural", least=1),
        Key("dilation_time", "natural", least=1),
        Key("before", "natural"),
        Key("after", "natural"),
        Key("positions", "natural", least=1),
        Key("kernel_size", "natural", least=1),
        Key("stride", "natural", least=1),
        Key("dilation", "natural", least=1),
        Key("left", "natural"),
        Key("right", "natural"),
        Key("padding_mode", "word", words=PADDING_MODES),
        Key("bias", "flag"),
        Key("activation", "word"),
    )

    def __post_init__(self) -> None:
        for key in self.keys:
            if key.kind == "natural" and key.name != "out_channels":
                value = size(f"Conv {key.name}", getattr(self, key.name), key.least)
                object.__setattr__(self, key.name, value)
        one_of("Conv padding_mode", self.padding_mode, PADDING_MODES)
        one_of("Conv activation", self.activation, ACTIVATIONS)
        weight = as_weight("Conv weight", self.weight)
        object.__setattr__(self, "weight", weight)
        self._check_weight(weight)
        if self.bias is not None:
            bias = as_weight("Conv bias", self.bias)
            object.__setattr__(self, "bias", expect("Conv bias", bias, (len(weight),)))
        self._check_window()
        self._check_positions()

    def _check_weight(self, weight: Array) -> None:
        if self.in_channels % self.groups:
            raise OptionError(
                f"Conv groups: expected a divisor of in_channels={self.in_channels}, "
                f"got {self.groups}"
            )
        if weight.ndim != 2 or weight.shape[1] != self._taps or not len(weight):
            raise ShapeError(
                "Conv weight: expected shape (out_channels, kernel_time * kernel_size * "
                f"in_channels / groups = {self._taps}), got {weight.shape}"
            )
        if len(weight) % self.groups:
            raise ShapeError(
                f"Conv weight: expected rows for each of groups={self.groups}, got {len(weight)}"
            )

    def _check_window(self) -> None:
        extent = (self.kernel_time - 1) * self.dilation_time + 1
        for name, value in (("(kernel_time - 1) * dilation_time + 1", extent),
                            ("stride_time", self.stride_time)):  # fmt: skip
            if value > MOST:
                raise OptionError(f"Conv {name}: expected 1 to {MOST}, got {value}")
        for name in ("before", "after"):
            if getattr(self, name) >= extent:
                raise OptionError(
                    f"Conv {name}: expected 0 to {extent - 1}, what its steps reach over, "
                    f"got {getattr(self, name)}"
                )

    def _check_positions(self) -> None:
        extent = (self.kernel_size - 1) * self.dilation + 1
        padded = self.left + self.positions + self.right
        if extent > padded:
            raise ShapeError(
                f"Conv: a kernel over {extent} positions, but there are {padded}, padding included"
            )
        if self.padding_mode == "reflect" and max(self.left, self.right) >= self.positions:
            raise OptionError(
                f"Conv padding_mode=reflect: expected left and right below "
                f"positions={self.positions}, got {self.left} and {self.right}"
            )
        columns = self._taps * self.groups
        for name, number in (
            ("positions * in_channels", self.input_size),
            ("positions made * out_channels", self.output_size),
            ("positions with their padding * in_channels", padded * self.in_channels),
            ("positions made * columns of weight * groups", self.positions_made * columns),
        ):
            if number > MAX_SIZE:
                raise ShapeError(f"Conv {name}: expected at most {MAX_SIZE}, got {number}")

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def _taps(self) -> int:
        return self.kernel_time * self.kernel_size * (self.in_channels // self.groups)

    @property
    def out_channels(self) -> int:
        return len(self.weight)

    @property
    def positions_made(self) -> int:
        """How many positions a step of the output has."""
        extent = (self.kernel_size - 1) * self.dilation + 1
        return (self.left + self.positions + self.right - extent) // self.stride + 1

    @property
    def input_size(self) -> int:
        return self.positions * self.in_channels

    @property
    def output_size(self) -> int:
        return self.positions_made * self.out_channels

    @property
    def fan_in(self) -> int:
        return self._taps

    @property
    def needs_steps(self) -> bool:
        """Not where each step is made of its own step alone."""
        return self.kernel_time > 1 or self.stride_time > 1

    @property
    def takes_weight_dtype(self) -> bool:
        """Not with a group for each channel, where elements are added up and no matrix."""
        return self.groups == 1 or self.groups < self.in_channels

    @property
    def window(self) -> Window:
        extent = (self.kernel_time - 1) * self.dilation_time + 1
        return Window(extent, self.stride_time, 1, self.before, self.after)

    @property
    def arrays(self) -> Mapping[str, Array]:
        return {"weight": self.weight} if self.bias is None else {
            "weight": self.weight, "bias": self.bias
        }  # fmt: skip

    @property
    def options(self) -> dict[str, Any]:
        return {
            key.name: getattr(self, key.name)
            for key in self.keys
            if key.name not in ("out_channels", "bias")
        }

    @property
    def line(self) -> dict[str, Any]:
        values = {**self.options, "out_channels": self.out_channels, "bias": self.bias is not None}
        return {key.name: values[key.name] for key in self.keys}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Conv:
        cls.check_arrays(values, arrays)
        own = {name: v for name, v in values.items() if name not in ("out_channels", "bias")}
        return cls(arrays["weight"], arrays.get("bias"), **own)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        channels = values["in_channels"] // max(1, values["groups"])  # 0 is no layer: see above
        taps = values["kernel_time"] * values["kernel_size"] * channels
        yield "weight", (values["out_channels"], taps)
        if values["bias"]:
            yield "bias", (values["out_channels"],)

    def _read_positions(self) -> NDArray[np.int64]:
        """The positions, [positions made, kernel_size], that each one is made of; -1: it is 0."""
        first = np.arange(self.positions_made)[:, None] * self.stride - self.left
        at: NDArray[np.int64] = first + np.arange(self.kernel_size) * self.dilation
        last = self.positions - 1
        if self.padding_mode == "replicate":
            at = np.clip(at, 0, last)
        if self.padding_mode == "reflect":
            at = last - np.abs(last - np.abs(at))
        at[(at < 0) | (at > last)] = -1
        return at

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        if self.needs_steps:
            return super().run(inputs, state, valid)
        steps = x if x.ndim == 3 else x[None]
        y = self.over(steps[:, None], np.ones((len(steps), 1, steps.shape[1]), dtype=bool))
        return Ran((y if x.ndim == 3 else y[0],))

    def over(self, taps: Float64, real: NDArray[np.bool_]) -> Float64:
        x = taps[:, :: self.dilation_time]
        made, _, batch, _ = x.shape
        at = self._read_positions()
        x = x.reshape(made, self.kernel_time, batch, self.positions, self.in_channels)
        read = np.where((at >= 0)[..., None], x[:, :, :, at], 0.0)
        own = self.in_channels // self.groups
        shape = (made, self.kernel_time, batch, *at.shape, self.groups, own)
        rows = np.einsum("mtbpkgc->mbpgtkc", read.reshape(shape))
        rows = rows.reshape(made, batch, len(at), self.groups, self._taps)
        weight = float64(self.weight).reshape(self.groups, -1, self._taps)
        y = np.einsum("mbpgk,gok->mbpgo", rows, weight)
        y = y.reshape(made, batch, len(at), self.out_channels)
        if self.bias is not None:
            y = y + float64(self.bias)
        return FUNCTIONS[self.activation](y).reshape(made, batch, self.output_size)
