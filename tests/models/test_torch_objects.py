"""Weights inside objects of PyTorch's: modules saved whole, programs of TorchScript, and quantized
modules. They are those of the ``state_dict``, bit for bit; nothing in the files is executed."""

from __future__ import annotations

import collections
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats.torch import unpack

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
nn = torch.nn
pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """PyTorch warns that quantization and TorchScript are old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        yield


class Tagger(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, rnn: Any) -> None:
        super().__init__()
        self.rnn = rnn
        self.head = nn.Linear(8, 3)
        self.register_buffer("offset", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0]) + self.offset


MODULES = {
    "LSTM": lambda: nn.LSTM(5, 8, num_layers=2),
    "GRU": lambda: nn.GRU(5, 4, bidirectional=True),
    "RNN": lambda: nn.RNN(5, 8),
    "relu": lambda: nn.RNN(5, 8, nonlinearity="relu"),
}
ZIPPED = [True, False]


def arrays_of(module: Any) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def assert_same_tensors(path: Path, module: Any) -> None:
    found = unpack(path.read_bytes())[1]
    want = arrays_of(module)
    assert set(found) == set(want)
    for name, array in want.items():
        assert found[name].tobytes() == array.tobytes(), name


def assert_same_results(path: Path, rnn: Any, **options: Any) -> None:
    x = torch.randn(6, 2, rnn.input_size)
    with torch.no_grad():
        want = rnn(x)[0].numpy()
    y = rn.load(path, **options)(x.numpy())[0]
    np.testing.assert_allclose(y, want, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("zipped", ZIPPED)
def test_a_module_saved_whole(kind: str, zipped: bool, tmp_path: Path) -> None:
    """The nonlinearity of an RNN, which no ``state_dict`` has, is in it too."""
    net, path = Tagger(MODULES[kind]()), tmp_path / "net.pt"
    for value, before in (
        (net, ""), ({"model": net, "epoch": 3}, "model."), ([{"a": (net,)}], "0.a.0."),
        ({"model": net, "best": torch.ones(2)}, "model."),
    ):  # fmt: skip
        torch.save(value, path, _use_new_zipfile_serialization=zipped)
        assert_same_results(path, net.rnn, prefix=f"{before}rnn")
    torch.save(net, path, _use_new_zipfile_serialization=zipped)
    assert_same_tensors(path, net)
    torch.save(net.rnn, path, _use_new_zipfile_serialization=zipped)
    assert_same_results(path, net.rnn)


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("way", ["script", "trace"])
def test_a_program_of_torchscript(kind: str, way: str, tmp_path: Path) -> None:
    net, path = Tagger(MODULES[kind]()), tmp_path / "net.pt"
    program = (
        torch.jit.script(net) if way == "script" else torch.jit.trace(net, torch.ones(3, 1, 5))
    )
    program.save(path)
    assert_same_tensors(path, net)
    assert_same_results(path, net.rnn, prefix="rnn")
    if kind == "relu":
        with pytest.raises(rn.OptionError, match="nonlinearity='tanh', but the file says 'relu'"):
            rn.load(path, prefix="rnn", nonlinearity="tanh")


def test_a_frozen_program_is_refused_with_what_to_do(tmp_path: Path) -> None:
    program = torch.jit.freeze(torch.jit.script(Tagger(nn.LSTM(5, 8)).eval()))
    program.save(tmp_path / "net.pt")
    with pytest.raises(rn.UnsupportedError, match=r"freeze.*constants without names"):
        rn.load(tmp_path / "net.pt")


def test_weight_norm_in_a_whole_module(tmp_path: Path) -> None:
    rnn = nn.utils.weight_norm(nn.LSTM(5, 8), "weight_hh_l0")
    rnn.weight_hh_l0_g.data *= 2
    torch.save(rnn, tmp_path / "net.pt")
    assert_same_results(tmp_path / "net.pt", rnn)


# ---- quantized ----


def quantized(net: Any, dtype: Any) -> Any:
    kinds = {nn.LSTM, nn.GRU, nn.Linear, nn.LSTMCell, nn.GRUCell, nn.RNNCell}
    return torch.ao.quantization.quantize_dynamic(net, kinds, dtype=dtype)


def dequantized(packed: Any) -> list[Any]:
    """Weight and bias of a packed object, by PyTorch."""
    weight, bias = packed.__getstate__()[0][:2]
    return [weight.dequantize().numpy() if weight.is_quantized else weight.detach().numpy(), bias]


RECURRENT = {
    "LSTM": lambda: nn.LSTM(5, 8),
    "stacked": lambda: nn.LSTM(8, 8, num_layers=2, bidirectional=True),
    "three": lambda: nn.LSTM(8, 8, num_layers=3),
    "both": lambda: nn.GRU(5, 8, bidirectional=True),
    "GRU": lambda: nn.GRU(5, 8, num_layers=2),
}


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
@pytest.mark.parametrize("whole", [False, True])
def test_a_quantized_module(kind: str, dtype: Any, whole: bool, tmp_path: Path) -> None:
    """Its weights are what PyTorch dequantizes them to, bit for bit."""
    rnn = RECURRENT[kind]()
    if dtype is torch.float16 and isinstance(rnn, nn.GRU):
        pytest.skip("PyTorch has none")
    net, path = nn.Sequential(collections.OrderedDict(rnn=rnn)), tmp_path / "net.pt"
    packed = quantized(net, dtype)
    torch.save(packed if whole else packed.state_dict(), path)
    (layer,), strings = formats.read_all(path)[0].layers, formats.read_all(path)[1]
    own = type(rnn)(rnn.input_size, 8, rnn.num_layers, bidirectional=rnn.bidirectional)
    params = [v for n, v in packed.state_dict().items()]
    names = [
        f"_l{k}{r}"
        for k in range(own.num_layers)
        for r in ("", "_reverse")[: 1 + own.bidirectional]
    ]
    for end, param in zip(names, params, strict=True):
        for side, linear in zip(("ih", "hh"), param.__getstate__()[0][-1], strict=True):
            weight, bias = dequantized(linear)
            assert layer.arrays[f"weight_{side}{end}"].tobytes() == weight.tobytes()
            assert layer.arrays[f"bias_{side}{end}"].tobytes() == bias.detach().numpy().tobytes()
    told = "calculated rnn.weight_ih_l0"
    assert (told in strings) == (dtype is torch.qint8)
    x = torch.randn(6, 2, rnn.input_size)
    want = packed.rnn(x)[0].detach().numpy()  # PyTorch quantizes what comes in at every step, too
    assert np.abs(rn.load(path)(x.numpy())[0] - want).max() < 0.05


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_quantized_cell(cell: Any, tmp_path: Path) -> None:
    packed = quantized(nn.Sequential(cell(5, 8)), torch.qint8)
    torch.save(packed.state_dict(), tmp_path / "net.pt")
    (layer,) = formats.read(tmp_path / "net.pt").layers
    weight, _ = dequantized(packed[0]._packed_weight_hh)
    assert layer.arrays["weight_hh_l0"].tobytes() == weight.tobytes()
    assert layer.cell == cell.__name__.removesuffix("Cell").lower()


@pytest.mark.parametrize("by", ["tensor", "channel", "float16"])
def test_a_quantized_linear(by: str, tmp_path: Path) -> None:
    quantization = torch.ao.quantization
    configs = {
        "tensor": quantization.default_dynamic_qconfig,
        "channel": quantization.per_channel_dynamic_qconfig,
        "float16": quantization.float16_dynamic_qconfig,
    }
    net = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2))
    dtype = torch.float16 if by == "float16" else torch.qint8
    packed = quantization.quantize_dynamic(net, {nn.Linear: configs[by]}, dtype=dtype)
    torch.save(packed.state_dict(), tmp_path / "net.pt")
    layers = formats.read(tmp_path / "net.pt", chain=["0:linear", "1"]).layers
    for layer, module in zip(layers, packed, strict=True):
        weight = module.weight()
        weight = weight.dequantize() if weight.is_quantized else weight
        assert layer.weight.tobytes() == weight.detach().numpy().tobytes()
        assert layer.bias.tobytes() == module.bias().detach().numpy().tobytes()


@pytest.mark.parametrize("dtype", [torch.qint8, torch.quint8, torch.qint32])
def test_quantized_tensors_are_what_they_stand_for(dtype: Any, tmp_path: Path) -> None:
    x = torch.randn(4, 6)
    scales, zeros = torch.rand(6, dtype=torch.float64) * 0.1, torch.arange(6)
    values = {
        "plain": torch.quantize_per_tensor(x, 0.037, 0, dtype),
        "zero": torch.quantize_per_tensor(x, 0.037, 11, dtype),
        "channels": torch.quantize_per_channel(x, scales, zeros, 1, dtype),
        "a view": torch.quantize_per_tensor(x, 0.02, 3, dtype).T[1:3],
    }
    torch.save(values, tmp_path / "net.pt")
    found = unpack((tmp_path / "net.pt").read_bytes())[1]
    for name, value in values.items():
        want = value.dequantize().numpy()
        # PyTorch may take scale * zero off in a rounded step of its own: an ulp of that.
        ulp = np.spacing(np.float32(0.1 * 11 + np.abs(want).max()))
        np.testing.assert_allclose(found[name], want, rtol=0, atol=0 if name == "plain" else ulp)


def test_two_packed_layers_may_be_two_directions(tmp_path: Path) -> None:
    """Of as many features as units a state_dict does not say; a module saved whole does."""
    path, x = tmp_path / "net.pt", torch.randn(6, 2, 8)
    for options in ({"num_layers": 2}, {"bidirectional": True}):
        packed = quantized(nn.Sequential(nn.LSTM(8, 8, **options)), torch.qint8)
        torch.save(packed.state_dict(), path)
        with pytest.raises(rn.UnsupportedError, match=r"quantized .*two directions.*before"):
            rn.load(path)
        torch.save(packed, path)
        want = packed[0](x)[0].numpy()
        assert np.abs(rn.load(path)(x.numpy())[0] - want).max() < 0.05


def test_what_is_quantized_otherwise_is_refused_with_what_to_do(tmp_path: Path) -> None:
    value = torch.quantize_per_channel(
        torch.randn(4, 6), torch.rand(4), torch.rand(4), 0, torch.quint4x2
    )
    gru = nn.GRU(3, 4).state_dict()
    torch.save({**gru, "weight_hh_l0": value}, tmp_path / "net.pt")
    with pytest.raises(rn.UnsupportedError, match=r"'weight_hh_l0': quantized.*before quantizing"):
        rn.load(tmp_path / "net.pt")


@pytest.mark.parametrize("value", [int, str, float, range(3), collections.defaultdict(int, a=1)])
def test_settings_of_builtin_types_do_no_harm(value: Any, tmp_path: Path) -> None:
    gru = nn.GRU(3, 4)
    for protocol in (2, 4):
        saved = {"state_dict": gru.state_dict(), "settings": {"a": value, "b": torch.ones(2)}}
        torch.save(saved, tmp_path / "net.pt", pickle_protocol=protocol)
        assert_same_results(tmp_path / "net.pt", gru, prefix="state_dict")
