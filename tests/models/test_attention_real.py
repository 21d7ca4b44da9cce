"""Softmax and attention pools as PyTorch's exporter writes them, beside PyTorch and onnxruntime."""

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
from onnx_graphs import make_linear, make_recurrent, run
from torch import nn

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Attention, AttentionPool, ModelSpec, Softmax, SoftmaxOverTime

pytestmark = pytest.mark.oracle
RNG = np.random.default_rng(15)

Way = Callable[[Any, Any], Any]
POOLS: dict[str, tuple[int, Way]] = {
    "sum": (1, lambda w, h: (w * h).sum(1)),
    "values first": (1, lambda w, h: torch.sum(h * w, dim=1)),
    "kept": (1, lambda w, h: (w * h).sum(1, keepdim=True).squeeze(1)),
    "squeezed": (1, lambda w, h: (w.squeeze(-1).unsqueeze(-1) * h).sum(1)),
    "bmm": (1, lambda w, h: (w.squeeze(2).unsqueeze(1) @ h).squeeze(1)),
    "bmm of values": (1, lambda w, h: torch.bmm(h.transpose(1, 2), w).squeeze(-1)),
    "first of one": (1, lambda w, h: torch.bmm(w.transpose(1, 2), h)[:, 0]),
    "einsum": (1, lambda w, h: torch.einsum("bt,btf->bf", w.squeeze(-1), h)),
    "structured": (3, lambda w, h: torch.bmm(w.transpose(1, 2), h).flatten(1)),
    "einsum of heads": (3, lambda w, h: torch.einsum("bth,btf->bhf", w, h).flatten(1)),
    "blocks": (2, lambda w, h: (w[..., None] * h.unflatten(2, (2, 4))).sum(1).flatten(1)),
    "a weight each": (8, lambda w, h: (w * h).sum(1)),
}


