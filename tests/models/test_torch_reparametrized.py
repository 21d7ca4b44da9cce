"""state_dicts of modules whose weights PyTorch calculates of others before it runs: weight norm
and spectral norm, old and new, pruning; and weight drop. PyTorch's own results are the oracle."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
prune = pytest.importorskip("torch.nn.utils.prune")
nn = torch.nn
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning"),
]
new = nn.utils.parametrizations


def old_weight_norm(module: Any, name: str, **options: Any) -> None:
    nn.utils.weight_norm(module, name, **options)
    getattr(module, f"{name}_g").data *= 2


def new_weight_norm(module: Any, name: str, **options: Any) -> None:
    new.weight_norm(module, name, **options)
    getattr(module.parametrizations, name).original0.data *= 0.5


def pruned_weight_norm(module: Any, name: str) -> None:
    prune.l1_unstructured(module, name, 0.4)
    prune.remove(module, name)
    old_weight_norm(module, name)
    prune.random_unstructured(module, f"{name}_v", 0.3)


WAYS: dict[str, Callable[[Any, str], Any]] = {
    "weight norm": old_weight_norm,
    "weight norm of columns": lambda m, n: old_weight_norm(m, n, dim=1),
    "weight norm of all": lambda m, n: old_weight_norm(m, n, dim=None),
    "new weight norm": new_weight_norm,
    "new weight norm of columns": lambda m, n: new_weight_norm(m, n, dim=1),
    "new weight norm of all": lambda m, n: new_weight_norm(m, n, dim=None),
    "spectral norm": nn.utils.spectral_norm,
    "spectral norm of columns": lambda m, n: nn.utils.spectral_norm(m, n, dim=1),
    "new spectral norm": new.spectral_norm,
    "new spectral norm of columns": lambda m, n: new.spectral_norm(m, n, dim=1),
    "pruning": lambda m, n: prune.l1_unstructured(m, n, 0.5),
    "pruned weight norm": pruned_weight_norm,
}
MODULES = {
    "LSTM": lambda: nn.LSTM(6, 8, num_layers=2, bidirectional=True),
    "GRU": lambda: nn.GRU(6, 6),
    "RNN": lambda: nn.RNN(5, 5),  # square: shapes do not say which axis a norm is of
}


def saved(path: Path, module: Any) -> Path:
    torch.save(module.state_dict(), path)
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MODULES)
def test_its_weights_are_calculated(way: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict({"enc": MODULES[kind]()})
    names = [name for name, _ in net["enc"].named_parameters() if name.startswith("weight")][::2]
    x = torch.randn(7, 3, net["enc"].input_size)
    for name in names:
        WAYS[way](net["enc"], name)
    net["enc"](x)  # a step of the power method
    net.eval()
    with torch.no_grad():
        want = net["enc"](x)[0].numpy()
    path = saved(tmp_path / "net.pt", net)
    model = rn.load(path, prefix="enc")
    # PyTorch rounds lengths and products in float32: some ulps of weights below 1.
    np.testing.assert_allclose(model(x.numpy())[0], want, rtol=0, atol=3e-6)
    _, strings = formats.read_all(path, prefix="enc")
    told = [f"calculated enc.{name}" for name in names]
    assert set(told) <= set(strings)
    assert all(
        way.removeprefix("pruned ").split(" of ")[0].removeprefix("new ") in strings[t]
        for t in told
    )


@pytest.mark.parametrize(
    "way", ["weight norm", "new weight norm", "spectral norm", "new spectral norm", "pruning"]
)
@pytest.mark.parametrize("kind", ["Conv1d", "ConvTranspose1d", "Linear"])
def test_so_are_those_of_a_chain(way: str, kind: str, tmp_path: Path) -> None:
    """Square too, where a convolution's axis shows in the vectors alone."""
    torch.manual_seed(1)
    makes: dict[str, Any] = {
        "Conv1d": lambda: nn.Conv1d(6, 6, 3),
        "ConvTranspose1d": lambda: nn.ConvTranspose1d(6, 6, 3),
        "Linear": lambda: nn.Linear(6, 6),
    }
    layer = makes[kind]()
    WAYS[way](layer, "weight")
    x = torch.randn(2, 6, 9) if kind != "Linear" else torch.randn(9, 2, 6)
    layer(x)
    layer.eval()
    with torch.no_grad():
        want = layer(x).numpy()
    path = saved(tmp_path / "net.pt", nn.ModuleDict({"a": layer}))
    said = {"Conv1d": "a", "Linear": "a:linear"}.get(kind, f"a:{kind}(6, 6, 3)")
    model = rn.load(path, chain=[said])
    given = x.numpy() if kind == "Linear" else x.numpy().transpose(2, 0, 1)
    y = model(given)[0]
    np.testing.assert_allclose(
        y, want if kind == "Linear" else want.transpose(2, 0, 1), rtol=0, atol=3e-6
    )


class Symmetric(nn.Module):  # type: ignore[misc, name-defined]
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).T


@pytest.mark.parametrize("way", ["one's own", "orthogonal", "own over weight norm"])
def test_what_no_name_tells_is_refused(way: str, tmp_path: Path) -> None:
    rnn = nn.RNN(4, 4)
    if way == "orthogonal":
        new.orthogonal(rnn, "weight_hh_l0")
    else:
        if way != "one's own":
            new.weight_norm(rnn, "weight_hh_l0")
            new.spectral_norm(rnn, "weight_hh_l0")
        else:
            nn.utils.parametrize.register_parametrization(rnn, "weight_hh_l0", Symmetric())
    path = saved(tmp_path / "net.pt", rnn)
    with pytest.raises(rn.UnsupportedError, match="remove_parametrizations") as caught:
        rn.load(path)
    assert "meant to be" not in str(caught.value)


def test_layer_norm_cells_are_refused(tmp_path: Path) -> None:
    cell = nn.LSTMCell(3, 4)
    cell.layernorm_h = nn.LayerNorm(16)
    net = nn.ModuleDict({"layers": nn.ModuleList([nn.ModuleDict({"cell": cell})])})
    for module, prefix in ((net, "layers.0.cell"), (cell, "")):
        for options in ({}, {"prefix": prefix}):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises(rn.UnsupportedError, match=r"unexpected .*layernorm_h\.weight"):
                    rn.load(saved(tmp_path / "net.pt", module), **options)
