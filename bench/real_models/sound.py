"""Speech for as long as wanted, loud and low, clean and in noise, with pauses; always the same.

A voice is a WAV: the synthetic one of examples/denoise, and those that ``add`` is given.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path += [str(EXAMPLES / "denoise"), str(EXAMPLES / "vad")]

from audio import noise_like_a_room, read_wav  # noqa: E402
from features import RATE, Signal  # noqa: E402
from scipy.signal import resample_poly  # noqa: E402

SPEECH = EXAMPLES / "denoise" / "speech.wav"
_LEVELS = (0, -6, -12, -20, -30)  # dB of the voice as it is
_SNR = (None, 20, 10, 5, 0, -5, "noise alone")  # dB; None is without noise
_SPEEDS = ((1, 1), (9, 10), (11, 10))  # how much longer: the pitch falls as much
_PAUSE = 1.5  # seconds of the same noise without the voice, behind each piece

_voices: list[Path] = [SPEECH]


def add(path: Path) -> None:
    """One more voice, any WAV."""
    _voices.append(path)
    sound.cache_clear()


@cache
def sound(seconds: int) -> Signal:
    """[samples] at 16 kHz: the voices in turn, each time at another level, speed and noise."""
    read = [read_wav(path) for path in _voices]
    # Numbers of turns without a common factor, so that each level meets each noise.
    turns, pieces, made = 0, [], 0
    while made < seconds * RATE:
        up, down = _SPEEDS[turns % len(_SPEEDS)]
        voice = resample_poly(read[turns % len(read)], up, down)
        voice = np.pad(voice, (0, round(_PAUSE * RATE)))
        snr = _SNR[turns % len(_SNR)]
        if snr is not None:
            noise = noise_like_a_room(voice.size, chatter_of=voice)
            power = np.mean(voice**2) / 10 ** ((0 if isinstance(snr, str) else snr) / 10)
            voice = noise * np.sqrt(power) + (0 if isinstance(snr, str) else voice)
        piece = voice * 10 ** (_LEVELS[turns % len(_LEVELS)] / 20)
        pieces.append(piece / max(1.0, np.abs(piece).max()))
        made += piece.size
        turns += 1
    return np.concatenate(pieces)[: seconds * RATE]
