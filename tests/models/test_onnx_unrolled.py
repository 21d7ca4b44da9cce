"""Graphs whose recurrence is no node and is not read: the error says so first, and what helps."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper
from onnx_graphs import Builder, make_recurrent, uniform

from rnn_native import formats
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.oracle

T, B, IN, H = 4, 2, 3, 5
UNROLLED = r"its recurrence is unrolled, .* multiplies by '{}' what that has made before; .*"
HELP = r"dynamo=False.*\.pt or \.keras file itself; .*it has no RNN, GRU or LSTM node"


def steps(shared: bool = True) -> Builder:
    """An RNN written out: the product of all steps, of which each is taken by its number."""
    b = Builder()
    x = b.op("MatMul", b.input("x", [T, B, IN]), b.constant(uniform(IN, H)))
    weight = b.constant(uniform(H, H, seed=1), name="recurrent")
    h, ys = b.constant(np.zeros((B, H), np.float32)), []
    for t in range(T):
        own = weight if shared else b.constant(uniform(H, H, seed=t))
        of_h = b.op("MatMul", h, own)
        h = b.op("Tanh", b.op("Add", b.op("Gather", x, b.constant(t), axis=0), of_h))
        ys.append(b.unsqueeze(h, 0))
    b.output(b.op("Concat", *ys, axis=0))
    return b


def test_steps_written_out(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=UNROLLED.format("recurrent") + HELP):
        formats.read(steps().save(tmp_path))


def test_other_weights_each_time_are_no_recurrence(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as error:
        formats.read(steps(shared=False).save(tmp_path))
    assert "its recurrence" not in str(error.value)


def test_one_weight_side_by_side_is_no_recurrence(tmp_path: Path) -> None:
    b = Builder()
    x, weight = b.op("Floor", b.input("x", ["t", "b", IN])), b.constant(uniform(IN, H))
    b.output(b.op("Add", b.op("MatMul", x, weight), b.op("MatMul", x, weight)))
    with pytest.raises(UnsupportedError) as error:
        formats.read(b.save(tmp_path))
    assert "its recurrence" not in str(error.value)


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_loop_that_is_no_cell(recurrent: bool, tmp_path: Path) -> None:
    """Its condition is arithmetic of numbers, which fails first."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes"]),
            helper.make_node("MatMul", ["h", "w"], ["hw"]),
            helper.make_node("Floor", ["hw"], ["h_n"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("h", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("h_n", TensorProto.FLOAT, None),
        ],
    )
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    b.constant(uniform(IN, IN), name="w")
    y = b.squeeze(b.recurrent(x, make_recurrent("gru", IN, IN))[0], 1) if recurrent else x
    count = b.op("Gather", b.op("Shape", x), b.constant(0))
    going = b.op("Less", b.constant(0), b.op("Sub", count, b.constant(1)))
    b.output(b.op("Loop", count, going, y, body=body, name="it"))
    with pytest.raises(UnsupportedError) as error:
        formats.read(b.save(tmp_path))
    message = str(error.value).split(": ", 1)[1]
    first = "its recurrence is in a Loop (node 'it' (Loop)): a file that keeps RNN, GRU and LSTM"
    assert message.startswith(first) == (not recurrent)


def test_the_default_exporter_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.fc = torch.nn.RNN(IN, H, batch_first=True), torch.nn.Linear(H, 2)

        def forward(self, x: object) -> object:
            return self.fc(self.rnn(x)[0])

    path = tmp_path / "exported.onnx"
    out = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(Net().eval(), (torch.randn(B, T, IN),), path, dynamo=True)
    if any(node.op_type == "RNN" for node in onnx.load(path).graph.node):
        pytest.skip("this exporter keeps the RNN")
    with pytest.raises(UnsupportedError, match=UNROLLED.format(".*") + HELP):
        formats.read(path)
