"""A ``state_dict`` as ``torch.save`` writes it, put together by ``chain=``, beside the ``forward``
that it comes from: each way to write a chain."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import rnn_native as rn

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
pytestmark = pytest.mark.models
nn = torch.nn


class Net(nn.Module):
    """Modules of several kinds; ``forward`` is one of ``CASES``."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(20, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 9, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(12, 8, batch_first=True)
        self.relu_rnn = nn.RNN(8, 7, nonlinearity="relu", batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(18, 10), nn.BatchNorm1d(10), nn.PReLU(), nn.Linear(10, 3)
        )
        self.small = nn.Sequential(
            nn.Linear(8, 6, bias=False), nn.PReLU(6), nn.BatchNorm1d(6, 1e-2, affine=False)
        )
        self.tags = nn.Linear(18, 5)

    def middle(self, x: Any) -> Any:
        return self.lstm(self.emb(x))


Forward = Callable[[Net, Any], Any]
CASES: Final[dict[str, tuple[list[Any], dict[str, Any], Forward]]] = {
    "tagger": (
        ["emb", "lstm", "tags:log_softmax"], {},
        lambda n, x: torch.log_softmax(n.tags(n.middle(x)[0]), -1),
    ),
    "out[:, -1]": (
        ["emb", "lstm", rn.Last(), "tags:tanh"], {},
        lambda n, x: torch.tanh(n.tags(n.middle(x)[0][:, -1])),
    ),
    "h_n": (
        ["emb", "lstm:h_n", "tags:softmax"], {},
        lambda n, x: torch.softmax(n.tags(torch.cat([*n.middle(x)[1][0][-2:]], -1)), -1),
    ),
    "forward": (
        ["emb", "gru", rn.Last(), "small.0", "small.1", "small.2:eps=0.01"], {},
        lambda n, x: n.small(n.gru(n.emb(x))[0][:, -1]),
    ),
    "head": (
        ["emb", "lstm:h_n", "head.0", "head.1", "head.2", "head.3:sigmoid"], {},
        lambda n, x: torch.sigmoid(n.head(torch.cat([*n.middle(x)[1][0][-2:]], -1))),
    ),
    "relu": (
        ["emb", "gru:leaky_relu(0.2)", "relu_rnn", rn.MaxPool(3)], {"nonlinearity": "relu"},
        lambda n, x: nn.functional.max_pool1d(
            n.relu_rnn(nn.functional.leaky_relu(n.gru(n.emb(x))[0], 0.2))[0].transpose(1, 2), 3
        ).transpose(1, 2),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(17)
    net = Net()
    with torch.no_grad():
        for _ in range(3):  # statistics of a BatchNorm that are its own
            net.head(torch.randn(50, 18) * 3 + 1)
            net.small(torch.randn(50, 8) * 2 - 1)
    return net.eval()


@pytest.mark.parametrize("container", ["zip", "legacy", "npz", "checkpoint", "pickle"])
@pytest.mark.parametrize("name", CASES)
def test_the_chain_is_the_forward(
    net: Net, name: str, container: str, tmp_path: Path, run: Any
) -> None:
    chain, options, forward = CASES[name]
    path, weights = tmp_path / "net.pt", net.state_dict()
    if container == "npz":
        path = tmp_path / "net.npz"
        np.savez(path, **{n: w.numpy() for n, w in weights.items()})
    elif container == "pickle":
        path = tmp_path / "net.pkl"
        path.write_bytes(pickle.dumps({n: w.numpy() for n, w in weights.items()}))
    elif container == "checkpoint":
        torch.save({"epoch": 3, "model": {"net": weights}}, path)
        options = {**options, "prefix": "model.net"}
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=container == "zip")
    x = torch.randint(1, 20, (4, 17), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = forward(net, x).numpy()
    y, _ = run(rn.load(path, chain=chain, **options).spec, x.numpy().T)
    run.assert_close(y if y.ndim == 2 else y.swapaxes(0, 1), expected)


def test_last_steps_of_rows_of_several_lengths_are_those_of_each_alone(
    net: Net, tmp_path: Path, run: Any
) -> None:
    torch.save(net.state_dict(), tmp_path / "net.pt")
    x, lengths = np.random.default_rng(0).integers(1, 20, (17, 3)), [17, 4, 9]
    for name in ("out[:, -1]", "h_n"):
        chain, _, forward = CASES[name]
        y, _ = run(rn.load(tmp_path / "net.pt", chain=chain).spec, x, None, lengths)
        with torch.no_grad():
            for row, length in enumerate(lengths):
                run.assert_close(
                    y[row], forward(net, torch.from_numpy(x[:length, row][None]))[0].numpy()
                )
