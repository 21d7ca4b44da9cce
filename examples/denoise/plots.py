"""One picture: the sound before and after, on one scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from features import FRAME, RATE, Signal, spectrum_of
from matplotlib.figure import Figure
from numpy.typing import NDArray

_RANGE = 70  # dB from the brightest colour to the darkest
_FULL_SCALE = np.sqrt(np.hanning(FRAME)).sum() / 2  # |spectrum| of a sine of full scale


def _decibels(signal: Signal) -> NDArray[np.float64]:
    """[BINS, frames] in dB of full scale."""
    return 20 * np.log10(np.maximum(np.abs(spectrum_of(signal)).T / _FULL_SCALE, 1e-9))


def save_spectrograms(path: Path, sounds: dict[str, Signal]) -> None:
    """Draws each sound under its title, one below the other, into a PNG."""
    pictures = {title: _decibels(signal) for title, signal in sounds.items()}
    seconds = max(signal.size for signal in sounds.values()) / RATE
    # Both share the colours, and the loudest thousandth may saturate.
    brightest = np.ceil(max(np.quantile(p, 0.999) for p in pictures.values()) / 5) * 5

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(len(pictures), sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        image = axis.imshow(
            picture,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, RATE / 2000),
            vmin=brightest - _RANGE,
            vmax=brightest,
            cmap="magma",
            interpolation="nearest",
        )
        axis.set_title(title, loc="left", fontsize=12)
        axis.set_ylabel("frequency (kHz)")
    axes[-1].set_xlabel("time (s)")
    figure.colorbar(image, ax=list(axes), label="level (dB of full scale)", pad=0.015, aspect=35)
    figure.savefig(path, dpi=130)
