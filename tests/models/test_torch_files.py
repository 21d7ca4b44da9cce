"""Files that ``torch.save`` wrote, in both of its formats, and files of ours that it loads.

What is compared are bits: there is no tolerance.
"""

from __future__ import annotations

import argparse
import collections
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native import formats
from rnn_native.errors import OptionError, UnsupportedError
from rnn_native.formats.torch import unpack

torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
nn = torch.nn
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore:torch.quantize")]
FLOATS = ["float64", "float32", "float16", "bfloat16"]
FORMS = [(True, 2), (False, 2), (True, 5), (False, 3)]


@pytest.fixture(params=FORMS, ids=lambda form: f"{'zip' if form[0] else 'old'}-{form[1]}")
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Saves a value, and gives the path."""
    zipped, protocol = request.param

    def do(value: Any) -> Path:
        path = tmp_path / "model.pt"
        options = {"_use_new_zipfile_serialization": zipped, "pickle_protocol": protocol}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of storages that will be gone one day
            torch.save(value, path, **options)
        return path

    return do


def tensors(path: Path) -> Any:
    return unpack(path.read_bytes())[1]


def assert_holds(path: Path, module: Any, **options: Any) -> None:
    """The file holds this module's weights, bit for bit, and its options."""
    (layer,) = formats.read(path, **options).layers
    arrays = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    assert list(layer.arrays) == list(arrays)
    for name, array in arrays.items():
        assert layer.arrays[name].tobytes() == array.tobytes()
    assert layer.cell == type(module).__name__.lower()
    assert layer.num_layers == module.num_layers
    assert layer.proj_size == module.proj_size
    assert layer.bias == module.bias
    assert (layer.direction == "bidirectional") == module.bidirectional


MODULES = [
    (nn.RNN, {}), (nn.GRU, {"num_layers": 3}), (nn.GRU, {"bias": False}),
    (nn.LSTM, {"bidirectional": True, "num_layers": 2}), (nn.LSTM, {"proj_size": 2}),
    (nn.LSTM, {"dtype": torch.float64}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), MODULES)
def test_a_state_dict_is_read(kind: Any, options: dict[str, Any], save: Any) -> None:
    module = kind(3, 4, **options)
    path = save(module.state_dict())
    assert_holds(path, module)
    assert_holds(save(dict(module.named_parameters())), module)
    model = rn.load(path, batch_first=True, dtype="float64")
    assert model.batch_first
    assert model.input_size == 3


def test_a_cell_is_read(save: Any) -> None:
    cell = nn.GRUCell(3, 4)
    (layer,) = formats.read(save(cell.state_dict())).layers
    for name, tensor in cell.state_dict().items():
        assert layer.arrays[f"{name}_l0"].tobytes() == tensor.numpy().tobytes()


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.norm = nn.BatchNorm1d(3)  # which counts in an int64
        self.lstm = nn.LSTM(3, 4, 2, bidirectional=True)
        self.linear = nn.Linear(8, 2)


def checkpoint(*modules: Any) -> dict[str, Any]:
    """What training scripts save."""
    optimizers = [torch.optim.Adam(module.parameters(), amsgrad=True) for module in modules]
    for module, optimizer in zip(modules, optimizers, strict=True):
        sum(parameter.sum() for parameter in module.parameters()).backward()
        optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizers[0], 3)
    return {
        "epoch": 7, "loss": 0.25, "best": None, "name": "täg", "done": True,
        "args": {"a": [1, (2,)]},
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "schedule": {k: v for k, v in schedule.state_dict().items() if k != "optimizer"},
        "rng": torch.get_rng_state(), "seen": {1, 2}, "bytes": b"\x00\xff",
        "array": bytearray(b"ab"),
        "dtype": torch.float16, "device": torch.device("cuda", 1), "size": torch.Size([1, 2]),
        "complex": 1j, "times": collections.Counter("aab"), "layout": torch.strided,
        "groups": collections.defaultdict(list, {"a": [torch.zeros(2)]}), "mean": np.float64(0.5),
        "scale": np.arange(3.0), "half": torch.ones(3).half(), "big": 2**100, "long": [0.5] * 5000,
        "storage": torch.arange(3.0).untyped_storage(), "empty": torch.zeros(0, 3),
        "float8": torch.ones(3).to(torch.float8_e5m2), "u16": torch.ones(3, dtype=torch.uint16),
    }  # fmt: skip


def test_a_checkpoint_gives_its_one_module(save: Any) -> None:
    tagger = Tagger()
    path = save({**checkpoint(tagger), "model_state": tagger.state_dict()})
    with pytest.warns(UserWarning, match=r"only the recurrent module 'model_state\.lstm\.' is"):
        assert_holds(path, tagger.lstm)
    for prefix in ("model_state.lstm.", "model_state.lstm", "model_state"):
        assert_holds(path, tagger.lstm, prefix=prefix, cell="lstm")
    state = tensors(path)
    assert state["optimizers.0.state.0.exp_avg"].shape == (7, 3)
    with pytest.raises(UnsupportedError, match="got dtype int64"):
        state["model_state.norm.num_batches_tracked"]


def test_a_checkpoint_lists_its_modules(save: Any) -> None:
    tagger, rnn = Tagger(), nn.RNN(3, 4, nonlinearity="relu")
    path = save([tagger.state_dict(), {"module": {"rnn": rnn.state_dict()}}])
    with pytest.raises(OptionError, match=r"choose one with prefix= '0\.lstm\.', '1\.module\.rnn"):
        rn.load(path)
    assert_holds(path, tagger.lstm, prefix="0")
    assert_holds(path, rnn, prefix="1", nonlinearity="relu")
    with pytest.raises(OptionError, match="nonlinearity='relu': only the cell 'rnn' has it"):
        rn.load(path, prefix="0", nonlinearity="relu")


