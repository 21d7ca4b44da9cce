"""Recurrence inside a step, as both of PyTorch's exporters write it: along the positions of each
step, along time at each position, and of what has no time; against the modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")  # of the newer exporter
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import ATOL  # noqa: E402
from test_onnx_torch import EXPORTERS, export  # noqa: E402
from torch import nn  # noqa: E402

import rnn_native as rn  # noqa: E402
from rnn_native import formats  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

BANDS, CHANNELS, HIDDEN = 9, 4, 3
Network = Callable[[], Any]


class DualPath(nn.Module):
    """A block of a dual-path network on [batch, time, bands, channels]: along the bands of a frame
    in both directions, then over time for each band, each with a Linear, a LayerNorm and a
    residual."""

    def __init__(self, cell: Any = nn.GRU) -> None:
        super().__init__()
        self.intra = cell(CHANNELS, HIDDEN, batch_first=True, bidirectional=True)
        self.intra_fc = nn.Linear(2 * HIDDEN, CHANNELS)
        self.intra_ln = nn.LayerNorm((BANDS, CHANNELS))
        self.inter = cell(CHANNELS, HIDDEN + 1, num_layers=2, batch_first=True)
        self.inter_fc = nn.Linear(HIDDEN + 1, CHANNELS)
        self.inter_ln = nn.LayerNorm(CHANNELS)

    def forward(self, x: Any) -> Any:
        batch, time, bands, channels = x.shape
        y = self.intra(x.reshape(batch * time, bands, channels))[0]
        x = x + self.intra_ln(self.intra_fc(y).reshape(batch, time, bands, channels))
        y = x.permute(0, 2, 1, 3).reshape(batch * bands, time, channels)
        y = self.inter_fc(self.inter(y)[0])
        y = y.reshape(batch, bands, time, channels).permute(0, 2, 1, 3)
        return x + self.inter_ln(y)


class Grouped(nn.Module):
    """As GTCRN has it, [batch, channels, time, bands]: half of the channels in a layer of its own,
    along the bands and over time, and each LayerNorm over bands and channels."""

    def __init__(self) -> None:
        super().__init__()
        half = CHANNELS // 2
        self.front = nn.Conv2d(2, CHANNELS, 1)
        self.intra = nn.ModuleList(
            nn.GRU(half, HIDDEN, batch_first=True, bidirectional=True) for _ in range(2)
        )
        self.inter = nn.ModuleList(nn.GRU(half, HIDDEN, batch_first=True) for _ in range(2))
        self.fcs = nn.ModuleList((nn.Linear(4 * HIDDEN, CHANNELS), nn.Linear(2 * HIDDEN, CHANNELS)))
        self.norms = nn.ModuleList(nn.LayerNorm((BANDS, CHANNELS), eps=1e-8) for _ in range(2))

    def forward(self, x: Any) -> Any:
        x = self.front(x).permute(0, 2, 3, 1)
        batch, time, bands, channels = x.shape
        parts = x.reshape(batch * time, bands, channels).chunk(2, -1)
        y = torch.cat([gru(part)[0] for gru, part in zip(self.intra, parts, strict=True)], -1)
        x = x + self.norms[0](self.fcs[0](y).reshape(batch, time, bands, channels))
        parts = x.permute(0, 2, 1, 3).reshape(batch * bands, time, channels).chunk(2, -1)
        y = torch.cat([gru(part)[0] for gru, part in zip(self.inter, parts, strict=True)], -1)
        y = self.fcs[1](y).reshape(batch, bands, time, channels).permute(0, 2, 1, 3)
        return x + self.norms[1](y)


class Lines(nn.Module):
    """Print, [batch, 1, height, width]: up and down a column of what convolutions see, whose last
    states are then read over the width, which is the time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, CHANNELS, 3, padding=1, stride=(2, 1))
        self.column = nn.LSTM(CHANNELS, HIDDEN, bidirectional=True)
        self.row, self.out = nn.GRU(2 * HIDDEN, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.conv(x))  # [batch, channels, height, width]
        batch, channels, height, width = y.shape
        y = y.permute(2, 0, 3, 1).reshape(height, batch * width, channels)
        h = self.column(y)[1][0]  # [2, batch * width, hidden]
        h = h.permute(1, 0, 2).reshape(batch, width, 2 * HIDDEN)
        return self.out(self.row(h)[0])


class Columns(nn.Module):
    """[batch, channels, height, width] in the order of kraken's: along the height, all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, CHANNELS, 3, padding=1)
        self.column = nn.GRU(CHANNELS, HIDDEN, batch_first=True)
        self.row = nn.GRU(6 * HIDDEN, 5, batch_first=True)

    def forward(self, x: Any) -> Any:
        y = torch.tanh(self.conv(x)).permute(0, 3, 2, 1)  # [batch, width, height, channels]
        batch, width, height, channels = y.shape
        y = self.column(y.reshape(batch * width, height, channels))[0]
        return self.row(y.reshape(batch, width, height * HIDDEN))[0]


class Whole(nn.Module):
    """[batch, time, 6]: the largest of all steps as a single step of two recurrent layers."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.GRU(6, 4, batch_first=True)
        self.rnn = nn.GRU(4, HIDDEN, num_layers=2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * HIDDEN, 2)

    def forward(self, x: Any) -> Any:
        y = self.front(x)[0].amax(1).unsqueeze(1)
        return torch.sigmoid(self.out(self.rnn(y)[0].squeeze(1)))


