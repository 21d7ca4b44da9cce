"""What a graph may ask for and is not done: refused by the name of node, attribute and value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper
from onnx_graphs import Builder, make_linear, make_recurrent, uniform

from rnn_native import formats
from rnn_native.errors import FormatError, UnsupportedError

T, B, IN, H = 5, 2, 3, 4


def read_recurrent(
    folder: Path, cell: str, *more: str, setup: Callable[[Builder], Any] | None = None,
    **attributes: Any,
) -> Any:  # fmt: skip
    """Reads a graph of one recurrent node called 'it', with attributes and inputs besides."""
    b = Builder(22)
    if setup:
        setup(b)
    y = b.recurrent(
        b.input("x", ["t", "b", IN]), make_recurrent(cell, IN, H), *more, name="it", **attributes
    )
    b.output(y[0])
    return formats.read(b.save(folder))


UNSUPPORTED: list[tuple[str, str, Any]] = [
    *((cell, "clip", 0.0) for cell in ("rnn", "gru", "lstm")),
    *((cell, "clip", -2.5) for cell in ("rnn", "gru", "lstm")),
    *((cell, "activation_alpha", [0.5]) for cell in ("rnn", "gru", "lstm")),
    *((cell, "activation_beta", [0.5]) for cell in ("rnn", "gru", "lstm")),
    *((cell, "output_sequence", 1) for cell in ("rnn", "gru", "lstm")),
    ("lstm", "linear_before_reset", 1),
    ("gru", "input_forget", 0),
    ("rnn", "linear_before_reset", 0),
    ("rnn", "activations", ["Swish"]),
    ("gru", "activations", ["Sigmoid", "Identity"]),
    ("lstm", "activations", ["Sigmoid", "Tanh", "HardSwish"]),
    ("lstm", "cell_clip", 1.0),
]


@pytest.mark.parametrize(("cell", "name", "value"), UNSUPPORTED)
def test_an_attribute_of_a_recurrent_node(cell: str, name: str, value: Any, tmp_path: Path) -> None:
    b = Builder(22)
    b.output(b.recurrent(b.input("x", ["t", "b", IN]), make_recurrent(cell, IN, H), name="it")[0])
    (node,) = b.nodes
    attribute = helper.make_attribute(name, value)
    for old in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(old)
    node.attribute.append(attribute)
    shown = (
        list(attribute.strings and [s.decode() for s in attribute.strings])
        if name == ("activations")
        else helper.get_attribute_value(attribute)
    )
    with pytest.raises(UnsupportedError) as caught:
        formats.read(b.save(tmp_path))
    message = str(caught.value)
    assert f"node 'it' ({cell.upper()}): attribute {name}={shown} is not supported" in message


def test_more_constants_than_the_activations_take(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"1 more than LeakyRelu, Tanh take"):
        read_recurrent(
            tmp_path, "gru", activations=["LeakyRelu", "Tanh"], activation_alpha=[0.5, 0.0]
        )


@pytest.mark.parametrize("constants", [{}, {"activation_alpha": [1.0]}])
def test_a_constant_without_a_default(constants: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="ScaledTanh needs one, and has no default"):
        read_recurrent(tmp_path, "gru", activations=["Sigmoid", "ScaledTanh"], **constants)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"direction": "backward"}, "attribute direction='backward'"),
        ({"direction": "bidirectional"}, r"W: expected shape \(2, 12, 3\), got \(1, 12, 3\)"),
        ({"layout": 2}, "attribute layout=2: expected 0 or 1"),
        ({"hidden_size": 5}, "attribute hidden_size=5, but R has 4"),
        ({"hidden_size": 4.0}, "attribute hidden_size: expected int, got 4.0"),
        ({"activations": "Tanh"}, "attribute activations: expected strings, got 'Tanh'"),
        ({"activations": ["Sigmoid"]}, r"attribute activations=\['Sigmoid'\]: expected 2 of them"),
        ({"activations": ["Sigmoid", "Tanh"] * 2}, ".*: expected 2 of them for 1 direction"),
        (
            {"activations": ["Affine", "Tanh"], "activation_alpha": [float("nan")]},
            "attribute activation_alpha: expected a number, got nan",
        ),
    ],
)
def test_an_attribute_that_contradicts(
    attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match=rf"node 'it' \(GRU\): {message}"):
        read_recurrent(tmp_path, "gru", **attributes)


def test_a_coupling_that_is_neither_on_nor_off(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="attribute input_forget=2: expected 0 or 1"):
        read_recurrent(tmp_path, "lstm", input_forget=2)


STATES: dict[str, tuple[Callable[[Builder], Any], type, str]] = {
    "another state for each row": (
        lambda b: b.constant(np.arange(B * H, dtype=np.float32).reshape(1, B, H), name="h"),
        UnsupportedError,
        r"initial_h: constants of shape \(1, 2, 4\) that differ from row to row of the batch",
    ),
    "integers": (
        lambda b: b.constant(np.ones((1, B, H), np.int64), name="h"),
        UnsupportedError,
        "initial_h: expected floats, got a constant of int64",
    ),
    "a state of another size": (
        lambda b: b.constant(np.ones((2, 1, H), np.float32), name="h"),
        FormatError,
        r"initial_h: expected shape \(1, batch, 4\), got \(2, 1, 4\)",
    ),
    "zeros of another size": (
        lambda b: b.constant(np.zeros((1, B, 5), np.float32), name="h"),
        FormatError,
        r"initial_h: expected shape \(1, batch, 4\), got \(1, 2, 5\)",
    ),
    "zeros of another rank": (
        lambda b: b.constant(np.zeros((B, H), np.float32), name="h"),
        FormatError,
        r"initial_h: expected shape \(1, batch, 4\), got \(2, 4\)",
    ),
    "an input of another size": (
        lambda b: b.input("h", [2, "b", H]),
        FormatError,
        r"initial_h: expected shape \(1, batch, 4\)",
    ),
}


@pytest.mark.parametrize("what", STATES)
def test_an_initial_state_that_is_neither_zero_nor_given(what: str, tmp_path: Path) -> None:
    setup, error, message = STATES[what]
    with pytest.raises(error, match=rf"node 'it' \(GRU\): {message}"):
        read_recurrent(tmp_path, "gru", "", "h", setup=setup)


def test_an_initial_state_that_is_calculated(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    encoder, decoder = make_recurrent("gru", IN, H), make_recurrent("gru", IN, H, seed=1)
    state = b.recurrent(x, encoder)[1]
    b.output(b.recurrent(x, decoder, "", state, name="decoder")[0])
    with pytest.raises(
        UnsupportedError, match=r"node 'decoder' \(GRU\): initial_h: expected constants or"
    ):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("which", ["both states", "two layers", "the data"])
def test_an_input_used_for_two_things(which: str, tmp_path: Path) -> None:
    b = Builder()
    h = b.input("h", [1, "b", H])
    if which == "both states":
        x = b.input("x", ["t", "b", IN])
        b.output(b.recurrent(x, make_recurrent("lstm", IN, H), "", h, h, name="it")[0])
    elif which == "two layers":
        x = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), make_recurrent("gru"), "", h)[0], 1)
        b.output(b.recurrent(x, make_recurrent("gru", H, H), "", h, name="it")[0])
    else:
        b.output(b.recurrent(h, make_recurrent("gru", H, H), "", h, name="it")[0])
    with pytest.raises(UnsupportedError, match=r"node 'it' .*initial_[hc]: .*'h' is"):
        formats.read(b.save(tmp_path))


def test_lengths_that_are_a_constant_or_not_of_all_layers(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="sequence_lens: expected an input of the graph"):
        read_recurrent(
            tmp_path, "gru", "n", setup=lambda b: b.constant([T] * B, np.int32, name="n")
        )
    b = Builder()
    n = b.input("n", ["b"], TensorProto.INT32)
    y = b.recurrent(b.input("x", ["t", "b", IN]), make_recurrent("gru"), n)[0]
    b.output(b.recurrent(b.squeeze(y, 1), make_recurrent("gru", H, H), name="it")[0])
    with pytest.raises(UnsupportedError, match=r"'it' .*sequence_lens=None, but 'n' in the recurr"):
        formats.read(b.save(tmp_path))


def test_weights_that_are_not_of_the_file(tmp_path: Path) -> None:
    b = Builder()
    w, r = b.input("w", [1, 3 * H, IN]), b.constant(uniform(1, 3 * H, H))
    b.output(b.op("GRU", b.input("x", ["t", "b", IN]), w, r, name="it"))
    with pytest.raises(UnsupportedError, match=r"node 'it' \(GRU\): W: expected a constant"):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize(
    ("w", "r", "b", "message"),
    [
        ((1, 12), (1, 12, 4), (1, 24), "rank 3"),
        ((1, 11, 3), (1, 12, 4), (1, 24), r"W: expected shape \(1, 12, 3\)"),
        ((1, 12, 3), (1, 12, 5), (1, 24), r"W: expected shape \(1, 15, 3\)"),
        ((1, 12, 3), (2, 12, 4), (1, 24), r"R: expected shape \(1, 12, 4\)"),
        ((1, 12, 3), (1, 12, 4), (1, 12), r"B: expected shape \(1, 24\)"),
        ((1, 12, 2), (1, 12, 4), (1, 24), "its weights take 2 features, 3 come"),
        ((1, 12, 0), (1, 12, 4), (1, 24), "input_size: expected 1 to .*, got 0"),
    ],
)
def test_weights_of_a_wrong_shape(
    w: tuple[int, ...], r: tuple[int, ...], b: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    g = Builder()
    weights = [g.constant(uniform(*shape)) for shape in (w, r, b)]
    g.output(g.op("GRU", g.input("x", ["t", "b", IN]), *weights, name="it"))
    with pytest.raises(FormatError, match=rf"node 'it' \(GRU\): .*{message}"):
        formats.read(g.save(tmp_path))


SEQUENCE = make_recurrent("gru", IN, H)
TWO = np.array(2, np.float32)
NODES: dict[str, Callable[[Builder, str], str]] = {
    "Floor": lambda b, y: b.op("Floor", y, name="it"),
    "Conv": lambda b, y: b.op("Conv", y, b.constant(uniform(H, H, 1)), name="it"),
    "Pow": lambda b, y: b.op("Pow", b.constant(TWO), y, name="it"),
    "ThresholdedRelu": lambda b, y: b.op("ThresholdedRelu", y, name="it"),
    "Gather": lambda b, y: b.op("Gather", y, b.constant(-2, np.int64), name="it"),
    "Slice": lambda b, y: b.op("Slice", y, b.integers(-2), b.integers(2**62), b.integers(0),
                               name="it"),
    "Concat": lambda b, y: b.op("Concat", y, y, axis=0, name="it"),
    "Cast": lambda b, y: b.op("Cast", y, to=TensorProto.FLOAT16, name="it"),
    "MatMul": lambda b, y: b.op("MatMul", b.constant(uniform(5, T)), y, name="it"),
    "ReverseSequence": lambda b, y: b.op("ReverseSequence", y, b.integers(1, 1), name="it"),
    "Dropout": lambda b, y: b.op("Dropout", y, "", b.constant(True), name="it"),
    "Einsum": lambda b, y: b.op("Einsum", y, y, equation="tbf,tbf->tbf", name="it"),
}  # fmt: skip


@pytest.mark.parametrize("op", NODES)
def test_an_operator_that_is_no_layer(op: str, tmp_path: Path) -> None:
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), SEQUENCE)[0], 1)
    b.output(b.linear(NODES[op](b, y), make_linear(H, 2)))
    with pytest.raises(UnsupportedError, match=rf"node 'it' \({op}\): "):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize(
    ("op", "attribute", "shown"),
    [
        ("Gemm", {"transA": 1}, "transA=1"),
        ("Gemm", {"broadcast": 1}, "broadcast=1"),
        ("MatMul", {"transB": 1}, "transB=1"),
        ("Relu", {"alpha": 0.5}, "alpha=0.5"),
        ("Softmax", {"alpha": [1, 2]}, r"alpha=\[1, 2\]"),
        ("Squeeze", {"axes": [0]}, r"axes=\[0\]"),
        ("Transpose", {"mode": "fast"}, "mode='fast'"),
        ("Identity", {"x": np.float32(2).item()}, "x=2.0"),
    ],
)
def test_an_attribute_of_another_node(
    op: str, attribute: dict[str, Any], shown: str, tmp_path: Path
) -> None:
    b = Builder()
    x = b.input("x", [T, IN])
    inputs = [b.constant(uniform(IN, 3))] if op in ("Gemm", "MatMul") else []
    y = x if inputs else b.op("MatMul", x, b.constant(uniform(IN, 3)))
    b.output(b.op(op, y, *inputs, name="it", **attribute))
    with pytest.raises(UnsupportedError, match=rf"node 'it' \({op}\): attribute {shown}"):
        formats.read(b.save(tmp_path))


def test_an_operator_of_somebody_else(tmp_path: Path) -> None:
    b = Builder()
    weights = [b.constant(uniform(1, 12, IN)), b.constant(uniform(1, 12, H))]
    b.output(b.op("GRU", b.input("x", ["t", "b", IN]), *weights, domain="custom", name="it"))
    with pytest.raises(UnsupportedError, match=r"node 'it' \(custom\.GRU\): this operator is not"):
        formats.read(b.save(tmp_path))


def test_a_subgraph(tmp_path: Path) -> None:
    b = Builder()
    y = b.recurrent(b.input("x", ["t", "b", IN]), SEQUENCE)[0]
    empty = helper.make_graph([], "branch", [], [])
    condition = b.input("condition", [], TensorProto.BOOL)
    b.nodes.append(helper.make_node("If", [condition, y], ["z"], "it", None, None,
                                    then_branch=empty, else_branch=empty))  # fmt: skip
    b.output("z")
    with pytest.raises(UnsupportedError, match=r"its branch depends on 'condition': given="):
        formats.read(b.save(tmp_path))
    b.nodes[-1].input[0] = y
    with pytest.raises(UnsupportedError, match=r"node 'it' \(If\): its condition is not known"):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("opset", [1, 6, 29, 1000])
def test_a_version_of_the_operators_that_was_not_compared(opset: int, tmp_path: Path) -> None:
    b = Builder(opset)
    b.output(b.recurrent(b.input("x", ["t", "b", IN]), SEQUENCE)[0])
    with pytest.raises(UnsupportedError, match=f"operator set {opset}: expected one from 7 to 28"):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: m.graph.ClearField("node"), "it has no nodes"),
        (lambda m: m.ClearField("graph"), "it has no nodes"),
        (lambda m: m.ClearField("opset_import"), "expected one version of the ONNX operator set"),
        (lambda m: m.opset_import.append(onnx.helper.make_opsetid("", 12)), "expected one version"),
        (lambda m: m.graph.node.reverse(), "is made by nothing before it"),
        (lambda m: m.graph.node.append(m.graph.node[0]), "which exists already"),
        (lambda m: m.graph.ClearField("initializer"), "is made by nothing before it"),
        (lambda m: m.graph.ClearField("input"), "'x' is made by nothing before it"),
        (lambda m: setattr(m.graph.output[0], "name", "nothing"), "no node makes .* 'nothing'"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 9999), "not a tensor"),
        (lambda m: m.graph.initializer[0].dims.append(7), "not a tensor"),
        (lambda m: m.graph.node[0].input.extend(["x"] * 9), "expected 3 to 6 inputs, got"),
        (lambda m: m.graph.node[0].ClearField("input"), "expected 3 to 6 inputs, got 0"),
    ],
    ids=range(13),
)
def test_a_graph_that_is_malformed(
    damage: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), SEQUENCE)[0], 1)
    b.output(b.linear(y, make_linear(H, 2)))
    model = b.model()
    damage(model)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(FormatError, match=message):
        formats.read(tmp_path / "model.onnx")


def test_a_table_of_integers_is_refused_by_its_node(tmp_path: Path) -> None:
    b = Builder()
    table = b.constant(np.arange(12).reshape(4, 3), np.uint8)
    y = b.op("Gather", table, b.input("x", ["t", "b"], TensorProto.INT64), name="quantized")
    y = b.op("Cast", y, to=TensorProto.FLOAT)
    b.output(b.squeeze(b.recurrent(y, make_recurrent("gru", 3, 4))[0], 1))
    with pytest.raises(
        UnsupportedError, match=r"'quantized' \(Gather\): expected a table of floats"
    ):
        formats.read(b.save(tmp_path))


def test_a_set_of_operators_may_be_said_twice(tmp_path: Path) -> None:
    """As onnx.compose does where it joins two models."""
    b = Builder()
    b.output(b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), SEQUENCE)[0], 1))
    model = b.model()
    model.opset_import.extend(list(model.opset_import))
    onnx.save(model, tmp_path / "model.onnx")
    assert len(formats.read(tmp_path / "model.onnx").layers) == 1


@pytest.mark.parametrize("content", [b"", b"\0", b"not a model", b"\xff" * 100])
def test_a_file_that_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="not an ONNX model"):
        formats.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        formats.read(tmp_path / "none.onnx")


def test_a_constant_larger_than_memory_is_refused_before_it_is_made(tmp_path: Path) -> None:
    b = Builder()
    big = b.op("Expand", b.constant(np.ones(1, np.float32)), b.integers(2**20, 2**20), name="it")
    b.output(b.op("MatMul", b.input("x", ["t", "b", 2**20]), big))
    with pytest.raises(FormatError, match=r"node 'it' \(Expand\): asks for 4398046511104 bytes"):
        formats.read(b.save(tmp_path))