@st.composite
def views(draw: st.DrawFn) -> Any:
    """A tensor that is some view of a larger one."""
    base = torch.randn(draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    base = base.to(getattr(torch, draw(st.sampled_from(FLOATS))))
    for axis in range(3):
        begin = draw(st.integers(0, base.shape[axis] - 1))
        base = base[(slice(None),) * axis + (slice(begin, None, draw(st.integers(1, 3))),)]
    return base.permute(*draw(st.permutations(range(3))))


@settings(deadline=None)
@given(view=views(), zipped=st.booleans(), parameter=st.booleans())
def test_views_of_any_strides_are_what_they_show(
    view: Any, zipped: bool, parameter: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "views.pt"
    value = nn.Parameter(view) if parameter else view
    torch.save({"x": value, "y": view[0]}, path, _use_new_zipfile_serialization=zipped)
    wide = view.double() if view.dtype == torch.float64 else view.float()
    read = tensors(path)
    np.testing.assert_array_equal(read["x"], wide.numpy(), strict=True)
    np.testing.assert_array_equal(read["y"], wide[0].numpy(), strict=True)


def test_tied_and_expanded_weights(save: Any) -> None:
    gru = nn.GRU(4, 4, 2)
    gru.weight_hh_l1 = gru.weight_hh_l0
    gru.bias_ih_l1 = nn.Parameter(torch.zeros(1).expand(12))
    assert_holds(save(gru.state_dict()), gru)


def test_half_precision_is_widened(save: Any) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        module = nn.LSTM(3, 4).to(dtype)
        assert_holds(save(module.state_dict()), module.float())


def test_attributes_of_tensors_are_left_out(save: Any) -> None:
    gru = nn.GRU(3, 4)
    gru.weight_ih_l0.note = "first"
    assert_holds(save(dict(gru.named_parameters())), gru)


def test_sparse_tensors_are_refused_by_name(save: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"asks for '.*sparse"):
        rn.load(save({"x": torch.eye(3).to_sparse()}))


def test_checksums_left_out_are_not_missed(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    gru = nn.GRU(3, 4)
    try:
        torch.serialization.set_crc32_options(False)
        torch.save(gru.state_dict(), tmp_path / "model.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert_holds(tmp_path / "model.pt", gru)


PAGE = (Path(__file__).parents[2] / "docs" / "pytorch.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.M))
def test_the_documentation_is_true(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "pytorch.md", "exec"), {"__name__": "block"})


def make_net() -> Any:
    return nn.Sequential(
        nn.Embedding(7, 3), nn.GRU(3, 4, 2, bidirectional=True), nn.Linear(8, 5), nn.ReLU(),
        nn.LSTM(5, 4, proj_size=2), nn.Linear(2, 3, bias=False), nn.Softmax(dim=-1),
        nn.Linear(3, 2),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mmap", [False, True])
def test_what_is_written_loads_into_a_sequential(dtype: str, mmap: bool, tmp_path: Path) -> None:
    net = make_net().to(getattr(torch, dtype))
    path = tmp_path / "model.pt"
    rn.from_torch(net).model.save(path)
    state = torch.load(path, weights_only=True, mmap=mmap)
    assert list(state) == list(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert torch.equal(state[name], tensor)
        assert state[name].dtype == tensor.dtype
    net.load_state_dict(state, strict=True)


def test_out_and_in_again_is_the_same_model(tmp_path: Path) -> None:
    net = make_net()
    model = rn.from_torch(net).model
    model.save(tmp_path / "a.pt")
    again = rn.load(tmp_path / "a.pt")
    again.save(tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    words = np.random.default_rng(0).integers(0, 7, (9, 2))
    assert again(words)[0].tobytes() == model(words)[0].tobytes()
    # What PyTorch saves of it again has no description, but several modules to choose from.
    torch.save(torch.load(tmp_path / "a.pt", weights_only=True), tmp_path / "c.pt")
    assert_holds(tmp_path / "c.pt", net[1], prefix="1")


class Settings(dict):  # type: ignore[type-arg]
    """As libraries of settings have them: of a class of its own, its parent beside it."""

    parent: Any = None


class Derived(torch.Tensor):  # type: ignore[misc, name-defined]
    """Whose numbers mean what its class says."""


def test_objects_of_any_class_beside_the_weights_do_no_harm(save: Any) -> None:
    lstm = nn.LSTM(3, 4)
    settings = Settings(lr=1e-3, path=Path("/x"), kind=type(lstm), sizes=torch.Size([3, 4]))
    settings["own"] = settings.parent = settings
    checkpoint = {
        "state_dict": lstm.state_dict(),
        "hyper_parameters": argparse.Namespace(hidden=4, dtype=np.float32, net=settings),
        "callbacks": {Settings: {"best": np.float64(2), "generator": np.random.default_rng(3)}},
        "loss": nn.CrossEntropyLoss(), "function": torch.relu, "rate": np.int64(3),
    }  # fmt: skip
    assert_holds(save(checkpoint), lstm)


def test_a_tensor_that_is_not_plain_is_refused_where_it_is_wanted(save: Any) -> None:
    weights = nn.LSTM(3, 4).state_dict()
    for odd in (
        weights["weight_hh_l0"].as_subclass(Derived),
        weights["weight_hh_l0"].to_sparse(),
        nn.Parameter(weights["weight_hh_l0"].as_subclass(Derived)),
    ):
        path = save({**weights, "weight_hh_l0": odd})
        with pytest.raises(
            UnsupportedError, match=r"'weight_hh_l0'.*refused, and nothing was called"
        ):
            formats.read(path)
