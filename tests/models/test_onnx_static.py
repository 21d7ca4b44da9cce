"""Inputs without time, and values at every step that have none: onnxruntime and PyTorch, whose
modules both exporters write, against what is read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx import TensorProto
from onnx_graphs import ATOL, Builder, make_linear, make_recurrent, run

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.oracle

T, B, IN, H = 9, 3, 4, 5
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
RNG = np.random.default_rng(3)


def uniform(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def joined_behind(b: Builder, x: str, who: str) -> str:
    """PLCMOS's way: beside the last state."""
    h = b.squeeze(b.recurrent(x, make_recurrent("gru", IN, H))[1], 0)
    w = b.op("Tanh", b.linear(who, make_linear(2, 3)))
    return b.linear(b.op("Concat", h, w, axis=-1), make_linear(H + 3, 2))


def added(b: Builder, x: str, who: str) -> str:
    """Without any operator that repeats it: [t, b, features] + [b, features]."""
    w = b.linear(who, make_linear(2, IN))
    y = b.squeeze(b.recurrent(b.op("Add", x, w), make_recurrent("lstm", IN, H))[0], 1)
    return b.linear(y, make_linear(H, 2))


def beside_fewer_steps(b: Builder, x: str, who: str) -> str:
    """It has the steps that a convolution with a stride makes."""
    w = b.linear(who, make_linear(2, 6))
    turned = b.op("Transpose", x, perm=[1, 2, 0])
    y = b.op("Conv", turned, b.constant(uniform(6, IN, 3)), strides=[2], kernel_shape=[3])
    y = b.op("Mul", b.op("Transpose", y, perm=[2, 0, 1]), b.op("Sigmoid", w))
    return b.squeeze(b.recurrent(y, make_recurrent("gru", 6, H))[0], 1)


def gate_of_all(b: Builder, x: str, who: str) -> str:
    """The mean of all steps, at every step: no step is there before the last one."""
    y = b.squeeze(b.recurrent(x, make_recurrent("gru", IN, H))[0], 1)
    mean = b.op("ReduceMean", y, axes=[0], keepdims=1)
    y = b.op("Mul", y, b.op("Sigmoid", b.op("Mul", mean, b.linear(who, make_linear(2, H)))))
    return b.squeeze(b.recurrent(y, make_recurrent("gru", H, 3))[0], 1)


def decoded(b: Builder, x: str, who: str) -> str:
    """A decoder of a last state, repeated as many times as x has steps."""
    h = b.squeeze(b.recurrent(x, make_recurrent("gru", IN, H))[1], 0)
    code = b.op("Concat", h, b.linear(who, make_linear(2, 2)), axis=1)
    count = b.op("Gather", b.op("Shape", x), b.integers(0))
    times = b.op("Concat", count, b.integers(1, 1), axis=0)
    steps = b.op("Tile", b.unsqueeze(code, 0), times)
    return b.squeeze(b.recurrent(steps, make_recurrent("lstm", H + 2, 3))[0], 1)


WAYS = [joined_behind, added, beside_fewer_steps, gate_of_all, decoded]


@pytest.mark.parametrize("make", WAYS)
def test_onnxruntime_gives_what_is_read(make: Any, tmp_path: Path) -> None:
    b = Builder()
    x, who = b.input("x", ["t", "b", IN]), b.input("who", ["b", 2])
    b.output(b.op("Tanh", make(b, x, who)))
    path = b.save(tmp_path)
    spec = formats.read(path)
    assert [(name, one.time) for name, one in spec.inputs.items()] == [("x", True), ("who", False)]
    model = rn.Model(spec)
    assert model.streamable == (make in (joined_behind, added, beside_fewer_steps))
    for steps, rows in ((T, B), (40, 1), (3, 2)):
        feeds = {"x": uniform(steps, rows, IN), "who": uniform(rows, 2)}
        (want,) = run(path, feeds)
        for y in (reference.run(spec, feeds)[0], model(feeds)[0]):
            np.testing.assert_allclose(y, want, rtol=0, atol=4 * ATOL)


@pytest.mark.parametrize("shape", [["b"], ["b", 1]])
def test_an_index_of_each_row(shape: list[Any], tmp_path: Path) -> None:
    """[b, 1] is one index for each row as well."""
    b = Builder()
    x, who = b.input("x", ["b", "t", IN]), b.input("who", shape, INT)
    w = b.op("Gather", b.constant(uniform(7, IN)), who)
    w = w if len(shape) == 2 else b.unsqueeze(w, 1)
    y = b.op("Transpose", b.op("Sub", x, w), perm=[1, 0, 2])
    b.output(b.squeeze(b.recurrent(y, make_recurrent("gru", IN, H))[0], 1))
    path = b.save(tmp_path)
    spec = formats.read(path)
    assert (type(spec.inputs["who"]), spec.inputs["who"]) == (rn.Static, (7, True))
    xs, index = uniform(B, T, IN), RNG.integers(0, 7, B)
    (want,) = run(path, {"x": xs, "who": index.reshape(B, *([1] * (len(shape) - 1)))})
    y, _ = rn.Model(spec)({"x": np.swapaxes(xs, 0, 1), "who": index})
    np.testing.assert_allclose(y, want, rtol=0, atol=2 * ATOL)


