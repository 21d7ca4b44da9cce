"""PReLU: a slope of each feature below 0; and Keras's and ONNX's, which are read into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_equations as ke
import keras_files as kf
import numpy as np
import pytest
import strategies
from agreement import DTYPES, assert_same_bits, check

import rnn_native as rn
from rnn_native import formats
from rnn_native.spec import Elementwise, ModelSpec, PReLU

RNG = np.random.default_rng(8)


def alone(slope: Any) -> ModelSpec:
    layer = PReLU(slope)
    return ModelSpec(nodes={"p": (layer, ("x",))}, inputs={"x": len(slope)}, outputs="p")


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_x_or_one_product(dtype: str) -> None:
    """To the bit, in rows of every width about a vector's, of either order of axes."""
    for width in (1, 3, 8, 15, 16, 17, 40):
        slope = RNG.normal(0, 1, width).astype(dtype)
        x = RNG.normal(0, 100, (7, 3, width)).astype(dtype)
        want = np.where(x < 0, slope * x, x)
        y, _ = rn.Model(alone(slope), dtype=dtype)(x)
        assert_same_bits(y, want)
        y, _ = rn.Model(alone(slope), dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
        assert_same_bits(y, want.swapaxes(0, 1))


def test_what_is_not_a_number_passes() -> None:
    y, _ = rn.Model(alone(np.array([0.5, 0.5, 0.5, -1.0])))(
        np.array([[[np.nan, np.inf, -np.inf, -2.0]]], np.float32)
    )
    np.testing.assert_array_equal(y[0, 0], [np.nan, np.inf, -np.inf, 2.0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_calls_streams_threads_files_and_padding(dtype: str, tmp_path: Path) -> None:
    first = strategies.make_recurrent(RNG, "gru", 5, 19)
    slope = RNG.uniform(-1, 1, 19).astype("f4")
    spec = ModelSpec((first, PReLU(slope), strategies.make_linear(RNG, 19, 3)))
    x = strategies.random_input(spec, 9, 4, RNG)
    check(spec, x, None, [9, 2, 0, 5], dtype=dtype)
    model = rn.Model(spec, dtype=dtype)
    y, _ = model(x, num_threads=1)
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=4)
    assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x.astype(dtype)]), y)
    model.save(tmp_path / "m.safetensors")
    assert_same_bits(rn.load(tmp_path / "m.safetensors")(x)[0], y)


@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1), (6, 8)])
def test_kerass_prelu(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Behind a layer whose two directions are exchanged, too."""
    alpha, first = RNG.normal(0, 1, shape).astype("f4"), kf.lstm(3, 4)
    second = kf.lstm(4, 4, 1), kf.lstm(4, 4, 2)
    names = ("forward_two", "backward_two")
    arrays = {f"{n}/{k}": v for n, own in zip(names, second, strict=True) for k, v in own.items()}
    config = kf.sequential(
        kf.recurrent("LSTM", "one", 4, go_backwards=True),
        kf.layer("Bidirectional", "both", layer=kf.recurrent("LSTM", "two", 4)),
        kf.layer("PReLU", "slopes", shared_axes=[1]),
        kf.recurrent("LSTM", "three", 2),
    )
    third = kf.lstm(8, 2, 3)
    weights = {"one": first, "both": arrays, "slopes": {"alpha": alpha}, "three": third}
    path = kf.write_h5(tmp_path / "m.h5", config, weights)
    if shape[0] == 6:
        with pytest.raises(rn.UnsupportedError, match="a slope of each step"):
            formats.read(path)
        return
    x = RNG.normal(0, 1, (2, 6, 3))
    y = ke.lstm(x, list(first.values()), backwards=True)
    y = ke.bidirectional(ke.lstm, y, [*second[0].values(), *second[1].values()])
    y = ke.lstm(np.where(y < 0, alpha * y, y), list(third.values()))
    with pytest.warns(UserWarning, match=r"gives y\[::-1\]"):
        spec = formats.read(path)
    got, _ = rn.reference.run(spec, x.swapaxes(0, 1))
    np.testing.assert_allclose(got.swapaxes(0, 1)[:, ::-1], y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 1, 4), (4, 1)])
def test_onnxs_prelu(shape: tuple[int, ...], tmp_path: Path) -> None:
    """One slope, one of each feature, and of features that a Transpose has put second; against
    onnxruntime, which multiplies as we do: the product before it is off by a few roundings."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    make, turned = onnx.helper, shape == (4, 1)
    slope, weight = RNG.normal(0, 1, shape).astype("f4"), RNG.normal(0, 1, (3, 4)).astype("f4")
    nodes = [
        make.make_node("MatMul", ["x", "w"], ["a"]),
        make.make_node("PRelu", ["b" if turned else "a", "slope"], ["c" if turned else "y"]),
    ]
    if turned:
        nodes.insert(1, make.make_node("Transpose", ["a"], ["b"], perm=[1, 2, 0]))
        nodes.append(make.make_node("Transpose", ["c"], ["y"], perm=[2, 0, 1]))
    graph = make.make_graph(
        nodes,
        "g",
        [make.make_tensor_value_info("x", 1, ["time", "batch", 3])],
        [make.make_tensor_value_info("y", 1, ["time", "batch", 4])],
        [
            onnx.numpy_helper.from_array(np.asarray(array), name)
            for name, array in (("w", weight), ("slope", slope))
        ],
    )
    path, opset = tmp_path / "m.onnx", make.make_opsetid("", 17)
    onnx.save(make.make_model(graph, opset_imports=[opset], ir_version=8), path)
    spec = formats.read(path)
    assert isinstance(spec.layers[1], PReLU if slope.size > 1 else Elementwise)
    x = RNG.normal(0, 1, (5, 2, 3)).astype("f4")
    (want,) = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    y, _ = rn.Model(spec)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)


def test_wrong_slopes_are_named() -> None:
    with pytest.raises(rn.ShapeError, match=r"PReLU slope: expected shape \(features,\)"):
        PReLU(np.ones((2, 2)))


def test_an_onnx_file_of_ours_gives_it_back(tmp_path: Path) -> None:
    """Beside onnxruntime, whose float32 may add in another order: 1e-5 of numbers of about 1."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    layers = (
        strategies.make_recurrent(RNG, "gru", 3, 4),
        PReLU(np.float32([0.25, -1.5, 0.0, 2.0])),
        strategies.make_recurrent(RNG, "lstm", 4, 2),
    )
    formats.write(ModelSpec(layers), path)
    again = formats.read(path).layers[1]
    assert isinstance(again, PReLU)
    np.testing.assert_array_equal(again.slope, layers[1].slope)
    x = RNG.normal(0, 1, (6, 2, 3)).astype("f4")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want, _ = rn.reference.run(ModelSpec(layers), x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, rtol=0, atol=1e-5)
