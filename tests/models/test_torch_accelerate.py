"""``rn.accelerate`` and ``rn.restore``: PyTorch's modules run here and stay PyTorch's.

Tolerances are those of ``torch_cases``.
"""

from __future__ import annotations

import copy
import io
import pickle
import sys
import warnings
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.errors import DTypeError, OptionError, UnsupportedError

pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from torch_cases import assert_close, dtype_of, modules, state_of, untimed
from torch_networks import NETWORKS

nn = torch.nn
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:LSTM with projections", "ignore:dropout option"),
]


def run(module: Any, *arguments: Any) -> Any:
    with torch.inference_mode():
        return module(*arguments)


class Net(nn.Module):
    """The usual one, with a recurrent module that two names share."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.encoder = nn.ModuleList([nn.GRU(8, 12, 2, batch_first=True, dropout=0.5)])
        self.again = nn.LSTM(12, 12, batch_first=True)
        self.shared = self.again
        self.cell = nn.GRUCell(12, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, words: Any) -> Any:
        self.encoder[0].flatten_parameters()
        y, _ = self.encoder[0](self.embedding(words))
        y, state = self.again(y)
        _, (h, _) = self.shared(y, state)
        return self.head(self.cell(h[-1]))


def made() -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    net, words = Net().eval(), torch.randint(30, (4, 9))
    return net, words, run(net, words)


@untimed
@given(module=modules(), data=st.data())
def test_an_accelerated_module_gives_what_it_gave(module: Any, data: st.DataObject) -> None:
    batch = data.draw(st.one_of(st.none(), st.integers(1, 4)), label="batch")
    time = data.draw(st.integers(1, 7), label="time")
    outer = (time,) if batch is None else (batch, time) if module.batch_first else (time, batch)
    x = torch.randn(*outer, module.input_size, dtype=dtype_of(module))
    state = state_of(module, batch) if data.draw(st.booleans(), label="state") else None
    want = run(module, x, state)
    assert rn.accelerate(module) is module
    assert_close(run(module, x, state), want)


@untimed
@given(module=modules(), data=st.data())
def test_packed_sequences_go_in_and_come_out(module: Any, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5), label="lengths")
    in_order = data.draw(st.booleans(), label="enforce_sorted")
    if in_order:
        lengths.sort(reverse=True)
    shape = (len(lengths), max(lengths)) if module.batch_first else (max(lengths), len(lengths))
    x = torch.randn(*shape, module.input_size, dtype=dtype_of(module))
    packed = nn.utils.rnn.pack_padded_sequence(
        x, lengths, batch_first=module.batch_first, enforce_sorted=in_order
    )
    state = state_of(module, len(lengths)) if data.draw(st.booleans(), label="state") else None
    want = run(module, packed, state)
    got = run(rn.accelerate(module), packed, state)
    assert isinstance(got[0], nn.utils.rnn.PackedSequence)
    assert_close(got, want)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells_too(kind: str, bias: bool) -> None:
    cell = getattr(nn, kind)(3, 5, bias=bias)
    x, h = torch.randn(4, 3), torch.randn(4, 5)
    state = (h, h + 1) if kind == "LSTMCell" else h
    want = [run(cell, x), run(cell, x, state), run(cell, x[0])]
    rn.accelerate(cell)
    for got, expected in zip(
        [run(cell, x), run(cell, x, state), run(cell, x[0])], want, strict=True
    ):
        assert_close(got, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_public_networks_give_equal_outputs(name: str) -> None:
    try:
        net, call = NETWORKS[name].make()
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed: see tests/models/requirements-models.txt")
    want = run(call)
    names = list(net.state_dict())
    rn.accelerate(net)
    assert "Accelerated" in repr(net)
    assert list(net.state_dict()) == names
    assert_close(run(call), want)


def test_a_network_stays_pytorchs() -> None:
    net, words, want = made()
    before, parts = dict(net.state_dict()), list(net.modules())
    hooked = []
    net.again.register_forward_hook(lambda *args: hooked.append(args))
    assert rn.accelerate(net) is net
    assert all(one is other for one, other in zip(net.modules(), parts, strict=True))
    assert net.shared is net.again
    assert isinstance(net.again, nn.LSTM)
    assert net.encoder[0].hidden_size == 12
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(after[key].data_ptr() == before[key].data_ptr() for key in before)
    assert_close(run(net, words), want)
    assert len(hooked) == 2
    assert rn.accelerate(net, num_threads=2) is net
    assert_close(run(net, words), want)


def test_from_torch_takes_it_as_what_it_was() -> None:
    lstm, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
    want = run(lstm, x)
    assert_close(rn.from_torch(rn.accelerate(lstm))(x), want)
    assert_close(rn.from_torch(nn.Sequential(lstm))(x)[0], want[0])
    with pytest.raises(UnsupportedError, match=r"Net, which holds encoder\.0, again .*Three ways"):
        rn.from_torch(rn.accelerate(made()[0]))


def test_it_is_undone_by_restore() -> None:
    net, words, want = made()
    as_it_was = [(type(part), set(vars(part))) for part in net.modules()]
    assert rn.restore(rn.accelerate(net)) is net
    assert [(type(part), set(vars(part))) for part in net.modules()] == as_it_was
    net(words).sum().backward()
    assert net.again.weight_hh_l0.grad is not None
    assert torch.equal(run(rn.restore(net), words), want)


CHANGES = {
    "load_state_dict": lambda net, new: net.load_state_dict(new),
    "assigned": lambda net, new: net.load_state_dict(new, assign=True),
    "in place": lambda net, new: [p.copy_(new[k]) for k, p in net.named_parameters()],
    "data": lambda net, new: [
        setattr(p, "data", new[k].clone()) for k, p in net.named_parameters()
    ],
    "replaced": lambda net, new: setattr(net.again, "weight_hh_l0", nn.Parameter(
        new["again.weight_hh_l0"].clone())),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_changed_weights_are_seen(change: str) -> None:
    net, words, before = made()
    oracle = copy.deepcopy(net)
    rn.accelerate(net)
    run(net, words)
    new = {name: value * 1.5 for name, value in net.state_dict().items()}
    with torch.no_grad():
        for changed in (net, oracle):
            CHANGES[change](changed, new)
    assert_close(run(net, words), run(oracle, words))
    assert not torch.allclose(run(net, words), before)


def test_weights_that_lie_where_others_lay_are_seen() -> None:
    """Memory that is free is used again, so that an address tells no tensor."""
    gru, x = rn.accelerate(nn.GRU(3, 4)), torch.randn(5, 2, 3)
    for factor in range(6):
        weights = {name: value * factor for name, value in gru.state_dict().items()}
        got, _ = torch.func.functional_call(gru, weights, (x,)) if factor else (None, None)
        oracle = nn.GRU(3, 4)
        oracle.load_state_dict(weights)
        if factor:
            assert_close(got, run(oracle, x)[0].clone())


@pytest.mark.parametrize("saved", ["deepcopy", "pickle", "torch.save"])
def test_copies_are_accelerated_and_apart(saved: str) -> None:
    net, words, want = made()
    rn.accelerate(net, num_threads=1)
    if saved == "deepcopy":
        other = copy.deepcopy(net)
    elif saved == "pickle":
        other = pickle.loads(pickle.dumps(net))
    else:
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        other = torch.load(file, weights_only=False)
    assert repr(other) == repr(net)
    with torch.no_grad():
        net.again.weight_hh_l0.zero_()
    assert_close(run(other, words), want)
    assert not torch.allclose(run(net, words), want)
    assert type(rn.restore(other).again) is nn.LSTM


def test_gradients_are_refused() -> None:
    net, words, want = made()
    rn.accelerate(net)
    with pytest.raises(UnsupportedError, match=r"AcceleratedGRU: gradients: .*inference_mode"):
        net(words)
    with torch.no_grad():
        assert_close(net(words), want)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert_close(net(words), want)
    gru, x = net.encoder[0], torch.randn(2, 5, 8)
    gru(x)
    with pytest.raises(UnsupportedError, match="gradients"):
        gru(x.requires_grad_())
    with pytest.raises(UnsupportedError, match="gradients"):
        gru(x.detach(), torch.zeros(2, 2, 12, requires_grad=True))


def test_what_would_have_other_results_is_refused() -> None:
    net, words, want = made()
    rn.accelerate(net)
    net.train()
    with pytest.raises(UnsupportedError, match=r"training mode with dropout=0.5; call module.eval"):
        run(net, words)
    net.encoder[0].dropout = 0
    assert_close(run(net, words), want)  # there is nothing else that the mode changes
    with torch.no_grad(), pytest.raises(UnsupportedError, match="traced or exported"):
        torch.jit.trace(net, words)
    with torch.no_grad(), pytest.raises(UnsupportedError, match="traced or exported"):
        torch.export.export(net, (words,))
    gru, x = rn.accelerate(nn.GRU(3, 4)), torch.randn(5, 2, 3)
    with pytest.raises(DTypeError, match=r"input: expected torch\.float32 .* got torch\.float64"):
        run(gru, x.double())
    with pytest.raises(DTypeError, match=r"hx: expected torch\.float32"):
        run(gru, x, torch.zeros(1, 2, 4).double())
    with pytest.raises(DTypeError, match="input: expected a tensor, got ndarray"):
        run(gru, x.numpy())
    with pytest.raises(UnsupportedError, match=r"got torch\.float16; rn\.restore"):
        run(gru.half(), x.half())


def test_weights_of_another_type_later_are_that_type() -> None:
    gru, x = rn.accelerate(nn.GRU(3, 4)), torch.randn(5, 2, 3)
    run(gru, x)
    gru.double()
    assert_close(run(gru, x.double()), run(rn.restore(gru), x.double()))


def test_under_autocast_pytorch_runs() -> None:
    gru, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        want = run(gru, x)[0]
        assert torch.equal(run(rn.accelerate(gru), x)[0], want)


class Derived(nn.LSTM):
    pass


LEFT = {
    "half": (lambda: nn.GRU(3, 4).half(), r"of torch\.float16"),
    "meta": (lambda: nn.GRU(3, 4, device="meta"), "on meta"),
    "derived": (lambda: Derived(3, 4), r"of .*Derived, whose forward may be another"),
    "scripted": (lambda: torch.jit.script(nn.GRU(3, 4)), "whose forward may be another"),
    "normed": (
        lambda: nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0"),
        "ParametrizedGRU, whose forward may be another",
    ),
    "normed by a hook": (
        lambda: nn.utils.weight_norm(nn.GRU(3, 4), "weight_hh_l0"),
        "weight_hh_l0 are calculated anew for each call",
    ),
}


@pytest.mark.parametrize("case", LEFT)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_is_left_to_pytorch_is_named(case: str) -> None:
    make, why = LEFT[case]
    net = nn.ModuleDict({"one": make(), "other": nn.LSTM(3, 4)})
    before = type(net["one"])
    with pytest.warns(UserWarning, match=rf"^left to PyTorch: one \({why}|one \(.*{why}") as warned:
        rn.accelerate(net)
    assert warned[0].filename == __file__
    assert type(net["one"]) is before
    assert type(net["other"]) is not nn.LSTM


def test_what_holds_nothing_to_accelerate_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="there is none in this Linear"):
        rn.accelerate(nn.Linear(2, 3))
    for value in (None, rn.GRU(3, 4), nn.GRU, np.zeros(3)):
        with pytest.raises(OptionError, match=r"module: expected a torch\.nn\.Module, got"):
            rn.accelerate(value)
        with pytest.raises(OptionError, match=r"module: expected a torch\.nn\.Module, got"):
            rn.restore(value)
    with pytest.raises(OptionError, match="num_threads"):
        rn.accelerate(nn.GRU(3, 4), num_threads=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rn.accelerate(nn.Sequential(nn.GRU(3, 4), nn.Linear(4, 2)))
