"""Networks that are one frame in a call, with caches of past frames, as sequences and streams:
against onnxruntime, frame by frame, with every output fed back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")  # of the newer exporter
sys.path.insert(0, str(Path(__file__).parent))

from onnx_graphs import Builder, make_recurrent, uniform  # noqa: E402
from streaming_networks import OWN, PACKED, Causal, Spectral  # noqa: E402
from test_onnx_torch import EXPORTERS, export  # noqa: E402

import rnn_native as rn  # noqa: E402
from rnn_native import reference  # noqa: E402
from rnn_native.errors import UnsupportedError  # noqa: E402

pytestmark = [pytest.mark.oracle, pytest.mark.slow]
Array = NDArray[Any]

FRAMES = 23  # more than any cache here holds


def by_onnxruntime(path: Path, frames: Array) -> Array:
    """The first output of each frame, where the others are the next call's inputs, in order."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    data, *caches = session.get_inputs()
    state = {value.name: np.zeros(value.shape, np.float32) for value in caches}
    ys = []
    for frame in frames:
        y, *after = session.run(None, {data.name: frame, **state})
        state = dict(zip(state, after, strict=True))
        ys.append(y)
    return np.stack(ys)


def assert_is(path: Path, frames: Array, ours: Array) -> rn.Model:
    """The whole, calls in pieces, steps of a stream and the reference all give onnxruntime's
    numbers; ``ours`` are the frames as [time, batch, features]."""
    want = by_onnxruntime(path, frames)
    model = rn.load(path)
    y, _ = model(ours)
    expected = want.reshape(y.shape)
    # Sums of at most 40 products near 1, as in onnx_graphs.ATOL, through a dozen layers.
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-5)
    np.testing.assert_allclose(reference.run(model.spec, ours)[0], expected, rtol=0, atol=1e-5)
    state, pieces = None, []
    for begin, end in ((0, 1), (1, 3), (3, FRAMES)):
        piece, state = model(ours[begin:end], state)
        pieces.append(piece)
    np.testing.assert_array_equal(np.concatenate(pieces), y)
    stream = model.stream(batch=1)
    np.testing.assert_array_equal([stream.step(frame).copy() for frame in ours], y)
    return model


def exported(net: Any, frame: Array, path: Path, exporter: str, **options: Any) -> Path:
    example = (torch.from_numpy(frame), *net.caches())
    export(net, example, path, **EXPORTERS[exporter], **options)
    return path


