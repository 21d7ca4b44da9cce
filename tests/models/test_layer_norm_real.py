"""Layer normalisation as PyTorch's exporter and Keras write it, against themselves."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")

import torch
from torch import nn

import rnn_native as rn
from rnn_native import formats

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


class Own(nn.Module):
    """A normalisation written out, in the ways that models have it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.weight, self.bias = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))

    def forward(self, x: Any) -> Any:
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        if self.way == "rms":
            return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-3))
        if self.way == "root":
            return self.weight * (x - mean) / (variance + 1e-3) ** 0.5 + self.bias
        inverse = torch.rsqrt(variance + 1e-3)
        if self.way == "tensorflow":
            inverse = inverse * self.weight
            return x * inverse + (self.bias - mean * inverse)
        if self.way == "keras":
            inverse = inverse * self.weight
            return x * inverse + (-mean * inverse + self.bias)
        return x * inverse - mean * inverse


class Between(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.first, self.norm = nn.GRU(3, 8, batch_first=True), norm
        self.last = nn.Linear(8, 2)
        for parameter in norm.parameters():
            nn.init.uniform_(parameter, -1, 1)

    def forward(self, x: Any) -> Any:
        return self.last(self.norm(self.first(x)[0]))


NORMS = {
    "plain": lambda: nn.LayerNorm(8),
    "without numbers": lambda: nn.LayerNorm(8, elementwise_affine=False),
    "without bias": lambda: nn.LayerNorm(8, bias=False, eps=0.1),
    **{way: lambda way=way: Own(way) for way in ("rms", "root", "tensorflow", "keras", "parts")},
}


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", NORMS)
def test_what_pytorch_exports_is_one_layer(name: str, opset: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    torch.manual_seed(6)
    module = Between(NORMS[name]()).eval()
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, 7, 3),), path, dynamo=False, opset_version=opset,
            input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch", 1: "time"}},
        )  # fmt: skip
    spec = formats.read(path)
    assert [type(layer).__name__ for layer in spec.layers] == ["Recurrent", "LayerNorm", "Linear"]
    x = np.random.default_rng(14).standard_normal((2, 11, 3)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.Model(spec, batch_first=True)(x)
    # a norm makes float32's errors of h, of about 1e-7, at most 1 / sqrt(variance) larger
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("groups", [2, 4])
def test_pytorchs_group_norm_of_a_last_state(groups: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    torch.manual_seed(6)

    class Last(Between):
        def forward(self, x: Any) -> Any:
            return self.last(self.norm(self.first(x)[1][0]))

    module = Last(nn.GroupNorm(groups, 8)).eval()
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(2, 7, 3),), path, dynamo=False, opset_version=17,
            input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "batch", 1: "time"}, "y": {0: "batch"}},
        )  # fmt: skip
    spec = formats.read(path)
    x = np.random.default_rng(14).standard_normal((5, 11, 3)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.Model(spec, batch_first=True)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["LayerNormalization", "RMSNormalization"])
def test_models_that_keras_saves(kind: str, suffix: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    known = keras.layers
    if not hasattr(known, kind):
        pytest.skip(f"this Keras has no {kind}")
    keras.utils.set_random_seed(5)
    norm = getattr(known, kind)(epsilon=0.01)
    model = keras.Sequential([
        known.Input((None, 4)),
        known.Bidirectional(known.GRU(5, return_sequences=True)),
        norm,
        known.LSTM(3, return_sequences=True),
    ])  # fmt: skip
    rng = np.random.default_rng(13)
    norm.set_weights([rng.uniform(-1, 1, array.shape) for array in norm.get_weights()])
    path = tmp_path / f"m{suffix}"
    model.save(path)
    x = rng.standard_normal((2, 23, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(x))
    loaded = rn.load(path, batch_first=True)
    y, _ = loaded(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
    for own, theirs in zip(rn.keras_weights(loaded)[1], norm.get_weights(), strict=True):
        np.testing.assert_array_equal(own, theirs)
