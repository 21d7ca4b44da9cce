"""Graphs that are chains: the layers that are read, and which part of a graph is."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper
from onnx_graphs import ATOL, Builder, check, make_linear, make_recurrent, run, uniform

from rnn_native import formats, reference
from rnn_native.errors import FormatError, OptionError, RnnError, UnsupportedError
from rnn_native.spec import Embedding, Linear, ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

T, B, IN, H = 5, 2, 3, 4
GRU = make_recurrent("gru", IN, H)
BOTH = make_recurrent("lstm", IN, H, direction="bidirectional")
ACTIVATIONS = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu",
    "Softmax": "softmax", "LogSoftmax": "log_softmax",
}  # fmt: skip


def kinds(spec: ModelSpec) -> list[type]:
    return [type(layer) for layer in spec.layers]


@pytest.mark.parametrize("op", [None, *ACTIVATIONS])
@pytest.mark.parametrize("bias_first", [False, True])
def test_matmul_add_activation_is_a_linear(
    op: str | None, bias_first: bool, tmp_path: Path
) -> None:
    linear = make_linear(H, 3)
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), GRU)[0], 1)
    y = b.op("MatMul", y, b.constant(linear.weight.T))
    bias = b.constant(linear.bias)
    y = b.op("Add", *((bias, y) if bias_first else (y, bias)))
    b.output(b.op(op, y) if op else y)
    spec = check(b.save(tmp_path), uniform(T, B, IN))
    last = spec.layers[-1]
    assert isinstance(last, Linear)
    assert last.activation == (ACTIVATIONS[op] if op else "identity")


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 3), (), (1,), (1, 1, 1)])
def test_a_bias_may_broadcast_along_the_features_only(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    b = Builder()
    y = b.op("MatMul", b.input("x", ["t", "b", IN]), b.constant(uniform(IN, 3)))
    b.output(b.op("Add", y, b.constant(uniform(*shape, seed=1))))
    assert kinds(check(b.save(tmp_path), uniform(T, B, IN))) == [Linear]


@pytest.mark.parametrize("shape", [(T, 1, 3), (B, 3), (B, 1), (1, 1, 1, 3), (4,)])
def test_a_constant_that_is_no_bias_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    b = Builder()
    y = b.op("MatMul", b.input("x", [T, B, IN]), b.constant(uniform(IN, 3)))
    b.output(b.op("Add", y, b.constant(uniform(*shape)), name="odd"))
    with pytest.raises(UnsupportedError, match=r"node 'odd' \(Add\)"):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (3,), (1, 3), (1,), ()])
def test_gemm_on_merged_time_and_batch(
    trans_b: int, bias: tuple[int, ...] | None, tmp_path: Path
) -> None:
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), GRU)[0], 1)
    sizes = b.op("Shape", y)
    flat = b.op("Reshape", y, b.integers(-1, H))
    weight = uniform(3, H) if trans_b else uniform(H, 3)
    inputs = [flat, b.constant(weight)] + ([] if bias is None else [b.constant(uniform(*bias))])
    y = b.op("Relu", b.op("Gemm", *inputs, transB=trans_b, alpha=0.5, beta=-2.0))
    kept = b.op("Slice", sizes, b.integers(0), b.integers(2), b.integers(0))
    b.output(b.op("Reshape", y, b.op("Concat", kept, b.integers(3), axis=0)))
    spec = check(b.save(tmp_path), uniform(T, B, IN))
    assert kinds(spec) == [Recurrent, Linear]


@pytest.mark.parametrize("index", [TensorProto.INT32, TensorProto.INT64])
def test_gather_of_a_table_is_an_embedding(index: int, tmp_path: Path) -> None:
    b = Builder()
    x = b.op("Cast", b.input("x", ["t", "b"], index), to=TensorProto.INT64)
    x = b.op("Gather", b.constant(uniform(7, IN)), x, axis=0)
    b.output(b.squeeze(b.recurrent(b.op("Identity", x), GRU)[0], 1))
    dtype = np.int32 if index == TensorProto.INT32 else np.int64
    x = np.random.default_rng(0).integers(0, 7, (T, B)).astype(dtype)
    assert kinds(check(b.save(tmp_path), x)) == [Embedding, Recurrent]


def test_double_precision_stays_double(tmp_path: Path) -> None:
    b = Builder()
    y = b.op("MatMul", b.input("x", ["t", "b", IN], TensorProto.DOUBLE),
             b.constant(uniform(IN, 3), np.float64))  # fmt: skip
    b.output(y, TensorProto.DOUBLE)
    (layer,) = check(b.save(tmp_path), uniform(T, B, IN).astype(np.float64)).layers
    assert layer.arrays["weight"].dtype == np.float64


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_widen(dtype: str, tmp_path: Path) -> None:
    element = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}[dtype]
    b = Builder()
    values = [0.5, -1.25, 3.0]
    b.constants.append(helper.make_tensor("w", element, [3, 1], values))
    b.output(b.op("MatMul", b.input("x", ["t", "b", 3], element), "w"), element)
    (layer,) = formats.read(b.save(tmp_path)).layers
    assert layer.arrays["weight"].dtype == np.float32
    assert layer.arrays["weight"].tolist() == [values]


def branching(tmp_path: Path) -> Path:
    b = Builder()
    x = b.op("Floor", b.input("x", ["t", "b", IN]), name="first")
    y, h = b.recurrent(x, GRU, name="gru")
    y = b.squeeze(y, 1)
    z = b.op("Floor", b.linear(y, make_linear(H, 2)), name="last")
    for name in (z, h):
        b.output(name)
    return b.save(tmp_path)


def test_between_names_the_part_to_read(tmp_path: Path) -> None:
    path = branching(tmp_path)
    nodes = {node.name: node for node in onnx.load(path).graph.node}
    x, y = nodes["gru"].input[0], nodes["gru"].output[0]
    with pytest.raises(UnsupportedError, match=r"node 'first' \(Floor\): this operator is not"):
        formats.read(path)
    before = nodes["last"].input[0]
    with pytest.raises(
        UnsupportedError, match=rf"node 'last' \(Floor\).*between=\('{x}', '{before}'\)"
    ):
        formats.read(path, between=(x, None))
    assert kinds(formats.read(path, between=(x, before))) == [Recurrent, Linear]
    assert kinds(formats.read(path, between=(x, y))) == [Recurrent]


def test_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = branching(tmp_path)
    nodes = {node.name: node for node in onnx.load(path).graph.node}
    x, before = nodes["gru"].input[0], nodes["last"].input[0]
    with pytest.raises(OptionError, match=rf"the graph has no tensor '{x}_'; there is .*'{x}'"):
        formats.read(path, between=(f"{x}_", None))
    with pytest.raises(OptionError, match="the graph has no tensor 'zzz'"):
        formats.read(path, between=(x, "zzz"))
    assert not formats.read(path, between=(x, nodes["gru"].output[1])).return_sequences
    assert kinds(formats.read(path, between=(nodes["gru"].output[0], before))) == [Linear]
    with pytest.raises(UnsupportedError, match=r"is not made by a layer"):
        formats.read(path, between=(x, x))


def test_an_input_that_does_not_lead_to_the_output_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x, other = b.input("x", ["t", "b", IN]), b.input("other", ["t", "b", IN])
    y = b.output(b.recurrent(x, GRU)[0])
    b.op("MatMul", other, b.constant(uniform(IN, 2)))
    path = b.save(tmp_path)
    with pytest.raises(OptionError, match=f"'other' does not lead to the output {y}"):
        formats.read(path, between=("other", None))
    assert kinds(formats.read(path, between=("x", None))) == [Recurrent]


def test_what_the_output_does_not_need_is_not_looked_at(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    b.input("text", ["n"], TensorProto.STRING)
    b.op("Conv", x, x)
    b.op("Transpose", b.recurrent(x, GRU)[0], perm=[9])
    b.output(b.squeeze(b.recurrent(x, GRU)[0], 1))
    assert kinds(formats.read(b.save(tmp_path))) == [Recurrent]


def test_two_sequences_are_two_outputs_unless_one_is_chosen(tmp_path: Path) -> None:
    b = Builder()
    y = b.squeeze(b.recurrent(b.input("x", ["t", "b", IN]), GRU)[0], 1)
    z = b.linear(y, make_linear(H, 2))
    for name in (y, z):
        b.output(name)
    path = b.save(tmp_path)
    assert list(formats.read(path).outputs) == [y, z]
    assert kinds(formats.read(path, between=(None, y))) == [Recurrent]
    assert kinds(formats.read(path, between=(None, z))) == [Recurrent, Linear]


def test_a_c_of_a_layer_that_no_output_needs_is_refused(tmp_path: Path) -> None:
    b = Builder()
    x = b.input("x", ["t", "b", IN])
    b.output(b.recurrent(x, GRU)[0])
    beside = b.output(b.recurrent(x, make_recurrent("lstm", IN, 2))[2])
    with pytest.raises(UnsupportedError, match=f"output '{beside}' is a state that .* not need"):
        formats.read(b.save(tmp_path))


def test_tensors_kept_in_another_file_are_found_or_missed_by_name(tmp_path: Path) -> None:
    b = Builder()
    b.output(b.recurrent(b.input("x", ["t", "b", IN]), GRU)[0])
    path = tmp_path / "model.onnx"
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(b.model(), path, **options)
    (layer,) = formats.read(path).layers
    np.testing.assert_array_equal(layer.arrays["weight_hh_l0"], GRU.arrays["weight_hh_l0"])
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(FormatError, match=r"initializer .*: kept outside the file: .*weights\.bin"):
        formats.read(path)


@pytest.mark.parametrize("size", [1, 2])
def test_a_raw_y_of_two_directions_can_be_the_output(size: int, tmp_path: Path) -> None:
    b = Builder()
    layer = make_recurrent("gru", IN, size, direction="bidirectional")
    b.output(b.recurrent(b.input("x", ["t", "b", IN]), layer)[0])
    path = b.save(tmp_path)
    x = uniform(T, B, IN)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(formats.read(path), x)
    want = want.transpose(0, 2, 1, 3).reshape(y.shape)
    np.testing.assert_allclose(y, want, rtol=0, atol=ATOL)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    b = Builder()
    b.output(b.recurrent(b.input("x", [T, B, IN]), BOTH)[0])
    path = b.save(tmp_path)
    one, other = (formats.read(path).layers[0].arrays for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_no_damage_to_a_file_does_worse_than_an_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    b = Builder()
    y = b.op("Transpose", b.recurrent(b.input("x", ["t", "b", IN]), BOTH)[0], perm=[0, 2, 1, 3])
    y = b.op("Reshape", y, b.integers(0, 0, -1))
    b.output(b.op("Softmax", b.linear(y, make_linear(2 * H, 3))))
    data = b.save(tmp_path).read_bytes()
    path = tmp_path / "damaged.onnx"
    for size in rng.integers(0, len(data), 100):
        path.write_bytes(data[:size])
        with pytest.raises(RnnError):
            formats.read(path)
    for _ in range(1000):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(RnnError):
            formats.read(path)
