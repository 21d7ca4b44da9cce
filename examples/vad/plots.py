"""One picture: the sound, the probability of speech below it, and where somebody speaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from detectors import CHUNK, RATE, Signal
from matplotlib.figure import Figure
from segments import Segment


def save_picture(path: Path, signal: Signal, speech: Signal, segments: Sequence[Segment]) -> None:
    """Draws both over time into a PNG, stretches of speech shaded."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    sound, below = figure.subplots(2, sharex=True)
    sound.plot(np.arange(signal.size) / RATE, signal, linewidth=0.4, color="tab:gray")
    sound.set_ylabel("sound")
    sound.set_title("Where somebody speaks", loc="left", fontsize=12)
    edges = np.arange(speech.size + 1) * CHUNK / RATE
    below.stairs(speech, edges, color="tab:blue")
    below.set_ylabel("probability of speech")
    below.set_ylim(0, 1.02)
    below.set_xlim(0, edges[-1])
    below.set_xlabel("time (s)")
    for axis in (sound, below):
        for segment in segments:
            axis.axvspan(segment.start, segment.end, color="tab:green", alpha=0.18, linewidth=0)
    figure.savefig(path, dpi=130)
