"""Silero's voice activity detector, version 6: convolutions and an LSTM of 128, from its .onnx.

Each chunk of 32 ms gets the probability that somebody speaks; stretches of speech are made of
these as examples/vad makes them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import rnn_native as rn

from . import sound
from .model import Given, Measure, Part, RealModel, Run, Task, package_file

from detectors import CHUNK, RATE, chunks_of  # isort: skip  # of examples/vad, as sound.py finds it
from segments import segments_of  # isort: skip


def network() -> Part:
    path = package_file("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx")
    return Part(
        rn.load(path).spec, path,
        lambda x: x[:, 0], lambda y: np.reshape(y, (-1, 1, 1)), by_step=True,
        calibration=calibration,
    )  # fmt: skip


def calibration() -> list[Given]:
    """The same voice slower and faster, at levels and in noise that the task has not."""
    return [(chunks(piece)[:, None], None) for piece in sound.other_pieces()]


def chunks(signal: np.ndarray) -> np.ndarray:
    """[chunks, 576]: 512 samples each, and the 64 before them."""
    return chunks_of(signal.astype(np.float32))


def prepare(seconds: int) -> Task:
    x = chunks(sound.sound(seconds))[:, None]

    def answer(runs: Mapping[str, Run]) -> np.ndarray:
        return np.asarray(runs["detector"](x)[0], np.float64)[:, 0, 0]

    return Task({"detector": network()}, answer, judge)


def judge(plain: np.ndarray, other: np.ndarray) -> list[float]:
    apart = np.abs(plain - other)
    ours, theirs = (set(segments_of(speech, CHUNK / RATE)) for speech in (plain, other))
    return [float(apart.max()), float(apart.mean()), len(theirs), len(ours - theirs)]


MODEL = RealModel(
    "silero v6", "LSTM 128", ("faster-whisper",), "seconds", 600,
    (
        Measure("largest change of the probability", "{:.1e}"),
        Measure("mean change of the probability", "{:.1e}"),
        Measure("stretches of speech", "{:.0f}"),
        Measure("those of float32 that begin or end elsewhere", "{:.0f}", 0),
    ),
    prepare,
)  # fmt: skip
