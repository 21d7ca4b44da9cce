"""InstanceNorm beside PyTorch, onnxruntime and Keras: what they write is read, and ours by them."""

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
pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from onnx_graphs import make_linear, make_recurrent
from torch import nn

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import InstanceNorm, LayerNorm, ModelSpec

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


class Steps(nn.Module):
    """A norm of [batch, features, time]."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.rnn, self.norm = nn.GRU(3, 4, batch_first=True), norm
        self.last = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return self.last(self.norm(self.rnn(x)[0].transpose(1, 2)).transpose(1, 2))


class Bands(nn.Module):
    """A norm of [batch, channels, time, bands], which are then features in either order."""

    def __init__(self, norm: nn.Module, channels_last: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), norm
        self.rnn, self.channels_last = nn.GRU(4 * 3, 3, batch_first=True), channels_last

    def forward(self, x: Any) -> Any:
        y = self.norm(self.conv(x[:, None]))
        return self.rnn(y.permute((0, 2, 3, 1) if self.channels_last else (0, 2, 1, 3)).flatten(2))[
            0
        ]


class Wave(nn.Module):
    """Of an input [batch, 1, time], and of fewer steps."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.InstanceNorm1d(1, affine=True), nn.InstanceNorm1d(4)
        self.conv = nn.Conv1d(1, 4, 5, stride=2)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.second(self.conv(self.first(x.transpose(1, 2))))).transpose(1, 2)


CASES: dict[str, Any] = {
    "instance": lambda: Steps(nn.InstanceNorm1d(4)),
    "affine": lambda: Steps(nn.InstanceNorm1d(4, affine=True, eps=0.1)),
    "groups": lambda: Steps(nn.GroupNorm(2, 4)),
    "one group": lambda: Steps(nn.GroupNorm(1, 4)),
    "wave": Wave,
    "bands": lambda: Bands(nn.InstanceNorm2d(4, affine=True), False),
    "bands, channels last": lambda: Bands(nn.InstanceNorm2d(4, affine=True), True),
    "groups of bands": lambda: Bands(nn.GroupNorm(2, 4), False),
    "groups of bands, channels last": lambda: Bands(nn.GroupNorm(2, 4), True),
}


def exported(module: nn.Module, path: Path, opset: int, features: int) -> ModelSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(2, 17, features),), path, dynamo=False, opset_version=opset,
            input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "steps"}},
        )  # fmt: skip
    return formats.read(path)


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", CASES)
def test_what_pytorch_exports(name: str, opset: int, tmp_path: Path) -> None:
    torch.manual_seed(6)
    module = CASES[name]().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    features = 1 if name == "wave" else 3
    spec = exported(module, tmp_path / "m.onnx", opset, features)
    norms = [n.layer for n in spec.nodes.values() if isinstance(n.layer, InstanceNorm)]
    assert len(norms) == (2 if name == "wave" else 1)
    x = np.random.default_rng(14).standard_normal((3, 23, features)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.Model(spec, batch_first=True)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)  # float32, of numbers of about 1