class Pooled(nn.Module):
    """Additive attention: v tanh(W h + b)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        heads, self.way = POOLS[name]
        self.rnn = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.first, self.scores = nn.Linear(8, 5), nn.Linear(5, heads, bias=False)
        self.last = nn.Linear(24 if heads == 3 else 8, 2)

    def forward(self, x: Any) -> Any:
        h, _ = self.rnn(x)
        weights = torch.softmax(self.scores(torch.tanh(self.first(h))), dim=1)
        return self.last(self.way(weights, h))


def exported(module: nn.Module, path: Path, opset: int, time: bool = False) -> ModelSpec:
    axes = {0: "batch"} | ({1: "time"} if time else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(2, 7, 3),), path, dynamo=False, opset_version=opset,
            input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "batch", 1: "time"}, "y": axes},
        )  # fmt: skip
    return formats.read(path)


def agrees(spec: ModelSpec, module: nn.Module) -> None:
    x = RNG.standard_normal((2, 11, 3)).astype(np.float32)
    want = module(torch.tensor(x)).detach().numpy()
    y, _ = rn.Model(spec, batch_first=True)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)  # float32, of numbers of about 1


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("name", POOLS)
def test_pools_that_pytorch_exports(name: str, opset: int, tmp_path: Path) -> None:
    torch.manual_seed(6)
    module = Pooled(name).eval()
    spec = exported(module, tmp_path / "m.onnx", opset)
    pools = [n.layer for n in spec.nodes.values() if isinstance(n.layer, AttentionPool)]
    assert pools == [AttentionPool(POOLS[name][0])]
    agrees(spec, module)


SELF: dict[str, tuple[Attention, Callable[..., Any]]] = {
    "dot": (Attention(1, 0.25), lambda q, k, v, e: torch.softmax(q @ turned(k) / 4, -1) @ v),
    "times": (Attention(1, 0.5), lambda q, k, v, e: torch.softmax(0.5 * (q @ turned(k)), -1) @ v),
    "bmm": (
        Attention(1, 1.0),
        lambda q, k, v, e: torch.bmm(torch.softmax(torch.bmm(q, turned(k)), 2), v),
    ),
    "heads": (
        Attention(2, 0.5),
        lambda q, k, v, e: joined(
            torch.softmax(blocks(q) @ turned(blocks(k)) * 0.5, -1) @ blocks(v)
        ),
    ),
    "additive": (
        Attention(weight=np.ones(6)),
        lambda q, k, v, e: torch.bmm(
            torch.softmax(e(torch.tanh(q.unsqueeze(2) + k.unsqueeze(1))).squeeze(-1), -1), v
        ),
    ),
    "pytorch's": (
        Attention(1, 1.0),
        lambda q, k, v, e: nn.functional.scaled_dot_product_attention(q, k, v),
    ),
}


def blocks(a: Any) -> Any:
    return a.view(a.shape[0], a.shape[1], 2, 3).transpose(1, 2)


def joined(a: Any) -> Any:
    return a.transpose(1, 2).flatten(2)


def turned(a: Any) -> Any:
    return a.transpose(-1, -2)


class Itself(Pooled):
    """Attention of the steps to themselves."""

    def __init__(self, way: Callable[..., Any]) -> None:
        super().__init__("sum")
        self.way = way
        self.query, self.key, self.value = (nn.Linear(8, 6) for _ in range(3))
        self.weight, self.out = nn.Linear(6, 1, bias=False), nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        h, _ = self.rnn(x)
        return self.out(self.way(self.query(h), self.key(h), self.value(h), self.weight))


@pytest.mark.parametrize("opset", [14, 17])
@pytest.mark.parametrize("name", SELF)
def test_attention_of_steps_to_steps(name: str, opset: int, tmp_path: Path) -> None:
    torch.manual_seed(6)
    wanted, way = SELF[name]
    module = Itself(way).eval()
    spec = exported(module, tmp_path / "m.onnx", opset, True)
    (layer,) = [n.layer for n in spec.nodes.values() if isinstance(n.layer, Attention)]
    assert (layer.heads, layer.causal) == (wanted.heads, wanted.causal)
    assert (layer.weight is None) == (wanted.weight is None)
    if wanted.weight is None:
        assert layer.scale == pytest.approx(wanted.scale)
    agrees(spec, module)


@pytest.mark.parametrize("way", [
    lambda q, k, v, e: torch.softmax(q @ turned(k), 1) @ v,
    lambda q, k, v, e: torch.relu(q @ turned(k)) @ v,
    lambda q, k, v, e: q @ turned(k),
    lambda q, k, v, e: torch.softmax(q @ turned(k) + 1, -1) @ v,
    lambda q, k, v, e: torch.softmax(-(q @ turned(k)) * -0.5, -1) @ v,
    lambda q, k, v, e: torch.softmax((q @ turned(k)).tril(), -1) @ v,
    lambda q, k, v, e: torch.softmax(e(q.unsqueeze(2) + k.unsqueeze(1)).squeeze(-1), -1) @ v,
])  # fmt: skip
def test_what_is_no_such_attention_is_refused(way: Callable[..., Any], tmp_path: Path) -> None:
    module = Itself(way).eval()
    module.out = nn.Identity()
    with pytest.raises(rn.UnsupportedError):
        exported(module, tmp_path / "m.onnx", 17, True)


def test_from_torch_takes_them_too() -> None:
    torch.manual_seed(6)
    module = Pooled("bmm").eval()
    x = torch.randn(3, 9, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = rn.from_torch(module, x)
    want = module(x).detach().numpy()
    np.testing.assert_allclose(ours(x.numpy().swapaxes(0, 1))[0], want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("opset", [12, 17])
def test_weights_that_are_no_pools(opset: int, tmp_path: Path) -> None:
    """The mean of what they weigh, and they themselves as an output."""
    torch.manual_seed(6)

    class Mean(Pooled):
        def forward(self, x: Any) -> Any:
            h, _ = self.rnn(x)
            return self.last((torch.softmax(self.scores(self.first(h)), dim=1) * h).mean(1))

    class Weights(Pooled):
        def forward(self, x: Any) -> Any:
            return torch.softmax(self.scores(self.first(self.rnn(x)[0])), dim=1)

    for kind, time in ((Mean, False), (Weights, True)):
        module = kind("sum").eval()
        spec = exported(module, tmp_path / "m.onnx", opset, time)
        layers = [node.layer for node in spec.nodes.values()]
        assert SoftmaxOverTime() in layers
        assert not any(isinstance(layer, AttentionPool) for layer in layers)
        agrees(spec, module)


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("axis", [2, 3])
def test_a_softmax_of_an_axis_of_the_features(
    axis: int, log: bool, opset: int, tmp_path: Path
) -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 6, batch_first=True)

        def forward(self, x: Any) -> Any:
            y = self.rnn(x)[0].unflatten(2, (2, 3))
            return (torch.log_softmax if log else torch.softmax)(y, dim=axis).flatten(2)

    torch.manual_seed(6)
    module = Inner().eval()
    spec = exported(module, tmp_path / "m.onnx", opset, True)
    assert Softmax({2: 3, 3: 2}[axis], log) in [node.layer for node in spec.nodes.values()]
    agrees(spec, module)


def test_a_softmax_behind_anything(tmp_path: Path) -> None:
    class Behind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 6, batch_first=True)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.rnn(x)[0], -1)

    spec = exported(Behind().eval(), tmp_path / "m.onnx", 17, True)
    assert spec.layers[1] == Softmax()


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_a_file_of_ours_gives_pools_back(heads: int, tmp_path: Path) -> None:
    nodes = {
        "gru": (make_recurrent("gru", 3, 6), ("x",)),
        "scores": (make_linear(6, heads), ("gru",)),
        "pool": (AttentionPool(heads), ("gru", "scores")),
        "y": (make_linear(6, 2), ("pool",)),
    }
    spec = ModelSpec(nodes=nodes, inputs=("x",), outputs="y")
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    again = formats.read(path)
    layers = [node.layer for node in again.nodes.values()]
    assert AttentionPool(heads) in layers
    x = RNG.standard_normal((9, 2, 3)).astype(np.float32)
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(rn.reference.run(again, x)[0], want, rtol=0, atol=1e-12)
    np.testing.assert_allclose(run(path, {"x": x})[0], want, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "layer", [Softmax(), Softmax(3), Softmax(2, True), SoftmaxOverTime()], ids=str
)
@pytest.mark.parametrize("behind", ["linear", "gru"])
def test_a_file_of_ours_gives_softmaxes_back(layer: Any, behind: str, tmp_path: Path) -> None:
    first = make_linear(3, 6) if behind == "linear" else make_recurrent("gru", 3, 6)
    spec = ModelSpec((first, layer))
    path = tmp_path / "m.onnx"
    formats.write(spec, path)
    assert repr(formats.read(path)) == repr(spec)
    x = RNG.standard_normal((9, 2, 3)).astype(np.float32)
    want, _ = rn.reference.run(spec, x)
    np.testing.assert_allclose(run(path, {"x": x})[0], want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", [
    lambda e, h: torch.log_softmax(e, 1) * h,
    lambda e, h: torch.bmm(h, h.transpose(1, 2)),
    lambda e, h: torch.einsum("bt,btf->btf", e[..., 0], h),
    lambda e, h: torch.softmax(h, 0),
])  # fmt: skip
def test_what_is_no_such_thing_is_refused(way: Way, tmp_path: Path) -> None:
    class Other(Pooled):
        def forward(self, x: Any) -> Any:
            h, _ = self.rnn(x)
            return way(self.scores(self.first(h)), h)

    with pytest.raises(rn.UnsupportedError, match=r"Softmax|MatMul|Einsum|is not made by a layer"):
        exported(Other("sum").eval(), tmp_path / "m.onnx", 17, True)
