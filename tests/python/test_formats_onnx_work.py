"""ONNX files that ask for much work, or come to an operator with too little: each ends soon."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from strategies import make_spec

from rnn_native import formats, onnx_backend
from rnn_native.errors import FormatError, OptionError, RnnError, UnsupportedError
from rnn_native.formats import onnx as onnx_format
from rnn_native.formats.onnx import assembling, reshape
from rnn_native.formats.onnx.graph import MAX_TENSORS, load
from rnn_native.formats.onnx.parts import labels, places
from rnn_native.formats.onnx.writing import to_model

RNG = np.random.default_rng(0)
FLOAT = TensorProto.FLOAT


def save(
    folder: Path,
    nodes: list[Any],
    constants: dict[str, Any],
    shape: list[Any],
    outputs: list[str] | None = None,
) -> Path:
    """A file of these nodes on x of that shape; its outputs are those of the last node."""
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", FLOAT, shape)],
            [
                helper.make_tensor_value_info(name, FLOAT, None)
                for name in outputs or nodes[-1].output
            ],
            [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    return write(folder, model)


def write(folder: Path, model: Any) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


# Calculations


def of_ones(name: str, size: str, dtype: Any) -> Any:
    """A matrix of ones that takes no place in the file."""
    fill = numpy_helper.from_array(np.ones(1, dtype))
    return helper.make_node("ConstantOfShape", [size], [name], value=fill)


@pytest.mark.parametrize(("op", "dtype"), [("MatMul", np.int8), ("Gemm", np.float32)])
def test_products_whose_result_is_small_are_limited_too(
    op: str, dtype: Any, tmp_path: Path
) -> None:
    """10^6 numbers may be made; the 10^9 products for them, in a file of 300 bytes, may not."""
    nodes = [
        of_ones("a", "size", dtype),
        of_ones("b", "size", dtype),
        helper.make_node(op, ["a", "b"], ["w"], "it"),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    with pytest.raises(FormatError, match=r"'it' .*: asks for \d+ steps of calculation"):
        formats.read(save(tmp_path, nodes, {"size": [1000, 1000]}, ["t", "b", 1000]))


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("Range", {"a": 0.0, "b": 1e12, "c": 1.0}, {}),
        ("Range", {"a": 0.0, "b": np.inf, "c": 1.0}, {}),
        ("OneHot", {"i": [1, 2], "d": 2**40, "v": [0.0, 1.0]}, {}),
        ("Pad", {"a": [1.0, 2.0], "p": [2**30, 2**30]}, {"mode": "constant"}),
        ("Pad", {"a": [1.0, 2.0], "p": [2**19, 2**19]}, {"mode": "reflect"}),
        ("Trilu", {"a": np.zeros(2**16)}, {}),
        ("Where", {"c": np.ones((2**14, 1), bool), "a": np.ones((1, 2**14)), "b": 0.0}, {}),
        ("Equal", {"a": np.ones((2**15, 1)), "b": np.ones((1, 2**15))}, {}),
        ("GatherElements", {"a": np.ones((2, 2)), "i": np.full((3, 3), 5)}, {}),
    ],
)
def test_a_constant_of_any_operator_is_limited(
    op: str, inputs: dict[str, Any], attributes: dict[str, Any], tmp_path: Path
) -> None:
    constants = {
        name: a if np.asarray(a).dtype.kind in "bi" else np.asarray(a, np.float32)
        for name, a in inputs.items()
    }
    nodes = [
        helper.make_node(op, list(inputs), ["w"], "it", **attributes),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    with pytest.raises(FormatError, match=rf"'it' \({op}\)"):
        formats.read(save(tmp_path, nodes, constants, ["t", "b", 4]))


def test_a_constant_is_not_gone_through_without_end(tmp_path: Path) -> None:
    """What is refused makes nothing, but its inputs were looked at: here all of 2^22 numbers."""
    count = 100
    nodes = [of_ones("a", "size", np.float32)]
    nodes += [
        helper.make_node("RNN", ["x", "w", "w", "", "", "a"], [f"y{i}"]) for i in range(count)
    ]
    constants = {"size": [2**22], "w": np.zeros((1, 1, 1), np.float32)}
    outputs = [f"y{i}" for i in reversed(range(count))]
    with pytest.raises(FormatError, match=r"'y99' .*: asks for \d+ steps of calculation"):
        formats.read(save(tmp_path, nodes, constants, ["t", "b", 1], outputs))


def test_products_of_weights_are_made(tmp_path: Path) -> None:
    """27 10^6 of them, a tenth of what any file may ask for."""
    a, b = (RNG.normal(size=(300, 300)).astype(np.float32) for _ in range(2))
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    (layer,) = formats.read(save(tmp_path, nodes, {"a": a, "b": b}, ["t", "b", 300])).layers
    np.testing.assert_array_equal(layer.weight, (a @ b).T)


def test_running_a_graph_is_not_limited() -> None:
    """As many products as the caller asks for: 2^30, of which the file gives no reason for any."""
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    ones = np.ones((2**10, 2**10), np.float32)
    (y,) = onnx_backend.run_node(node, [ones, ones])
    assert (y == 2**10).all()


@pytest.mark.parametrize("rank", [2, 8])
def test_reshape_compares_few_arrangements(
    rank: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each run of axes once with each dimension, not in all 6435 arrangements of eight in eight."""
    compared = 0
    accepts = reshape._accepts

    def counting(*arguments: Any) -> bool:
        nonlocal compared
        compared += 1
        return accepts(*arguments)

    monkeypatch.setattr(reshape, "_accepts", counting)
    nodes = [helper.make_node("Reshape", ["x", "ones"], ["y"])]
    path = save(tmp_path, nodes, {"ones": np.ones(rank, np.int64)}, [1] * rank)
    with pytest.raises(RnnError):  # no layer
        formats.read(path)
    assert 0 < compared <= rank * (rank + 1) * (rank + 2) // 2


