"""``rn.from_torch(net, example)`` of networks with states, and with several inputs and outputs: all
of what they give is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnn_native as rn

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 8, 2, batch_first=True)
        self.one, self.two = nn.Linear(8, 3), nn.Linear(8, 2)
        self.table = nn.Embedding(9, 6)


class Stateful(Layers):
    def forward(self, x: Any, h: Any, c: Any) -> Any:
        y, state = self.rnn(x, (h, c))
        return self.one(y), *state


class Nested(Layers):
    def forward(self, x: Any, state: Any) -> Any:
        y, state = self.rnn(x, state)
        return {"y": self.one(y), "state": state}


class Heads(Layers):
    def forward(self, x: Any) -> Any:
        y, (h, _) = self.rnn(x)
        return self.one(y), self.two(y), h[-1]


class ByKey(Layers):
    def forward(self, words: Any, x: Any) -> Any:
        y, _ = self.rnn(self.table(words) + x)
        return {"one": self.one(y), "two": self.two(y).tanh()}


class OneDict(ByKey):
    def forward(self, batch: Any) -> Any:  # type: ignore[override]
        return super().forward(batch["words"], batch["x"])


def floats(*shape: int) -> Any:
    return torch.rand(shape) * 2 - 1


def ours(x: Any) -> Any:
    return x.transpose(0, 1).contiguous().numpy()


def assert_close(got: Any, want: Any) -> None:
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("nested", [False, True])
def test_states_go_in_and_out(nested: bool) -> None:
    torch.manual_seed(3)
    net = (Nested if nested else Stateful)().eval()

    def inputs(batch: int, time: int) -> Any:
        state = floats(2, batch, 8), floats(2, batch, 8)
        return (floats(batch, time, 6), state) if nested else (floats(batch, time, 6), *state)

    model = rn.from_torch(net, inputs(3, 7))
    for batch, time in ((3, 7), (2, 5)):  # as many rows as layers: then too
        x, *state = inputs(batch, time)
        h, c = (s.numpy() for s in (state[0] if nested else state))
        with torch.no_grad():
            want = net(x, *state)
        y, after = model(ours(x), tuple((h[k : k + 1], c[k : k + 1]) for k in range(2)))
        wanted = (want["y"], *want["state"]) if nested else want
        assert_close(y, ours(wanted[0]))
        for k in range(2):
            assert_close(after[k][0][0], wanted[1][k])
            assert_close(after[k][1][0], wanted[2][k])


def test_several_outputs_are_called_by_their_places() -> None:
    torch.manual_seed(4)
    net, x = Heads().eval(), floats(2, 9, 6)
    model = rn.from_torch(net, x)
    with torch.no_grad():
        one, two, last = net(x)
    ys, state = model(ours(x))
    assert_close(ys["output_0"], ours(one))
    assert_close(ys["output_1"], ours(two))
    assert any(np.allclose(part, last, rtol=0, atol=1e-5) for h, _ in state.values() for part in h)


@pytest.mark.parametrize("make", [ByKey, OneDict])
def test_dicts_go_in_and_out(make: Any) -> None:
    torch.manual_seed(5)
    net = make().eval()
    x = {"words": torch.randint(9, (2, 9)), "x": floats(2, 9, 6)}
    model = rn.from_torch(net, x)
    assert list(model.spec.inputs) == ["words", "x"]
    assert list(model.spec.outputs) == ["one", "two"]
    with torch.no_grad():
        want = net(**x) if make is ByKey else net(x)
    ys, _ = model({name: ours(value) for name, value in x.items()})
    for name in ("one", "two"):
        assert_close(ys[name], ours(want[name]))


class Second(Layers):
    """Of numbers above 0 in the mean its second output is something else than of others."""

    def forward(self, x: Any) -> Any:
        y, _ = self.rnn(x)
        return self.one(y), self.two(y) if x.mean() > 0 else -self.two(y)


def test_an_output_that_only_the_example_gives_is_refused_by_name() -> None:
    with pytest.raises(rn.UnsupportedError, match=r"other numbers.*its output_1 of shape \(2, 5"):
        rn.from_torch(Second(), torch.ones(2, 5, 6))


class Inner(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: Any) -> Any:
        return x.sort(dim=1)[0] if self.what == "sort" else torch.fft.rfft(x).abs()


class Outer(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(4, 4), Inner(what))

    def forward(self, x: Any) -> Any:
        return self.deep(x)


def test_what_is_not_understood_is_named_with_its_operator_and_module() -> None:
    with pytest.raises(rn.UnsupportedError, match=r"TopK.*\(in the module 'deep.1', Inner\)"):
        rn.from_torch(Outer("sort"), torch.zeros(2, 5, 4))
    with pytest.raises(rn.UnsupportedError, match=r"'aten::fft_rfft'.*in the module 'deep.1'\)"):
        rn.from_torch(Outer("fft"), torch.zeros(2, 5, 4))


def test_what_is_no_tensor_is_refused_by_its_place() -> None:
    with pytest.raises(rn.OptionError, match=r"example input_1_0: expected a tensor .* got str"):
        rn.from_torch(Nested(), (floats(2, 5, 6), ("h", floats(2, 2, 8))))

    class Counting(Layers):
        def forward(self, x: Any) -> Any:
            return self.one(self.rnn(x)[0]), 3

    with pytest.raises(rn.UnsupportedError, match=r"tensors as its outputs.* got Tensor, int"):
        rn.from_torch(Counting(), floats(2, 5, 6))
