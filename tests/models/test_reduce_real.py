"""All steps as one, as PyTorch's exporter and Keras write it, against themselves."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from onnx_graphs import make_recurrent
from torch import nn

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import ModelSpec, Reduce

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:Layer '.*was passed an input with a mask:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

WAYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "mean": (lambda y: y.mean(1), "mean"),
    "mean kept": (lambda y: y.mean(1, keepdim=True).squeeze(1), "mean"),
    "sum": (lambda y: y.sum(1), "sum"),
    "largest": (lambda y: y.amax(1), "max"),
    "max": (lambda y: y.max(1)[0], "max"),
    "first": (lambda y: y[:, 0], "first"),
    "last": (lambda y: y[:, -1], "last"),
    "pool": (lambda y: nn.functional.adaptive_avg_pool1d(y.transpose(1, 2), 1)[..., 0], "mean"),
    "max pool": (lambda y: nn.functional.adaptive_max_pool1d(y.transpose(1, 2), 1)[..., 0], "max"),
}


class Pooled(nn.Module):
    def __init__(self, way: Callable[[Any], Any]) -> None:
        super().__init__()
        self.rnn, self.way = nn.GRU(3, 4, batch_first=True, bidirectional=True), way
        self.last = nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        return self.last(self.way(self.rnn(x)[0]))


def exported(module: nn.Module, path: Path, opset: int) -> ModelSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, 7, 3),), path, dynamo=False, opset_version=opset,
            input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "batch", 1: "time"}, "y": {0: "batch"}},
        )  # fmt: skip
    return formats.read(path)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("name", WAYS)
def test_what_pytorch_exports(name: str, opset: int, tmp_path: Path) -> None:
    """Behind both directions, of which the last step is no last state."""
    way, mode = WAYS[name]
    torch.manual_seed(6)
    module = Pooled(way).eval()
    spec = exported(module, tmp_path / "m.onnx", opset)
    assert spec.layers[1] == Reduce(mode)
    x = np.random.default_rng(14).standard_normal((2, 11, 3)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.Model(spec, batch_first=True)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)  # float32, of sums of 11


def test_the_last_step_of_one_direction_is_its_last_state(tmp_path: Path) -> None:
    module = Pooled(WAYS["last"][0])
    module.rnn, module.last = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)
    spec = exported(module.eval(), tmp_path / "m.onnx", 17)
    assert len(spec.layers) == 2
    assert not spec.layers[0].options["return_sequences"]


@pytest.mark.parametrize("mode", ["mean", "sum", "max", "first", "last"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_file_of_ours_gives_it_back(mode: str, direction: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    first = make_recurrent("gru", 3, 4, direction=direction)
    spec = ModelSpec((first, Reduce(mode)))
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    assert repr(formats.read(path)) == repr(spec)
    x = np.random.default_rng(14).standard_normal((9, 2, 3)).astype(np.float32)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, rtol=0, atol=1e-5)
    alone = ModelSpec(nodes={"r": (Reduce(mode), ("x",))}, inputs={"x": 3}, outputs="r")
    if mode in ("first", "last"):
        with pytest.raises(rn.UnsupportedError, match=f"Reduce mode={mode}: of an input"):
            formats.write(alone, path)
    else:
        formats.write(alone, path)
        assert repr(formats.read(path)) == repr(alone)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["GlobalAveragePooling1D", "GlobalMaxPooling1D"])
@pytest.mark.parametrize("masked", [False, True])
def test_models_that_keras_saves(kind: str, masked: bool, suffix: str, tmp_path: Path) -> None:
    """A mean leaves masked steps out; the largest of Keras does not, and is refused."""
    keras = pytest.importorskip("keras")
    known = keras.layers
    keras.utils.set_random_seed(5)
    model = keras.Sequential([
        known.Input((None, 4)),
        *([known.Masking(0.0)] if masked else []),
        known.Bidirectional(known.LSTM(5, return_sequences=True)),
        getattr(known, kind)(),
        known.Dense(3),
    ])  # fmt: skip
    path = tmp_path / f"m{suffix}"
    model.save(path)
    x = np.random.default_rng(13).standard_normal((2, 13, 4)).astype(np.float32)
    if masked:
        x[1, 9:] = 0.0
    if masked and kind == "GlobalMaxPooling1D":
        with pytest.raises(rn.UnsupportedError, match="Keras takes those as well"):
            rn.load(path)
        return
    want = keras.ops.convert_to_numpy(model(x))
    y, _ = rn.load(path, batch_first=True)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


def test_kerass_maximum_minimum_and_quotient(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    known = keras.layers
    keras.utils.set_random_seed(5)
    x = known.Input((None, 4))
    a = known.GRU(5, return_sequences=True)(x)
    b = known.Dense(5, activation="sigmoid")(a)
    top, least = known.Maximum()([a, b]), known.Minimum()([a, b])
    model = keras.Model(x, known.Concatenate()([top, least, a / b]))
    path = tmp_path / "m.keras"
    model.save(path)
    given = np.random.default_rng(13).standard_normal((2, 9, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(given))
    y, _ = rn.load(path, batch_first=True)(given)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