def positions(b: Builder, x: str, who: str) -> str:
    return b.op("Add", x, who)  # [b, t, IN] + [t, IN]


def over_rows(b: Builder, x: str, who: str) -> str:
    """[1, t, IN] at every row."""
    return b.op("Add", x, b.unsqueeze(who, 0))


def made_outside(b: Builder, x: str, who: str) -> str:
    """Repeated along an axis that no step is of."""
    more = b.op("Expand", b.unsqueeze(who, 1), b.integers(1, 6, 1))
    return b.op("Add", x, b.op("Slice", more, b.integers(0), b.integers(1), b.integers(1)))


@pytest.mark.parametrize("make", [positions, over_rows, made_outside])
def test_what_is_no_such_value_is_refused_by_name(make: Any, tmp_path: Path) -> None:
    b = Builder()
    x, who = b.input("x", ["b", "t", IN]), b.input("who", ["n", IN])
    y = b.op("Transpose", make(b, x, who), perm=[1, 0, 2])
    b.output(b.squeeze(b.recurrent(y, make_recurrent("gru", IN, H))[0], 1))
    with pytest.raises(UnsupportedError, match=r"node .the |fewer axes"):
        formats.read(b.save(tmp_path))


def test_a_second_input_that_has_a_time_of_its_own_is_refused(tmp_path: Path) -> None:
    """[t, features] of one sequence without rows, which only a last state is made of."""
    b = Builder()
    x, other = b.input("x", ["t", "b", IN]), b.input("other", ["n", IN])
    h = b.squeeze(b.recurrent(x, make_recurrent("gru", IN, H))[1], 0)
    other = b.op("ReduceMean", other, axes=[0], keepdims=1)
    b.output(b.op("Concat", h, b.op("Mul", b.op("Tanh", other), other), axis=1))
    with pytest.raises(UnsupportedError):
        formats.read(b.save(tmp_path))


def test_plcmos() -> None:
    """Microsoft's network, of speechmos, which is found and not imported."""
    found = importlib.util.find_spec("speechmos")
    if found is None or not found.submodule_search_locations:
        pytest.skip("speechmos is not installed: tests/models/requirements-models.txt")
    path = Path(found.submodule_search_locations[0], "plcmos_models", "plcmos_v2.onnx")
    model = rn.load(path)
    for steps in (20, 57, 211):
        x, who = uniform(1, 1, steps, 257), uniform(1, 64)
        (want,) = run(path, {"degraded_audio": x, "rater_embed": who})
        y, _ = model({"degraded_audio": np.swapaxes(x[:, 0], 0, 1), "rater_embed": who})
        np.testing.assert_allclose(y.reshape(()), want, rtol=1e-5, atol=0)


# PyTorch's modules

torch: Any = importlib.util.find_spec("torch") and importlib.import_module("torch")
HOW = ["expand", "expand to all", "repeat", "index", "decoder"]


@pytest.mark.slow
@pytest.mark.skipif(not torch, reason="needs torch")
@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize("how", HOW)
def test_a_module_with_who_speaks(how: str, exporter: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from test_onnx_torch import EXPORTERS, export
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.of_who, self.table = nn.Linear(2, 3), nn.Embedding(7, 3)
            size = IN if how == "decoder" else IN + 3
            self.gru = nn.GRU(size, H, batch_first=True)
            self.decoder = nn.LSTM(H + 3, 3, batch_first=True)
            self.head = nn.Linear(3 if how == "decoder" else H + 3, 2)

        def forward(self, x: Any, who: Any) -> Any:
            w = self.table(who) if how == "index" else torch.tanh(self.of_who(who))
            if how == "decoder":
                code = torch.cat([self.gru(x)[1][-1], w], -1)[:, None]
                return self.head(self.decoder(code.expand(-1, x.shape[1], -1))[0])
            if how == "repeat":
                w = w.unsqueeze(1).repeat(1, x.shape[1], 1)
            elif how == "expand to all":
                w = w[:, None].expand(x.shape[0], x.shape[1], 3)
            else:
                w = w.unsqueeze(1).expand(-1, x.size(1), -1)
            return self.head(torch.cat([self.gru(torch.cat([x, w], -1))[0], w], -1))

    torch.manual_seed(0)
    module = Net()

    def example(rows: int, steps: int) -> tuple[Any, Any]:
        who = torch.randint(7, (rows,)) if how == "index" else torch.randn(rows, 2)
        return torch.randn(rows, steps, IN), who

    names = {"input_names": ["x", "who"]}
    path = export(module, example(B, T), tmp_path / "m.onnx", **EXPORTERS[exporter], **names)
    model = rn.load(path)
    assert [one.time for one in model.spec.inputs.values()] == [True, False]
    for rows, steps in ((B, T), (1, 30)):  # which the file may have fixed
        x, who = example(rows, steps)
        with torch.no_grad():
            want = module(x, who).numpy()
        y, _ = model({"x": np.swapaxes(x.numpy(), 0, 1), "who": who.numpy()})
        np.testing.assert_allclose(np.swapaxes(y, 0, 1), want, rtol=0, atol=4 * ATOL)
