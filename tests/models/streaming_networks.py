"""Networks of PyTorch's that take one frame in a call and what the calls before have left: caches
of past frames in front of convolutions, and states, in the ways in which people keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

OWN = ("cut", "last", "shifted")
"""A tensor for each cache: what is joined without its first frame, its last frames, or a cache that
takes the new frame before it is read."""
PACKED = ("assigned", "concatenated", "stacked")
"""One tensor for all: parts assigned (ScatterND), put side by side, or stacked."""


class Window(nn.Module):
    """A convolution over the time, dimension 2, which reads frames of before in front of x."""

    def __init__(self, channels: int, out: int, kernel: Any, dilation: int, groups: int) -> None:
        super().__init__()
        self.flat = isinstance(kernel, int)
        if self.flat:
            self.conv: nn.Module = nn.Conv1d(channels, out, kernel, 1, 0, dilation, groups)
            self.frames = (kernel - 1) * dilation
        else:
            padding, dilations = (0, kernel[1] // 2), (dilation, 1)
            self.conv = nn.Conv2d(channels, out, kernel, 1, padding, dilations, groups)
            self.frames = (kernel[0] - 1) * dilation

    def forward(self, x: Any, cache: Any, way: str) -> tuple[Any, Any]:
        if way == "shifted":  # the cache has one frame more, the oldest
            cache = torch.cat([cache[:, :, 1:], x], 2)
            return self.conv(cache), cache
        joined = torch.cat([cache, x], 2)
        after = joined[:, :, -self.frames :] if way == "last" else joined[:, :, x.shape[2] :]
        return self.conv(joined), after


class Gate(nn.Module):
    """Squeeze and excite: a number for each channel, of its mean over positions, times x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, 4, batch_first=True)
        self.linear = nn.Linear(4, channels)

    def forward(self, x: Any, h: Any) -> tuple[Any, Any]:
        y, h = self.gru(x.pow(2).mean(-1).transpose(1, 2), h)
        return x * torch.sigmoid(self.linear(y)).transpose(1, 2)[..., None], h


