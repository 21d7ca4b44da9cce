"""Scale: each feature times a number, plus another; and the batch normalisations that it is read
out of."""

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
from rnn_native.spec import ModelSpec, Scale

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_one_product_and_one_sum_of_each_feature(dtype: str) -> None:
    """To the bit, in rows of every width about a vector's, of either order of axes."""
    for width in (1, 3, 8, 15, 16, 17, 40):
        scale, shift = RNG.normal(0, 3, (2, width)).astype(dtype)
        spec = ModelSpec(
            nodes={"s": (Scale(scale, shift), ("x",))}, inputs={"x": width}, outputs="s"
        )
        x = RNG.normal(0, 100, (7, 3, width)).astype(dtype)
        y, _ = rn.Model(spec, dtype=dtype)(x)
        assert_same_bits(y, x * scale + shift)
        y, _ = rn.Model(spec, dtype=dtype, batch_first=True)(x.swapaxes(0, 1))
        assert_same_bits(y, (x * scale + shift).swapaxes(0, 1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_calls_streams_threads_and_padding(dtype: str) -> None:
    first = strategies.make_recurrent(RNG, "lstm", 5, 19)
    last = strategies.make_linear(RNG, 19, 3)
    spec = ModelSpec((first, strategies.make_scale(RNG, 19), last, strategies.make_scale(RNG, 3)))
    x = strategies.random_input(spec, 9, 4, RNG)
    check(spec, x, None, [9, 2, 0, 5], dtype=dtype)
    model = rn.Model(spec, dtype=dtype)
    y, _ = model(x, num_threads=1)
    assert_same_bits(model(x, num_threads=3)[0], y)
    stream = model.stream(batch=4)
    assert_same_bits(np.stack([stream.step(x_t).copy() for x_t in x.astype(dtype)]), y)
    padded, _ = model(x, lengths=[9, 2, 0, 5])
    assert not padded[2:, 1].any()


def test_a_file_keeps_it_and_what_is_not_a_number_passes(tmp_path: Path) -> None:
    spec = ModelSpec((strategies.make_linear(RNG, 4, 4), strategies.make_scale(RNG, 4)))
    for suffix in ("safetensors", "npz"):
        path = tmp_path / f"scale.{suffix}"
        formats.write(spec, path)
        again = formats.read(path).layers[1]
        assert isinstance(again, Scale)
        assert_same_bits(again.scale, spec.layers[1].arrays["scale"])
        assert_same_bits(again.shift, spec.layers[1].arrays["shift"])
    alone = ModelSpec(
        nodes={"s": (Scale(np.ones(3), np.ones(3)), ("x",))}, inputs={"x": 3}, outputs="s"
    )
    y, _ = rn.Model(alone)(np.array([[[np.nan, np.inf, -np.inf]]], np.float32))
    np.testing.assert_array_equal(y[0, 0], [np.nan, np.inf, -np.inf])


def learnt(size: int) -> dict[str, Any]:
    arrays = RNG.normal(0, 1, (4, size)).astype("f4")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return dict(zip(names, [*arrays[:3], np.abs(arrays[3])], strict=True))


def normalised(x: Any, of: dict[str, Any], epsilon: float) -> Any:
    spread = np.sqrt(of["moving_variance"].astype(float) + epsilon)
    return of.get("gamma", 1.0) * (x - of["moving_mean"]) / spread + of.get("beta", 0.0)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.25}])
@pytest.mark.parametrize("axis", [-1, [-1], 2, [2]])
def test_kerass_batch_normalization(options: dict[str, Any], axis: Any, tmp_path: Path) -> None:
    """Behind a layer whose two directions are exchanged, too."""
    own = learnt(8)
    for option, name in (("scale", "gamma"), ("center", "beta")):
        if not options.get(option, True):
            del own[name]
    weights = kf.lstm(3, 4)
    config = kf.sequential(
        kf.recurrent("LSTM", "one", 4, go_backwards=True),
        kf.recurrent("LSTM", "two", 8),
        kf.layer("BatchNormalization", "norm", axis=axis, **options),
    )
    second = kf.lstm(4, 8, 1)
    path = kf.write_h5(tmp_path / "m.h5", config, {"one": weights, "two": second, "norm": own})
    x = RNG.normal(0, 1, (2, 6, 3))
    y = ke.lstm(ke.lstm(x, list(weights.values()), backwards=True), list(second.values()))
    with pytest.warns(UserWarning, match=r"gives y\[::-1\]"):
        spec = formats.read(path)
    got, _ = rn.reference.run(spec, x.swapaxes(0, 1))
    want = normalised(y, own, options.get("epsilon", 1e-3))
    np.testing.assert_allclose(got.swapaxes(0, 1)[:, ::-1], want, rtol=0, atol=1e-11)


