"""Inputs of a graph by what they are used for: indices of any type of integers, sizes alone, and
tensors in the middle of a graph of which its file says nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper
from onnx_graphs import ATOL, Builder, make_linear, make_recurrent, run, uniform

from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError
from rnn_native.spec import Embedding, Linear

pytestmark = pytest.mark.oracle

T, B, IN, H, WORDS = 5, 2, 3, 4, 11
GRU = make_recurrent("gru", IN, H)
TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def tagger(folder: Path, dtype: str, to: str | None) -> Path:
    b = Builder()
    x = b.input("x", ["t", "b"], helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
    if to:
        x = b.op("Cast", x, name="cast", to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))
    y = b.recurrent(b.op("Gather", b.constant(uniform(WORDS, IN)), x), GRU)[0]
    b.output(b.squeeze(y, 1))
    return b.save(folder)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("to", [None, "int32", "int64"])
def test_indices_are_of_any_type_of_integers(dtype: str, to: str | None, tmp_path: Path) -> None:
    if to is None and dtype not in ("int32", "int64"):
        to = "int64"  # onnxruntime's Gather takes no others, which ONNX allows in a graph with Cast
    path = tagger(tmp_path, dtype, to)
    x = np.random.default_rng(0).integers(0, WORDS, (T, B)).astype(dtype)
    (want,) = run(path, {"x": x})
    spec = formats.read(path)
    assert isinstance(spec.layers[0], Embedding)
    np.testing.assert_allclose(reference.run(spec, x)[0], want, rtol=0, atol=ATOL)


@pytest.mark.parametrize(("dtype", "to"), [("int64", "uint8"), ("int16", "int8")])
def test_a_cast_that_cuts_numbers_off_is_refused(dtype: str, to: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"'cast' \(Cast\): attribute to=U?INT8 of INT"):
        formats.read(tagger(tmp_path, dtype, to))


@pytest.mark.parametrize(
    ("element", "shape"),
    [
        (TensorProto.FLOAT, ["n", 7]),
        (TensorProto.FLOAT, [B]),
        (TensorProto.BOOL, ["n"]),
        (TensorProto.STRING, ["n"]),
        (TensorProto.UINT8, ["n", 2, 2]),
    ],
)
def test_an_input_that_is_asked_for_its_shape_is_none_of_the_model(
    element: int, shape: Any, tmp_path: Path
) -> None:
    b = Builder()
    x, like = b.input("x", ["t", "b", IN]), b.input("like", shape, element)
    rows = b.op("Gather", b.op("Shape", like), b.integers(0))
    zeros = b.op("Expand", b.constant(np.zeros((1, 1, H), np.float32)),
                 b.op("Concat", b.integers(1), rows, b.integers(H), axis=0))  # fmt: skip
    b.output(b.squeeze(b.recurrent(x, GRU, "", zeros)[0], 1))
    spec = formats.read(b.save(tmp_path))
    assert list(spec.inputs) == ["x"]
    x = uniform(T, B, IN)
    want, _ = reference.run(formats.read(tmp_path / "model.onnx", node=b.nodes[-2].name), x)
    np.testing.assert_array_equal(reference.run(spec, x)[0], want)


def test_zeros_expanded_as_pytorch_writes_it(tmp_path: Path) -> None:
    """Where the size that is asked for is -1, it stays 1."""
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    rows = b.op("Gather", b.op("Shape", x), b.integers(1))
    target = b.op("Concat", b.integers(1), rows, b.integers(-1), axis=0)
    ones = b.op("ConstantOfShape", b.integers(3), value=helper.make_tensor("v", 7, [1], [1]))
    minus = b.op("Mul", ones, b.constant(-1, np.int64))
    kept = b.op("Where", b.op("Equal", target, minus), ones, target)
    h = b.op("Expand", b.constant(uniform(1, 1, H)), kept)
    b.output(b.squeeze(b.recurrent(x, GRU, "", h)[0], 1))
    path = b.save(tmp_path)
    (want,) = run(path, {"x": uniform(T, B, IN)})
    spec = formats.read(path)
    np.testing.assert_allclose(reference.run(spec, uniform(T, B, IN))[0], want, rtol=0, atol=ATOL)


def test_a_part_starts_with_a_tensor_that_its_file_does_not_describe(tmp_path: Path) -> None:
    head = make_linear(H, 2)
    b = Builder()
    y = b.squeeze(b.recurrent(b.op("Floor", b.input("x", ["t", "b", IN])), GRU)[0], 1)
    z = b.linear(y, head)
    b.output(z)
    path = b.save(tmp_path)
    assert not onnx.load(path).graph.value_info
    (layer,) = formats.read(path, between=(y, None)).layers
    assert isinstance(layer, Linear)
    np.testing.assert_array_equal(layer.weight, head.weight)
    model = onnx.load(path)
    model.graph.node[0].domain = "my"  # nothing is known of what such a node makes
    model.opset_import.append(helper.make_opsetid("my", 1))
    del model.graph.node[1:-2]
    model.graph.node[-2].input[0] = model.graph.node[0].output[0]
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match="the file does not tell its rank"):
        formats.read(path, between=(model.graph.node[0].output[0], None))
