"""Resize and Upsample to the nearest number, over time and inside a step, against onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, make_recurrent, run, uniform

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.oracle
WAYS = [
    ("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
]  # fmt: skip


def scaled(b: Builder, y: str, *scales: float, opset: int = 17, **more: Any) -> str:
    numbers = b.constant(np.array(scales, np.float32))
    return b.op("Resize", y, *([] if opset < 11 else [""]), numbers, mode="nearest", **more)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("times", [(2, 1), (1, 3), (2, 2), (5, 4)])
def test_steps_and_positions_are_repeated(times: Any, way: Any, tmp_path: Path) -> None:
    b = Builder()
    y = b.op("Conv", b.input("x", ["b", 3, "t", 5]), b.constant(uniform(2, 3, 2, 2)))
    y = scaled(b, y, 1, 1, *times, coordinate_transformation_mode=way[0], nearest_mode=way[1])
    y = b.op("Conv", y, b.constant(uniform(2, 2, 1, 2)))
    b.output(b.op("Transpose", y, perm=[2, 0, 3, 1]))
    path = b.save(tmp_path)
    spec = formats.read(path)
    for time in (2, 7, 50):
        x = uniform(2, 3, time, 5)
        (want,) = run(path, {"x": x})
        own = np.ascontiguousarray(x.transpose(2, 0, 3, 1)).reshape(time, 2, -1)
        for y_ in (reference.run(spec, own)[0], rn.Model(spec)(own)[0]):
            np.testing.assert_allclose(y_, want.reshape(y_.shape), rtol=0, atol=1e-5)


def test_sizes_that_the_graph_calculates(tmp_path: Path) -> None:
    """Twice the steps that there are, by Shape, Gather and Mul."""
    b = Builder()
    y = b.op("Conv", b.input("x", [1, 4, "t"]), b.constant(uniform(3, 4, 1)))
    shape = b.op("Shape", y)
    time = b.op("Gather", shape, b.integers(2), axis=0)
    sizes = b.op("Concat", b.integers(1, 3), b.op("Mul", time, b.integers(2)), axis=0)
    y = b.op("Resize", y, "", "", sizes, mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric")  # fmt: skip
    y = b.op("Transpose", y, perm=[2, 0, 1])
    b.output(b.squeeze(b.recurrent(y, make_recurrent("gru", 3, 5))[0], 1))
    path = b.save(tmp_path)
    x = uniform(1, 4, 6)
    (want,) = run(path, {"x": x})
    model = rn.load(path)
    own = np.ascontiguousarray(x.transpose(2, 0, 1))
    y, _ = model(own)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
    stream = model.stream(batch=1)
    np.testing.assert_array_equal(np.concatenate([stream.push(own[:2]), stream.push(own[2:])]), y)


@pytest.mark.parametrize("opset", [7, 9, 10])
def test_older_operators(opset: int, tmp_path: Path) -> None:
    b = Builder(opset)
    y = b.op("Conv", b.input("x", ["b", 3, "t", 5]), b.constant(uniform(2, 3, 1, 1)))
    scales = [1.0, 1.0, 2.0, 3.0]
    if opset == 7:
        y = b.op("Upsample", y, mode="nearest", scales=scales)
    else:
        op = "Upsample" if opset == 9 else "Resize"
        y = b.op(op, y, b.constant(np.array(scales, np.float32)), mode="nearest")
    b.output(b.op("Transpose", y, perm=[2, 0, 3, 1]))
    path = b.save(tmp_path)
    x = uniform(2, 3, 4, 5)
    (want,) = run(path, {"x": x})
    own = x.transpose(2, 0, 3, 1).reshape(4, 2, -1)
    y_, _ = reference.run(formats.read(path), own)
    np.testing.assert_allclose(y_, want.reshape(y_.shape), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("why", "scales", "more"),
    [
        ("only nearest", (1, 1, 2), {"mode": "linear"}),
        ("only whole numbers", (1, 1, 1.5), {}),
        ("nearest_mode=ceil", (1, 1, 2), {"nearest_mode": "ceil"}),
        ("align_corners", (1, 1, 2), {"coordinate_transformation_mode": "align_corners"}),
        ("axis", (2, 1, 1), {}),
    ],
)
def test_others_are_refused_by_name(why: str, scales: Any, more: Any, tmp_path: Path) -> None:
    b = Builder()
    y = b.op("Conv", b.input("x", ["b", 3, "t"]), b.constant(uniform(2, 3, 1)))
    numbers = b.constant(np.array(scales, np.float32))
    b.output(b.op("Resize", y, "", numbers, **{"mode": "nearest", **more}))
    with pytest.raises(UnsupportedError, match=r"node 'the resize_\d+' \(Resize\): .*" + why):
        formats.read(b.save(tmp_path))
