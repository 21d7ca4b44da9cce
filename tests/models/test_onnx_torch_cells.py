"""PyTorch's cells, one step or unrolled over three, as both of its exporters write them."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")  # of the newer exporter

from torch import nn  # noqa: E402

import rnn_native as rn  # noqa: E402
from rnn_native.spec import Recurrent  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

B, IN, H, STEPS, ATOL = 2, 3, 4, 3, 1e-5
EXPORTERS = {
    "script": {"dynamo": False, "opset_version": 17},
    "script-old": {"dynamo": False, "opset_version": 11},
    "dynamo": {"dynamo": True, "external_data": False, "verbose": False},
}


class Unrolled(nn.Module):  # type: ignore[misc]
    """A cell over x [batch, steps, features]."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Any, h: Any, c: Any = None) -> Any:
        ys = []
        state = h if c is None else (h, c)
        for step in range(STEPS):
            state = self.cell(x[:, step], state)
            ys.append(state if c is None else state[0])
        return torch.stack(ys, 1), state


class OneStep(nn.Module):  # type: ignore[misc]
    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Any, h: Any, c: Any = None) -> Any:
        return self.cell(x, h if c is None else (h, c))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("unrolled", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_a_cell_is_a_layer(name: str, unrolled: bool, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cell = getattr(nn, f"{name}Cell")(IN, H)
    module = (Unrolled if unrolled else OneStep)(cell).eval()
    x = torch.randn(B, STEPS, IN) if unrolled else torch.randn(B, IN)
    states = [torch.randn(B, H) for _ in range(1 + (name == "LSTM"))]
    path = tmp_path / "cell.onnx"
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x, *states), path, **EXPORTERS[exporter])
    model = rn.load(path)
    (layer,) = model.spec.layers
    assert isinstance(layer, Recurrent)
    assert layer.cell == name.lower()
    with torch.no_grad():
        found = module(x, *states)
    want, after = found if unrolled else (found[0] if name == "LSTM" else found, found)
    given = tuple(state.numpy()[None] for state in states)
    data = x.numpy().swapaxes(0, 1) if unrolled else x.numpy()[None]
    y, last = model(data, state=given if len(given) > 1 else given[0])
    y = y.swapaxes(0, 1) if unrolled else y[0]
    np.testing.assert_allclose(y, want.numpy(), rtol=0, atol=ATOL)
    pairs = zip(last, after, strict=True) if name == "LSTM" else [(last, after)]
    for got, expected in pairs:
        np.testing.assert_allclose(got[0], expected.numpy(), rtol=0, atol=ATOL)
