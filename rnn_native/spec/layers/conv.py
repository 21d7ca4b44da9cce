"""Convolution over time, over positions inside a step, or over both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        for name, number in (
            ("positions * in_channels", self.input_size),
            ("positions made * out_channels", self.output_size),
            ("positions with their padding * in_channels", padded * self.in_channels),
            (
                "positions made * columns of weight * groups",
                self.positions_made * self._taps * self.groups,
            ),
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
        return not self._is_within

    @property
    def _is_within(self) -> bool:
        """Whether each step is made of its own step alone."""
        return self.kernel_time == self.stride_time == 1

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
        return cls.make(arrays, own)

    @classmethod
    def shapes(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
        channels = values["in_channels"] // values["groups"]
        taps = values["kernel_time"] * values["kernel_size"] * channels
        yield "weight", (values["out_channels"], taps)
        if values["bias"]:
            yield "bias", (values["out_channels"],)

    def _read_positions(self) -> NDArray[np.int64]:
        """The positions, [positions made, kernel_size], that each one is made of; -1: it is 0."""
        first = np.arange(self.positions_made)[:, None] * self.stride - self.left
        at = first + np.arange(self.kernel_size) * self.dilation
        last = self.positions - 1
        if self.padding_mode == "replicate":
            return np.asarray(np.clip(at, 0, last))
        if self.padding_mode == "reflect":
            return np.asarray(last - np.abs(last - np.abs(at)))
        return np.where((at < 0) | (at > last), -1, at)

    def run(self, inputs: Sequence[Float64], state: State, valid: NDArray[np.bool_]) -> Ran:
        (x,) = inputs
        if not self._is_within:
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


Pair = int | tuple[int, int]


def Conv1d(  # noqa: N802
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    padding: Pair | str = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    activation: str = "identity",
    positions: int | None = None,
) -> Conv:
    """The convolution of PyTorch's ``Conv1d``, over time: ``weight`` [out, in / groups, kernel].

    ``padding`` is steps on both sides, (before, after), ``"causal"``, all of it before the first
    step, so that it can run as its input comes, or ``"same"``. With ``positions`` it runs over that
    many positions inside each step instead, whose features are [positions, channels]; only there
    ``padding_mode`` may be ``"reflect"`` or ``"replicate"``. See :class:`Conv`.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> layer = rn.Conv1d(np.ones((8, 4, 3), np.float32), padding="causal", activation="relu")
    >>> layer.input_size, layer.output_size, layer.window.latency
    (4, 8, 0)
    """
    array = as_weight("Conv1d weight", weight)
    if array.ndim != 3:
        raise ShapeError(
            f"Conv1d weight: expected shape (out, in / groups, kernel), got {array.shape}"
        )
    dilation, groups = size("Conv1d dilation", dilation, 1), size("Conv1d groups", groups, 1)
    sides = _sides("Conv1d", padding, (array.shape[2] - 1) * dilation)
    if positions is None:
        if padding_mode != "zeros":
            raise OptionError(
                f"Conv1d padding_mode={padding_mode!r}: expected 'zeros' over time; others run "
                "inside a step, with positions="
            )
        return _conv(
            array[:, :, :, None], bias, groups,
            stride_time=stride, dilation_time=dilation, before=sides[0], after=sides[1],
            activation=activation,
        )  # fmt: skip
    return _conv(
        array[:, :, None], bias, groups, positions=positions,
        stride=stride, dilation=dilation, left=sides[0], right=sides[1],
        padding_mode=padding_mode, activation=activation,
    )  # fmt: skip


def Conv2d(  # noqa: N802
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    positions: int,
    stride: Pair = 1,
    padding: tuple[Pair | str, Pair | str] | int | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
    activation: str = "identity",
) -> Conv:
    """The convolution of PyTorch's ``Conv2d`` over (time, positions): ``weight`` [out, in / groups,
    kernel over time, kernel over positions], of steps whose features are [positions, channels].

    ``stride`` and ``dilation`` are numbers or (over time, over positions), ``padding`` is as
    :func:`Conv1d` has it, or (over time, over positions), each of which is. See :class:`Conv`.
    """
    array = as_weight("Conv2d weight", weight)
    if array.ndim != 4:
        raise ShapeError(
            "Conv2d weight: expected shape (out, in / groups, kernel over time, kernel over "
            f"positions), got {array.shape}"
        )
    groups, strides = size("Conv2d groups", groups, 1), _both("stride", stride)
    dilations = [size("Conv2d dilation", one, 1) for one in _both("dilation", dilation)]
    over = _both("padding", padding)
    reach = [(n - 1) * d for n, d in zip(array.shape[2:], dilations, strict=True)]
    sides = [_sides("Conv2d", own, most) for own, most in zip(over, reach, strict=True)]
    return _conv(
        array, bias, groups, positions=positions,
        stride_time=strides[0], dilation_time=dilations[0], before=sides[0][0], after=sides[0][1],
        stride=strides[1], dilation=dilations[1], left=sides[1][0], right=sides[1][1],
        activation=activation,
    )  # fmt: skip


def _conv(array: Array, bias: ArrayLike | None, groups: int, **options: Any) -> Conv:
    """That of a weight [out, in / groups, kernel over time, kernel over positions]."""
    out, channels, kernel_time, kernel = array.shape
    rows = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).reshape(out, -1)
    return Conv(
        rows, None if bias is None else as_weight("Conv bias", bias),
        in_channels=channels * groups, groups=groups,
        kernel_time=kernel_time, kernel_size=kernel, **options,
    )  # fmt: skip


def _both(name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise OptionError(
                f"Conv2d {name}: expected one of both, or (over time, over positions); got {value}"
            )
        return value[0], value[1]
    return value, value


def _sides(name: str, padding: Pair | str, reach: int) -> tuple[int, int]:
    """Padding on both sides, where a window reaches over so many places beside its first."""
    if padding == "causal":
        return reach, 0
    if padding == "same":
        return reach // 2, reach - reach // 2
    if isinstance(padding, str):
        raise OptionError(
            f"{name} padding: expected a number, (before, after), 'causal' or 'same'; "
            f"got {padding!r}"
        )
    if isinstance(padding, (tuple, list)):
        if len(padding) != 2:
            raise OptionError(
                f"{name} padding: expected a number, or (before, after); got {padding}"
            )
        return padding[0], padding[1]
    return padding, padding
