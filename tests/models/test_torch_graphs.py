"""Networks with a forward of their own, as ``rn.from_torch`` has them of an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rnn_native as rn

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]


class Tagger(nn.Module):
    """Convolution, normalisation, a GRU of both directions: [batch, time, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(6, 16, 3, padding=1), nn.BatchNorm1d(16)
        self.rnn = nn.GRU(16, 12, bidirectional=True, batch_first=True)
        self.out = nn.Linear(24, 5)
        nn.init.uniform_(self.norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(self.norm.running_var, 0.5, 1.5)

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        return self.out(self.rnn(y)[0])


class Picture(nn.Module):
    """[batch, channels, rows, time]: a captcha reader."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn = nn.Conv2d(2, 8, 3, padding=1, stride=(2, 1)), nn.LSTM(80, 12)
        self.out = nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        y = nn.functional.silu(self.conv(x)).permute(3, 0, 1, 2).flatten(2)
        return self.out(self.rnn(y)[0]).softmax(-1)


class Classifier(nn.Module):
    """Indices [batch, time]; the last state alone."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(30, 8), nn.Linear(12, 3)
        self.rnn = nn.LSTM(8, 12, num_layers=2, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.out(self.rnn(self.table(x))[1][0][-1])


class Joined(nn.Module):
    """Two inputs, a residual around a convolution of a channel each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.rnn = nn.GRU(8, 6, batch_first=True)

    def forward(self, x: Any, z: Any) -> Any:
        y = torch.cat([x, z], -1)
        return self.rnn(y + nn.functional.gelu(self.conv(y.transpose(1, 2))).transpose(1, 2))[0]


def floats(*shape: int) -> Any:
    return torch.rand(shape) * 2 - 1


# A network, what it takes of a batch and so many steps, and our [time, batch, features] of that.
NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[int, int], Any], Callable[[Any], Any]]] = {
    "tagger": (Tagger, lambda b, t: (floats(b, t, 6),), lambda x: x[0].transpose(0, 1)),
    "picture": (
        Picture,
        lambda b, t: (floats(b, 2, 20, t),),
        lambda x: x[0].permute(3, 0, 2, 1).flatten(2),
    ),
    "classifier": (Classifier, lambda b, t: (torch.randint(0, 30, (b, t)),), lambda x: x[0].T),
    "joined": (
        Joined,
        lambda b, t: (floats(b, t, 5), floats(b, t, 3)),
        lambda x: {f"input_{i}": v.transpose(0, 1).contiguous().numpy() for i, v in enumerate(x)},
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_what_it_gave_in_pytorch_at_any_size(name: str) -> None:
    torch.manual_seed(5)
    make, inputs, ours = NETWORKS[name]
    network = make()
    model = rn.from_torch(network, inputs(2, 9))
    assert network.training  # as it was
    network.eval()
    for batch, time in ((2, 9), (3, 14), (1, 7)):
        x = inputs(batch, time)
        own = ours(x)
        y, _ = model(own if isinstance(own, dict) else own.contiguous().numpy())
        y = y if isinstance(y, np.ndarray) else next(iter(y.values()))
        with torch.no_grad():
            want = network(*x).numpy()
        if want.ndim == 3 and want.shape[0] == batch and name != "picture":
            want = want.transpose(1, 0, 2)
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


def test_a_model_of_it_streams_and_is_saved(tmp_path: Any) -> None:
    class Causal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rnn = nn.Conv1d(4, 8, 3), nn.GRU(8, 6, batch_first=True)

        def forward(self, x: Any) -> Any:
            y = self.conv(nn.functional.pad(x.transpose(1, 2), (2, 0)))
            return self.rnn(torch.relu(y).transpose(1, 2))[0]

    model = rn.from_torch(Causal(), torch.zeros(2, 5, 4))
    x = np.random.default_rng(0).standard_normal((7, 1, 4)).astype(np.float32)
    y, _ = model(x)
    model.save(tmp_path / "m.safetensors")
    stream = rn.load(tmp_path / "m.safetensors").stream(batch=1)
    np.testing.assert_array_equal(np.stack([stream.step(step).copy() for step in x]), y)


class Branching(nn.Module):
    """Of numbers above 0 in the mean something else than of others."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.out(x) if x.mean() > 0 else self.out(-2 * x)


class Measuring(Branching):
    """Of more than six steps something else than of fewer."""

    def forward(self, x: Any) -> Any:
        return self.out(x) if len(x[0]) > 6 else self.out(x).tanh()


class Named(Branching):
    def forward(self, x: Any) -> Any:
        return {"y": self.out(x)}


@pytest.mark.parametrize("scale", [0.0, 1.0, -1.0])
def test_what_only_the_example_gives_is_refused(scale: float) -> None:
    """An exporter writes down the branch that the example takes; one of zeros tells little."""
    example = scale * torch.ones(2, 5, 4)
    with pytest.raises(rn.UnsupportedError, match="not give what it gives of other numbers"):
        rn.from_torch(Branching(), example)
    with pytest.raises(rn.UnsupportedError, match="not give what it gives of other sizes"):
        rn.from_torch(Measuring(), example)


def test_outputs_may_have_names() -> None:
    network = Named()
    x = floats(2, 5, 4)
    y, _ = rn.from_torch(network, x)(x.transpose(0, 1).contiguous().numpy())
    with torch.no_grad():
        want = network(x)["y"].transpose(0, 1).numpy()
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


class Sorted(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.sort(dim=1)[0]


def test_what_cannot_be_read_is_refused_by_the_name_of_its_operator() -> None:
    with pytest.raises(rn.UnsupportedError, match=r"Sorted is not read: .*rn.accelerate runs"):
        rn.from_torch(Sorted(), torch.zeros(2, 5, 4))
    with pytest.raises(rn.OptionError, match=r"example\[0\]: expected a tensor .* got \(4,\)"):
        rn.from_torch(Tagger(), torch.zeros(4))
    with pytest.raises(rn.OptionError, match="at least one tensor; got none"):
        rn.from_torch(Tagger(), ())
    with pytest.raises(rn.OptionError, match=r"example\[1\]: expected a tensor .* got int"):
        rn.from_torch(Joined(), (torch.zeros(2, 5, 5), 3))


class OfWho(nn.Module):
    """Who speaks beside each step: features [batch, 2], and an index [batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.of_who, self.table = nn.Linear(2, 3), nn.Embedding(5, 3)
        self.rnn, self.out = nn.GRU(7, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Any, who: Any, index: Any) -> Any:
        w = torch.tanh(self.of_who(who)) + self.table(index)
        every = w[:, None].expand(-1, x.shape[1], -1)
        return self.out(self.rnn(torch.cat([x, every], -1))[0])


def test_inputs_without_time() -> None:
    module = OfWho().eval()
    model = rn.from_torch(module, (torch.randn(2, 7, 4), torch.randn(2, 2), torch.tensor([1, 4])))
    assert [one.time for one in model.spec.inputs.values()] == [True, False, False]
    x, who, index = torch.randn(3, 9, 4), torch.randn(3, 2), torch.tensor([0, 4, 2])
    given = [np.swapaxes(x.numpy(), 0, 1), who.numpy(), index.numpy()]
    y, _ = model(dict(zip(model.inputs, given, strict=True)))
    with torch.no_grad():
        want = module(x, who, index).numpy()
    np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=1e-5)
