"""Convolution over time, over positions inside a step, over rows of these, or over several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...activations import ACTIVATIONS, FUNCTIONS
from ...errors import OptionError, ShapeError
from ..keys import Key, one_of, size
from ..layer import Float64, Ran, State, float64
from ..multiplying import Multiplying
from ..products import Dot, exact
from ..weights import Array, as_weight, brief, expect
from ..window import MOST, Window
from ..windowed import Windowed

PADDING_MODES: Final = ("zeros", "reflect", "replicate")
MAX_FEATURES: Final = 2**26
"""That a convolution takes and makes, pictures in hundreds of channels; RNNAT_CONV_MAX_FEATURES."""
_HEIGHT: Final = ("height", "kernel_height", "stride_height", "dilation_height")


@dataclass(frozen=True, eq=False)
class Conv(Windowed, Multiplying):
    """Convolution: ``Conv1d`` and ``Conv2d`` make one.

    A step's features are ``positions`` times ``in_channels``, the channels of a position one behind
    the other; of a picture, ``height`` rows of so many positions. Each output step, row and
    position is ``activation(bias + sum weight x)`` over ``kernel_time`` steps, ``kernel_height``
    rows of each, ``kernel_size`` positions of these, and the channels of its group, added up in
    this order. As cross-correlation, like PyTorch's.

    Padding over time is 0, ``before`` the first step and ``after`` the last one; inside a step
    there are ``left`` and ``right`` more positions, ``top`` and ``bottom`` more rows, of 0, or what
    ``padding_mode`` says: ``"reflect"`` without the edge, ``"replicate"`` the edge. Without padding
    behind the last step it runs in streams, whose state has the steps that later ones need and,
    with a stride, the phase: see :class:`Pool`.

    Parameters
    ----------
    weight
        [out_channels, kernel_time * kernel_height * kernel_size * in_channels / groups], a column
        for each number in that order.
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
    height: int = 1
    kernel_height: int = 1
    stride_height: int = 1
    dilation_height: int = 1
    top: int = 0
    bottom: int = 0

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
        *(Key(name, "natural", 1, optional=True, least=1, version=2) for name in _HEIGHT),
        *(Key(name, "natural", 0, optional=True, version=2) for name in ("top", "bottom")),
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
                f"Conv weight: expected shape (out_channels, kernel_time * {self._tall}kernel_size "
                f"* in_channels / groups = {self._taps}), got {weight.shape}"
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
        padded, reach = self._padded, self._reach
        for what, n, extent in zip(("rows", "positions"), padded, reach, strict=True):
            if extent > n:
                raise ShapeError(
                    f"Conv: a kernel over {extent} {what}, but there are {n}, padding included"
                )
        if self.padding_mode == "reflect":
            for names, most in ((("left", "right"), "positions"), (("top", "bottom"), "height")):
                sides = [getattr(self, name) for name in names]
                if max(sides) >= getattr(self, most):
                    raise OptionError(
                        f"Conv padding_mode=reflect: expected {names[0]} and {names[1]} below "
                        f"{most}={getattr(self, most)}, got {sides[0]} and {sides[1]}"
                    )
        tall = "height * " if self._tall else ""
        columns = self._taps * self.groups
        for name, number in (
            (f"{tall}positions * in_channels", self.input_size),
            (f"{tall}positions made * out_channels", self.output_size),
            (f"{tall}positions with their padding * in_channels",
             padded[0] * padded[1] * self.in_channels),
            ("positions made * columns of weight * groups", self.positions_made * columns),
        ):  # fmt: skip
            if number > MAX_FEATURES:
                raise ShapeError(f"Conv {name}: expected at most {MAX_FEATURES}, got {number}")

    def __repr__(self) -> str:
        return brief(self, **self.line)

    @property
    def _taps(self) -> int:
        own = self.in_channels // self.groups
        return self.kernel_time * self.kernel_height * self.kernel_size * own

    @property
    def is_tall(self) -> bool:
        """Whether its steps are pictures, of rows and columns."""
        return self.height > 1 or self._reach[0] > 1 or self.height_made > 1

    @property
    def _tall(self) -> str:
        return "kernel_height * " if self.height > 1 or self.kernel_height > 1 else ""

    @property
    def _reach(self) -> tuple[int, int]:
        """Rows and positions that a kernel reaches over."""
        return (
            (self.kernel_height - 1) * self.dilation_height + 1,
            (self.kernel_size - 1) * self.dilation + 1,
        )

    @property
    def _padded(self) -> tuple[int, int]:
        """Rows and positions with their padding."""
        return self.top + self.height + self.bottom, self.left + self.positions + self.right

    @property
    def height_made(self) -> int:
        """How many rows of positions a step of the output has."""
        return (self._padded[0] - self._reach[0]) // self.stride_height + 1

    @property
    def out_channels(self) -> int:
        return len(self.weight)

    @property
    def positions_made(self) -> int:
        """How many positions a step of the output has, or a row of it."""
        return (self._padded[1] - self._reach[1]) // self.stride + 1

    @property
    def input_size(self) -> int:
        return self.height * self.positions * self.in_channels

    @property
    def output_size(self) -> int:
        return self.height_made * self.positions_made * self.out_channels

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
        there = {key.name for key in self.keys if not key.optional or key.is_used(values[key.name])}
        return {key.name: values[key.name] for key in self.keys if key.name in there}

    @classmethod
    def from_line(cls, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Conv:
        cls.check_arrays(values, arrays)
        own = {name: v for name, v in values.items() if name not in ("out_channels", "bias")}
        return cls(arrays["weight"], arrays.get("bias"), **own)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        channels = values["in_channels"] // max(1, values["groups"])  # 0 is no layer: see above
        taps = values["kernel_time"] * values.get("kernel_height", 1) * values["kernel_size"]
        yield "weight", (values["out_channels"], taps * channels)
        if values["bias"]:
            yield "bias", (values["out_channels"],)

    def _read_positions(self) -> NDArray[np.int64]:
        """The positions of a step, [rows made * positions made, kernel_height * kernel_size], that
        each one is made of; -1: it is 0."""
        rows = self._places(self.height_made, self.stride_height, self.top, self.kernel_height,
                            self.dilation_height, self.height)  # fmt: skip
        columns = self._places(self.positions_made, self.stride, self.left, self.kernel_size,
                               self.dilation, self.positions)  # fmt: skip
        y, x = rows[:, None, :, None], columns[None, :, None, :]
        at = np.where((y < 0) | (x < 0), -1, y * self.positions + x)
        return at.reshape(self.height_made * self.positions_made, -1)

    def _places(
        self, made: int, stride: int, before: int, kernel: int, dilation: int, count: int
    ) -> NDArray[np.int64]:
        """Those of one axis, [made, kernel]."""
        first = np.arange(made)[:, None] * stride - before
        at: NDArray[np.int64] = first + np.arange(kernel) * dilation
        last = count - 1
        if self.padding_mode == "replicate":
            at = np.clip(at, 0, last)
        if self.padding_mode == "reflect":
            at = last - np.abs(last - np.abs(at))
        at[(at < 0) | (at > last)] = -1
        return at

    def run(
        self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_], dot: Dot = exact
    ) -> Ran:
        (x,) = inputs
        over = partial(self.over, dot=dot)
        if self.needs_steps:
            return self.run_windows(inputs, state, valid, over)
        steps = x if x.ndim == 3 else x[None]
        y = over(steps[:, None], np.ones((len(steps), 1, steps.shape[1]), dtype=bool))
        return Ran((y if x.ndim == 3 else y[0],))

    def over(self, taps: Float64, real: NDArray[np.bool_], dot: Dot = exact) -> Float64:
        x = taps[:, :: self.dilation_time]
        made, _, batch, _ = x.shape
        at = self._read_positions()
        x = x.reshape(made, self.kernel_time, batch, self.height * self.positions, self.in_channels)
        read = np.where((at >= 0)[..., None], x[:, :, :, at], 0.0)
        own = self.in_channels // self.groups
        shape = (made, self.kernel_time, batch, *at.shape, self.groups, own)
        rows = np.einsum("mtbpkgc->mbpgtkc", read.reshape(shape))
        rows = rows.reshape(made, batch, len(at), self.groups, self._taps)
        weight = float64(self.weight).reshape(self.groups, -1, self._taps)
        parts = [dot(rows[..., group, :], block) for group, block in enumerate(weight)]
        y = np.stack(parts, axis=-2).reshape(made, batch, len(at), self.out_channels)
        if self.bias is not None:
            y = y + float64(self.bias)
        return FUNCTIONS[self.activation](y).reshape(made, batch, self.output_size)
