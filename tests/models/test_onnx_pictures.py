"""Windows over two axes inside a step, of pictures, against onnxruntime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, run, uniform

import rnn_native as rn
from rnn_native import formats, reference

pytestmark = pytest.mark.oracle


class Net:
    """A graph on pictures [rows, 1, height, width] that is made of random operators."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.b = rng, Builder()
        self.channels, self.sizes = 1, [int(n) for n in rng.integers(6, 14, 2)]
        flat = self.b.input("x", ["t", 1, self.sizes[0] * self.sizes[1]])
        self.given = self.sizes[0] * self.sizes[1]
        # the two axes come of a Reshape: neither of them is the time
        self.y = self.b.op("Reshape", flat, self.b.integers(-1, 1, *self.sizes))

    def weight(self, *shape: int) -> str:
        scale = np.float32(1 / np.sqrt(np.prod(shape[1:])))
        return self.b.constant(uniform(*shape) * scale)

    def window(self) -> dict[str, Any]:
        kernel, strides, pads = [], [], [[], []]
        for axis, size in enumerate(self.sizes):
            k = int(self.rng.integers(1, 4)) if size > 3 else 1
            kernel.append(k)
            strides.append(int(self.rng.integers(1, 3)) if size > 3 else 1)
            for side in pads:
                side.append(int(self.rng.integers(0, k)))
            padded = size + pads[0][-1] + pads[1][-1]
            self.sizes[axis] = (padded - k) // strides[-1] + 1
        return {"kernel_shape": kernel, "strides": strides, "pads": [*pads[0], *pads[1]]}

    def conv(self) -> None:
        groups = int(self.rng.choice([1, self.channels]))
        out = groups * int(self.rng.integers(1, 4))
        window = self.window()
        kernel = self.weight(out, self.channels // groups, *window["kernel_shape"])
        bias = [self.weight(out)] if self.rng.integers(2) else []
        self.y = self.b.op("Conv", self.y, kernel, *bias, group=groups, **window)
        self.channels = out

    def pool(self) -> None:
        op = str(self.rng.choice(["MaxPool", "AveragePool"]))
        more = {"count_include_pad": int(self.rng.integers(2))} if op[0] == "A" else {}
        self.y = self.b.op(op, self.y, **self.window(), **more)

    def activate(self) -> None:
        op = str(self.rng.choice(["Relu", "Tanh", "LeakyRelu", "PRelu"]))
        more = [self.weight(self.channels, 1, 1)] if op == "PRelu" else []
        self.y = self.b.op(op, self.y, *more)

    def normalise(self) -> None:
        numbers = [self.rng.uniform(0.5, 1.5, self.channels).astype(np.float32) for _ in range(4)]
        self.y = self.b.op("BatchNormalization", self.y, *map(self.b.constant, numbers))

    def branch(self) -> None:
        weight = self.weight(self.channels, self.channels, 3, 3)
        y = self.b.op("Conv", self.y, weight, pads=[1, 1, 1, 1])
        self.y = self.b.op(str(self.rng.choice(["Add", "Mul"])), self.y, y)

    def end(self, kind: int) -> str:
        if kind == 0:
            op = str(self.rng.choice(["GlobalAveragePool", "GlobalMaxPool"]))
            y = self.b.op(op, self.y)
            return self.b.op("Reshape", y, self.b.integers(-1, self.channels))
        if kind == 1:
            return self.b.op("ReduceMean", self.y, axes=[2, 3], keepdims=0)
        features = self.channels * self.sizes[0] * self.sizes[1]
        y = self.b.op("Reshape", self.y, self.b.integers(-1, features))
        return self.b.op("MatMul", y, self.weight(features, 3))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_of_pictures(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([471, seed])
    net = Net(rng)
    parts = [net.conv, net.pool, net.normalise, net.activate, net.branch]
    net.conv()
    for _ in range(int(rng.integers(2, 6))):
        rng.choice(np.array(parts, dtype=object))()
    net.b.output(net.end(seed % 3))
    path = net.b.save(tmp_path)
    x = uniform(4, 1, net.given)
    (want,) = run(path, {"x": x})
    spec = formats.read(path)
    for got in (reference.run(spec, x)[0], rn.Model(spec)(x)[0]):
        scale = max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(got.reshape(want.shape), want, rtol=0, atol=4e-5 * scale)
