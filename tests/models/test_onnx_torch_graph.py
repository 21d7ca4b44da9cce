"""PyTorch modules that are no chain, as both of its exporters write them, against the modules."""

from __future__ import annotations

import sys
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
from rnn_native import formats, reference  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

T, B, IN, H = 5, 2, 3, 4
WAYS = ["heads", "two inputs", "gated", "residual", "pooled", "normed"]


class Net(nn.Module):
    """One of ``WAYS``, batch first."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.one = nn.GRU(IN, H, batch_first=True, bidirectional=True)
        self.two = nn.LSTM(IN, 2 * H, batch_first=True)
        self.again = nn.GRU(2 * H, 2 * H, batch_first=True)
        self.table = nn.Embedding(7, IN)
        self.head, self.label = nn.Linear(2 * H, 3), nn.Linear(4 * H, 2)
        self.register_buffer("mean", torch.linspace(-1, 1, IN))
        self.register_buffer("std", torch.linspace(0.5, 2, IN))

    def forward(self, x: Any, who: Any) -> Any:
        if self.how == "two inputs":
            return self.head(self.one(x + self.table(who))[0] - self.two(x)[0])
        if self.how == "normed":
            return self.head(self.two((x - self.mean) / self.std)[0])
        y, z = self.one(x)[0], self.two(x)[0]
        if self.how == "heads":
            return torch.softmax(self.head(y), -1), self.label(torch.cat([y, z], -1))
        if self.how == "gated":
            value, gate = self.label(torch.cat([y, z], -1)).chunk(2, -1)
            return value * torch.sigmoid(gate), nn.functional.glu(y, -1)
        if self.how == "residual":
            return self.again(y)[0] + y * 0.5 + 1 - z
        return torch.sigmoid(self.head(self.two(x)[1][0][-1])), self.head(z)  # "pooled"


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("how", WAYS)
def test_a_module_with_branches(how: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Net(how)
    example = (torch.randn(B, T, IN), torch.randint(7, (B, T)))
    names = {"input_names": ["x", "who"]}
    path = export(module, example, tmp_path / "m.onnx", **EXPORTERS[exporter], **names)
    spec = formats.read(path)
    assert list(spec.inputs) == (["x", "who"] if how == "two inputs" else ["x"])
    x, who = torch.randn(3, 7, IN), torch.randint(7, (3, 7))
    with torch.no_grad():
        wants = module(x, who)
    wants = wants if isinstance(wants, tuple) else (wants,)
    given: Any = {"x": x.swapaxes(0, 1).numpy(), "who": who.swapaxes(0, 1).numpy()}
    given = given if len(spec.inputs) > 1 else given["x"]
    for ys, _ in (reference.run(spec, given), rn.Model(spec)(given)):
        found = list(ys.values()) if isinstance(ys, dict) else [ys]
        for y, want in zip(found, wants, strict=True):
            y = np.swapaxes(y, 0, 1) if y.ndim == 3 else y
            np.testing.assert_allclose(y, want.numpy(), rtol=0, atol=2 * ATOL)