# A network, the shape that it takes of a batch and so many steps, where the time is, and the places
# of [time, batch, positions, channels] in that.
NETWORKS: dict[str, tuple[Network, Callable[[int, int], tuple[int, ...]], int, tuple[int, ...]]] = {
    "dual path": (DualPath, lambda b, t: (b, t, BANDS, CHANNELS), 1, (1, 0, 2, 3)),
    "dual path of LSTMs": (
        lambda: DualPath(nn.LSTM), lambda b, t: (b, t, BANDS, CHANNELS), 1, (1, 0, 2, 3),
    ),
    "grouped": (Grouped, lambda b, t: (b, 2, t, BANDS), 2, (2, 0, 3, 1)),
    "lines": (Lines, lambda b, t: (b, 1, 8, t), 3, (3, 0, 2, 1)),
    "columns": (Columns, lambda b, t: (b, 2, 6, t), 3, (3, 0, 2, 1)),
    "whole": (Whole, lambda b, t: (b, t, 6), 1, (1, 0, 2)),
}  # fmt: skip


def examples(name: str, batch: int, time: int) -> tuple[Any, Any]:
    """What the network takes, and what we do."""
    _, shape, _, places = NETWORKS[name]
    x = torch.rand(shape(batch, time)) * 2 - 1
    ours = x.numpy().transpose(places)
    return x, ours.reshape(*ours.shape[:2], -1)


def agrees(net: Any, model: Any, name: str) -> None:
    for batch, time in ((1, 11), (3, 6)):
        x, ours = examples(name, batch, time)
        with torch.no_grad():
            want = net(x).numpy()
        y, _ = model(ours)
        if want.ndim > 2:
            want = want.reshape(batch, time, -1).swapaxes(0, 1)
        np.testing.assert_allclose(y, want, rtol=0, atol=ATOL * max(1.0, np.abs(want).max()))


@pytest.mark.parametrize("exporter", ["script", "script-unfolded", "dynamo"])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_read_as_exported(name: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    make, _, at, _ = NETWORKS[name]
    net = make().eval()
    x, _ = examples(name, 2, 7)
    options: dict[str, Any] = dict(EXPORTERS[exporter])
    if exporter == "dynamo":
        axes = {0: torch.export.Dim("batch", max=64), at: torch.export.Dim("time", max=64)}
        options["dynamic_shapes"] = (axes,)
    else:
        options["dynamic_axes"] = {"x": {0: "batch", at: "time"}}
        options["opset_version"] = 13 if name == "grouped" else 17  # without LayerNormalization
    path = export(net, (x,), tmp_path / "m.onnx", input_names=["x"], **options)
    model = rn.load(path)
    agrees(net, model, name)
    assert any(not layer.runs_over_time for layer in model.spec.recurrents)
    model.save(tmp_path / "m.safetensors")
    agrees(net, rn.load(tmp_path / "m.safetensors"), name)


@pytest.mark.parametrize("name", NETWORKS)
def test_from_torch_has_it_of_an_example(name: str) -> None:
    torch.manual_seed(6)
    net = NETWORKS[name][0]().eval()
    model = rn.from_torch(net, examples(name, 2, 7)[0])
    agrees(net, model, name)


def test_a_dual_path_network_streams_frame_by_frame(tmp_path: Path) -> None:
    torch.manual_seed(7)
    net = DualPath().eval()
    x, ours = examples("dual path", 1, 20)
    model = rn.from_torch(net, x)
    y, _ = model(ours)
    stream = model.stream(batch=1)
    steps = np.stack([stream.step(frame).copy() for frame in ours])
    np.testing.assert_array_equal(steps, y)
    state = [part for part in model.spec.recurrents if part.state_names]
    assert [(layer.positions, layer.along) for layer in state] == [(BANDS, "time")] * 2


class Given(nn.Module):
    """Along the bands, from a state that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.intra = nn.GRU(CHANNELS, HIDDEN)

    def forward(self, x: Any, h: Any) -> Any:
        batch, time, bands, channels = x.shape
        y = self.intra(x.permute(2, 0, 1, 3).reshape(bands, batch * time, channels), h)[0]
        return y.reshape(bands, batch, time, HIDDEN).permute(1, 2, 0, 3)


def test_a_state_of_what_keeps_none_is_given_or_refused_by_name(tmp_path: Path) -> None:
    torch.manual_seed(8)
    net, (x, ours) = Given().eval(), examples("dual path", 1, 5)
    h = torch.zeros(1, 5, HIDDEN)
    path = export(
        net, (x, h), tmp_path / "m.onnx", input_names=["x", "h"], dynamo=False,
        dynamic_axes={"x": {0: "b", 1: "t"}, "h": {1: "bt"}}, opset_version=17,
    )  # fmt: skip
    with pytest.raises(
        rn.UnsupportedError, match="initial_h: the input 'h' is the state of a laye"
    ):
        formats.read(path)
    start = np.tile(np.float32([0.5, -0.25, 0.125]), (1, 5, 1))
    model = rn.load(path, given={"h": start})
    with torch.no_grad():
        want = net(x, torch.from_numpy(start)).numpy()
    y, _ = model(ours)
    np.testing.assert_allclose(y, want.reshape(1, 5, -1).swapaxes(0, 1), rtol=0, atol=ATOL)
