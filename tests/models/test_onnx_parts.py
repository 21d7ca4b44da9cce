"""Parts of graphs: one recurrent node by its name, wherever it stands; errors that list them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import ATOL, Builder, make_linear, make_recurrent, onnx_weights, run, uniform

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.spec import Linear, ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 3, 4
LSTM, GRU = make_recurrent("lstm", IN, H), make_recurrent("gru", H, H, seed=1)


def assert_is(spec: ModelSpec, layer: Recurrent) -> None:
    (read,) = spec.layers
    assert isinstance(read, Recurrent)
    assert read.options == layer.options
    for name, array in layer.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


def mixed(folder: Path) -> Path:
    """A graph that is no chain: two recurrent nodes, a product of sequences, states of states."""
    b = Builder()
    x = b.op("Floor", b.input("x", ["t", "b", IN]))
    y, h, c = b.recurrent(x, LSTM, name="encoder")
    y = b.op("Mul", b.squeeze(y, 1), b.squeeze(y, 1), name="square")
    z = b.recurrent(y, GRU, "", h, name="decoder")[0]
    for name in (b.op("Abs", z), c):
        b.output(name)
    return b.save(folder)


def test_a_node_by_its_name(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    assert_is(formats.read(path, node="encoder"), LSTM)
    assert_is(formats.read(path, node="decoder"), GRU)
    model = rn.load(path, node="decoder", dtype="float64", batch_first=True)
    assert model(np.zeros((B, T, H)))[0].shape == (B, T, H)


def test_a_node_is_what_onnxruntime_makes_of_it(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    model = onnx.load(path)
    encoder, _, decoder = (
        n for n in model.graph.node if n.name in ("encoder", "decoder", "square")
    )
    names = [decoder.input[0], decoder.output[0], encoder.output[1]]
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    onnx.save(model, path)
    x, y, h = run(path, {"x": uniform(T, B, IN)})[2:]
    got, _ = reference.run(formats.read(path, node="decoder"), x, h)
    np.testing.assert_allclose(got, y[:, 0], rtol=0, atol=ATOL)


def test_the_error_for_a_graph_that_is_no_chain_lists_the_recurrent_nodes(tmp_path: Path) -> None:
    message = (
        r"\(Floor\): this operator is not supported, other than of constants; node= can take one "
        r"of its recurrent nodes: 'encoder' \(LSTM\), 'decoder' \(GRU\); rnn_native.onnx_backend "
        "has all of its operators and can run it as it is$"
    )
    with pytest.raises(UnsupportedError, match=message):
        formats.read(mixed(tmp_path))
    b = Builder()
    b.output(b.op("Floor", b.input("x", ["t", "b", IN])))
    with pytest.raises(UnsupportedError, match="it has no RNN, GRU or LSTM node that node="):
        formats.read(b.save(tmp_path))


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    b = Builder()
    x = b.op("Floor", b.input("x", ["t", "b", H]))
    for number in range(20):
        x = b.squeeze(b.recurrent(x, GRU, name=f"cell{number}")[0], 1)
    b.output(x)
    with pytest.raises(UnsupportedError, match=r"'cell11' \(GRU\) and 8 more; "):
        formats.read(b.save(tmp_path))


def test_a_name_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    with pytest.raises(OptionError, match=r"node='encodes': no recurrent .*; there is 'encoder'"):
        formats.read(path, node="encodes")
    with pytest.raises(OptionError, match="node='square': no recurrent node is called so"):
        formats.read(path, node="square")
    with pytest.raises(OptionError, match="node: expected the name of a node, got 3"):
        formats.read(path, node=3)
    with pytest.raises(OptionError, match="not beside node="):
        formats.read(path, node="encoder", between=("x", "y"))
    for wrong in ("xy", ("x",), ("x", "y", "z"), ("x", 3)):
        with pytest.raises(OptionError, match="between: expected the names of two tensors"):
            formats.read(path, between=wrong)


def test_nodes_without_a_name_or_with_the_same_are_called_by_their_outputs(tmp_path: Path) -> None:
    path = mixed(tmp_path)
    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type in ("LSTM", "GRU")]
    for names in (("", ""), ("same", "same"), ("", "same")):
        for node, name in zip(nodes, names, strict=True):
            node.name = name
        onnx.save(model, path)
        labels = [n.name if names == ("", "same") and n.name else n.output[0] for n in nodes]
        with pytest.raises(UnsupportedError, match=", ".join(f"'{n}' .*" for n in labels)):
            formats.read(path)
        for label, layer in zip(labels, (LSTM, GRU), strict=True):
            assert_is(formats.read(path, node=label), layer)
        assert_is(formats.read(path, node=nodes[1].output[1]), GRU)  # any of its outputs
    if names == ("same", "same"):
        with pytest.raises(OptionError, match="node='same': 2 recurrent nodes are called so"):
            formats.read(path, node="same")


def body(layer: Recurrent, x: str, name: str, weights: list[str] | None = None) -> Any:
    """A graph of a recurrent node on a tensor from outside of it."""
    arrays = [a for a in onnx_weights(layer) if a is not None]
    names = weights or [f"{name}_{letter}" for letter in "wrb"]
    made = (
        []
        if weights
        else [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
    )
    node = helper.make_node(
        layer.cell.upper(), [x, *names], [f"{name}_y"], "cell", hidden_size=H, linear_before_reset=1
    )  # fmt: skip
    y = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, ["t", 1, "b", H])
    return helper.make_graph([node], name, [], [y], made)


def branches(tmp_path: Path) -> Path:
    """An If with a cell in each branch, one with weights of its own, one with those outside."""
    b = Builder()
    one, other = make_recurrent("gru", IN, H, seed=2), make_recurrent("gru", IN, H, seed=3)
    x = b.input("x", ["t", "b", IN])
    condition = b.input("condition", [], TensorProto.BOOL)
    w, r, bias, _ = onnx_weights(other)
    outside = [b.op("Identity", b.constant(w)), b.constant(r), b.constant(bias)]
    node = helper.make_node(
        "If", [condition], ["y"], "choice",
        then_branch=body(one, x, "then"), else_branch=body(other, x, "else", outside),
    )  # fmt: skip
    b.nodes.append(node)
    b.output("y")
    return b.save(tmp_path)


def test_a_node_inside_of_an_if_is_called_by_its_branch(tmp_path: Path) -> None:
    """Their outputs tell them apart where their names do not; the whole path always does."""
    path = branches(tmp_path)
    with pytest.raises(UnsupportedError, match=r"'else_y' \(GRU\), 'then_y' \(GRU\); "):
        formats.read(path)
    for names, seed in (
        (("choice/then_branch/cell", "then_y"), 2),
        (("choice/else_branch/cell", "else_y"), 3),
    ):
        for name in names:
            assert_is(formats.read(path, node=name), make_recurrent("gru", IN, H, seed=seed))
    x = uniform(T, B, IN)
    for condition, name in ((True, "then_y"), (False, "else_y")):
        (want,) = run(path, {"x": x, "condition": np.array(condition)})
        got, _ = reference.run(formats.read(path, node=name), x)
        np.testing.assert_allclose(got, want[:, 0], rtol=0, atol=ATOL)


def test_names_that_are_nowhere_unique_are_whole_paths(tmp_path: Path) -> None:
    path = branches(tmp_path)
    model = onnx.load(path)
    for attribute in model.graph.node[-1].attribute:
        attribute.g.node[0].output[0] = attribute.g.output[0].name = "same"
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match=r"'choice/else_branch/cell' \(GRU\), 'choice/then_"):
        formats.read(path)
    assert_is(
        formats.read(path, node="choice/else_branch/cell"), make_recurrent("gru", IN, H, seed=3)
    )


def test_a_node_inside_of_a_loop(tmp_path: Path) -> None:
    """A body that makes its own sequence longer and longer: its cell can be taken all the same."""
    b = Builder()
    inner = body(GRU, "state", "inner")
    inner.node.append(helper.make_node("Squeeze", ["inner_y", "axis"], ["next"]))
    inner.node.append(helper.make_node("Identity", ["keep"], ["again"]))
    inner.initializer.append(numpy_helper.from_array(np.array([1]), "axis"))
    inner.input.extend(
        helper.make_tensor_value_info(name, element, shape)
        for name, element, shape in (
            ("i", TensorProto.INT64, []),
            ("keep", TensorProto.BOOL, []),
            ("state", TensorProto.FLOAT, ["t", "b", H]),
        )
    )
    del inner.output[:]
    inner.output.append(helper.make_tensor_value_info("again", TensorProto.BOOL, []))
    inner.output.append(helper.make_tensor_value_info("next", TensorProto.FLOAT, ["t", "b", H]))
    count = b.constant(3, np.int64)
    b.nodes.append(
        helper.make_node(
            "Loop", [count, "", b.input("x", ["t", "b", H])], ["y"], "loop", body=inner
        )
    )
    b.output("y")
    path = b.save(tmp_path)
    with pytest.raises(UnsupportedError, match=r"node 'loop' \(Loop\): .* nodes: 'cell' \(GRU\)"):
        formats.read(path)
    spec = formats.read(path, node="cell")
    assert_is(spec, GRU)
    x = uniform(T, B, H)
    (want,) = run(path, {"x": x})
    for _ in range(3):
        x, _ = reference.run(spec, x)
    np.testing.assert_allclose(x, want, rtol=0, atol=3 * ATOL)


def quantized(b: Builder, array: Any, axis: int) -> str:
    """An array near this one, as int8 with a scale for each of an axis."""
    across = tuple(i for i in range(array.ndim) if i != axis)
    scale = (np.abs(array).max(axis=across) / 127).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    whole = np.round(array / scale.reshape(shape)).astype(np.int8)
    zero = b.constant(np.zeros(scale.shape, np.int8))
    return b.op("DequantizeLinear", b.constant(whole), b.constant(scale), zero, axis=axis)


MADE: dict[str, Callable[[Builder, Any], str]] = {
    "Identity": lambda b, w: b.op("Identity", b.constant(w)),
    "Cast": lambda b, w: b.op("Cast", b.constant(w, np.float16), to=TensorProto.FLOAT),
    "Transpose": lambda b, w: b.op("Transpose", b.constant(w.transpose(2, 0, 1)), perm=[1, 2, 0]),
    "DequantizeLinear": lambda b, w: quantized(b, w, 1),
    "Split": lambda b, w: b.ops("Split", b.constant(np.concatenate([w, w + 1], 1)), axis=1,
                                count=2)[0],
    "Add": lambda b, w: b.op("Add", b.constant(w), b.constant(np.float32(0.5))),
    "Sub": lambda b, w: b.op("Sub", b.constant(w), b.constant(np.float32(0.5))),
    "Mul": lambda b, w: b.op("Mul", b.constant(w), b.constant(np.float32(0.5))),
    "MatMul": lambda b, w: b.op("MatMul", b.constant(w), b.constant(np.eye(IN, dtype="f4") * 0.5)),
    "Gather": lambda b, w: b.op("Gather", b.constant(w), b.constant(np.arange(16)[::-1]), axis=1),
    "Concat": lambda b, w: b.op("Concat", b.constant(w[:, :5]), b.constant(w[:, 5:]), axis=1),
    "Unsqueeze": lambda b, w: b.unsqueeze(b.constant(w[0]), 0),
}  # fmt: skip


@pytest.mark.parametrize("op", MADE)
@pytest.mark.parametrize("by", ["chain", "node"])
def test_weights_that_the_file_makes_of_constants(op: str, by: str, tmp_path: Path) -> None:
    b = Builder()
    w, r, bias, _ = onnx_weights(LSTM)
    x = b.input("x", ["t", "b", IN])
    inputs = [x, MADE[op](b, w), b.constant(r), b.constant(bias)]
    b.output(b.op("LSTM", *inputs, name="it", hidden_size=H))
    path = b.save(tmp_path)
    spec = formats.read(path, **({"node": "it"} if by == "node" else {}))
    x = uniform(T, B, IN)
    (want,) = run(path, {"x": x})
    got, _ = reference.run(spec, x)
    np.testing.assert_allclose(got, want[:, 0], rtol=0, atol=ATOL)


def test_weights_of_a_node_that_are_no_constants_are_refused(tmp_path: Path) -> None:
    b = Builder()
    w = b.input("w", [1, 3 * H, IN])
    b.output(
        b.op("GRU", b.input("x", ["t", "b", IN]), w, b.constant(uniform(1, 3 * H, H)), name="it")
    )
    path = b.save(tmp_path)
    with pytest.raises(UnsupportedError, match=r"node 'it' \(GRU\): W: expected a constant"):
        formats.read(path, node="it")
    b = Builder()
    w = b.op("Hardmax", b.constant(uniform(1, 3 * H, IN)), name="hardmax")
    b.output(
        b.op("GRU", b.input("x", ["t", "b", IN]), w, b.constant(uniform(1, 3 * H, H)), name="it")
    )
    with pytest.raises(
        UnsupportedError, match=r"node 'hardmax' \(Hardmax\): this operator is not supp"
    ):
        formats.read(b.save(tmp_path), node="it")
    model = b.model()
    model.graph.node[-1].input[1] = "gone"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(FormatError, match=r"no node makes .*'gone'"):
        formats.read(tmp_path / "model.onnx", node="it")


def test_dequantizing_data_is_refused_by_name(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN], TensorProto.INT32)
    x = b.op("DequantizeLinear", x, b.constant(np.float32(0.1)), name="it")
    b.output(b.recurrent(x, LSTM)[0])
    with pytest.raises(
        UnsupportedError, match=r"'it' \(DequantizeLinear\): dequantises 'x', an input of the"
    ):
        formats.read(b.save(tmp_path))


def test_between_reads_an_inner_chain_whatever_is_around_it(tmp_path: Path) -> None:
    b = Builder()
    x = b.op("Abs", b.input("x", ["t", "b", IN]))
    y = b.squeeze(b.recurrent(x, LSTM)[0], 1)
    z = b.linear(y, make_linear(H, 2))
    b.output(b.op("Abs", z))
    path = b.save(tmp_path)
    spec = formats.read(path, between=(x, z))
    assert [type(layer) for layer in spec.layers] == [Recurrent, Linear]
    assert [type(layer) for layer in rn.load(path, between=[x, y]).spec.layers] == [Recurrent]
