"""Speech for as long as wanted, loud and low, clean and in noise, with pauses; always the same.

A voice is a WAV: the synthetic one of examples/denoise, and those that ``add`` is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from itertools import cycle
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
_OTHER_LEVELS = (-3, -9, -15, 0, -25, -6)
_OTHER_SNR = (15, 7, 2, -3, None, "noise alone")
_OTHER_SPEEDS = ((19, 20), (21, 20))
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
        voice = resample_poly(read[turns % len(read)], *_SPEEDS[turns % len(_SPEEDS)])
        pieces.append(_piece(voice, _SNR[turns % len(_SNR)], _LEVELS[turns % len(_LEVELS)]))
        made += pieces[-1].size
        turns += 1
    return np.concatenate(pieces)[: seconds * RATE]


def _piece(voice: Signal, snr: float | str | None, level: float) -> Signal:
    """The voice and a pause, in so much noise and so loud, both in dB."""
    voice = np.pad(voice, (0, round(_PAUSE * RATE)))
    if snr is not None:
        noise = noise_like_a_room(voice.size, chatter_of=voice)
        power = np.mean(voice**2) / 10 ** ((0 if isinstance(snr, str) else snr) / 10)
        voice = noise * np.sqrt(power) + (0 if isinstance(snr, str) else voice)
    piece = voice * 10 ** (level / 20)
    return piece / max(1.0, np.abs(piece).max())


def other_voices() -> Iterator[Signal]:
    """The voice of the example without end, at speeds that ``sound`` has not."""
    voice = read_wav(SPEECH)
    for up, down in cycle(_OTHER_SPEEDS):
        yield resample_poly(voice, up, down)


def other_pieces() -> Iterator[Signal]:
    """Pieces as those of ``sound``, none of which it has."""
    for voice, snr, level in zip(other_voices(), _OTHER_SNR, _OTHER_LEVELS, strict=False):
        yield _piece(voice, snr, level)
