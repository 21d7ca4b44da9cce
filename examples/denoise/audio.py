"""WAV files in and out, noise that is the same in every run, and how much of it is left."""

from __future__ import annotations

import struct
from math import gcd
from pathlib import Path

import numpy as np
from features import FRAME, RATE, Signal
from scipy.io import wavfile
from scipy.signal import resample_poly

_SEED = 20
_PEAK = 0.95  # of full scale


def read_wav(path: Path) -> Signal:
    """Any WAV file as mono at 16 kHz, full scale 1; raises ``ValueError`` where it cannot."""
    try:
        rate, samples = wavfile.read(path)
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path}: expected a whole WAV file, {error}") from error
    if rate < 8_000:
        raise ValueError(f"{path}: expected at least 8000 samples a second, got {rate}")
    if samples.dtype == np.uint8:
        signal = (samples.astype(np.float64) - 128) / 128
    elif samples.dtype.kind == "i":
        signal = samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    else:
        signal = samples.astype(np.float64)
    if signal.ndim == 2:
        signal = signal.mean(axis=1)
    if not np.isfinite(signal).all():
        raise ValueError(f"{path}: expected finite samples, got NaN or infinity")
    if rate != RATE:
        common = gcd(rate, RATE)
        signal = resample_poly(signal, RATE // common, rate // common)
    if signal.size < 10 * FRAME:
        raise ValueError(f"{path}: expected at least 0.2 s, got {signal.size / RATE:.3f} s")
    if not signal.any():
        raise ValueError(f"{path}: expected sound, got only silence")
    return signal


def write_wav(path: Path, signal: Signal) -> None:
    """16-bit mono at 16 kHz; samples beyond full scale are clipped."""
    wavfile.write(path, RATE, np.round(np.clip(signal, -1, 1) * 32767).astype(np.int16))


def _shaped(rng: np.random.Generator, samples: int, slope: float) -> Signal:
    """Noise of unit power whose power falls as 1 / frequency**slope above 50 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    noise = np.fft.irfft(spectrum / np.maximum(hertz, 50) ** (slope / 2), samples)
    return noise / np.sqrt(np.mean(noise**2))


def noise_like_a_room(samples: int, chatter_of: Signal) -> Signal:
    """Unit-power noise: pink, with mains hum and a murmur of many voices; always the same.

    The murmur is twenty copies of ``chatter_of``, each backwards and from another start.
    """
    rng = np.random.default_rng(_SEED)
    pink = _shaped(rng, samples, slope=1)
    time = np.arange(samples) / RATE
    hum = sum(
        (np.sin(2 * np.pi * 50 * k * time + rng.uniform(0, 2 * np.pi)) / k for k in (1, 2, 3, 5)),
        start=np.zeros(samples),
    )
    murmur = np.zeros(samples)
    for start in rng.integers(0, chatter_of.size, 20):
        murmur += np.resize(np.roll(chatter_of[::-1], start), samples)
    parts = [(0.6, pink), (0.2, hum), (0.2, murmur)]  # shares of the power
    return sum(
        (np.sqrt(share / np.mean(part**2)) * part for share, part in parts),
        start=np.zeros(samples),
    )


def with_noise(clean: Signal, snr_db: float) -> tuple[Signal, Signal]:
    """``clean`` and its noisy version, both scaled alike so that neither is clipped."""
    noise = noise_like_a_room(clean.size, chatter_of=clean)
    noisy = clean + noise * np.sqrt(np.mean(clean**2) / 10 ** (snr_db / 10))
    scale = min(1.0, _PEAK / np.abs(noisy).max())
    return clean * scale, noisy * scale


def si_sdr(estimate: Signal, clean: Signal) -> float:
    """Scale-invariant signal to distortion ratio in dB (Le Roux et al. 2019, equation 3)."""
    target = clean * (estimate @ clean) / (clean @ clean)
    return float(10 * np.log10(np.sum(target**2) / np.sum((target - estimate) ** 2)))