@pytest.mark.parametrize("opset", [18, 21])
@pytest.mark.parametrize("shape", [["b", 6, "t"], ["b", 3, "t", 2], ["b", 3, 2, "t"]], ids=str)
def test_onnxs_group_normalization(shape: list[Any], opset: int, tmp_path: Path) -> None:
    """Scale and bias are of a group each before set 21."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    make, rng = onnx.helper, np.random.default_rng(3)
    groups = 3
    count = groups if opset < 21 else shape[1]
    numbers = rng.normal(0, 1, (2, count)).astype("f4")
    node = make.make_node(
        "GroupNormalization", ["x", "s", "b"], ["y"], num_groups=groups, epsilon=0.1
    )
    graph = make.make_graph(
        [node], "g",
        [make.make_tensor_value_info("x", 1, shape)], [make.make_tensor_value_info("y", 1, shape)],
        [onnx.numpy_helper.from_array(a, name) for name, a in zip("sb", numbers, strict=True)],
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    onnx.save(
        make.make_model(graph, opset_imports=[make.make_opsetid("", opset)], ir_version=10), path
    )
    spec = formats.read(path)
    sizes = [{"b": 2, "t": 9}.get(size, size) for size in shape]
    x = rng.normal(1, 2, sizes).astype("f4")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (want,) = session.run(None, {"x": x})
    time, rest = shape.index("t"), [i for i in range(2, len(shape)) if shape[i] != "t"]
    y, _ = rn.Model(spec)(x.transpose(time, 0, *rest, 1).reshape(9, 2, 6))  # channels fastest
    want = want.transpose(time, 0, 1, *rest).reshape(9, 2, 6)  # as the file has its output
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [
    {}, {"weight": None}, {"bias": None}, {"weight": None, "bias": None}, {"epsilon": 0.1},
    {"groups": 2}, {"groups": 1, "bias": None}, {"groups": 2, "weight": None}, {"positions": 3},
], ids=str)  # fmt: skip
def test_a_file_of_ours_gives_it_back(options: dict[str, Any], tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(8)
    numbers = rng.normal(0, 1, (2, 6 // options.get("positions", 1))).astype("f4")
    given = dict(zip(("weight", "bias"), numbers, strict=True)) | options
    layers = (make_recurrent("gru", 3, 6), InstanceNorm(6, **given), make_linear(6, 2))
    spec = ModelSpec(layers)
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    again = formats.read(path)
    assert repr(again) == repr(spec)
    for name, array in spec.layers[1].arrays.items():
        assert np.array_equal(again.layers[1].arrays[name], array)
    x = rng.standard_normal((9, 2, 3)).astype(np.float32)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, rtol=0, atol=1e-5)


def test_what_an_onnx_file_cannot_say_is_named(tmp_path: Path) -> None:
    for dtype, layer, message in (
        ("f4", InstanceNorm(6, positions=3, groups=1), "groups=1 positions=3.*GroupNormalization"),
        ("f8", InstanceNorm(6), "of float64: ONNX's runtimes"),
        ("f4", InstanceNorm(6, epsilon=1e39), "beyond float32"),
    ):
        weight = np.ones((6, 2), dtype)
        spec = ModelSpec((rn.Linear(weight), layer))
        with pytest.raises(rn.UnsupportedError, match=message):
            formats.write(spec, tmp_path / "m.onnx")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("groups", [-1, 1, 5])
@pytest.mark.parametrize("last", [False, True])
def test_models_that_keras_saves(groups: int, suffix: str, last: bool, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    known = keras.layers
    keras.utils.set_random_seed(5)
    model = keras.Sequential([
        known.Input((None, 4)),
        known.Bidirectional(known.GRU(5, return_sequences=not last)),
        known.GroupNormalization(groups, epsilon=0.01),
        known.Dense(3),
    ])  # fmt: skip
    rng = np.random.default_rng(13)
    model.layers[1].set_weights([rng.normal(0, 1, (10,)), rng.normal(0, 1, (10,))])
    path = tmp_path / f"m{suffix}"
    model.save(path)
    ours = rn.load(path, batch_first=True)
    assert isinstance(ours.spec.layers[1], LayerNorm if last else InstanceNorm)
    x = rng.standard_normal((2, 13, 4)).astype(np.float32)
    want = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(ours(x)[0], want, rtol=0, atol=1e-5)
    if last and groups != 1:
        with pytest.raises(rn.UnsupportedError, match="Keras's LayerNormalization has one"):
            rn.keras_weights(ours)
        return
    for own, other in zip(rn.keras_weights(ours)[1], model.layers[1].get_weights(), strict=True):
        assert np.array_equal(own, other)


def test_keras_normalises_masked_steps_too(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    known = keras.layers
    model = keras.Sequential([
        known.Input((None, 4)), known.Masking(), known.GRU(4, return_sequences=True),
        known.GroupNormalization(2),
    ])  # fmt: skip
    path = tmp_path / "m.keras"
    model.save(path)
    with pytest.raises(rn.UnsupportedError, match=r"GroupNormalization.*masks steps: Keras takes"):
        rn.load(path)
