"""Quantised operators one by one; what is said of them; what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import ATOL, Builder, make_linear, make_recurrent, run, uniform
from quantised_files import dequantised, dynamic, float_file, sequence, static

import rnn_native as rn
from rnn_native import formats
from rnn_native.cli import main
from rnn_native.errors import FormatError, UnsupportedError, VerifyError

pytestmark = pytest.mark.oracle

T, B, IN, OUT = 4, 2, 6, 5
MICROSOFT = "com.microsoft"
Array = Any
RNG = np.random.default_rng(0)
BYTES = RNG.integers(-128, 128, (IN, OUT)).astype(np.int8)
SCALES = RNG.uniform(0.001, 0.01, OUT).astype(np.float32)
POINTS = RNG.integers(-5, 5, OUT).astype(np.int8)


def save(b: Builder, folder: Path) -> Path:
    model = b.model()
    model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def start() -> tuple[Builder, str]:
    b = Builder(21)
    return b, b.input("x", ["t", "b", IN])


def layers(path: Path) -> list[Any]:
    return [node.layer for node in formats.read(path).nodes.values()]


X = uniform(T, B, IN, seed=1)


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("op", ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"])
def test_products_with_their_scales(op: str, vector: bool, bias: bool, tmp_path: Path) -> None:
    b, x = start()
    scale, zero = (SCALES, POINTS) if vector else (SCALES[:1], POINTS[:1])
    weight, w_scale, w_zero = b.constant(BYTES), b.constant(scale), b.constant(zero)
    own = uniform(OUT, seed=2)
    last = [b.constant(own)] if bias else []
    if op == "DynamicQuantizeMatMul":
        y = b.op(op, x, weight, w_scale, w_zero, *last, domain=MICROSOFT)
    else:
        q, s, z = b.ops("DynamicQuantizeLinear", x, count=3)
        y = b.op(op, q, weight, s, w_scale, z, w_zero, *last, domain=MICROSOFT)
    b.output(y)
    path = save(b, tmp_path)
    (linear,) = layers(path)
    np.testing.assert_array_equal(linear.weight.T, dequantised(BYTES, scale, zero, 1))
    assert (linear.bias is not None) == bias
    if bias:
        np.testing.assert_array_equal(linear.bias, own)
    off = np.abs(linear.weight).sum(1) * (X.max() - X.min()) / 255 / 2
    assert (np.abs(rn.load(path)(X)[0] - run(path, {"x": X})[0]) <= off + ATOL).all()


@pytest.mark.parametrize("order", ["scales first", "one by one", "reversed"])
def test_scales_are_multiplied_in_any_order(order: str, tmp_path: Path) -> None:
    b, x = start()
    q, s, z = b.ops("DynamicQuantizeLinear", x, count=3)
    y = b.op("Cast", b.op("MatMulInteger", q, b.constant(BYTES), z), to=TensorProto.FLOAT)
    scale = b.constant(SCALES)
    if order == "scales first":
        y = b.op("Mul", y, b.op("Mul", s, scale))
    elif order == "one by one":
        y = b.op("Mul", b.op("Mul", y, s), scale)
    else:
        y = b.op("Mul", scale, b.op("Mul", s, y))
    b.output(y)
    path = save(b, tmp_path)
    (linear,) = layers(path)
    np.testing.assert_array_equal(linear.weight.T, BYTES.astype(np.float32) * SCALES)
    assert linear.bias is None


def test_one_quantiser_feeds_several_products(tmp_path: Path) -> None:
    b, x = start()
    q, s, z = b.ops("DynamicQuantizeLinear", x, count=3)
    for zero in (POINTS, POINTS[:1]):
        y = b.op("MatMulInteger", q, b.constant(BYTES), z, b.constant(zero))
        y = b.op("Mul", b.op("Cast", y, to=TensorProto.FLOAT), b.op("Mul", s, b.constant(SCALES)))
        b.output(y)
    path = save(b, tmp_path)
    assert [type(layer).__name__ for layer in layers(path)] == ["Linear", "Linear"]
    got, want = rn.load(path)(X)[0], run(path, {"x": X})
    for one, other in zip(got.values(), want, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0.02)


def test_values_that_are_multiplied_with_each_other(tmp_path: Path) -> None:
    """Attention of a sequence to itself, whose products are of integers."""
    b, x = start()
    x = b.op("Transpose", x, perm=[1, 0, 2])
    turned = b.op("Transpose", x, perm=[0, 2, 1])
    (q, s, z), (k, k_s, k_z) = (b.ops("DynamicQuantizeLinear", v, count=3) for v in (x, turned))
    y = b.op("Cast", b.op("MatMulInteger", q, k, z, k_z), to=TensorProto.FLOAT)
    y = b.op("Softmax", b.op("Mul", y, b.op("Mul", s, k_s)), axis=-1)
    b.output(b.op("Transpose", b.op("MatMul", y, x), perm=[1, 0, 2]))
    path = save(b, tmp_path)
    assert [type(layer).__name__ for layer in layers(path)] == ["Attention"]
    # A score is off by |q| s_k / 2 + |k| s_q / 2 + s_q s_k / 4, summed over 6 features, a weight by
    # twice that times itself, and their sum is 1.
    step = (X.max() - X.min()) / 255
    off = 2 * IN * (step / 2 * 2 + step**2 / 4)
    np.testing.assert_allclose(rn.load(path)(X)[0], run(path, {"x": X})[0], rtol=0, atol=off)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("points", ["none", "packed", "float"])
def test_weights_in_blocks_of_few_bits(bits: int, points: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(bits)
    k, n, block = 40, 3, 16
    count = -(-k // block)
    b = Builder(21)
    x = b.input("x", ["t", "b", k])
    packed = rng.integers(0, 256, (n, count, block * bits // 8)).astype(np.uint8)
    scales = rng.uniform(0.01, 0.1, (n, count)).astype(np.float32)
    inputs = [x, b.constant(packed), b.constant(scales.reshape(-1))]
    if points == "packed":
        inputs.append(b.constant(rng.integers(0, 256, (n, -(-count * bits // 8))).astype(np.uint8)))
    elif points == "float":
        zeros = rng.uniform(0, 4, (n, count)).astype(np.float32)
        inputs.append(b.constant(zeros))
        rows = packed[..., None] >> np.arange(0, 8, bits) & 2**bits - 1
        own = (rows.reshape(n, count, block) - zeros[..., None]) * scales[..., None]
        own = own.reshape(n, -1)[:, :k]
    b.output(b.op("MatMulNBits", *inputs, domain=MICROSOFT, K=k, N=n, bits=bits, block_size=block))
    path = save(b, tmp_path)
    values = uniform(T, B, k)
    if bits == 8 and points == "float":  # which onnxruntime has not
        np.testing.assert_allclose(layers(path)[0].weight, own, rtol=1e-6)
        return
    (want,) = run(path, {"x": values})
    np.testing.assert_allclose(rn.load(path)(values)[0], want, rtol=1e-5, atol=2 * ATOL)


@pytest.mark.parametrize("unsigned", [False, True])
def test_a_table_in_blocks(unsigned: bool, tmp_path: Path) -> None:
    b = Builder(21)
    x = b.input("x", ["t", "b"], TensorProto.INT64)
    rng = np.random.default_rng(0)
    element = TensorProto.UINT4 if unsigned else TensorProto.INT4
    numbers = rng.integers(*((0, 16) if unsigned else (-8, 8)), (7, 32))
    tensor = helper.make_tensor("table", element, numbers.shape, numbers.ravel().tolist())
    b.constants.append(tensor)
    scales = rng.uniform(0.1, 1, (7, 2)).astype(np.float32)
    y = b.op(
        "GatherBlockQuantized", "table", x, b.constant(scales), domain=MICROSOFT, block_size=16
    )
    b.output(b.linear(y, make_linear(32, OUT)))
    path = save(b, tmp_path)
    indices = rng.integers(0, 7, (T, B))
    np.testing.assert_array_equal(
        layers(path)[0].weight, numbers.astype(np.float32) * scales.repeat(16, 1)
    )
    (want,) = run(path, {"x": indices})
    np.testing.assert_allclose(rn.load(path)(indices)[0], want, rtol=1e-5, atol=1e-4)


def pair(b: Builder, x: str, scale: float, zero: Any, **attributes: Any) -> str:
    own = [b.constant(np.float32(scale)), b.constant(zero)]
    return b.op("DequantizeLinear", b.op("QuantizeLinear", x, *own, **attributes), *own)


@pytest.mark.parametrize("opset", [10, 13, 21])
def test_a_range_is_kept(opset: int, tmp_path: Path) -> None:
    """As of a Relu that a quantiser has taken in: its zero point is the smallest number."""
    b = Builder(opset)
    x = b.input("x", ["t", "b", IN])
    b.output(pair(b, b.linear(x, make_linear(IN, OUT)), 0.002, np.int8(-128)))
    path = b.save(tmp_path)
    _, clip = layers(path)
    assert (clip.function, clip.alpha) == ("clip", 0)
    assert clip.beta == pytest.approx(0.51)
    (want,) = run(path, {"x": X})
    assert (want.min(), want.max()) == (0, pytest.approx(0.51))
    np.testing.assert_allclose(rn.load(path)(X)[0], want, rtol=0, atol=0.001 + ATOL)


@pytest.mark.parametrize(
    ("op", "zero", "scale", "kept"),
    [
        ("Sigmoid", np.uint8(0), 1 / 255, ()),
        ("Tanh", np.int8(0), 1 / 127, ()),
        ("Tanh", np.int8(0), 0.5 / 127, ("clip",)),
        ("Relu", np.uint8(0), 0.001, ("min",)),
        ("Relu", np.uint8(20), 0.001, ("min",)),
        ("Abs", np.uint8(128), 0.001, ("clip",)),
        ("Sigmoid", np.int16(0), 1 / 32767, ()),
        ("Sigmoid", np.uint16(0), 0.5 / 65535, ("min",)),
    ],
)
def test_a_range_that_values_never_leave_is_none(
    op: str, zero: Any, scale: float, kept: tuple[str, ...], tmp_path: Path
) -> None:
    b = Builder(21)
    y = b.op(op, b.linear(b.input("x", ["t", "b", IN]), make_linear(IN, OUT)))
    b.output(pair(b, y, scale, zero))
    path = b.save(tmp_path)
    found = [
        layer.function for layer in layers(path)[1:] if layer.function in ("clip", "min", "max")
    ]
    assert found == [*kept]
    (want,) = run(path, {"x": X})
    np.testing.assert_allclose(rn.load(path)(X)[0], want, rtol=0, atol=scale / 2 + ATOL)


def test_integers_are_moved_between_their_quantisers(tmp_path: Path) -> None:
    b = Builder(21)
    x = b.input("x", ["t", "b", IN])
    y = b.linear(x, make_linear(IN, 2 * OUT))
    own = [b.constant(np.float32(0.01)), b.constant(np.int8(3))]
    q = b.op("Transpose", b.op("QuantizeLinear", y, *own), perm=[1, 0, 2])
    left, right = b.ops("Split", q, count=2, axis=-1, num_outputs=2)
    q = b.op("Transpose", b.op("Concat", right, left, axis=-1), perm=[1, 0, 2])
    b.output(b.op("DequantizeLinear", q, *own))
    path = b.save(tmp_path)
    (want,) = run(path, {"x": X})
    np.testing.assert_allclose(rn.load(path)(X)[0], want, rtol=0, atol=0.005 + ATOL)


def _other_scale(b: Builder, x: str) -> str:
    q = b.op("QuantizeLinear", x, b.constant(np.float32(0.1)), b.constant(np.int8(0)))
    return b.op(
        "DequantizeLinear", q, b.constant(np.float32(0.2)), b.constant(np.int8(0)), name="it"
    )


def _scales_of_channels(b: Builder, x: str) -> str:
    own = [b.constant(np.full(IN, 0.1, np.float32)), b.constant(np.zeros(IN, np.int8))]
    q = b.op("QuantizeLinear", x, *own, axis=2, name="it")
    return b.op("DequantizeLinear", q, *own, axis=2, name="it")


def _of_eight_bit_floats(b: Builder, x: str) -> str:
    zero = helper.make_tensor("zero", TensorProto.FLOAT8E4M3FN, [], [0.0])
    b.constants.append(zero)
    scale = b.constant(np.float32(0.1))
    q = b.op("QuantizeLinear", x, scale, "zero", name="it")
    return b.op("DequantizeLinear", q, scale, "zero", name="it")


def _arithmetic(b: Builder, x: str) -> str:
    own = [b.constant(np.float32(0.1)), b.constant(np.int8(0))]
    q = b.op("Abs", b.op("QuantizeLinear", x, *own))
    return b.op("DequantizeLinear", q, *own, name="it")


def _prepacked(b: Builder, x: str) -> str:
    packed, scale = (
        b.constant(np.zeros((OUT, 1, 8), np.uint8)),
        b.constant(np.ones(OUT, np.float32)),
    )
    return b.op(
        "MatMulNBits", x, packed, scale, "", b.constant(np.zeros(IN, np.int32)), name="it",
        domain=MICROSOFT, K=IN, N=OUT, bits=4, block_size=16,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_other_scale, "scale and zero point are others than those of node"),
        (_scales_of_channels, r"values with scales of shape \(6,\): expected one scale"),
        (_of_eight_bit_floats, "values of float8_e4m3fn: expected integers of 4, 8 or 16 bits"),
        (
            _arithmetic,
            r"dequantises what node .* \(Abs\) makes: expected what QuantizeLinear makes",
        ),
        (_prepacked, "g_idx or prepacked weights"),
    ],
)
def test_what_is_quantised_otherwise_is_refused_by_name(
    make: Any, message: str, tmp_path: Path
) -> None:
    b, x = start()
    b.output(b.linear(make(b, x), make_linear(OUT if make is _prepacked else IN, OUT)))
    with pytest.raises(UnsupportedError, match=rf"node 'it' .*{message}"):
        formats.read(save(b, tmp_path))


def test_blocks_that_do_not_fit_are_malformed(tmp_path: Path) -> None:
    b, x = start()
    packed, scale = (
        b.constant(np.zeros((OUT, 1, 2), np.uint8)),
        b.constant(np.ones(OUT, np.float32)),
    )
    b.output(
        b.op("MatMulNBits", x, packed, scale, domain=MICROSOFT, K=IN, N=OUT, bits=4, block_size=16)
    )
    with pytest.raises(FormatError, match=r"B: uint8 \(5, 1, 2\) for N=5, K=6"):
        formats.read(save(b, tmp_path))


def test_blocks_beyond_any_file_are_refused_before_they_are_made(tmp_path: Path) -> None:
    b, x = start()
    packed, scale = (
        b.constant(np.zeros((OUT, 1, 8), np.uint8)),
        b.constant(np.ones(OUT, np.float32)),
    )
    b.output(
        b.op(
            "MatMulNBits", x, packed, scale, domain=MICROSOFT,
            K=2**40, N=2**20, bits=4, block_size=2**41,
        )
    )  # fmt: skip
    with pytest.raises(FormatError, match=r"asks for .* bytes"):
        formats.read(save(b, tmp_path))


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main(["info", str(path), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_info_says_what_was_quantised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = float_file(tmp_path, "gru")
    assert told(path, capsys)["quantized"] is None
    quantised = dynamic(path)
    assert told(quantised, capsys)["quantized"] == "weights int8"
    fixed = static(path, "gru", "QDQ", False, True)
    assert told(fixed, capsys)["quantized"] == "weights int8; values uint8"
    main(["info", str(quantised)])
    assert "weights were int8, run in float32" in capsys.readouterr().out
    main(["info", str(fixed)])
    out = capsys.readouterr().out
    assert "weights were int8, run in float32; values were uint8: kept in its range" in out
    copy = tmp_path / "copy.safetensors"
    main(["convert", str(fixed), str(copy)])
    capsys.readouterr()
    kept = told(copy, capsys)
    assert kept["quantized"] == "weights int8; values uint8"
    assert kept["source"]["format"] == "onnx"
    assert kept["source"]["producer"].startswith("onnx.quantize")
    x = sequence("gru")
    np.testing.assert_array_equal(rn.load(copy)(x)[0], rn.load(fixed)(x)[0])


def test_a_golden_output_of_the_floats_is_not_that_of_the_integers(tmp_path: Path) -> None:
    model = rn.Model([make_recurrent("lstm", IN, 8), make_linear(8, OUT)])
    path = tmp_path / "float.onnx"
    model.save(path, golden=X)
    quantised = tmp_path / "quantised.onnx"
    onnx.save(onnx.load(dynamic(path)), quantised)
    rn.load(path, verify=True)
    with pytest.raises(VerifyError):
        rn.load(quantised, verify=True)


@pytest.mark.parametrize(
    "change", ["shapes", "integer scale", "no such input", "circle", "left out", "two"]
)
def test_malformed_files_are_errors_of_ours(change: str, tmp_path: Path) -> None:
    b, x = start()
    q, s, z = b.ops("DynamicQuantizeLinear", x, count=3)
    y = b.op("Cast", b.op("MatMulInteger", q, b.constant(BYTES), z), to=TensorProto.FLOAT)
    scales = [b.constant(SCALES), b.constant(SCALES[:1])]
    y = pair(b, b.op("Mul", b.op("Mul", y, s), b.op("Mul", *scales)), 0.1, np.int8(0))
    b.output(y)
    model = b.model()
    if change == "shapes":
        model.graph.initializer[1].CopyFrom(numpy_helper.from_array(SCALES[:3], scales[0]))
    elif change == "integer scale":
        for node in model.graph.node:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                node.input[1] = node.input[2]
    elif change == "no such input":
        model.graph.node[1].input[1] = "gone"
    elif change == "circle":
        model.graph.node[0].input[0] = y
    elif change == "left out":
        del model.graph.node[1].input[1:]
    else:
        model.graph.node[2].output[0] = q
    path = tmp_path / "malformed.onnx"
    onnx.save(model, path)
    with pytest.raises((FormatError, UnsupportedError)):
        formats.read(path)
