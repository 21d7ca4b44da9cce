"""ONNX files that nobody should trust: each ends in an error, and takes no more than it may."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from strategies import make_spec

from rnn_native import formats, onnx_backend
from rnn_native.errors import FormatError, OptionError, RnnError, UnsupportedError
from rnn_native.formats.onnx.interpret import OPERATORS
from rnn_native.formats.onnx.writing import to_model

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 3, 4, out_features=2)


def save(model: Any, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


# Tensors in the file


def change_weights(change: Callable[[Any], Any]) -> Any:
    model = to_model(SPEC)
    change(next(t for t in model.graph.initializer if ".W_l0" in t.name))
    return model


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.dims.append(2**40),
        lambda t: t.dims.append(0),
        lambda t: t.dims.__setitem__(1, -12),
        lambda t: t.dims.__setitem__(1, -1),
        lambda t: t.dims.extend([2**62, 2**62]),
        lambda t: t.dims.extend([1] * 100),
        lambda t: setattr(t, "raw_data", t.raw_data[:-1]),
        lambda t: setattr(t, "raw_data", t.raw_data + b"\0"),
        lambda t: t.ClearField("raw_data"),
        lambda t: (t.ClearField("raw_data"), t.float_data.extend([1.0] * 35)),
        lambda t: setattr(t, "data_type", TensorProto.DOUBLE),
        lambda t: setattr(t, "data_type", TensorProto.INT4),
        lambda t: setattr(t, "data_type", 0),
        lambda t: setattr(t, "data_type", 99),
        lambda t: t.segment.CopyFrom(TensorProto.Segment(begin=0, end=1)),
    ],
    ids=range(15),
)
def test_a_tensor_whose_parts_contradict_each_other(
    change: Callable[[Any], Any], tmp_path: Path
) -> None:
    with pytest.raises(
        (FormatError, UnsupportedError), match=r"initializer '0\.W_l0|: W: expected"
    ):
        formats.read(save(change_weights(change), tmp_path / "model.onnx"))


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_an_operator_without_inputs(op: str, tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["t", "b", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op, [], ["y"])], "graph", [x], [y])
    with pytest.raises((FormatError, UnsupportedError)):
        formats.read(save(helper.make_model(graph, ir_version=8), tmp_path / "model.onnx"))


# Much out of little


def graph(nodes: list[Any], constants: dict[str, Any], output: str = "y") -> Any:
    """A MatMul of x with what the nodes make, called w."""
    last = helper.make_node("MatMul", ["x", "w"], [output], "last")
    float_type, shape = TensorProto.FLOAT, ["t", "b", 1]
    return helper.make_model(
        helper.make_graph(
            [*nodes, last],
            "graph",
            [helper.make_tensor_value_info("x", float_type, shape)],
            [helper.make_tensor_value_info(output, float_type, shape)],
            [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )


def doubled(op: str, first: str, count: int, **attributes: Any) -> list[Any]:
    """first op first, the result with itself, and so on: 2**count of it, called w."""
    names = [first, *(f"{op}{i}" for i in range(count - 1)), "w"]
    return [helper.make_node(op, [a, a], [b], **attributes) for a, b in pairwise(names)]


ONE = np.ones((1, 1), np.float32)
LARGE = np.array([2**20, 2**20])
BOMBS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Expand": ([helper.make_node("Expand", ["one", "s"], ["w"])], {"one": ONE, "s": LARGE}),
    "Tile": ([helper.make_node("Tile", ["one", "s"], ["w"])], {"one": ONE, "s": LARGE}),
    "ConstantOfShape": ([helper.make_node("ConstantOfShape", ["s"], ["w"])], {"s": LARGE}),
    "Concat": (doubled("Concat", "one", 60, axis=0), {"one": ONE}),
    "Gather": (
        [
            helper.make_node("Gather", ["one", "i"], ["a"], axis=0),
            helper.make_node("Gather", ["a", "i"], ["w"], axis=1),
        ],
        {"one": ONE, "i": np.zeros((2000, 1000), np.int64)},
    ),
    "Add": (
        [helper.make_node("Add", ["a", "b"], ["w"])],
        {"a": np.zeros((10**5, 1), np.float32), "b": np.zeros((1, 10**5), np.float32)},
    ),
    "MatMul": (
        [helper.make_node("MatMul", ["a", "b"], ["w"])],
        {"a": np.zeros((10**5, 1), np.float32), "b": np.zeros((1, 10**5), np.float32)},
    ),
    "Gemm": (
        [helper.make_node("Gemm", ["a", "b"], ["w"])],
        {"a": np.zeros((10**5, 1), np.float32), "b": np.zeros((1, 10**5), np.float32)},
    ),
    "sizes that are multiplied": (
        [
            helper.make_node("Shape", ["x"], ["sizes"]),
            *(n for n in doubled("Mul", "sizes", 60) if n.output[0] != "w"),
            helper.make_node("ConstantOfShape", ["Mul58"], ["w"]),
        ],
        {},
    ),
    "sizes that are joined": (
        [
            helper.make_node("Shape", ["x"], ["sizes"]),
            *(n for n in doubled("Concat", "sizes", 60, axis=0) if n.output[0] != "w"),
            helper.make_node("ConstantOfShape", ["Concat58"], ["w"]),
        ],
        {},
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_cannot_ask_for_much_memory(bomb: str, tmp_path: Path) -> None:
    path = save(graph(*BOMBS[bomb]), tmp_path / "model.onnx")
    tracemalloc.start()
    try:
        with pytest.raises((FormatError, UnsupportedError)):
            formats.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # What a file may ask for (onnx.tensors.Budget), and as much again while it is made.
    assert peak < 2 * (2**24 + 16 * path.stat().st_size) + 2**22


def test_one_weight_cannot_be_used_without_end(tmp_path: Path) -> None:
    """Every layer keeps a copy: a megabyte that a thousand layers share would be a gigabyte."""
    count = 1000
    weight = np.zeros((500, 500), np.float32)
    names = ["x", *(f"y{i}" for i in range(count - 1)), "y"]
    nodes = [helper.make_node("MatMul", [a, "weight"], [b]) for a, b in pairwise(names)]
    model = graph(nodes, {"weight": weight, "w": weight}, output="z")
    del model.graph.node[-1]
    model.graph.output[0].name = "y"
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 500
    with pytest.raises(FormatError, match="asks for 1000000 bytes"):
        formats.read(save(model, tmp_path / "model.onnx"))


def test_more_layers_than_any_model_has_are_refused(tmp_path: Path) -> None:
    names = ["x", *(f"y{i}" for i in range(2000)), "y"]
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    model = graph(nodes, {"w": ONE}, output="z")
    del model.graph.node[-1]
    model.graph.output[0].name = "y"
    with pytest.raises(UnsupportedError, match="a chain of more than 1024 layers"):
        formats.read(save(model, tmp_path / "model.onnx"))


@pytest.mark.parametrize("inside", [False, True])
def test_more_nodes_than_can_be_read_in_a_second_are_refused(inside: bool, tmp_path: Path) -> None:
    model = graph([], {"w": ONE})
    if inside:
        within(model, then_branch=True)
    body = model.graph.node[0].attribute[0].g if inside else model.graph
    body.MergeFromString(b"\x0a\x00" * 50_000)  # as many nodes without anything
    with pytest.raises(UnsupportedError, match="a graph of more than 50000 nodes"):
        formats.read(save(model, tmp_path / "model.onnx"))


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    data = to_model(SPEC).SerializeToString()
    path = tmp_path / "model.onnx"
    for name in (b"0.gru_l0", b"GRU", b"rnn_native.layers", b"time", b"0.W_l0.5", b"0.h_0"):
        assert name in data
        path.write_bytes(data.replace(name, b"\xff" + name[1:]))
        with pytest.raises(FormatError, match="is no text"):
            formats.read(path)
        with pytest.raises((FormatError, OptionError), match=r"is no text|no recurrent node is"):
            formats.read(path, node="0.gru_l0")


def test_states_joined_with_themselves_stay_one(tmp_path: Path) -> None:
    model = to_model(make_spec(RNG, "gru"))
    state = model.graph.output[1].name
    model.graph.node.extend(doubled("Concat", state, 60, axis=0))
    model.graph.output[1].name = "w"
    formats.read(save(model, tmp_path / "model.onnx"))


def within(model: Any, **branches: bool) -> None:
    """Puts the whole graph into these branches of an If."""
    inner = helper.make_graph(list(model.graph.node), "inner", [], list(model.graph.output))
    node = helper.make_node("If", ["x"], ["y"], "if", **dict.fromkeys(branches, inner))
    del model.graph.node[:]
    model.graph.node.append(node)


def varint(number: int) -> bytes:
    """As protobuf writes the length of what follows."""
    more = number >> 7
    return bytes([number & 127 | 128]) + varint(more) if more else bytes([number])


def test_bodies_within_bodies(tmp_path: Path) -> None:
    """Listed, however many; as deep as protobuf lets them nest, and then no model any more."""
    path = tmp_path / "model.onnx"
    model = to_model(SPEC)
    del model.graph.output[1:]
    for _ in range(8):
        within(model, then_branch=True, else_branch=True)
    with pytest.raises(UnsupportedError, match=r"node= can take one .* and 244 more"):
        formats.read(save(model, path))
    name = "if/then_branch/if/else_branch/" + "if/then_branch/" * 6 + "0.gru_l0"
    assert formats.read(path, node=name).layers[0].input_size == 3
    inner = b""
    for field in (6, 5, 1) * 1000 + (7,):  # a graph in an attribute in a node ... of a model
        inner = bytes([field << 3 | 2]) + varint(len(inner)) + inner
    path.write_bytes(to_model(SPEC).SerializeToString() + inner)
    with pytest.raises(FormatError, match="not an ONNX model"):
        formats.read(path)


# Damage


WHOLE = to_model(
    make_spec(RNG, "lstm", 3, 4, num_embeddings=5, direction="bidirectional", out_features=2,
              activation="softmax", num_layers=2, peephole=True)
).SerializeToString()  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_ends_early_is_an_error(path: Path, size: int) -> None:
    path.write_bytes(WHOLE[:size])
    with pytest.raises(RnnError):
        formats.read(path)


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1))
def test_damage_does_no_worse_than_an_error(path: Path, damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for position, value in damage:
        data[position] = value
    path.write_bytes(data)
    for options in ({}, {"node": "1.lstm_l1"}, {"between": ("x", None)}):
        with contextlib.suppress(RnnError):
            formats.read(path, **options)
    with contextlib.suppress(RnnError, onnx.checker.ValidationError):
        model = onnx.ModelProto()
        try:
            model.ParseFromString(bytes(data))
        except Exception:  # protobuf's own, of what is no message
            return
        onnx_backend.prepare(model).run([np.zeros((2, 2), np.int64)])
