"""How far apart two outputs of one recording may be, cleaned in C and in Python."""

from __future__ import annotations

import numpy as np
from features import BINS, FRAME, HOP, Signal, spectrum_of
from numpy.typing import NDArray

TOLERANCE = 2e-5
"""Of gains, which are between 0 and 1: kernels of other instruction sets round otherwise."""


def allowed(noisy: Signal) -> NDArray[np.float64]:
    """In units of a 16-bit sample, [samples].

    A gain that is off by ``TOLERANCE``, of a bin of magnitude m, moves its frame by at most
    ``TOLERANCE`` m / FRAME times the window, and twice that where the bin stands for its mirror
    image too. Frames overlap. Each of the two outputs is rounded by at most half a unit then. What
    two transforms in double precision differ by is less than 1e-12 of full scale.
    """
    weights = np.full(BINS, 2.0)
    weights[[0, -1]] = 1.0
    moved = np.abs(spectrum_of(noisy)) @ weights * (TOLERANCE / FRAME)  # [frames]
    halves = np.outer(moved, np.sqrt(np.hanning(FRAME))).reshape(-1, 2, HOP)
    total = np.zeros((len(moved) + 1, HOP))
    total[:-1] = halves[:, 0]
    total[1:] += halves[:, 1]
    return 1.0 + 32767 * (total.reshape(-1)[: noisy.size] + 1e-12)
