"""Transposed convolutions, as convolutions of their phases.

Along one axis, o = i stride + k dilation - before is where place k of the kernel puts input i. With
o = j stride + r that is i = j + (r + before - k dilation) / stride, for the k that divide: so each
phase r of the outputs is an ordinary convolution of stride 1, with some places of the kernel. Those
of all phases, side by side, are the channels of one. Its step [positions, phases, out] is
[positions * phases, out] in memory, without what the last position has too many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from ...errors import OptionError, ShapeError, UnsupportedError
from ..keys import size
from ..layer import Layer
from ..weights import Array, as_weight, expect
from .conv import Conv
from .convolutions import Pair, both, ends, kernel_of
from .strided import Slice, Strided
from .upsample import Upsample

_WHOLE: Final = ("causal", "same")
"""Paddings with which there are ``stride`` times as many steps or positions."""


@dataclass(frozen=True)
class Phases:
    """What a transposed convolution does along one axis."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0  # numbers that are cut off
    after: int = 0
    output_padding: int = 0

    @property
    def is_still(self) -> bool:
        """Whether it makes each place of itself alone."""
        return self.kernel == self.stride == 1 and not (
            self.before or self.after or self.output_padding
        )

    @property
    def beyond(self) -> int:
        """How many more than ``stride`` for each of the input there are."""
        reach = (self.kernel - 1) * self.dilation + 1
        return reach - self.stride - self.before - self.after + self.output_padding

    @property
    def more(self) -> int:
        """Rows of phases that there are more than the input has places."""
        return -(-self.beyond // self.stride)

    @property
    def cut(self) -> int:
        """What the last row of phases has too many."""
        return self.more * self.stride - self.beyond

    @property
    def places(self) -> Iterator[tuple[int, int, int]]:
        """(phase, place of the input beside that of the row, place of the kernel)."""
        for phase in range(self.stride):
            for k in range(self.kernel):
                at, rest = divmod(phase + self.before - k * self.dilation, self.stride)
                if rest == 0:
                    yield phase, at, k

    @property
    def back(self) -> int:
        """How far a row reaches back."""
        return max(0, self.more, *(-at for _, at, _ in self.places))

    @property
    def ahead(self) -> int:
        return max(0, -self.more, *(at for _, at, _ in self.places))

    @property
    def extent(self) -> int:
        return self.back + 1 + self.ahead

    def made(self, count: int) -> int:
        """How many positions it makes of so many."""
        return count * self.stride + self.beyond


def ConvTranspose1d(  # noqa: N802
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    padding: Pair | str = 0,
    output_padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    activation: str = "identity",
    positions: int | None = None,
) -> tuple[Layer, ...]:
    """The layers of PyTorch's ``ConvTranspose1d``: ``weight`` [in, out / groups, kernel], over time
    or, with ``positions``, over that many positions inside each step [positions, channels].

    ``padding`` is what is cut off at both ends, or (before, after) of them; with ``"causal"``,
    which cuts at the end alone, and ``"same"`` there are ``stride`` times as many. A chain takes
    the layers as one of its list, a graph as one node.

    >>> import numpy as np
    >>> import rnn_native as rn
    >>> up = rn.ConvTranspose1d(np.ones((8, 4, 5), np.float32), positions=33, stride=2, padding=2)
    >>> model = rn.Model([up, rn.GRU(65 * 4, 16)])
    """
    array = kernel_of("ConvTranspose1d", weight, "in", "out / groups", "kernel")
    own = _phases("ConvTranspose1d", array.shape[2], stride, padding, output_padding, dilation)
    if positions is None:
        return transposed(array[..., None], bias, time=own, groups=groups, activation=activation)
    return transposed(
        array[:, :, None], bias, within=own, groups=groups, activation=activation,
        positions=size("ConvTranspose1d positions", positions, 1),
    )  # fmt: skip


def ConvTranspose2d(  # noqa: N802
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    positions: int,
    stride: Pair = 1,
    padding: tuple[Pair | str, Pair | str] | int | str = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    activation: str = "identity",
) -> tuple[Layer, ...]:
    """The layers of PyTorch's ``ConvTranspose2d`` over (time, positions): ``weight`` [in, out /
    groups, kernel over time, kernel over positions], of steps whose features are [positions,
    channels].

    Options are numbers or (over time, over positions); ``padding`` is as :func:`ConvTranspose1d`
    has it, or (over time, over positions), each of which is.
    """
    name = "ConvTranspose2d"
    array = kernel_of(
        name, weight, "in", "out / groups", "kernel over time", "kernel over positions"
    )
    given = [both(name, what, value) for what, value in (
        ("stride", stride), ("padding", padding), ("output_padding", output_padding),
        ("dilation", dilation),
    )]  # fmt: skip
    time, within = (
        _phases(name, kernel, *options)
        for kernel, *options in zip(array.shape[2:], *given, strict=True)
    )
    return transposed(
        array, bias, time=time, within=within, groups=groups, activation=activation,
        positions=size(f"{name} positions", positions, 1),
    )  # fmt: skip


def _phases(
    name: str, kernel: int, stride: int, padding: Any, output_padding: int, dilation: int
) -> Phases:
    stride, dilation = size(f"{name} stride", stride, 1), size(f"{name} dilation", dilation, 1)
    more = size(f"{name} output_padding", output_padding, 0)
    if padding not in _WHOLE:
        before, after = (size(f"{name} padding", n, 0) for n in ends(name, padding, 0))
        if more >= max(stride, dilation):
            raise OptionError(
                f"{name} output_padding: expected it below stride or dilation, which are {stride} "
                f"and {dilation}, got {more}"
            )
        return Phases(kernel, stride, dilation, before, after, more)
    if more:
        raise OptionError(f"{name} output_padding: expected none with padding={padding!r}")
    total = Phases(kernel, stride, dilation).beyond
    before = total // 2 if padding == "same" and total > 0 else 0
    return Phases(kernel, stride, dilation, before, max(0, total) - before, max(0, -total))


def transposed(
    weight: Array,
    bias: ArrayLike | None,
    *,
    groups: int,
    time: Phases | None = None,
    within: Phases | None = None,
    positions: int = 1,
    activation: str = "identity",
) -> tuple[Layer, ...]:
    """The layers of a weight [in, out / groups, kernel over time, kernel over positions]."""
    over_time, inside = time or Phases(), within or Phases()
    groups = size("ConvTranspose groups", groups, 1)
    channels, own = weight.shape[:2]
    if channels % groups or not weight.size:
        raise ShapeError(
            f"ConvTranspose weight: expected some rows for each of groups={groups}, got shape "
            f"{weight.shape}"
        )
    if "softmax" in activation and over_time.stride * inside.stride > 1:
        raise UnsupportedError(
            f"ConvTranspose activation={activation}: only with stride 1; identity, sigmoid, tanh "
            "and relu with others, or an activation behind it"
        )
    if positions + inside.more < 1 or inside.made(positions) < 1:
        raise ShapeError(
            f"ConvTranspose: of {positions} positions its padding leaves {inside.made(positions)}"
        )
    rows = _weight_of_phases(weight, groups, over_time, inside)
    phases = over_time.stride * inside.stride
    if bias is not None:
        each = expect("ConvTranspose bias", as_weight("ConvTranspose bias", bias), (groups * own,))
        bias = np.repeat(each.reshape(groups, 1, own), phases, axis=1).reshape(-1)
    conv = Conv(
        rows, bias, in_channels=channels, groups=groups,
        kernel_time=over_time.extent, before=over_time.back,
        after=over_time.more + over_time.ahead,
        positions=positions, kernel_size=inside.extent, left=inside.back,
        right=inside.more + inside.ahead, activation=activation,
    )  # fmt: skip
    return conv, *_arranged(conv, groups, own, over_time, inside)


def _weight_of_phases(weight: Array, groups: int, time: Phases, within: Phases) -> Array:
    """[groups * phases * out / groups, taps], phases of time before those of positions."""
    channels, own, *kernels = weight.shape
    each = weight.reshape(groups, channels // groups, own, *kernels)
    shape = (groups, time.stride, within.stride, own, time.extent, within.extent)
    rows = np.zeros((*shape, channels // groups), weight.dtype)
    for phase_t, at_t, k_t in time.places:
        for phase, at, k in within.places:
            place = each[:, :, :, k_t, k].swapaxes(1, 2)
            rows[:, phase_t, phase, :, at_t + time.back, at + within.back] = place
    return rows.reshape(groups * time.stride * within.stride * own, -1)


def _arranged(conv: Conv, groups: int, own: int, time: Phases, within: Phases) -> Iterator[Layer]:
    """What makes [positions, groups, phases of time, phases, out / groups] steps of positions."""
    made, phases, out = conv.positions_made, time.stride * within.stride, groups * own
    total = made * phases * out
    if groups > 1 and phases > 1:
        yield Strided(
            total, (made, phases, groups, own), (groups * phases * own, own, phases * own, 1)
        )
    if time.stride > 1:
        if made > 1:  # all positions of a step, then those of the next one
            each = within.stride * out
            yield Strided(total, (time.stride, made, each), (each, time.stride * each, 1))
        yield Upsample(time.stride, "parts", time.cut)
        total //= time.stride
    if within.cut:
        yield Slice(total, 0, total - within.cut * out)
