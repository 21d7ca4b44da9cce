"""Windows that Conv, ConvTranspose and pooling have in common: how large they are, how far apart
they lie, and what is added around the data.

Data are [batch, channels, ...] with any number of spatial axes behind these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..graph import Anything, Node

PLACES = {
    "kernel_shape": ("ints", None), "strides": ("ints", None), "dilations": ("ints", None),
    "pads": ("ints", None), "auto_pad": ("string", "NOTSET"),
}  # fmt: skip
"""The attributes of all of them, for ``Node.options``."""


@dataclass(frozen=True)
class Windows:
    """One number for each spatial axis: of the kernel's, from one window to the next, from one
    number of a window to the next, and padded before and after the data."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """How many numbers there are from a window's first to its last."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def counts(self, sizes: Sequence[int], ceil: bool = False) -> tuple[int, ...]:
        """How many windows lie in data of these sizes; rounded up, but for those that would begin
        behind the data and what is padded before it."""
        found = []
        for size, reach, stride, before, after in zip(
            sizes, self.reach, self.strides, self.before, self.after, strict=True
        ):
            room = size + before + after - reach
            count = (-(-room // stride) if ceil else room // stride) + 1
            if ceil and (count - 1) * stride >= size + before:
                count -= 1
            found.append(max(0, count))
        return tuple(found)

    def padded(self, x: Anything, counts: Sequence[int], fill: Any) -> Anything:
        """The data with what is padded before them, and after them as far as windows reach."""
        sizes = x.shape[2:]
        ends = [
            max(a, (n - 1) * s + r - size - b)
            for a, n, s, r, size, b in zip(
                self.after, counts, self.strides, self.reach, sizes, self.before, strict=True
            )
        ]
        around = [(0, 0), (0, 0), *zip(self.before, ends, strict=True)]
        if not any(any(pair) for pair in around):
            return x
        return np.pad(x, around, constant_values=fill)

    def positions(self, counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Each place of the kernel, and what of the padded data all windows have there."""
        for place in product(*map(range, self.kernel)):
            yield (
                place,
                (
                    ...,
                    *(
                        slice(at * d, at * d + (n - 1) * s + 1, s) if n else slice(0, 0)
                        for at, d, n, s in zip(
                            place, self.dilations, counts, self.strides, strict=True
                        )
                    ),
                ),
            )


def windows_of(
    node: Node, options: dict[str, Any], sizes: Sequence[int], kernel: Sequence[int] | None
) -> Windows:
    """The windows over spatial axes of these sizes; ``kernel`` is that of the weights."""
    rank = len(sizes)
    shape = options["kernel_shape"] or kernel
    if shape is None or (kernel is not None and list(shape) != list(kernel)):
        raise node.malformed(f"attribute kernel_shape={options['kernel_shape']}, W has {kernel}")
    strides = options["strides"] or [1] * rank
    dilations = options["dilations"] or [1] * rank
    pads = options["pads"] or [0] * (2 * rank)
    more = options.get("output_padding") or [0] * rank  # of ConvTranspose alone
    for name, found, count, least in (
        ("kernel_shape", shape, rank, 1),
        ("strides", strides, rank, 1),
        ("dilations", dilations, rank, 1),
        ("pads", pads, 2 * rank, 0),
        ("output_padding", more, rank, 0),
    ):
        if len(found) != count or min(found, default=least) < least:
            raise node.malformed(
                f"attribute {name}={list(found)}: expected {count} integers of at least {least}"
            )
    made = Windows(
        tuple(shape), tuple(strides), tuple(dilations), tuple(pads[:rank]), tuple(pads[rank:])
    )
    if options["auto_pad"] == "NOTSET":
        return made
    total = _same(node, options["auto_pad"], made, sizes, more)
    return at_ends(made, total, options["auto_pad"] == "SAME_LOWER")


def _same(
    node: Node, auto: str, windows: Windows, sizes: Sequence[int], more: Sequence[int]
) -> list[int]:
    """How much is padded, that there is a window for each stride."""
    if auto == "VALID":
        return [0] * len(sizes)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.malformed(f"attribute auto_pad={auto!r}")
    if node.op == "ConvTranspose":  # stride numbers come from each, without more
        ends = zip(windows.reach, more, windows.strides, strict=True)
        return [max(0, r + m - s) for r, m, s in ends]
    return [
        max(0, (-(-size // s) - 1) * s + r - size)
        for size, s, r in zip(sizes, windows.strides, windows.reach, strict=True)
    ]


def at_ends(windows: Windows, total: Sequence[int], more_before: bool) -> Windows:
    """The same with this padding, one half at each end, an odd number more at one of them."""
    less = tuple(pad // 2 for pad in total)
    more = tuple(pad - pad // 2 for pad in total)
    before, after = (more, less) if more_before else (less, more)
    return Windows(windows.kernel, windows.strides, windows.dilations, before, after)
