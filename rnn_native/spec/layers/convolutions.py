"""Convolutions by the arguments of PyTorch's modules."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...errors import OptionError, ShapeError
from ..keys import size
from ..weights import Array, as_weight
from .conv import Conv

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
    ``padding_mode`` may be ``"reflect"`` or ``"replicate"``: over time a :class:`Pad` before it has
    them. See :class:`Conv`.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> layer = rn.Conv1d(np.ones((8, 4, 3), np.float32), padding="causal", activation="relu")
    >>> layer.input_size, layer.output_size, layer.window.latency
    (4, 8, 0)
    """
    array = kernel_of("Conv1d", weight, "out", "in / groups", "kernel")
    dilation, groups = size("Conv1d dilation", dilation, 1), size("Conv1d groups", groups, 1)
    sides = ends("Conv1d", padding, (array.shape[2] - 1) * dilation)
    if positions is None:
        _check_over_time("Conv1d", padding_mode, sides)
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
    positions: Pair,
    stride: Pair = 1,
    padding: tuple[Pair | str, Pair | str] | int | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    activation: str = "identity",
) -> Conv:
    """The convolution of PyTorch's ``Conv2d`` over (time, positions): ``weight`` [out, in / groups,
    kernel over time, kernel over positions], of steps whose features are [positions, channels].

    With ``positions=(height, width)`` it runs over both of these inside each step instead, whose
    features are a picture [height, width, channels]. ``padding_mode`` is that inside a step; over
    time a :class:`Pad` has others than zeros. ``stride`` and ``dilation`` are numbers or (over the
    first, over the second), ``padding`` is as :func:`Conv1d` has it, or a pair of such. See
    :class:`Conv`.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> layer = rn.Conv2d(np.ones((16, 1, 3, 3), np.float32), positions=(48, 15), padding=1)
    >>> layer.input_size, layer.output_size
    (720, 11520)
    """
    array = kernel_of(
        "Conv2d", weight, "out", "in / groups", "kernel over time", "kernel over positions"
    )
    if isinstance(positions, (tuple, list)):
        return _picture(
            "Conv2d", array[:, :, None], bias, positions, [1, *both("Conv2d", "stride", stride)],
            [0, *both("Conv2d", "padding", padding)], [1, *both("Conv2d", "dilation", dilation)],
            groups, padding_mode, activation,
        )  # fmt: skip
    groups, strides = size("Conv2d groups", groups, 1), both("Conv2d", "stride", stride)
    dilations = [size("Conv2d dilation", one, 1) for one in both("Conv2d", "dilation", dilation)]
    over = both("Conv2d", "padding", padding)
    reach = [(n - 1) * d for n, d in zip(array.shape[2:], dilations, strict=True)]
    sides = [ends("Conv2d", own, most) for own, most in zip(over, reach, strict=True)]
    _check_over_time("Conv2d", padding_mode, sides[0])
    return _conv(
        array, bias, groups, positions=positions,
        stride_time=strides[0], dilation_time=dilations[0], before=sides[0][0], after=sides[0][1],
        stride=strides[1], dilation=dilations[1], left=sides[1][0], right=sides[1][1],
        padding_mode=padding_mode, activation=activation,
    )  # fmt: skip


def Conv3d(  # noqa: N802
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    positions: tuple[int, int],
    stride: int | tuple[int, int, int] = 1,
    padding: tuple[Pair | str, Pair | str, Pair | str] | int | str = 0,
    dilation: int | tuple[int, int, int] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    activation: str = "identity",
) -> Conv:
    """The convolution of PyTorch's ``Conv3d`` over (time, height, width), of steps whose features
    are pictures [height, width, channels]: ``weight`` [out, in / groups, kernel over time, over
    height, over width], ``positions`` (height, width). Options are as :func:`Conv2d` has them, one
    for all or three. See :class:`Conv`.
    """
    array = kernel_of(
        "Conv3d", weight, "out", "in / groups", "kernel over time", "over height", "over width"
    )
    strides, over, dilations = (
        _each(name, value)
        for name, value in (("stride", stride), ("padding", padding), ("dilation", dilation))
    )
    return _picture(
        "Conv3d", array, bias, positions, strides, over, dilations, groups, padding_mode, activation
    )


