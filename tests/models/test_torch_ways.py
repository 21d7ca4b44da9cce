"""The lines that ``rn.from_torch`` says where it is given a whole network: typed, they work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native.errors import UnsupportedError

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
nn = torch.nn
pytestmark = pytest.mark.oracle


class Usual(nn.Module):
    """Embedding, recurrent, the last state of both directions, head."""

    def __init__(self, kind: str, batch_first: bool, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        both = {"batch_first": batch_first, "bidirectional": True} | options
        self.rnns = nn.ModuleList([getattr(nn, kind)(8, 6, **both)])
        self.drop = nn.Dropout(0.5)
        self.head = nn.Sequential(
            nn.Linear(12, 5, bias=False), nn.Tanh(), nn.ELU(0.5), nn.Linear(5, 3)
        )

    def forward(self, words: Any) -> Any:
        _, state = self.rnns[0](self.embedding(words))
        h = state[0] if isinstance(state, tuple) else state
        return self.head(self.drop(torch.cat([h[-2], h[-1]], dim=-1)))


def said(net: Any) -> dict[str, str]:
    """The lines of each way, by its number."""
    with pytest.raises(UnsupportedError, match="Three ways in:") as caught:
        rn.from_torch(net)
    ways = re.findall(r"^(\d)\. .*\n((?:    .*(?:\n|$))*)", str(caught.value), re.MULTILINE)
    return {number: re.sub("^    ", "", lines, flags=re.MULTILINE) for number, lines in ways}


@pytest.mark.parametrize(
    ("kind", "batch_first", "options"),
    [
        ("GRU", True, {}),
        ("LSTM", False, {"num_layers": 2}),
        ("RNN", True, {"nonlinearity": "relu", "bias": False}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_of_the_three_ways_works_as_it_is_said(
    kind: str,
    batch_first: bool,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    net = Usual(kind, batch_first, **options).eval()
    x = torch.randint(30, (4, 7) if batch_first else (7, 4))
    with torch.no_grad():
        want = net(x).numpy()
    ways = said(net)
    assert list(ways) == ["1", "2", "3"]
    for number in ("3", "2", "1"):
        if number == "2":
            pytest.importorskip("onnxscript")
        space: dict[str, Any] = {"torch": torch, "rn": rn, "net": net, "x": x}
        exec(ways[number], space)
        if number == "1":
            with torch.inference_mode():
                got = net(x).numpy()
        else:
            got, _ = space["model"](x.numpy())
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)  # of conftest


def test_what_is_not_here_is_named_and_no_lines_are_made_of_it() -> None:
    net = nn.ModuleDict({"norm": nn.BatchNorm1d(3), "lstm": nn.LSTM(3, 4)})
    with pytest.raises(UnsupportedError, match=r"since there is no BatchNorm1d \(norm\) here$"):
        rn.from_torch(net)


def test_what_holds_nothing_recurrent_has_no_ways_in() -> None:
    with pytest.raises(UnsupportedError, match=r"got torch\.nn\.modules\.linear\.Linear$"):
        rn.from_torch(nn.Linear(2, 3))
