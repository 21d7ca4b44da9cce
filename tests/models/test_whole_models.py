"""Trained networks that load whole from the file their package has, with convolutions, pooling and
what else stands around the recurrent layers: against onnxruntime on the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytestmark = pytest.mark.models
Array = NDArray[np.float32]
CONTEXT, FRAME, RATE = 64, 512, 16000


def session(path: Path) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def chunks(signal: Array) -> Array:
    """[chunks, 576]: frames of 32 ms, each with the end of the one before in front."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    before = np.vstack([np.zeros((1, CONTEXT), np.float32), frames[:-1, -CONTEXT:]])
    return np.hstack([before, frames])


@pytest.fixture(scope="module", params=["faster-whisper", "silero-vad"])
def silero(
    request: pytest.FixtureRequest, package_file: Callable[[str, str], Path]
) -> tuple[Path, Any]:
    path = {
        "faster-whisper": "faster_whisper/assets/silero_vad_v6.onnx",
        "silero-vad": "silero_vad/data/silero_vad_16k_sequence.onnx",
    }[request.param]
    file = package_file(request.param, path)
    return file, session(file)


def test_silero_tells_speech_from_ten_minutes_of_sound(
    silero: tuple[Path, Any], run: Any, voice: Callable[[int, float], Array]
) -> None:
    path, oracle = silero
    seconds = 600 if run.name == "model" else 20
    x = chunks(voice(RATE, seconds))
    zero = np.zeros((1, 1, 128), np.float32)
    want, h_n, c_n = oracle.run(None, {"input": x, "h": zero, "c": zero})
    spec = rn.load(path).spec
    y, (h, c) = run(spec, x[:, None])
    run.assert_close(y[:, 0, 0], want.reshape(-1))
    run.assert_close(h, h_n)
    run.assert_close(c, c_n)
    assert np.ptp(want) > 0.1


def test_silero_streams_with_the_bits_of_the_whole(
    silero: tuple[Path, Any], voice: Callable[[int, float], Array]
) -> None:
    model = rn.load(silero[0])
    x = chunks(voice(RATE, 8))[:, None]
    whole, _ = model(x)
    stream = model.stream(batch=1)
    assert (stream.rate, stream.latency) == (1, 0)
    steps = np.stack([stream.step(step).copy() for step in x])
    np.testing.assert_array_equal(steps, whole)


def test_ddddocr_reads_a_picture_column_by_column(
    package_file: Callable[[str, str], Path], run: Any
) -> None:
    """20 convolutions over rows and columns of a picture [64, width], residuals, LSTMs along the
    width, 8210 characters."""
    path = package_file("ddddocr", "ddddocr/common.onnx")
    picture = np.random.default_rng(3).uniform(-1, 1, (64, 96)).astype(np.float32)
    (want,) = session(path).run(None, {"input1": picture[None, None]})
    y, _ = run(rn.load(path).spec, np.ascontiguousarray(picture.T[:, None]))
    run.assert_close(y, want)
