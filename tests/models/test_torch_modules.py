"""``rn.from_torch`` and ``state_dict``: PyTorch's own modules, with all their options, both ways.

Tolerances are those of ``torch_cases``.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native.arrays import as_array
from rnn_native.errors import DTypeError, OptionError, ShapeError, UnsupportedError

pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from torch_cases import assert_close, dtype_of, modules, state_of, untimed

nn = torch.nn
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:LSTM with projections", "ignore:dropout option"),
]


@untimed
@given(module=modules(), data=st.data())
def test_a_module_and_what_is_made_of_it_agree(module: Any, data: st.DataObject) -> None:
    run = rn.from_torch(module)
    batch = data.draw(st.one_of(st.none(), st.integers(1, 4)), label="batch")
    time = data.draw(st.integers(1, 7), label="time")
    outer = (time,) if batch is None else (batch, time) if module.batch_first else (time, batch)
    x = torch.randn(*outer, module.input_size, dtype=dtype_of(module))
    state = state_of(module, batch) if data.draw(st.booleans(), label="state") else None
    with torch.no_grad():
        want = module(x, state)
    assert_close(run(x, state), want)


@untimed
@given(module=modules(), data=st.data())
def test_packed_sequences_agree(module: Any, data: st.DataObject) -> None:
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
    with torch.no_grad():
        want = module(packed, state)
    got = rn.from_torch(module)(packed, state)
    assert isinstance(got[0], nn.utils.rnn.PackedSequence)
    assert_close(got, want)


@untimed
@given(
    kind=st.sampled_from(["RNNCell", "GRUCell", "LSTMCell"]),
    bias=st.booleans(),
    relu=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    batch=st.one_of(st.none(), st.integers(1, 4)),
    with_state=st.booleans(),
)
def test_cells_agree(
    kind: str, bias: bool, relu: bool, dtype: Any, batch: int | None, with_state: bool
) -> None:
    options = {"nonlinearity": "relu"} if kind == "RNNCell" and relu else {}
    module = getattr(nn, kind)(3, 5, bias=bias, dtype=dtype, **options)
    outer = () if batch is None else (batch,)
    state = None
    if with_state:
        state = torch.randn(2, *outer, 5, dtype=dtype)
        state = tuple(state) if kind == "LSTMCell" else state[0]
    x = torch.randn(*outer, 3, dtype=dtype)
    with torch.no_grad():
        want = module(x, state)
    assert_close(rn.from_torch(module)(x, state), want)


class Outputs(nn.Module):
    """What a Sequential of PyTorch's needs behind a recurrent module, and ours does not."""

    def forward(self, both: Any) -> Any:
        return both[0]


ACTIVATIONS = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=-1), "log_softmax": lambda: nn.LogSoftmax(dim=2),
}  # fmt: skip


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_sequential_is_the_chain_of_its_modules(activation: str, batch_first: bool) -> None:
    parts = [
        nn.Embedding(7, 3, padding_idx=0),
        nn.Dropout(0.5),
        nn.LSTM(3, 4, bidirectional=True, batch_first=batch_first, dropout=0.0),
        nn.Sequential(nn.Linear(8, 5), nn.Identity(), nn.ReLU()),
        nn.GRU(5, 4, 2, batch_first=batch_first),
        nn.Linear(4, 6, bias=False),
        ACTIVATIONS[activation](),
    ]
    chain = rn.from_torch(nn.Sequential(*parts))
    oracle = nn.Sequential(*itertools.chain.from_iterable(
        (part, Outputs()) if isinstance(part, (nn.LSTM, nn.GRU)) else (part,) for part in parts
    )).eval()  # fmt: skip
    words = torch.randint(0, 7, (4, 9))
    with torch.no_grad():
        want = oracle(words)
    y, state = chain(words)
    assert_close(y, want)
    (h, c), h_gru = state
    assert h.shape == c.shape == (2, 9 if not batch_first else 4, 4)
    assert h_gru.shape == (2, 9 if not batch_first else 4, 4)
    alone, _ = chain(words[:, 0] if not batch_first else words[0])
    assert_close(alone, want[:, 0] if not batch_first else want[0])