class DualPath(nn.Module):
    """A recurrence along the positions of a frame, then one over the frames of each position."""

    def __init__(self, positions: int, channels: int) -> None:
        super().__init__()
        self.shape = positions, channels
        self.within = nn.GRU(channels, channels // 2, batch_first=True, bidirectional=True)
        self.over = nn.GRU(channels, channels, batch_first=True)
        self.linears = nn.ModuleList(nn.Linear(channels, channels) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(self.shape, eps=1e-4) for _ in range(2))

    def forward(self, x: Any, h: Any) -> tuple[Any, Any]:
        positions, channels = self.shape
        x = x.permute(0, 2, 3, 1)  # [batch, 1, positions, channels]
        y = self.linears[0](self.within(x.reshape(-1, positions, channels))[0])
        x = x + self.norms[0](y.reshape(x.shape))
        y, h = self.over(x.permute(0, 2, 1, 3).reshape(positions, -1, channels), h)
        y = self.linears[1](y).reshape(x.shape[0], positions, -1, channels).permute(0, 2, 1, 3)
        return (x + self.norms[1](y)).permute(0, 3, 1, 2), h


class Causal(nn.Module):
    """Temporal convolutions on [batch, channels, 1]: dilated, of each channel, with residuals."""

    def __init__(self, way: str, features: int = 5, hidden: int = 6) -> None:
        super().__init__()
        self.way, kernel = way, 3
        self.first = nn.Conv1d(features, hidden, 1)
        dilations = (2, 2, 2) if way == "stacked" else (1, 2, 4)
        self.windows = nn.ModuleList(Window(hidden, hidden, kernel, d, hidden) for d in dilations)
        self.mixes = nn.ModuleList(nn.Conv1d(hidden, hidden, 1) for _ in dilations)
        self.last = nn.Linear(hidden, 3)

    def caches(self) -> list[Any]:
        more = int(self.way == "shifted")
        sizes = [window.frames + more for window in self.windows]
        hidden = self.first.out_channels
        if self.way == "stacked":
            return [torch.zeros(len(sizes), 1, hidden, sizes[0])]
        own = [torch.zeros(1, hidden, size) for size in sizes]
        return own if self.way in OWN else [torch.cat(own, 2)]

    def parts(self, caches: Any) -> Iterator[Any]:
        at = 0
        for i, window in enumerate(self.windows):
            if self.way in OWN:
                yield caches[i], None
            elif self.way == "stacked":
                yield caches[0][i], i
            else:
                yield caches[0][:, :, at : at + window.frames], (at, at + window.frames)
                at += window.frames

    def forward(self, x: Any, *caches: Any) -> Any:
        y, after = torch.relu(self.first(x)), []
        for (cache, where), window, mix in zip(
            self.parts(caches), self.windows, self.mixes, strict=True
        ):
            z, new = window(y, cache, self.way)
            if self.way == "assigned":
                caches[0][:, :, where[0] : where[1]] = new
            after.append(new)
            y = y + torch.tanh(mix(z))
        y = self.last(y.transpose(1, 2))
        if self.way in OWN:
            return y, *after
        if self.way == "assigned":
            return y, caches[0]
        return y, torch.stack(after) if self.way == "stacked" else torch.cat(after, 2)


class Spectral(nn.Module):
    """A complex spectrum [batch, positions, 1, 2] by a mask: features made of it before the first
    convolution, positions beside their neighbours, channels shuffled and gated, both paths."""

    def __init__(self, packed: bool, positions: int = 9, channels: int = 4) -> None:
        super().__init__()
        self.packed, self.positions, self.channels = packed, positions, channels
        self.low = nn.Linear(positions - 3, positions - 4, bias=False)
        self.first = nn.Conv2d(9, channels, (1, 3), (1, 2), (0, 1))
        self.norm = nn.LayerNorm(((positions - 1) // 2, channels))
        half = channels // 2
        self.points = nn.ModuleList(nn.Conv2d(3 * half, channels, 1) for _ in range(2))
        self.windows = nn.ModuleList(
            Window(channels, channels, (3, 3), d, channels) for d in (1, 2)
        )
        self.backs = nn.ModuleList(nn.Conv2d(channels, half, 1) for _ in range(2))
        self.gates = nn.ModuleList(Gate(half) for _ in range(2))
        self.dual = DualPath((positions - 1) // 2, channels)
        self.act = nn.PReLU()
        self.mask = nn.Linear(channels * ((positions - 1) // 2), 2 * positions)

    def caches(self) -> list[Any]:
        made = (self.positions - 1) // 2
        frames = [window.frames for window in self.windows]
        dual = torch.zeros(1, made, self.channels)
        if self.packed:
            return [torch.zeros(1, self.channels, sum(frames), made), torch.zeros(2, 1, 1, 4), dual]
        own = [torch.zeros(1, self.channels, n, made) for n in frames]
        return [*own, *(torch.zeros(1, 1, 4) for _ in frames), dual]

    def unfold(self, x: Any) -> Any:
        y = nn.functional.unfold(x, (1, 3), padding=(0, 1))
        return y.reshape(x.shape[0], x.shape[1] * 3, x.shape[2], x.shape[3])

    def forward(self, x: Any, *given: Any) -> Any:
        real, imag = x[..., 0].permute(0, 2, 1), x[..., 1].permute(0, 2, 1)
        y = torch.stack([torch.sqrt(real**2 + imag**2 + 1e-6), real, imag], 1)
        y = torch.cat([y[..., :3], self.low(y[..., 3:])], -1)
        y = torch.relu(self.first(self.unfold(y)))
        y = self.norm(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        *given, dual = given
        caches, states = given[: len(given) // 2], given[len(given) // 2 :]
        after, last, at = [], [], 0
        for i, window in enumerate(self.windows):
            left, right = y.chunk(2, 1)
            z = self.act(self.points[i](self.unfold(left)))
            end = at + window.frames
            cache = caches[0][:, :, at:end] if self.packed else caches[i]
            z, new = window(z, cache, "cut")
            if self.packed:
                caches[0][:, :, at:end] = new
            z, h = self.gates[i](self.backs[i](z), states[0][i] if self.packed else states[i])
            y = torch.stack([z, right], 2).reshape(y.shape)
            after.append(new)
            last.append(h)
            at = end
        y, dual = self.dual(y, dual)
        m = self.mask(y.permute(0, 2, 3, 1).reshape(1, 1, -1)).reshape(1, 1, self.positions, 2)
        m = torch.tanh(m).permute(0, 2, 1, 3)
        real = x[..., 0] * m[..., 0] - x[..., 1] * m[..., 1]
        imag = x[..., 1] * m[..., 0] + x[..., 0] * m[..., 1]
        y = torch.stack([real, imag], -1)
        if self.packed:
            return y, caches[0], torch.stack(last), dual
        return y, *after, *last, dual
