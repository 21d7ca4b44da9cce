"""Chains of convolutions, norms and pools, whose options are PyTorch's own text of its modules:
each beside the ``forward`` that it comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import rnn_native as rn

sys.path.insert(0, str(Path(__file__).parent))
torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
torch_networks = pytest.importorskip("torch_networks")
pytestmark = pytest.mark.models
nn, F = torch.nn, torch.nn.functional
BATCH, TIME = 3, 26


@dataclass(frozen=True)
class Case:
    """``shape``: PyTorch's axes behind the batch, as ``Input`` has them; ``chain`` texts, "+" for
    the modules between two; ``forward`` gives [batch, time, features] or [batch, features]."""

    shape: tuple[int | str, ...]
    modules: Callable[[], dict[str, Any]]
    chain: Callable[[dict[str, Any]], list[Any]]
    forward: Callable[[Any, Any], Any]


def said(modules: dict[str, Any], *names: str) -> list[str]:
    """Each by its name and class, as PyTorch prints it; one without arrays by its class."""
    return [
        f"{name}:{modules[name]!r}" if modules[name].state_dict() else repr(modules[name])
        for name in names
    ]


def all_of(modules: dict[str, Any], name: str) -> list[str]:
    """Those of a Sequential."""
    inside = {f"{name}.{index}": module for index, module in enumerate(modules[name])}
    return said(inside, *inside)


def rnn(module: Any, x: Any) -> Any:
    return module(x)[0]


CASES: dict[str, Case] = {
    "padding over time": Case(
        (6, "time"),
        lambda: {
            "conv": nn.Sequential(
                nn.ReflectionPad1d((3, 1)),
                nn.Conv1d(6, 8, 3, padding=1, padding_mode="replicate"), nn.ELU(),
                nn.Conv1d(8, 8, 4, dilation=2, padding="same", padding_mode="reflect"),
                nn.Conv1d(8, 6, 2, stride=2, padding=2, padding_mode="circular", groups=2),
                nn.ReplicationPad1d((0, 2)), nn.CircularPad1d(1), nn.ZeroPad1d((1, 0)),
                nn.ConstantPad1d(2, 0.0), nn.Conv1d(6, 4, 1, padding=3), nn.MaxPool1d(2),
            ),
        },
        lambda m: ["Input(6, time)", *all_of(m, "conv")],
        lambda m, x: m.conv(x).transpose(1, 2),
    ),
    "padding of both axes": Case(
        (2, 5, "time"),
        lambda: {
            "conv": nn.Sequential(
                nn.ReflectionPad2d((2, 1, 0, 3)),
                nn.Conv2d(2, 4, (3, 2), padding=(2, 1), padding_mode="replicate"), nn.ReLU(),
                nn.ReplicationPad2d(1), nn.ZeroPad2d((0, 1, 2, 0)), nn.CircularPad2d((3, 0, 0, 0)),
                nn.Conv2d(4, 3, 3, stride=(2, 1), padding=1, padding_mode="reflect"),
            ),
        },
        lambda m: ["Input(2, 5, time)", *all_of(m, "conv"), "Flatten()"],
        lambda m, x: m.conv(x).permute(0, 3, 1, 2).flatten(2),
    ),
    "over time": Case(
        ("time", 6),
        lambda: {
            "conv": nn.Sequential(
                nn.Conv1d(6, 8, 3, stride=2, padding=1), nn.BatchNorm1d(8, 1e-3), nn.LeakyReLU(0.2),
                nn.MaxPool1d(2, stride=1), nn.Dropout(0.3),
                nn.Conv1d(8, 12, 3, dilation=2, padding="same", groups=4, bias=False),
                nn.PReLU(12), nn.BatchNorm1d(12), nn.AvgPool1d(3, stride=1, padding=1),
                nn.Conv1d(12, 5, 1), nn.Tanh(),
            ),
            "gru": nn.GRU(5, 7, bidirectional=True, batch_first=True),
            "norm": nn.LayerNorm(14, eps=1e-2),
            "fc": nn.Linear(14, 4),
        },
        lambda m: [*all_of(m, "conv"), *said(m, "gru", "norm", "fc")],
        lambda m, x: m.fc(m.norm(rnn(m.gru, m.conv(x.transpose(1, 2)).transpose(1, 2)))),
    ),
    "print, the time last": Case(
        (1, 12, "time"),
        lambda: {
            "cnn": nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(True), nn.MaxPool2d(2, 2),
                nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(0, 1), bias=False), nn.PReLU(),
                nn.MaxPool2d((2, 2), (1, 1), (0, 1)), nn.AdaptiveAvgPool2d((1, None)),
            ),
            "rnn": nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True),
            "fc": nn.Linear(10, 7),
        },
        lambda m: ["Input(1, 12, time)", *all_of(m, "cnn"), *said(m, "rnn", "fc")],
        lambda m, x: m.fc(rnn(m.rnn, m.cnn(x).squeeze(2).permute(0, 2, 1))),
    ),
    "frequencies, the time first": Case(
        (2, "time", 10),
        lambda: {
            "conv": nn.Conv2d(2, 4, (3, 5), stride=(1, 2), padding=(1, 2)),
            "deep": nn.Conv2d(4, 4, (5, 3), padding=(2, 1), dilation=(1, 1), groups=4),
            "bn": nn.BatchNorm2d(4), "slope": nn.PReLU(4),
            "gru": nn.GRU(12, 6, batch_first=True),
            "rms": nn.RMSNorm(6), "out": nn.Linear(6, 3),
        },
        lambda m: [
            "Input(2, time, 10)", *(f"{text}:elu" for text in said(m, "conv")),
            *said(m, "bn", "deep", "slope"), "AvgPool2d(kernel_size=(1, 2), stride=(1, 2))",
            "Flatten()", "LayerNorm((8,), eps=1e-05, elementwise_affine=False)",
            rn.Repeat(8, 2), rn.Slice(16, 2, 14), *said(m, "gru", "rms"), "out:log_softmax",
        ],
        lambda m, x: torch.log_softmax(m.out(m.rms(rnn(m.gru, F.layer_norm(
            F.avg_pool2d(m.slope(m.deep(m.bn(F.elu(m.conv(x))))), (1, 2))
            .transpose(1, 2).flatten(2), (8,)).repeat(1, 1, 2)[..., 2:14]))), -1),
    ),
    "inside a step, channels last": Case(
        ("time", 1, 20),
        lambda: {
            "conv1": nn.Conv1d(1, 3, 4), "linear0": nn.Linear(24, 9), "lstm": nn.LSTM(9, 4),
            "norm": nn.BatchNorm1d(3, affine=False),
        },
        lambda m: [
            "Input(time, 1, 20)", *said(m, "conv1", "norm"), "ReLU()", "MaxPool1d(2)",
            "Flatten(channels_last=True)", *said(m, "linear0", "lstm"),
        ],
        lambda m, x: rnn(m.lstm, m.linear0(
            F.max_pool1d(F.relu(m.norm(m.conv1(x.flatten(0, 1)))), 2).transpose(1, 2)
            .reshape(x.shape[0], x.shape[1], 24)).transpose(0, 1)).transpose(0, 1),
    ),
    "all of it as one": Case(
        (1, 9, "time"),
        lambda: {
            "stem": nn.Sequential(
                nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
                nn.Conv2d(4, 4, 3, stride=(2, 1), padding=1, groups=4), nn.Hardswish(),
            ),
            "head": nn.Linear(4, 2), "wide": nn.Linear(12, 2),
        },
        lambda m: [
            "Input(1, 9, time)", *all_of(m, "stem"), "AdaptiveMaxPool2d(1)", *said(m, "head"),
            "Softplus(beta=1, threshold=20)",
        ],
        lambda m, x: F.softplus(m.head(F.adaptive_max_pool2d(m.stem(x), 1).flatten(1))),
    ),
}  # fmt: skip


CASES |= {
    "norms over time": Case(
        (6, "time"),
        lambda: {
            "conv": nn.Sequential(
                nn.Conv1d(6, 8, 3), nn.InstanceNorm1d(8, affine=True), nn.LeakyReLU(),
                nn.Conv1d(8, 8, 3), nn.GroupNorm(2, 8, eps=1e-3), nn.InstanceNorm1d(8),
                nn.ConvTranspose1d(8, 4, 3, padding=1, groups=2), nn.BatchNorm1d(4), nn.Tanh(),
                nn.ConvTranspose1d(4, 4, 4, stride=2, padding=1), nn.ReLU(),
            ),
            "fc": nn.Linear(4, 3),
        },
        lambda m: [*all_of(m, "conv"), *said(m, "fc")],
        lambda m, x: m.fc(m.conv(x).transpose(1, 2)),
    ),
    "pictures up again": Case(
        (1, "time", 9),
        lambda: {
            "net": nn.Sequential(
                nn.Conv2d(1, 6, 3, stride=(1, 2), padding=1), nn.InstanceNorm2d(6, affine=True),
                nn.ELU(), nn.ConvTranspose2d(6, 4, (3, 5), (1, 2), (1, 1), (0, 1), groups=2),
                nn.BatchNorm2d(4), nn.PReLU(4), nn.GroupNorm(4, 4),
                nn.ConvTranspose2d(4, 2, (1, 3), bias=False), nn.Sigmoid(),
            ),
        },
        lambda m: ["Input(1, time, 9)", *all_of(m, "net"), "Flatten()"],
        lambda m, x: m.net(x).transpose(1, 2).flatten(2),
    ),
    "windows of several sizes": Case(
        (3, 7, "time"),
        lambda: {"fc": nn.Linear(6, 2)},
        lambda m: [
            "Input(3, 7, time)", "AdaptiveMaxPool2d((5, None))", "AdaptiveAvgPool2d((2, None))",
            "Flatten()", *said(m, "fc"),
        ],
        lambda m, x: m.fc(F.adaptive_avg_pool2d(
            F.adaptive_max_pool2d(x, (5, x.shape[3])), (2, x.shape[3])
        ).permute(0, 3, 1, 2).flatten(2)),
    ),
    "pictures at each step": Case(
        ("time", 2, 12, 7),
        lambda: {
            "cnn": nn.Sequential(
                nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                nn.AdaptiveMaxPool2d((6, 5)),
                nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 1), groups=2), nn.PReLU(6),
                nn.MaxPool2d((1, 3), (1, 2), (0, 1)), nn.AvgPool2d(3, 1, 1),
                nn.AdaptiveAvgPool2d((2, 3)),
            ),
            "rnn": nn.GRU(36, 5), "fc": nn.Linear(5, 2),
        },
        lambda m: ["Input(time, 2, 12, 7)", *all_of(m, "cnn"), "Flatten()", *said(m, "rnn", "fc")],
        lambda m, x: m.fc(rnn(m.rnn, m.cnn(x.flatten(0, 1)).reshape(x.shape[0], x.shape[1], 36)
                              .transpose(0, 1)).transpose(0, 1)),
    ),
    "up along the rows": Case(
        (1, 9, "time"),
        lambda: {
            "net": nn.Sequential(
                nn.Conv2d(1, 6, 3, stride=(2, 1), padding=1), nn.ReLU(),
                nn.ConvTranspose2d(6, 4, (5, 3), (2, 2), (1, 1), (1, 0), groups=2),
            ),
        },
        lambda m: ["Input(1, 9, time)", *all_of(m, "net"), "Flatten()"],
        lambda m, x: m.net(x).permute(0, 3, 1, 2).flatten(2),
    ),
}  # fmt: skip


class Net(nn.Module):
    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def made(case: Case) -> tuple[dict[str, Any], Net]:
    """With statistics and weights of norms that are not those they begin with."""
    torch.manual_seed(5)
    modules = case.modules()
    net = Net(modules)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
            if "Norm" in type(module).__name__:
                for parameter in module.parameters():
                    parameter.normal_(1, 0.3)
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(-0.5, 0.5)
    return modules, net.eval()


def ours(x: Any, shape: tuple[int | str, ...]) -> Any:
    """[time, batch, features] of [batch, *shape]: positions before channels."""
    axes = [axis + 1 for axis, size in enumerate(shape) if size != "time"]
    moved = x.permute(1 + shape.index("time"), 0, *axes[1:], axes[0])
    return moved.flatten(2).numpy()


@pytest.mark.parametrize("name", CASES)
def test_the_chain_is_the_forward(name: str, tmp_path: Path, run: Any) -> None:
    case = CASES[name]
    modules, net = made(case)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    sizes = [TIME if size == "time" else size for size in case.shape]
    x = torch.randn(BATCH, *sizes, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = case.forward(net, x).numpy()
    spec = rn.load(tmp_path / "net.pt", chain=case.chain(modules)).spec
    y, _ = run(spec, ours(x, case.shape))
    run.assert_close(y if expected.ndim == 2 else y.swapaxes(0, 1), expected)


@pytest.mark.parametrize("stride", [None, 10])
def test_filters_are_those_of_asteroid(
    stride: int | None, package_file: Any, tmp_path: Path, run: Any
) -> None:
    """asteroid-filterbanks' class out of its file; what it derives from keeps its arguments."""

    class Filterbank(nn.Module):
        def __init__(self, n_filters: int, kernel_size: int, stride: Any, sample_rate: float):
            super().__init__()
            self.n_filters, self.kernel_size = n_filters, kernel_size
            self.stride, self.sample_rate = stride or kernel_size // 2, sample_rate

    (bank,) = torch_networks.classes(
        "asteroid-filterbanks", "asteroid_filterbanks/param_sinc_fb.py", "ParamSincFB",
        Filterbank=Filterbank,
    )  # fmt: skip
    net = bank(12, 51, stride, sample_rate=8000.0, min_low_hz=20, min_band_hz=30)
    with torch.no_grad():
        net.low_hz_.mul_(-1.5)
        net.band_hz_[3:] *= -9  # past half of the rate, which is the highest there is
    torch.save(net.state_dict(), tmp_path / "net.pt")
    x = torch.randn(2, 1, 400, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = F.conv1d(x, net.filters(), stride=net.stride).abs().transpose(1, 2).numpy()
    said = f"12, 51, stride={stride}, sample_rate=8000.0, min_low_hz=20, min_band_hz=30"
    chain = [f":ParamSincFB({said}):abs"]
    y, _ = run(rn.load(tmp_path / "net.pt", chain=chain).spec, ours(x, (1, "time")))
    run.assert_close(y.swapaxes(0, 1), expected)