def test_a_batch_normalization_of_other_axes_is_refused(tmp_path: Path) -> None:
    for options, message in (
        ({"axis": 1}, "axis=1 is not the features"),
        ({"renorm": True}, "renorm"),
    ):
        layer = kf.layer("BatchNormalization", "norm", **options)
        config = kf.sequential(kf.recurrent("LSTM", "one", 4), layer)
        path = kf.write_h5(tmp_path / "m.h5", config, {"one": kf.lstm(3, 4), "norm": learnt(4)})
        with pytest.raises(rn.UnsupportedError, match=message):
            formats.read(path)


@pytest.mark.parametrize("turned", [False, True])
def test_onnxs_batch_normalization(turned: bool, tmp_path: Path) -> None:
    """Of [rows, features], and of sequences whose features a Transpose has put second; against
    onnxruntime, whose order of operations is another: 1e-5 of numbers of about 1."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    make, weight, own = onnx.helper, RNG.normal(0, 1, (3, 4)).astype("f4"), learnt(4)
    constants = {"w": weight, **own}
    norm = make.make_node("BatchNormalization", ["b" if turned else "a", *own], ["c"], epsilon=0.01)
    nodes = [make.make_node("MatMul", ["x", "w"], ["a"]), norm]
    if turned:
        nodes.insert(1, make.make_node("Transpose", ["a"], ["b"], perm=[1, 2, 0]))
        nodes.append(make.make_node("Transpose", ["c"], ["y"], perm=[2, 0, 1]))
    steps = ["time"] if turned else []
    graph = make.make_graph(
        nodes,
        "g",
        [make.make_tensor_value_info("x", 1, [*steps, "batch", 3])],
        [make.make_tensor_value_info("y" if turned else "c", 1, [*steps, "batch", 4])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), path)
    spec = formats.read(path)
    assert isinstance(spec.layers[1], Scale)
    x = RNG.normal(0, 1, (5, 2, 3) if turned else (5, 3)).astype("f4")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (want,) = session.run(None, {"x": x})
    y, _ = rn.Model(spec)(x if turned else x[None])
    np.testing.assert_allclose(y if turned else y[0], want, rtol=0, atol=1e-4)


def test_wrong_numbers_are_named() -> None:
    with pytest.raises(rn.ShapeError, match=r"Scale scale: expected shape \(features,\)"):
        Scale(np.ones((2, 2)), np.ones(2))
    with pytest.raises(rn.ShapeError, match=r"Scale shift: expected shape \(3,\), got \(2,\)"):
        Scale(np.ones(3), np.ones(2))
    with pytest.raises(rn.ShapeError, match=r"variance \+ epsilon: expected above 0, got -1.0 of"):
        Scale.normalizing(np.ones(2), np.array([1.0, -2.0]), np.ones(2), np.ones(2), 1.0)


def test_an_onnx_file_of_ours_gives_it_back(tmp_path: Path) -> None:
    """Beside onnxruntime, whose float32 may add in another order: 1e-5 of numbers of about 1."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "m.onnx"
    layers = (
        strategies.make_recurrent(RNG, "gru", 3, 4),
        strategies.make_scale(RNG, 4),
        strategies.make_recurrent(RNG, "lstm", 4, 2),
    )
    formats.write(ModelSpec(layers), path)
    again = formats.read(path).layers[1]
    assert isinstance(again, Scale)
    np.testing.assert_array_equal(again.scale, layers[1].scale)
    np.testing.assert_array_equal(again.shift, layers[1].shift)
    x = RNG.normal(0, 1, (6, 2, 3)).astype("f4")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want, _ = rn.reference.run(ModelSpec(layers), x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, rtol=0, atol=1e-5)