def test_a_file_of_reshapes_is_limited(tmp_path: Path) -> None:
    names = ["x", *(f"y{i}" for i in range(10_000))]
    nodes = [helper.make_node("Reshape", [a, "ones"], [b]) for a, b in pairwise(names)]
    path = save(tmp_path, nodes, {"ones": np.ones(8, np.int64)}, [1] * 8)
    with pytest.raises(FormatError, match=r"\(Reshape\): asks for \d+ steps of calculation"):
        formats.read(path)


# Many of something


def test_states_of_many_layers_are_found_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not those of the chain anew for each of them."""
    count, asked = 30, 0
    steps_of = assembling.steps_of

    def counting(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return steps_of(*arguments)

    for module in (onnx_format, assembling):
        monkeypatch.setattr(module, "steps_of", counting)
    nodes, y = [], "x"
    for i in range(count):
        nodes.append(helper.make_node("RNN", [y, "w", "w"], [f"y{i}", f"h{i}"]))
        nodes.append(helper.make_node("Squeeze", [f"y{i}", "axis"], [f"s{i}"]))
        y = f"s{i}"
    constants = {"w": np.ones((1, 1, 1), np.float32), "axis": [1]}
    outputs = [y, *(f"h{i}" for i in range(count))]
    assert len(formats.read(save(tmp_path, nodes, constants, ["t", "b", 1], outputs)).layers) == 30
    assert asked == 2  # of the output, and of all that is needed


@pytest.mark.parametrize("kind", ["branches", "states"])
def test_lists_of_layers_are_limited(kind: str, tmp_path: Path) -> None:
    """Many branches behind 1000 layers are too many; each Concat lists its many states."""
    nodes, outputs = [], []
    error: type[RnnError] = FormatError
    message = r"\(Concat\): asks for \d+ bytes"
    if kind == "branches":
        names = ["x", *(f"a{i}" for i in range(1000))]
        nodes = [helper.make_node("MatMul", [a, "m"], [b]) for a, b in pairwise(names)]
        outputs = [f"b{i}" for i in range(10_000)]
        error, message = UnsupportedError, "a graph of more than 1024 layers"
        nodes += [helper.make_node("MatMul", [names[-1], "m"], [name]) for name in outputs]
    else:
        names = [f"h{i}" for i in range(4000)]
        nodes = [helper.make_node("RNN", ["x", "w", "w"], ["", name]) for name in names]
        joined = [names[0], *(f"c{i}" for i in range(1, 4000))]
        for name, (before, after) in zip(names[1:], pairwise(joined), strict=True):
            nodes.append(helper.make_node("Concat", [before, name], [after], axis=0))
        outputs = joined[-1:]
    constants = {"m": np.ones((1, 1), np.float32), "w": np.ones((1, 1, 1), np.float32)}
    path = save(tmp_path, nodes, constants, ["t", "b", 1], outputs[::-1])
    with pytest.raises(error, match=message):
        formats.read(path)


@pytest.mark.parametrize("domain", ["", "custom" * 100])
def test_a_message_stays_short(domain: str, tmp_path: Path) -> None:
    model = to_model(make_spec(RNG, "gru"))
    del model.opset_import[:]
    for version in range(1000):
        model.opset_import.add(version=version, domain=domain)
    with pytest.raises((FormatError, UnsupportedError), match=r"operator|set") as caught:
        formats.read(write(tmp_path, model))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("field", ["value_info", "initializer", "input", "output"])
def test_more_tensors_than_can_be_read_in_a_second_are_refused(field: str, tmp_path: Path) -> None:
    model = to_model(make_spec(RNG, "gru"))
    key = bytes([model.graph.DESCRIPTOR.fields_by_name[field].number << 3 | 2])
    model.graph.MergeFromString((key + b"\x00") * MAX_TENSORS)
    with pytest.raises(UnsupportedError, match=f"more than {MAX_TENSORS} tensors"):
        formats.read(write(tmp_path, model))


# Nodes that lack something


@pytest.mark.parametrize("op", ["Concat", "Gather", "Reshape", "Slice", "Split", "Transpose"])
@pytest.mark.parametrize("inputs", [["h"], ["h", ""], ["", "h"], ["h"] * 6])
def test_a_final_state_alone(op: str, inputs: list[str], tmp_path: Path) -> None:
    """Whatever is missing besides it, or too much: an error of ours, if any."""
    nodes = [
        helper.make_node("RNN", ["x", "w", "w"], ["y", "h"]),
        helper.make_node(op, inputs, ["z"], "it"),
    ]
    path = save(tmp_path, nodes, {"w": np.ones((1, 1, 1), np.float32)}, ["t", "b", 1])
    error: Any = contextlib.suppress(RnnError)
    if op in ("Gather", "Reshape") and inputs != ["h"] * 6:
        error = pytest.raises(FormatError, match=rf"'it' \({op}\): expected 2 to 2 inputs, got")
    with error:
        formats.read(path)


def test_a_state_in_an_operator_of_somebody_else(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("RNN", ["x", "w", "w"], ["y", "h"]),
        helper.make_node("Identity", ["h"], ["z"], "it", domain="custom"),
    ]
    path = save(tmp_path, nodes, {"w": np.ones((1, 1, 1), np.float32)}, ["t", "b", 1])
    with pytest.raises(UnsupportedError, match=r"node 'it' \(custom\.Identity\): "):
        formats.read(path)


@pytest.mark.parametrize(
    "names", [["a 2", "a", "a"], ["a", "a 1", "a"], ["a", "a", "a 1", "a 2", "a 3"], [""] * 3]
)
def test_names_that_clash_stay_names_of_one_node_each(names: list[str], tmp_path: Path) -> None:
    nodes = [helper.make_node("LSTM", ["x", "w", "w"], [], name) for name in names]
    nodes.append(helper.make_node("Conv", ["x"], ["y"]))
    path = save(tmp_path, nodes, {"w": np.ones((1, 4, 1), np.float32)}, ["t", "b", 1])
    found = places(load(path))
    assert list(labels(found).values()) == found
    for label, place in labels(found).items():
        assert names.count(label) == 0 or place.name == label
        assert len(formats.read(path, node=label).layers) == 1
    with pytest.raises(OptionError, match="no recurrent node is called so"):
        formats.read(path, node="q")
