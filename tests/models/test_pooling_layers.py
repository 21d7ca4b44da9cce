"""Pooling of PyTorch, Keras and what PyTorch's exporters write of it, against themselves."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from torch import nn

import rnn_native as rn
from rnn_native import formats

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHAPES = [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 3, 2), (4, 1, 0), (2, 5, 1), (1, 3, 0)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("time", [1, 2, 7, 40])
def test_the_arguments_and_numbers_of_pytorch(shape: tuple[int, int, int], time: int) -> None:
    kernel, _, padding = shape
    rng = np.random.default_rng([12, *shape])
    x = rng.standard_normal((time, 3, 6))
    weight = np.eye(6)
    given = torch.tensor(np.transpose(x, (1, 2, 0)))
    pairs: list[tuple[Any, Any]] = [(rn.MaxPool(*shape), nn.MaxPool1d(*shape))]
    for counts in (True, False):
        ours = rn.AvgPool(*shape, count_include_pad=counts)
        pairs.append((ours, nn.AvgPool1d(*shape, count_include_pad=counts)))
    for ours, theirs in pairs:
        if time + 2 * padding < kernel:
            continue  # an error of PyTorch's; no steps of ours
        want = theirs(given).numpy().transpose(2, 0, 1)
        y, _ = rn.Model([rn.Linear(weight), ours], dtype="float64")(x)
        assert y.shape == want.shape
        # one sum of at most 5 numbers and a division, in any order
        np.testing.assert_allclose(y, want, rtol=0, atol=8 * 2.0**-53 * np.abs(x).sum(axis=0).max())


@pytest.mark.parametrize("kind", ["AveragePooling1D", "MaxPooling1D"])
@pytest.mark.parametrize(("size", "strides", "padding"), [
    (2, None, "valid"), (3, 2, "valid"), (3, 1, "same"), (4, 1, "same"), (5, 5, "valid"),
])  # fmt: skip
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_models_that_keras_saves(
    kind: str, size: int, strides: int | None, padding: str, suffix: str, tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    known = keras.layers
    if kind == "AveragePooling1D" and padding == "same" and size % 2 == 0:
        pytest.skip("Keras's PyTorch backend repeats the last step there, others leave padding out")
    keras.utils.set_random_seed(5)
    model = keras.Sequential([
        known.Input((None, 4)),
        known.Bidirectional(known.GRU(5, return_sequences=True)),
        getattr(known, kind)(size, strides=strides, padding=padding),
        known.LSTM(3, return_sequences=True),
    ])  # fmt: skip
    path = tmp_path / f"m{suffix}"
    model.save(path)
    x = np.random.default_rng(13).standard_normal((2, 23, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(x))
    y, _ = rn.load(path, batch_first=True)(x)
    assert y.shape == want.shape
    np.testing.assert_allclose(y, want, rtol=0, atol=5e-6)  # Keras's float32, of sums of 10


class Pooled(nn.Module):
    """Two recurrent layers with a pool between them, [batch, time, features]."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.first = nn.GRU(4, 6, batch_first=True)
        self.pool = pool
        self.second = nn.LSTM(6, 5, batch_first=True)

    def forward(self, x: Any) -> Any:
        y, _ = self.first(x)
        y, _ = self.second(self.pool(y.transpose(1, 2)).transpose(1, 2))
        return y


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("pool", [nn.AvgPool1d(2), nn.MaxPool1d(3, 2, 1), nn.AvgPool1d(3, 1, 1)])
def test_what_pytorch_exports(pool: nn.Module, free: bool, tmp_path: Path) -> None:
    """With a free number of steps, and with that of the example, which is no part of the model."""
    pytest.importorskip("onnx")
    torch.manual_seed(6)
    module = Pooled(pool).eval()
    path = tmp_path / "m.onnx"
    axes = {"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "steps"}} if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, 17, 4),), path, dynamo=False, input_names=["x"],
            output_names=["y"], dynamic_axes=axes,
        )  # fmt: skip
    x = np.random.default_rng(14).standard_normal((2, 29, 4)).astype(np.float32)
    spec = formats.read(path)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.reference.run(spec, np.swapaxes(x, 0, 1))
    np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=5e-6)


class Rows(nn.Module):
    """Rows of their own lengths, whose padding PyTorch pools as well."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.pool_first, self.rnn = first, nn.GRU(4, 4, batch_first=True)

    def forward(self, x: Any, lengths: Any) -> Any:
        def pool(y: Any) -> Any:
            return nn.functional.max_pool1d(y.transpose(1, 2), 3, 1, 1).transpose(1, 2)

        x = pool(x) if self.pool_first else x
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        return y if self.pool_first else pool(y)


@pytest.mark.parametrize("first", [True, False])
def test_padding_that_a_file_pools_is_refused_by_name(first: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Rows(first).eval(), (torch.zeros(3, 6, 4), torch.tensor([6, 4, 2])), path, dynamo=False,
            input_names=["x", "lengths"], output_names=["y"],
            dynamic_axes={"x": {0: "b", 1: "t"}, "lengths": {0: "b"}},
        )  # fmt: skip
    with pytest.raises(rn.UnsupportedError, match="reads the steps beyond"):
        formats.read(path)


class Joined(nn.Module):
    """Two pools of one window side by side, a residual around one that keeps the number of steps,
    and, where ``whole``, the mean of all steps as one."""

    def __init__(self, whole: int) -> None:
        super().__init__()
        self.rnn, self.second = nn.GRU(4, 6, batch_first=True), nn.GRU(12, 5, batch_first=True)
        self.whole = whole

    def forward(self, x: Any) -> Any:
        y = self.rnn(x)[0].transpose(1, 2)
        y = y + nn.functional.max_pool1d(y, 3, 1, 1)
        size = self.whole or 2
        pools = nn.functional.avg_pool1d(y, size), nn.functional.max_pool1d(y, size)
        return self.second(torch.cat(pools, 1).transpose(1, 2))[0]


@pytest.mark.parametrize("whole", [0, 8])
def test_pools_of_one_window_go_together(whole: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    torch.manual_seed(7)
    module = Joined(whole).eval()
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(2, 8, 4),),
            path,
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
        )
    x = np.random.default_rng(15).standard_normal((2, 8, 4)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.load(path)(np.swapaxes(x, 0, 1))
    np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=5e-6)