@pytest.mark.parametrize("way", OWN + PACKED)
@pytest.mark.parametrize("exporter", ["script", "dynamo"])
def test_temporal_convolutions(way: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(len(way))
    net, frames = Causal(way), uniform(FRAMES, 1, 5, 1)
    path = exported(net, frames[0], tmp_path / "net.onnx", exporter)
    model = assert_is(path, frames, np.ascontiguousarray(frames[:, :, :, 0]))
    assert list(model.inputs) == [onnx.load(path).graph.input[0].name]
    assert len(model.outputs) == 1
    windows = [node.layer.before for node in model.spec.nodes.values()
               if getattr(node.layer, "before", 0)]  # fmt: skip
    assert windows == ([4, 4, 4] if way == "stacked" else [2, 4, 8])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("exporter", ["script", "dynamo", "script-unfolded"])
def test_a_masked_spectrum(packed: bool, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    net, frames = Spectral(packed), uniform(FRAMES, 1, 9, 1, 2)
    path = exported(net, frames[0], tmp_path / "net.onnx", exporter)
    assert_is(path, frames, frames.reshape(FRAMES, 1, 18))


@pytest.mark.parametrize("way", ["cut", "last"])
def test_any_number_of_frames_in_a_call(way: str, tmp_path: Path) -> None:
    net, frames = Causal(way), uniform(1, 1, 5, FRAMES)
    names = ["x", "a", "b", "c"]
    path = exported(
        net, frames[0], tmp_path / "net.onnx", "script",
        input_names=names, dynamic_axes={"x": {2: "frames"}},
    )  # fmt: skip
    (want,) = by_onnxruntime(path, frames)
    y, _ = rn.load(path)(np.ascontiguousarray(frames[0].transpose(2, 0, 1)))
    np.testing.assert_allclose(y[:, 0], want[0], rtol=0, atol=2e-5)
    ours = np.ascontiguousarray(frames[0].transpose(2, 0, 1))
    assert_is(path, np.ascontiguousarray(ours[..., None]), ours)


class Graph:
    """x [1, 4, 1] behind a cache of three frames, and what each test makes of them."""

    def __init__(self) -> None:
        self.b = Builder()
        self.x = self.b.input("x", [1, 4, 1])
        self.cache = self.b.input("cache", [1, 4, 3])
        self.joined = self.b.op("Concat", self.cache, self.x, axis=2, name="joined")
        self.y = self.conv(self.joined, 4)

    def conv(self, x: str, kernel: int, **options: Any) -> str:
        return self.b.op("Conv", x, self.b.constant(uniform(4, 4, kernel)), **options)

    def cut(self, x: str, begin: int, end: int) -> str:
        return self.b.op("Slice", x, *map(self.b.integers, (begin, end, 2)))

    def load(self, tmp_path: Path, *outputs: str) -> rn.Model:
        for name in outputs:
            self.b.output(name)
        self.path = self.b.save(tmp_path)
        return rn.load(self.path)


def test_the_graph_that_the_refusals_are_of_is_read(tmp_path: Path) -> None:
    graph = Graph()
    graph.load(tmp_path, graph.y, graph.cut(graph.joined, 1, 4))
    frames = uniform(FRAMES, 1, 4, 1)
    assert_is(graph.path, frames, np.ascontiguousarray(frames[..., 0]))


def test_new_frames_that_are_cut_out_again_are_themselves(tmp_path: Path) -> None:
    graph = Graph()
    y = graph.b.op("Add", graph.y, graph.cut(graph.joined, 3, 4))
    graph.load(tmp_path, y, graph.cut(graph.joined, 1, 4))
    frames = uniform(FRAMES, 1, 4, 1)
    assert_is(graph.path, frames, np.ascontiguousarray(frames[..., 0]))


def refused(graph: Graph, tmp_path: Path, *outputs: str) -> str:
    with pytest.raises(UnsupportedError) as error:
        graph.load(tmp_path, graph.y, *outputs)
    return str(error.value)


def test_frames_shifted_by_two_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    after = graph.b.op("Concat", graph.cut(graph.joined, 2, 4), graph.x, axis=2)
    message = refused(graph, tmp_path, after)
    assert "'joined'" in message
    assert "'cache'" in message
    assert "next call" in message


def test_frames_that_are_not_shifted_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    assert "next call" in refused(graph, tmp_path, graph.cut(graph.joined, 0, 3))


def test_frames_written_back_to_another_place_are_refused(tmp_path: Path) -> None:
    """One tensor for two caches, whose halves are exchanged."""
    graph = Graph()
    b = graph.b = Builder()
    graph.x, cache = b.input("x", [1, 4, 1]), b.input("cache", [1, 4, 4])
    one = b.op("Concat", graph.cut(cache, 0, 2), graph.x, axis=2)
    y = graph.conv(one, 3)
    two = b.op("Concat", graph.cut(cache, 2, 4), y, axis=2)
    graph.y = graph.conv(two, 3)
    ends = graph.cut(two, 1, 3), graph.cut(one, 1, 3)
    assert "next call" in refused(graph, tmp_path, b.op("Concat", *ends, axis=2))


def test_frames_turned_around_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    back = [graph.b.integers(n) for n in (3, 0, 2, -1)]
    assert "next call" in refused(graph, tmp_path, graph.b.op("Slice", graph.joined, *back))


def test_a_cache_in_front_of_two_tensors_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    other = graph.b.op("Concat", graph.cache, graph.b.op("Tanh", graph.x), axis=2)
    graph.y = graph.b.op("Add", graph.y, graph.conv(other, 4))
    assert "next call" in refused(graph, tmp_path, graph.cut(graph.joined, 1, 4))


def test_a_cache_that_is_read_in_another_way_as_well_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    graph.y = graph.b.op("Add", graph.y, graph.cut(graph.cache, 0, 1))
    message = refused(graph, tmp_path, graph.cut(graph.joined, 1, 4))
    assert "'cache'" in message
    assert "another way" in message


def test_outputs_in_another_order_than_the_caches_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    b = graph.b
    two = b.op("Concat", b.input("more", [1, 4, 3]), graph.y, axis=2)
    graph.y = graph.conv(two, 4)
    message = refused(graph, tmp_path, graph.cut(two, 1, 4), graph.cut(graph.joined, 1, 4))
    assert "in another order" in message


@pytest.mark.parametrize("kernel", [2, 3])
def test_a_window_of_fewer_frames_than_the_cache_has_is_refused(
    kernel: int, tmp_path: Path
) -> None:
    """It makes several frames of one."""
    graph = Graph()
    graph.y = graph.conv(graph.joined, kernel)
    assert "reaches" in refused(graph, tmp_path, graph.cut(graph.joined, 1, 4))


def test_a_recurrent_layer_that_begins_anew_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.b.op("Transpose", graph.y, perm=[2, 0, 1])
    graph.y = graph.b.squeeze(graph.b.recurrent(x, make_recurrent("gru", 4, 3))[0], 1)
    message = refused(graph, tmp_path, graph.cut(graph.joined, 1, 4))
    assert "begins anew" in message


def test_a_recurrent_layer_in_both_directions_is_refused(tmp_path: Path) -> None:
    """Over one frame it goes on in both; over a sequence one of them would begin at its end."""
    graph = Graph()
    b, gru = graph.b, make_recurrent("gru", 4, 3, direction="bidirectional")
    x = b.op("Transpose", graph.y, perm=[2, 0, 1])
    y, after = b.recurrent(x, gru, "", b.input("h", [2, 1, 3]))
    graph.y = b.concatenated(y, 2)
    assert "runs back" in refused(graph, tmp_path, graph.cut(graph.joined, 1, 4), after)


def test_a_state_that_is_not_given_back_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    b, gru = graph.b, make_recurrent("gru", 4, 3)
    x = b.op("Transpose", graph.y, perm=[2, 0, 1])
    y, after = b.recurrent(x, gru, "", b.input("h", [1, 1, 3]))
    graph.y, after = b.op("Relu", b.squeeze(y, 1)), b.op("Tanh", after)
    assert "as initial_h" in refused(graph, tmp_path, graph.cut(graph.joined, 1, 4), after)


def test_an_output_that_is_the_state_as_well(tmp_path: Path) -> None:
    graph = Graph()
    b, gru = graph.b, make_recurrent("gru", 4, 3)
    x = b.op("Transpose", graph.y, perm=[2, 0, 1])
    y, after = b.recurrent(x, gru, "", b.input("h", [1, 1, 3]))
    graph.load(tmp_path, b.squeeze(y, 1), graph.cut(graph.joined, 1, 4), after)
    frames = uniform(FRAMES, 1, 4, 1)
    assert_is(graph.path, frames, np.ascontiguousarray(frames[..., 0]))


def of_any_length(make: Any) -> Graph:
    """x [1, 4, frames] behind a cache of three frames; ``make`` is what comes of the window."""
    graph = Graph()
    b = graph.b = Builder()
    graph.x, cache = b.input("x", [1, 4, "frames"]), b.input("cache", [1, 4, 3])
    graph.joined = b.op("Concat", cache, graph.x, axis=2)
    graph.y = make(graph, graph.conv(graph.joined, 4))
    return graph


@pytest.mark.parametrize(
    "make",
    [
        lambda graph, y: graph.conv(y, 3, pads=[2, 0]),
        lambda graph, y: graph.b.op("ReduceMean", y, axes=[2]),
        lambda graph, y: graph.b.op("GlobalMaxPool", y),
        lambda graph, y: graph.cut(y, -1, 2**31 - 1),
        lambda graph, y: graph.b.op("Gather", y, graph.b.integers(0), axis=2),
    ],
)
def test_what_takes_the_frames_of_a_call_alone_is_refused(make: Any, tmp_path: Path) -> None:
    graph = of_any_length(make)
    after = graph.cut(graph.joined, -3, 2**31 - 1)
    assert "steps of a call alone" in refused(graph, tmp_path, after)


def test_a_reduction_of_the_only_frame_of_a_call_is_that_frame(tmp_path: Path) -> None:
    graph = Graph()
    b = graph.b
    y = b.op("Add", b.op("GlobalAveragePool", graph.y), b.op("ReduceMax", graph.y, axes=[2]))
    y = b.op("Sub", y, graph.cut(b.op("Tanh", graph.y), -1, 2**31 - 1))
    y = b.op("Mul", y, b.op("Gather", graph.y, b.integers(0), axis=2))
    graph.load(tmp_path, y, graph.cut(graph.joined, 1, 4))
    frames = uniform(FRAMES, 1, 4, 1)
    assert_is(graph.path, frames, np.ascontiguousarray(frames[..., 0]))


def test_rows_of_a_batch_of_any_size(tmp_path: Path) -> None:
    graph = Graph()
    b = graph.b = Builder()
    x, cache = b.input("x", ["rows", 4, 1]), b.input("cache", ["rows", 4, 2])
    joined = b.op("Concat", cache, x, axis=2)
    b.output(graph.conv(joined, 3))
    b.output(graph.cut(joined, 1, 3))
    path = b.save(tmp_path)
    model, frames = rn.load(path), uniform(FRAMES, 3, 4, 1)
    session, state, want = ort.InferenceSession(path), np.zeros((3, 4, 2), np.float32), []
    for frame in frames:
        y, state = session.run(None, {"x": frame, "cache": state})
        want.append(y[..., 0])
    y, _ = model(np.ascontiguousarray(frames[..., 0]))
    np.testing.assert_allclose(y, want, rtol=0, atol=2e-5)


def test_states_alone_that_are_packed_by_scattering(tmp_path: Path) -> None:
    """Two layers' states in one tensor, each put back in its place; no cache of frames beside."""
    b = Builder()
    x, packed = b.input("x", ["t", 1, 3]), b.input("packed", [2, 1, 1, 4])
    layers = [make_recurrent("gru", 3, 4), make_recurrent("gru", 4, 4)]
    y, after = x, packed
    for i, layer in enumerate(layers):
        h = b.op("Gather", packed, b.constant(i, np.int64), axis=0)
        y, h = b.recurrent(y, layer, "", h)
        y = b.squeeze(y, 1)
        after = b.op("ScatterND", after, b.constant([[i]], np.int64), b.unsqueeze(h, 0))
    b.output(y)
    b.output(after)
    path = b.save(tmp_path)
    x = uniform(9, 1, 3)
    zeros = np.zeros((2, 1, 1, 4), np.float32)
    want, last = ort.InferenceSession(path).run(None, {"x": x, "packed": zeros})
    y, state = rn.load(path)(x)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
    for got, expected in zip(state, last, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_a_stride_over_the_frames_of_calls_of_any_length_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    b = graph.b = Builder()
    graph.x, cache = b.input("x", [1, 4, "frames"]), b.input("cache", [1, 4, 3])
    joined = b.op("Concat", cache, graph.x, axis=2)
    graph.y = graph.conv(joined, 4, strides=[2])
    assert "stride 2" in refused(graph, tmp_path, graph.cut(joined, -3, 2**31 - 1))


def test_values_that_are_joined_and_given_out_are_no_cache(tmp_path: Path) -> None:
    """Two inputs side by side, of which an output holds nothing."""
    b = Builder()
    x, other = b.input("x", ["t", 1, 2]), b.input("other", ["t", 1, 3])
    y = b.op("Concat", other, b.op("Tanh", x), axis=2)
    b.output(b.op("Relu", y))
    b.output(b.op("Tanh", y))
    model = rn.load(b.save(tmp_path))
    assert list(model.inputs) == ["x", "other"]
    assert len(model.outputs) == 2
