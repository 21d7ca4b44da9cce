"""Integers in TensorFlow Lite's files: what they stand for is read exactly, and how far its own
integer kernels are from that is bounded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from tflite_files import File, Graph
from tflite_graphs import BATCH, INPUTS, STEPS, UNITS, lstm, normal, options
from tflite_runs import interpreter, theirs

import rnn_native as rn
from rnn_native import formats
from rnn_native.formats.tflite import schema

pytestmark = pytest.mark.oracle

DATA = Path(__file__).parent / "data"
Constant = Callable[..., int]


def integers(graph: Graph, axis: int | None, zero: int = 0) -> tuple[Constant, list[Any]]:
    """A way to add matrices as int8, of one scale or of one along an axis; and what they stand
    for."""
    stand_for: list[Any] = []
    plain = graph.constant

    def constant(array: Any, dtype: str = "f4", **more: Any) -> int:
        value = np.asarray(array)
        if dtype != "f4" or value.ndim != 2:
            return plain(array, dtype, **more)
        several = axis is not None
        scale = np.abs(value).max(1 - (axis or 0) if several else None, keepdims=True) / np.float32(
            100
        )
        q = np.rint(value / scale).astype("i1")
        exact = (q.astype("f4") * scale.astype("f4")).astype("f4")
        stand_for.append(exact)
        zeros = [zero] * (scale.size if several else 1)
        return plain(q + zero, "i1", scale=(scale.reshape(-1), zeros, axis or 0))

    return constant, stand_for


def network(change: Callable[[Graph], Constant | None]) -> File:
    """An LSTM and a Dense, whose matrices are added by what ``change`` gives."""
    file = File()
    g = file.main
    constant = change(g)
    if constant is not None:
        g.constant = constant  # type: ignore[method-assign]
    x = g.input(BATCH, STEPS, INPUTS)
    y = lstm(g, x, options())
    arrays = [g.constant(normal(61, 3, UNITS)), g.constant(normal(62, 3))]
    fields = {schema.FullyConnected.KEEP_NUM_DIMS: ("bool", True)}
    made = g.tensor((BATCH, STEPS, 3))
    g.outputs = [g.add("FULLY_CONNECTED", [y, *arrays], made, options=fields)]
    return file


def replayed(arrays: list[Any]) -> Callable[[Graph], Constant]:
    """The same network of floats: what the integers stand for, in the order that they came."""

    def change(graph: Graph) -> Constant:
        plain, rest = graph.constant, iter(arrays)

        def constant(array: Any, dtype: str = "f4", **more: Any) -> int:
            value = np.asarray(array)
            return plain(next(rest) if dtype == "f4" and value.ndim == 2 else array, dtype, **more)

        return constant

    return change


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("zero", [0, 3])
def test_int8_weights_stand_for_exactly_these_floats(
    axis: int | None, zero: int, tmp_path: Path
) -> None:
    stand_for: list[Any] = []

    def change(graph: Graph) -> Constant:
        constant, found = integers(graph, axis, zero)
        nonlocal stand_for
        stand_for = found
        return constant

    path = network(change).write(tmp_path / "q.tflite")
    data = normal(1, BATCH, STEPS, INPUTS)
    (expected,) = theirs(network(replayed(stand_for)).content(), data)
    y, _ = rn.load(path)(data.swapaxes(0, 1))
    np.testing.assert_allclose(y.swapaxes(0, 1), expected, rtol=0, atol=5e-6)
    several = ", a scale each channel" if axis is not None else ""
    assert formats.strings(path)["weights were"] == f"int8{several}"


def test_halves_stand_for_exactly_these_floats(tmp_path: Path) -> None:
    """Each weight by a DEQUANTIZE, those of the fused operator too."""
    stand_for: list[Any] = []

    def change(graph: Graph) -> Constant:
        plain = graph.constant

        def constant(array: Any, dtype: str = "f4", **more: Any) -> int:
            value = np.asarray(array)
            if dtype != "f4" or value.ndim != 2:
                return plain(array, dtype, **more)
            stand_for.append(value.astype("f2").astype("f4"))
            wide = graph.tensor(value.shape)
            return graph.add("DEQUANTIZE", [plain(value, "f2")], wide, options={})

        return constant

    path = network(change).write(tmp_path / "h.tflite")
    data = normal(1, BATCH, STEPS, INPUTS)
    (expected,) = theirs(network(replayed(stand_for)).content(), data)
    y, _ = rn.load(path)(data.swapaxes(0, 1))
    np.testing.assert_allclose(y.swapaxes(0, 1), expected, rtol=0, atol=5e-6)
    assert formats.strings(path)["weights were"] == "float16"


def test_the_hybrid_kernels_are_as_far_as_their_rounding(tmp_path: Path) -> None:
    """They round x and h to 255 steps of their largest number, which is half a step off at most
    each: a sum is off by half of max|x| / 127 times the sum of |w|, and so on through the cell."""
    arrays: list[Any] = []

    def change(graph: Graph) -> Constant:
        constant, found = integers(graph, None)
        nonlocal arrays
        arrays = found
        return constant

    path = network(change).write(tmp_path / "q.tflite")
    data = normal(1, BATCH, STEPS, INPUTS)
    (expected,) = theirs(path.read_bytes(), data)
    y, _ = rn.load(path)(data.swapaxes(0, 1))
    off = np.abs(y.swapaxes(0, 1) - expected).max()
    own, recurrent, dense = arrays[:4], arrays[4:8], arrays[8]

    def rows(many: list[Any]) -> float:
        return float(max(np.abs(array).sum(1).max() for array in many))

    h = c = 0.0  # how far they are off
    size = 0.0  # of c
    for _ in range(STEPS):
        a = rows(own) * np.abs(data).max() / 254 + rows(recurrent) * (h + (1 + h) / 254)
        c = c + (size + 1) * a / 4 + a
        size += 1
        h = a / 4 + c
    bound = rows([dense]) * (h + (1 + h) / 254)
    assert 1e-5 < off < bound


def test_a_float_model_of_mnist() -> None:
    """An LSTM of 20 over the 28 rows of a picture, then all steps at once into a Dense."""
    path = DATA / "mnist_lstm.tflite"
    model = rn.load(path)
    for seed in range(5):
        x = np.random.default_rng(seed).random((1, 28, 28)).astype("f4")
        (expected,) = theirs(path.read_bytes(), x)
        y, _ = model(x.swapaxes(0, 1))
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6)
    assert model.spec.layers[0].cell_clip == 10


def test_an_integer_model_of_mnist() -> None:
    """Activations of int8, a cell of int16, and outputs in steps of 1 / 256: floats, of the same
    numbers, are off by a few of these."""
    path = DATA / "mnist_lstm_int8.tflite"
    model = rn.load(path)
    runtime = interpreter(path.read_bytes())
    runtime.allocate_tensors()
    (given,), (made,) = runtime.get_input_details(), runtime.get_output_details()
    for seed in range(5):
        (scale, zero), (out, out_zero) = given["quantization"], made["quantization"]
        x = np.random.default_rng(seed).random((1, 28, 28))
        q = np.clip(np.rint(x / scale) + zero, -128, 127).astype("i1")
        runtime.reset_all_variables()
        runtime.set_tensor(given["index"], q)
        runtime.invoke()
        expected = (runtime.get_tensor(made["index"]).astype("f4") - out_zero) * out
        y, _ = model(((q.astype("f4") - zero) * scale).astype("f4").swapaxes(0, 1))
        np.testing.assert_allclose(y, expected, rtol=0, atol=3 * out)
        assert y.argmax() == expected.argmax()
    strings = formats.strings(path)
    assert strings["weights were"] == "int8"
    assert strings["activations were"] == "int8; the model calculates in floats"


def test_integers_of_four_bits(tmp_path: Path) -> None:
    """Two in a byte, the first one in its lower half."""
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    y = lstm(g, x, options())
    q = np.random.default_rng(4).integers(-7, 8, (3, UNITS)).astype("i1")
    packed = (q.reshape(-1)[::2] & 15) | ((q.reshape(-1)[1::2] & 15) << 4)
    weight = g.tensor((3, UNITS), "i1", data=packed.astype("u1").tobytes(), scale=(0.05, 0, 0))
    g.tensors[weight].fields[schema.Tensor.TYPE] = ("int8", 17)  # type: ignore[index]
    fields = {schema.FullyConnected.KEEP_NUM_DIMS: ("bool", True)}
    made = g.tensor((BATCH, STEPS, 3))
    g.outputs = [g.add("FULLY_CONNECTED", [y, weight, -1], made, options=fields)]
    layer = rn.load(file.write(tmp_path / "m.tflite")).spec.layers[-1]
    np.testing.assert_allclose(layer.weight, q * np.float32(0.05), rtol=1e-7)