def _check_over_time(name: str, mode: str, sides: tuple[int, int]) -> None:
    """``OptionError`` for padding over time by other numbers than zeros."""
    if mode != "zeros" and max(size(f"{name} padding", side, 0) for side in sides):
        raise OptionError(
            f"{name} padding_mode={mode!r}: expected 'zeros' over time, where it pads {sides}; "
            f"rn.Pad(features, {sides[0]}, {sides[1]}, {mode!r}) before it, and a {name} without "
            "padding over time, is the same"
        )


def _each(name: str, value: Any) -> list[Any]:
    """An option of Conv3d as that over time, over height and over width."""
    if not isinstance(value, (tuple, list)):
        return [value] * 3
    if len(value) != 3:
        raise OptionError(
            f"Conv3d {name}: expected one of all, or (over time, over height, over width); got "
            f"{value}"
        )
    return list(value)


def _picture(
    name: str,
    array: Array,
    bias: ArrayLike | None,
    positions: Any,
    strides: Sequence[Any],
    over: Sequence[Any],
    dilations: Sequence[Any],
    groups: int,
    padding_mode: str,
    activation: str,
) -> Conv:
    """That of a weight [out, in / groups, kernel over time, over height, over width]."""
    height, width = both(name, "positions", positions)
    groups = size(f"{name} groups", groups, 1)
    dilations = [size(f"{name} dilation", one, 1) for one in dilations]
    reach = [(n - 1) * d for n, d in zip(array.shape[2:], dilations, strict=True)]
    sides = [ends(name, own, most) for own, most in zip(over, reach, strict=True)]
    _check_over_time(name, padding_mode, sides[0])
    return _conv(
        array, bias, groups, stride_time=strides[0], dilation_time=dilations[0],
        before=sides[0][0], after=sides[0][1],
        height=height, stride_height=strides[1], dilation_height=dilations[1],
        top=sides[1][0], bottom=sides[1][1],
        positions=width, stride=strides[2], dilation=dilations[2],
        left=sides[2][0], right=sides[2][1], padding_mode=padding_mode, activation=activation,
    )  # fmt: skip


def _conv(array: Array, bias: ArrayLike | None, groups: int, **options: Any) -> Conv:
    """That of a weight [out, in / groups, kernel over time, (over rows,) kernel over positions]."""
    out, channels, kernel_time, *tall, kernel = array.shape
    columns = channels * prod(array.shape[2:])
    rows = np.ascontiguousarray(np.moveaxis(array, 1, -1)).reshape(out, columns)
    return Conv(
        rows, None if bias is None else as_weight("Conv bias", bias),
        in_channels=channels * groups, groups=groups, kernel_time=kernel_time,
        kernel_height=tall[0] if tall else 1, kernel_size=kernel, **options,
    )  # fmt: skip


def both(layer: str, name: str, value: Any) -> tuple[Any, Any]:
    """A number as that over time and that over positions."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise OptionError(
                f"{layer} {name}: expected one of both, or (over time, over positions); got {value}"
            )
        return value[0], value[1]
    return value, value


def kernel_of(name: str, weight: ArrayLike, *axes: str) -> Array:
    """The weight of a convolution; ``ShapeError`` where it has not these axes."""
    array = as_weight(f"{name} weight", weight)
    if array.ndim != len(axes):
        raise ShapeError(f"{name} weight: expected shape ({', '.join(axes)}), got {array.shape}")
    return array


def ends(name: str, padding: Pair | str, reach: int) -> tuple[int, int]:
    """Padding on both sides, where a window reaches over so many places beside its first."""
    if isinstance(padding, str):
        if padding == "causal":
            return reach, 0
        if padding == "same":
            return reach // 2, reach - reach // 2
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
