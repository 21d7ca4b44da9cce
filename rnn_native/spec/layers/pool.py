"""Pooling over time: the mean, or the largest, of some steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, UnsupportedError
from ..keys import Key, flag, one_of
from ..layer import Float64
from ..window import MOST, Window
from ..windowed import Windowed

POOL_MODES: Final = ("average", "max")


@dataclass(frozen=True)
class Pool(Windowed):
    """Pooling over time, of each feature by itself: ``AvgPool`` and ``MaxPool`` make one.

    y[j] is the mean, or the largest, of x[j * stride - before], ..., x[j * stride - before +
    kernel_size - 1]. [time, batch, features] becomes [(time + before + after - kernel_size) //
    stride + 1, batch, features], and lengths likewise; no steps where there are none. What is
    padding is 0 in a mean, or where ``count_include_pad`` is False no part of it, and it is never
    the largest. A sum is made from the first step to the last. NaNs stay.

    Without padding behind the last step it runs in streams, whose state has the steps that later
    windows need: ``x`` [kernel_size - 1, batch, features], where there are such, and ``phase`` [1,
    batch, 1], where it changes.

    Raises
    ------
    OptionError
        An option out of range: ``before`` and ``after`` are below ``kernel_size``.
    UnsupportedError
        ``count_include_pad=False`` with padding before the first step alone.
    """

    mode: str
    kernel_size: int
    stride: int | None = None
    before: int = 0
    after: int = 0
    count_include_pad: bool = True

    kind = "pool"
    keys = (
        Key("mode", "word", words=POOL_MODES),
        Key("kernel_size", "natural", least=1),
        Key("stride", "natural", least=1),
        Key("before", "natural"),
        Key("after", "natural"),
        Key("count_include_pad", "flag"),
    )
    input_size = None
    output_size = None

    def __post_init__(self) -> None:
        one_of("Pool mode", self.mode, POOL_MODES)
        stride = self.kernel_size if self.stride is None else self.stride
        object.__setattr__(self, "stride", stride)
        for name in ("kernel_size", "stride", "before", "after"):
            most = MOST if name in ("kernel_size", "stride") else self.kernel_size - 1
            least = 1 if name in ("kernel_size", "stride") else 0
            size = getattr(self, name)
            if not isinstance(size, (int, np.integer)) or isinstance(size, bool):
                raise OptionError(f"Pool {name}: expected an integer, got {size!r}")
            if not least <= size <= most:
                raise OptionError(f"Pool {name}: expected {least} to {most}, got {size}")
            object.__setattr__(self, name, int(size))
        counts = flag("Pool count_include_pad", self.count_include_pad)
        object.__setattr__(self, "count_include_pad", counts)
        if self.before and not self.after and not counts:
            raise UnsupportedError(
                "Pool: count_include_pad=False with padding before the first step alone; "
                "count_include_pad=True, or padding behind the last step too, can be had"
            )

    @property
    def window(self) -> Window:
        assert self.stride is not None
        return Window(self.kernel_size, self.stride, 1, self.before, self.after)

    @property
    def padding_value(self) -> float:
        return -np.inf if self.mode == "max" else 0.0

    def over(self, taps: Float64, real: NDArray[np.bool_]) -> Float64:
        if self.mode == "max":
            return np.max(taps, axis=1)  # type: ignore[no-any-return]
        count = self.kernel_size if self.count_include_pad else np.sum(real, axis=1)[..., None]
        return np.sum(taps, axis=1) / count  # type: ignore[no-any-return]


def _sides(padding: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(padding, (tuple, list)):
        if len(padding) != 2:
            raise OptionError(f"Pool padding: expected a number, or (before, after); got {padding}")
        return padding[0], padding[1]
    return padding, padding


def AvgPool(  # noqa: N802
    kernel_size: int,
    stride: int | None = None,
    padding: int | tuple[int, int] = 0,
    count_include_pad: bool = True,
) -> Pool:
    """The mean of ``kernel_size`` steps, every ``stride`` (None: ``kernel_size``) of them: see
    :class:`Pool`. ``padding``: steps on both sides, or (before, after)."""
    return Pool("average", kernel_size, stride, *_sides(padding), count_include_pad)


def MaxPool(  # noqa: N802
    kernel_size: int, stride: int | None = None, padding: int | tuple[int, int] = 0
) -> Pool:
    """The largest of ``kernel_size`` steps, as :func:`AvgPool` has it: see :class:`Pool`."""
    return Pool("max", kernel_size, stride, *_sides(padding))
