"""Graphs with convolutions and pooling: over time, over positions inside a step, over both, against
onnxruntime; whatever cannot be read is refused, never misread."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, make_recurrent, run, uniform

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.errors import UnsupportedError

pytestmark = pytest.mark.oracle
Array = NDArray[Any]


class Net:
    """A graph on x [batch, channels, ...positions, time] that is made of random operators."""

    def __init__(self, rng: np.random.Generator, rank: int, time_at: int) -> None:
        self.rng, self.b, self.rank = rng, Builder(), rank
        self.batch, self.channels = int(rng.integers(1, 3)), int(rng.integers(1, 4))
        self.positions, self.steps = int(rng.integers(3, 9)), int(rng.integers(9, 14))
        self.time_at = time_at  # of the axes behind the channels
        self.shape = [self.batch, self.channels, *self.sizes]
        free: list[Any] = ["b", self.channels, *self.sizes]
        free[2 + time_at] = "t"
        self.y = self.b.input("x", free)
        self.has_moved = False

    @property
    def sizes(self) -> list[int]:
        sizes = [self.positions] * self.rank
        sizes[self.time_at] = self.steps
        return sizes

    def size(self) -> int:
        return int(self.rng.integers(1, 4))

    def weight(self, *shape: int) -> str:
        scale = 1 / np.sqrt(np.prod(shape[1:]))
        return self.b.constant((self.rng.uniform(-1, 1, shape) * scale).astype(np.float32))

    def window(self) -> dict[str, Any]:
        """Attributes, for both axes, of a window that makes at least one step and position."""
        kernel = [self.size() for _ in range(self.rank)]
        strides = [int(self.rng.integers(1, 3)) for _ in range(self.rank)]
        pads = [[int(self.rng.integers(0, k)) for k in kernel] for _ in range(2)]
        made = []
        for axis, size in enumerate(self.sizes):
            if size < 4:  # keeps it
                kernel[axis] = strides[axis] = 1
                pads[0][axis] = pads[1][axis] = 0
            made.append((size + pads[0][axis] + pads[1][axis] - kernel[axis]) // strides[axis] + 1)
        self.steps = made[self.time_at]
        if self.rank == 2:
            self.positions = made[1 - self.time_at]
        return {"kernel_shape": kernel, "strides": strides, "pads": [*pads[0], *pads[1]]}

    def conv(self) -> None:
        groups = int(self.rng.choice([1, self.channels]))
        out = groups * self.size()
        window = self.window()
        kernel = self.weight(out, self.channels // groups, *window["kernel_shape"])
        bias = [self.weight(out)] if self.rng.integers(2) else []
        self.y = self.b.op("Conv", self.y, kernel, *bias, group=groups, **window)
        self.channels = out

    def pool(self) -> None:
        op = str(self.rng.choice(["MaxPool", "AveragePool"]))
        window = self.window()
        more: dict[str, Any] = {}
        if op == "AveragePool":  # ours count padding where it is before the first step alone
            pads = window["pads"]
            alone = any(pads[i] and not pads[i + self.rank] for i in range(self.rank))
            more = {"count_include_pad": 1 if alone else int(self.rng.integers(2))}
        self.y = self.b.op(op, self.y, **window, **more)

    def normalise(self) -> None:
        numbers = [self.rng.uniform(0.5, 1.5, self.channels).astype(np.float32) for _ in range(4)]
        self.y = self.b.op("BatchNormalization", self.y, *map(self.b.constant, numbers))

    def activate(self) -> None:
        op = str(self.rng.choice(["Relu", "Tanh", "Sigmoid", "LeakyRelu", "PRelu", "Elu"]))
        more = [self.weight(self.channels, *[1] * self.rank)] if op == "PRelu" else []
        self.y = self.b.op(op, self.y, *more)

    def branch(self) -> None:
        """A residual around a convolution that keeps all sizes, or both side by side."""
        before, channels, kernel = self.y, self.channels, [3] * self.rank
        weight = self.weight(channels, channels, *kernel)
        self.y = self.b.op("Conv", self.y, weight, kernel_shape=kernel, pads=[1] * 2 * self.rank)
        op = str(self.rng.choice(["Add", "Mul", "Concat"]))
        if op == "Concat":
            self.y = self.b.op("Concat", before, self.y, axis=1)
            self.channels *= 2
        else:
            self.y = self.b.op(op, before, self.y)

    def scale(self) -> None:
        op = str(self.rng.choice(["Mul", "Add"]))
        self.y = self.b.op(op, self.y, self.weight(self.channels, *[1] * self.rank))

    def slice_channels(self) -> None:
        if self.channels > 2:
            first = int(self.rng.integers(self.channels - 1))
            at = (self.b.integers(first), self.b.integers(first + 1), self.b.integers(1))
            self.y = self.b.op("Slice", self.y, *at)
            self.channels = 1

    def end(self, last: str) -> tuple[str, list[int]]:
        """The output, and the axes of it that are our [time, batch, features]."""
        steps, inside = 2 + self.time_at, [3 - self.time_at] * (self.rank == 2)
        if last == "as it is":
            return self.y, [steps, 0, 1, *inside]
        order = [steps, 0, 1, *inside] if self.rng.integers(2) else [steps, 0, *inside, 1]
        y = self.b.op("Transpose", self.y, perm=order)
        features = self.channels * (self.positions if self.rank == 2 else 1)
        y = self.b.op("Reshape", y, self.b.integers(0, 0, features))
        if last == "gru":
            gru = make_recurrent("gru", features, 4, direction="bidirectional")
            y = self.b.concatenated(self.b.recurrent(y, gru)[0], 2)
        else:
            y = self.b.op("MatMul", y, self.weight(features, 3))
        return y, [0, 1, 2]


@pytest.mark.parametrize("seed", range(150))
def test_random_graphs_are_what_onnxruntime_makes_of_them(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([91, seed])
    rank = 1 + seed % 2
    net = Net(rng, rank, int(rng.integers(rank)))
    x = rng.uniform(-1, 1, net.shape).astype(np.float32)
    parts = [net.pool, net.normalise, net.activate, net.branch, net.scale, net.slice_channels]
    net.conv()
    for _ in range(int(rng.integers(2, 7))):
        rng.choice(np.array([net.conv, *parts], dtype=object))()
    y, order = net.end(("as it is", "gru", "linear")[seed % 3])
    net.b.output(y)
    path = net.b.save(tmp_path)
    (want,) = run(path, {"x": x})
    spec = formats.read(path)
    steps = 2 + net.time_at
    inside = [3 - net.time_at] * (rank == 2)
    [given] = spec.inputs.values()
    # The features of an input stand in the order of their axes: positions before channels.
    own = x.transpose(steps, 0, *inside, 1).reshape(x.shape[steps], x.shape[0], -1)
    assert own.shape[2] == given.features
    for got, off in ((reference.run(spec, own)[0], 2e-5), (rn.Model(spec)(own)[0], 4e-5)):
        # Sums of at most 36 products, weights within 1 / sqrt of their number: values stay near 1,
        # and errors a few units of roundoff a layer. A wrong axis or padding is off by 1e-2.
        ours = got if isinstance(got, np.ndarray) else next(iter(got.values()))
        theirs = want.transpose(order).reshape(ours.shape)
        scale = max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=off * scale)


def test_a_stream_of_a_causal_graph_has_the_bits_of_the_whole(tmp_path: Path) -> None:
    """Padding before the first step alone, written as a Pad; a stride; and a recurrent layer."""
    b = Builder()
    y = b.op("Transpose", b.input("x", ["b", "t", 6]), perm=[0, 2, 1])
    y = b.op("Pad", y, b.integers(0, 0, 4, 0, 0, 0))
    y = b.op("Conv", y, b.constant(uniform(8, 6, 3) * 0.3), dilations=[2], strides=[2])
    y = b.op("Transpose", b.op("Relu", y), perm=[2, 0, 1])
    b.output(b.squeeze(b.recurrent(y, make_recurrent("lstm", 8, 5))[0], 1))
    path = b.save(tmp_path)
    model = rn.load(path)
    x = uniform(2, 11, 6)
    (want,) = run(path, {"x": x})
    time_first = np.ascontiguousarray(x.transpose(1, 0, 2))
    y, _ = model(time_first)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
    stream = model.stream(batch=2)
    pieces = [stream.push(time_first[at : at + n]) for at, n in ((0, 1), (1, 4), (5, 0), (5, 6))]
    np.testing.assert_array_equal(np.concatenate(pieces), y)
    assert (stream.rate, stream.latency) == (0.5, 0)


@pytest.mark.parametrize(("mode", "ours"), [("reflect", "reflect"), ("edge", "replicate")])
def test_padding_of_a_step_goes_to_the_convolution(mode: str, ours: str, tmp_path: Path) -> None:
    b = Builder()
    y = b.op("Pad", b.input("x", ["t", 20]), b.integers(0, 3, 0, 5), mode=mode)
    y = b.op("Conv", b.unsqueeze(y, 1), b.constant(uniform(4, 1, 6)), strides=[3])
    b.output(b.op("Reshape", y, b.integers(0, -1)))
    path = b.save(tmp_path)
    spec = formats.read(path)
    (node,) = (node.layer for node in spec.nodes.values() if node.layer.kind == "conv")
    assert (node.left, node.right, node.padding_mode) == (3, 5, ours)
    x = uniform(7, 20)
    (want,) = run(path, {"x": x})
    y, _ = reference.run(spec, x[:, None])
    np.testing.assert_allclose(y[:, 0], want, rtol=0, atol=1e-5)


REFUSED = {
    "a mean over more than the padding": lambda b, y: b.op(
        "AveragePool", b.op("Conv", y, weight(b, 2, 3, 1)), kernel_shape=[3], ceil_mode=1
    ),
    "rows of a batch that are padding": lambda b, y: b.op(
        "Conv", b.op("Pad", y, b.integers(1, 0, 0, 0, 0, 0)), weight(b, 2, 3, 1)
    ),
    "channels that are padding, and an activation": lambda b, y: b.op(
        "Relu", b.op("Pad", b.op("Conv", y, weight(b, 1, 3, 1)), b.integers(0, 0, 0, 0, 1, 0))
    ),
    "rows of a batch, and an activation": lambda b, y: b.op(
        "Relu", b.op("Pad", b.op("Conv", y, weight(b, 2, 3, 1)), b.integers(1, 0, 0, 0, 0, 0))
    ),
    "channels that are padding": lambda b, y: b.op(
        "Conv", b.op("Pad", y, b.integers(0, 1, 0, 0, 1, 0)), weight(b, 2, 5, 1)
    ),
    "a number that is padded": lambda b, y: b.op(
        "Conv", b.op("Pad", y, b.integers(0, 0, 1, 0, 0, 1), b.constant(1.0, np.float32)),
        weight(b, 2, 3, 3),
    ),
}  # fmt: skip


def weight(b: Builder, *shape: int) -> str:
    return b.constant(uniform(*shape))


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_had_is_refused_by_the_name_of_its_node(what: str, tmp_path: Path) -> None:
    b = Builder()
    y = REFUSED[what](b, b.input("x", ["b", 3, "t"]))
    b.output(b.op("Conv", y, weight(b, 2, 2, 1)))
    with pytest.raises(UnsupportedError, match=r"node 'the \w+_\d+' \(\w+\): "):
        formats.read(b.save(tmp_path))


@pytest.mark.parametrize("behind", [[], ["Identity"]])
def test_an_output_whose_features_are_padded_is_refused(behind: list[str], tmp_path: Path) -> None:
    b = Builder()
    y = b.op("Conv", b.input("x", ["b", 3, "t"]), weight(b, 2, 3, 2))
    y = b.op("Pad", y, b.integers(0, 1, 0, 0, 1, 0))
    for op in behind:
        y = b.op(op, y)
    b.output(y)
    with pytest.raises(UnsupportedError, match="features that are padded"):
        formats.read(b.save(tmp_path))


def test_layers_that_read_other_axes_of_an_input_as_features_are_refused(tmp_path: Path) -> None:
    """Of an input [batch, 4, 4] a MatMul reads axis 2, then a Conv axis 1: axis 1 is the time."""
    b = Builder()
    x = b.input("x", ["b", 4, 4])
    b.output(b.op("MatMul", x, weight(b, 4, 4)))
    b.output(b.op("Conv", x, weight(b, 2, 4, 1)))
    with pytest.raises(UnsupportedError, match="features"):
        formats.read(b.save(tmp_path))


def test_a_matrix_along_the_positions_of_a_convolution(tmp_path: Path) -> None:
    """Of an input [batch, 4, 4] a Conv reads axis 1, then a MatMul axis 2: both are features."""
    b = Builder()
    x = b.input("x", ["b", 4, 4])
    for y in (b.op("Conv", x, weight(b, 2, 4, 1)), b.op("MatMul", x, weight(b, 4, 3))):
        b.output(y)
    path, x = b.save(tmp_path), uniform(5, 4, 4)
    own = x.transpose(0, 2, 1).reshape(1, 5, 16)
    for got, want in zip(rn.load(path)(own)[0].values(), run(path, {"x": x}), strict=True):
        np.testing.assert_allclose(got[0], want.reshape(5, -1), rtol=0, atol=1e-5)


def test_a_part_of_an_axis_is_not_the_time(tmp_path: Path) -> None:
    """Of [batch, 5, 4] a Reshape makes [1, 5, 2, 2]: neither 2 is steps that an input may have."""
    b = Builder()
    y = b.op("Reshape", b.input("x", ["b", 5, 4]), b.integers(1, 5, 2, 2))
    b.output(b.op("Conv", y, weight(b, 10, 1, 1, 1), group=5, strides=[2, 2]))
    path = b.save(tmp_path)
    try:
        (given,) = formats.read(path).inputs.values()
    except UnsupportedError:
        return
    assert given.features in (4, 5, 20)


SAME_INPUT = {
    "two convolutions": lambda b, x: (
        b.op("Conv", x, weight(b, 2, 3, 2, 5)), b.op("Conv", x, weight(b, 2, 3, 1, 2))
    ),
    "convolutions of channels and of what were positions": lambda b, x: (
        b.op("Conv", x, weight(b, 2, 3, 2, 2)),
        b.op("Conv", b.op("Transpose", x, perm=[0, 3, 2, 1]), weight(b, 2, 5, 2, 2)),
    ),
    "a padding": lambda b, x: tuple(
        b.op("Conv", padded, weight(b, 2, 3, 3, 2))
        for padded in [b.op("Pad", x, b.integers(0, 0, 2, 1, 0, 0, 0, 0))] * 2
    ),
    "a mean and a convolution": lambda b, x: (
        b.op("AveragePool", x, kernel_shape=[2, 2]), b.op("Conv", x, weight(b, 3, 3, 2, 2))
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME_INPUT)
def test_an_input_may_be_read_by_several(what: str, tmp_path: Path) -> None:
    b = Builder()
    for y in SAME_INPUT[what](b, b.input("x", ["b", 3, "t", 5])):
        b.output(y)
    path = b.save(tmp_path)
    x = uniform(2, 3, 9, 5)
    y, _ = reference.run(formats.read(path), x.transpose(2, 0, 3, 1).reshape(9, 2, 15))
    for ours, theirs in zip(y.values(), run(path, {"x": x}), strict=True):
        orders = [(2, 0, 1, 3), (2, 0, 3, 1)]  # of channels and positions: as the file has them
        rows = [theirs.transpose(order).reshape(ours.shape) for order in orders]
        assert any(np.allclose(ours, one, rtol=0, atol=1e-5) for one in rows)


@pytest.mark.parametrize("sizes", [(4, 4), (4, 1), (1, 4)])
def test_a_normalisation_of_positions_is_not_that_of_the_channels(
    sizes: tuple[int, int], tmp_path: Path
) -> None:
    """Behind a Transpose: as many positions as the convolution makes channels, or one of either."""
    channels, positions = sizes
    b = Builder()
    y = b.op("Conv", b.input("x", ["b", 3, "t", positions]), weight(b, channels, 3, 1, 1))
    y = b.op("Transpose", y, perm=[0, 3, 2, 1])
    numbers = [b.constant(np.abs(uniform(positions)) + 0.5) for _ in range(4)]
    y = b.op("BatchNormalization", y, *numbers)
    b.output(b.op("Conv", y, weight(b, 2, positions, 1, channels)))
    path = b.save(tmp_path)
    x = uniform(2, 3, 9, positions)
    y, _ = reference.run(formats.read(path), x.transpose(2, 0, 3, 1).reshape(9, 2, -1))
    (want,) = run(path, {"x": x})
    np.testing.assert_allclose(y, want[..., 0].transpose(2, 0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_padding_of_an_operator_counts_that_of_a_pad_before_it(
    auto: str, stride: int, tmp_path: Path
) -> None:
    b = Builder()
    y = b.op("Pad", b.input("x", ["b", 3, "t", 12]), b.integers(0, 0, 0, 1, 0, 0, 0, 2))
    y = b.op("Conv", y, weight(b, 4, 3, 1, 4), auto_pad=auto, strides=[1, stride])
    b.output(b.op("Transpose", y, perm=[2, 0, 3, 1]))
    path = b.save(tmp_path)
    x = uniform(2, 3, 5, 12)
    y, _ = reference.run(formats.read(path), x.transpose(2, 0, 3, 1).reshape(5, 2, -1))
    (want,) = run(path, {"x": x})
    np.testing.assert_allclose(y, want.reshape(y.shape), rtol=0, atol=1e-5)