FUNCTIONS = [
    nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.ELU(0.5), nn.GELU(), nn.GELU("tanh"), nn.Hardsigmoid(),
    nn.Hardswish(), nn.Hardtanh(-0.1, 0.2), nn.LeakyReLU(0.2), nn.Mish(), nn.ReLU6(), nn.SELU(),
    nn.SiLU(), nn.Softplus(), nn.Softsign(),
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_of_each_number_are_layers(function: Any, dtype: Any) -> None:
    """Behind a Linear of large outputs and behind a GRU, where a Linear has none of its own."""
    torch.manual_seed(3)
    parts = [nn.Linear(3, 40).to(dtype), function, nn.GRU(40, 5).to(dtype), function]
    with torch.no_grad():
        parts[0].weight *= 4
        ours = rn.from_torch(nn.Sequential(*parts))
        x = torch.randn(6, 4, 3, dtype=dtype)
        hidden = function(parts[0](x))
        want = function(parts[2](hidden)[0])
    y, _ = ours(x)
    assert_close(y, want)
    kinds = [type(layer) for layer in ours.model.spec.layers]
    own = kinds[1] is rn.Elementwise
    assert own != isinstance(function, (nn.ReLU, nn.Sigmoid, nn.Tanh))
    assert kinds[-1] is rn.Elementwise


def test_a_module_that_occurs_twice_runs_twice() -> None:
    tanh, square = nn.Tanh(), nn.Linear(3, 3)
    gru = nn.GRU(3, 3)
    sequential = nn.Sequential(square, tanh, nn.Linear(3, 3), tanh, square).eval()
    x = torch.randn(5, 2, 3)
    with torch.no_grad():
        assert_close(rn.from_torch(sequential)(x)[0], sequential(x))
        twice = nn.Sequential(gru, gru)
        assert_close(rn.from_torch(twice)(x)[0], gru(gru(x)[0])[0])


@untimed
@given(module=modules())
def test_our_state_dict_is_pytorchs(module: Any) -> None:
    options = {
        name: getattr(module, name) for name in ("num_layers", "bias", "bidirectional")
    }  # fmt: skip
    if isinstance(module, nn.RNN):
        options["nonlinearity"] = module.nonlinearity
    if isinstance(module, nn.LSTM):
        options["proj_size"] = module.proj_size
    dtype = str(dtype_of(module)).removeprefix("torch.")
    ours = getattr(rn, type(module).__name__)(
        module.input_size, module.hidden_size, dtype=dtype, **options
    )
    ours.load_state_dict(dict(module.named_parameters()))  # which require gradients
    for name, tensor in module.state_dict().items():
        assert ours.state_dict()[name].tobytes() == tensor.numpy().tobytes()
    ours.load_state_dict({name: tensor * 2 for name, tensor in module.state_dict().items()})
    doubled = {name: torch.from_numpy(array) for name, array in ours.state_dict().items()}
    before = module.weight_hh_l0.detach().clone()
    module.load_state_dict(doubled, strict=True)
    assert torch.equal(module.weight_hh_l0, before * 2)


def test_a_models_state_dict_is_that_of_a_sequential() -> None:
    def make() -> Any:
        return nn.Sequential(
            nn.Embedding(7, 3), nn.GRU(3, 4), nn.Linear(4, 5), nn.Tanh(),
            nn.LSTM(5, 4, proj_size=2), nn.Linear(2, 3, bias=False), nn.Softmax(dim=-1),
            nn.Linear(3, 2),
        )  # fmt: skip

    one, other = make(), make()
    model = rn.from_torch(one).model
    arrays = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    other.load_state_dict(arrays, strict=True)
    for name, tensor in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_arrays_in_arrays_out_and_tensors_in_tensors_out() -> None:
    run = rn.from_torch(nn.LSTM(3, 4))
    x = np.random.default_rng(0).standard_normal((5, 2, 3), dtype=np.float32)
    y, (h, c) = run(x)
    assert all(type(array) is np.ndarray for array in (y, h, c))
    again, (h_n, _) = run(torch.from_numpy(x), (h, c))
    assert type(again) is type(h_n) is torch.Tensor
    want, _ = run(x, (h, c))
    assert again.numpy().tobytes() == want.tobytes()
    with pytest.raises(DTypeError, match=r"expected .*float"):
        run(torch.zeros(5, 2, 3, dtype=torch.int64))


def test_a_tensors_memory_is_read_in_place_whatever_its_strides() -> None:
    x = torch.randn(6, 4, 10, requires_grad=True)
    view = x[::2].transpose(0, 1)[:, :, 1:7:2]
    assert np.shares_memory(as_array("x", view), x.detach().numpy())
    gru = nn.GRU(3, 4)
    with torch.no_grad():
        want = gru(view)
    assert_close(rn.from_torch(gru)(view), want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_floats_are_widened(dtype: str) -> None:
    gru = nn.GRU(3, 4).to(getattr(torch, dtype))
    x = torch.randn(5, 2, 3).to(getattr(torch, dtype))
    with torch.no_grad():
        want = gru.float()(x.float())
    assert_close(rn.from_torch(gru)(x), want)
    assert_close(rn.from_torch(gru.to(getattr(torch, dtype)))(x), want)


def test_the_dtype_can_be_chosen() -> None:
    gru = nn.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    y, _ = rn.from_torch(gru, dtype="float64")(x)
    assert y.dtype == torch.float64
    with torch.no_grad():
        assert_close((y,), (gru.double()(x.double())[0],))


def test_weights_are_those_of_the_moment() -> None:
    gru = nn.GRU(3, 4)
    run, x = rn.from_torch(gru), torch.randn(5, 2, 3)
    before, _ = run(x)
    with torch.no_grad():
        gru.weight_hh_l0.mul_(3)
    assert torch.equal(run(x)[0], before)
    assert not torch.equal(rn.from_torch(gru)(x)[0], before)


def hooked(module: Any) -> Any:
    module.register_forward_hook(lambda *args: None)
    return module


class Derived(nn.LSTM):
    pass


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"gru": nn.GRU(3, 4)})
        self.lstm = nn.LSTM(3, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(2, 3), r"got torch\.nn\.modules\.linear\.Linear"),
        (lambda: Derived(2, 3), r"got .*Derived"),
        (Net, r"got .*Net, which holds encoder\.gru, lstm \(rn\.from_torch takes one of these\)"),
        (lambda: nn.Sequential(nn.LSTM(3, 4), nn.LayerNorm(4)), r"module\[1\]: .*LayerNorm"),
        (lambda: nn.Sequential(nn.GRU(3, 4), nn.Conv1d(4, 4, 1)), r"module\[1\]: .*Conv1d"),
        (lambda: nn.Sequential(nn.GRUCell(3, 4)), r"module\[0\]: .*GRUCell"),
        (lambda: nn.Sequential(nn.Sequential(nn.GLU())), r"module\[0\.0\]: .*GLU"),
        (lambda: nn.Sequential(nn.GELU(), nn.GRU(3, 4)), "an Elementwise cannot be first"),
        (lambda: nn.Sequential(nn.GRU(3, 4), None), r"module\[1\]: .*NoneType"),
        (
            lambda: nn.Sequential(nn.GRU(3, 4), nn.Softmax(-1)),
            r"\[1\]: Softmax not directly behind",
        ),
        (
            lambda: nn.Sequential(nn.GRU(3, 4), nn.Softplus(2)),
            r"\[1\]: Softplus\(beta=2.*expected beta=1",
        ),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=0)), r"module\[1\]: .* dim=0"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Softmax()), r"module\[1\]: .* dim=None"),
        (lambda: nn.Sequential(nn.Embedding(3, 4, max_norm=1.0)), r"module\[0\]: .*max_norm=1.0"),
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.Embedding(3, 4)), "Embedding can only be first"),
        (
            lambda: nn.Sequential(nn.GRU(3, 4), nn.GRU(4, 4, batch_first=True)),
            r"differ in batch_first \(0: False, 1: True\)",
        ),
        (lambda: hooked(nn.GRU(3, 4)), "module: has forward hooks"),
        (lambda: nn.Sequential(hooked(nn.GRU(3, 4))), r"module\[0\]: has forward hooks"),
        (lambda: hooked(nn.Sequential(nn.GRU(3, 4))), "module: has forward hooks"),
        (lambda: nn.GRU(3, 4, device="meta"), r"weight_ih_l0: expected a dense tensor.* meta"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        rn.from_torch(make())


def test_what_is_no_module_is_refused() -> None:
    for value in (None, 3, nn.LSTM, rn.GRU(3, 4), torch.zeros(3)):
        with pytest.raises(OptionError, match=r"module: expected torch\.nn\.RNN, GRU, LSTM"):
            rn.from_torch(value)
    with pytest.raises(ShapeError, match="at least one layer"):
        rn.from_torch(nn.Sequential(nn.Dropout()))
    with pytest.raises(OptionError, match="dtype: expected one of float32, float64"):
        rn.from_torch(nn.GRU(3, 4), dtype="float16")
    with pytest.raises(OptionError, match="matmul: expected one of"):
        rn.from_torch(nn.GRU(3, 4), matmul="fast")


X = torch.randn(5, 2, 3)
PACKED = nn.utils.rnn.pack_padded_sequence(X, [5, 3])


@pytest.mark.parametrize(
    ("module", "args", "message"),
    [
        (nn.GRU(3, 4), (X[0, 0],), r"x: expected 3 dimensions, or 2; got shape \(3,\)"),
        (nn.GRU(3, 4), (X[..., :2],), "x"),
        (nn.GRU(3, 4), (X, torch.zeros(1, 3, 4)), "state"),
        (nn.GRU(3, 4), (X, (torch.zeros(1, 2, 4),) * 2), "state"),
        (nn.LSTM(3, 4), (X, torch.zeros(1, 2, 4)), "state: expected a tuple of 2"),
        (nn.GRU(3, 4), (X[:, 0], torch.zeros(1, 1, 4)), r"h_0: expected .*got shape \(1, 1, 4\)"),
        (nn.GRU(3, 4), (PACKED, torch.zeros(1, 4)), "state|h_0"),
        (nn.GRU(3, 4), (PACKED._replace(data=X[0]),), "2 packed rows do not fit the batch_sizes"),
        (nn.GRUCell(3, 4), (X,), r"x: expected 2 dimensions, or 1; got shape \(5, 2, 3\)"),
        (nn.GRUCell(3, 4), (X[0], torch.zeros(4)), r"hx: expected \[batch, hidden_size\]"),
        (nn.GRUCell(3, 4), (X[0, 0], torch.zeros(1, 4)), r"hx: expected \[hidden_size\]"),
        (nn.GRUCell(3, 4), (X[0], torch.zeros(3, 4)), "state"),
    ],
)
def test_wrong_shapes_are_refused(module: Any, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        rn.from_torch(module)(*args)


def test_other_devices_and_layouts_are_refused() -> None:
    run = rn.from_torch(nn.GRU(3, 4))
    for x in (X.to("meta"), X.to_sparse()):
        with pytest.raises(UnsupportedError, match="x: expected a dense tensor"):
            run(x)
    with pytest.raises(DTypeError, match="complex"):
        run(X.to(torch.complex64))


@untimed
@given(module=modules(bidirectional=False))
def test_what_was_made_can_stream(module: Any) -> None:
    model = rn.from_torch(module).model
    x = torch.randn(5, 2, module.input_size, dtype=dtype_of(module))
    module.batch_first = False
    with torch.no_grad(), warnings.catch_warnings():
        want, _ = module(x)
    stream = model.stream(batch=2)
    steps = np.stack([np.array(stream.step(step)) for step in x.numpy()])
    assert_close(torch.from_numpy(steps), want)
