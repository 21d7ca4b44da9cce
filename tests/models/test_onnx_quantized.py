"""Files as onnxruntime.quantization writes them, against onnxruntime.

Here weights are the floats that their integers stand for, and values are not rounded. So

- onnxruntime's result for the float graph with the weights dequantised by hand, and with a Clip in
  the place of each range that the file fixes, is ours: ``ATOL``;
- its result for the quantised file is within what rounding can do: ``rounding``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")
sys.path.insert(0, str(Path(__file__).parent))

import onnx
from onnx_graphs import ATOL, run
from quantised_files import (
    BOTH,
    LSTM,
    NETWORKS,
    B,
    dynamic,
    float_file,
    sequence,
    static,
    with_clips,
    with_floats,
)  # fmt: skip
from rounding import after_clips, after_linear, after_lstm, scale_of

import rnn_native as rn
from rnn_native import formats, reference
from rnn_native.spec import Linear, ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

Array = Any


def close(path: Path, other: Path, x: Array, atol: float = ATOL) -> Array:
    """Our result for a file, which is onnxruntime's for the other, in both of our ways to run."""
    (want,) = run(other, {"x": x})
    spec = formats.read(path)
    y, _ = reference.run(spec, x)
    y = next(iter(y.values())) if isinstance(y, dict) else y
    np.testing.assert_allclose(y, want, rtol=0, atol=atol)
    np.testing.assert_allclose(rn.load(path)(x)[0], want, rtol=0, atol=2 * atol)
    return y


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_files_are_their_floats(
    network: str, unsigned: bool, per_channel: bool, tmp_path: Path
) -> None:
    path = float_file(tmp_path, network)
    quantised = dynamic(path, unsigned, per_channel)
    assert "MatMulInteger" in {node.op_type for node in onnx.load(quantised).graph.node}
    close(quantised, with_floats(path, quantised), sequence(network))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_files_are_within_the_rounding_of_values(
    network: str, per_channel: bool, tmp_path: Path
) -> None:
    x = sequence(network)
    quantised = dynamic(float_file(tmp_path, network), False, per_channel)
    spec = formats.read(quantised)
    y, _ = reference.run(spec, x)
    y = next(iter(y.values())) if isinstance(y, dict) else y
    bound = BOUNDS[network](spec, x)
    difference = np.abs(y - run(quantised, {"x": x})[0])
    assert (difference <= bound + ATOL).all()
    assert bound.max() < 2 * np.abs(y).max()  # it says something
    assert difference.max() > 1e-4  # onnxruntime has rounded


def _layers(spec: Any) -> list[Any]:
    return [node.layer for node in spec.nodes.values()]


def _zeros(layer: Recurrent) -> Array:
    return np.zeros((layer.num_directions, B, layer.hidden_size))


def _of_tagger(spec: Any, x: Array) -> Array:
    embedding, lstm, _, linear = _layers(spec)
    y, off = after_lstm(lstm, embedding.weight[x].astype(float), _zeros(lstm), _zeros(lstm))
    return after_linear(linear, np.maximum(y, 0), off)  # Relu makes no difference larger


def _of_gru(spec: Any, x: Array) -> Array:
    y, _ = reference.run(ModelSpec(_layers(spec)[:2]), x)
    heads = [layer for layer in _layers(spec) if isinstance(layer, Linear)]
    return sum(after_linear(head, y) for head in heads)


def _of_convolution(spec: Any, x: Array) -> Array:
    conv, lstm, linear = _layers(spec)
    between, _ = reference.run(ModelSpec([conv]), x)
    weight = np.abs(conv.weight.astype(float))
    off = np.broadcast_to(weight.sum(1) * scale_of(x) / 2, between.shape)
    y, off = after_lstm(lstm, between.astype(float), _zeros(lstm), _zeros(lstm), off)
    return after_linear(linear, y, off)


LSTMS = {"tagger": BOTH, "gru": None, "convolution": LSTM}
BOUNDS = {"tagger": _of_tagger, "gru": _of_gru, "convolution": _of_convolution}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("unsigned", [False, True])
def test_static_files_are_their_floats_and_ranges(
    network: str, per_channel: bool, unsigned: bool, tmp_path: Path
) -> None:
    x = sequence(network)  # beyond the ranges of other sequences in places
    quantised = static(float_file(tmp_path, network), network, "QDQ", per_channel, unsigned)
    clips = with_clips(quantised)
    y = close(quantised, clips, x)
    bound = after_clips(clips, LSTMS[network], x)
    np.testing.assert_allclose(run(quantised, {"x": x})[0], y, rtol=0, atol=bound + ATOL)


@pytest.mark.parametrize("network", NETWORKS)
def test_operators_of_integers_are_the_pairs_that_they_stand_for(
    network: str, tmp_path: Path
) -> None:
    x = sequence(network)
    path = float_file(tmp_path, network)
    pairs = static(path, network, "QDQ", False, True).rename(tmp_path / "pairs.onnx")
    integers = static(path, network, "QOperator", False, True)
    assert any("QLinear" in node.op_type for node in onnx.load(integers).graph.node)
    y, want = (rn.load(file)(x)[0] for file in (integers, pairs))
    bound = after_clips(with_clips(pairs), LSTMS[network], x) + ATOL
    assert bound < 2 * np.abs(want).max()
    np.testing.assert_allclose(y, want, rtol=0, atol=bound)
    np.testing.assert_allclose(run(integers, {"x": x})[0], y, rtol=0, atol=bound)
