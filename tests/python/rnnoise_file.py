"""A small network of RNNoise as text, and what RNNoise's own code makes of an input.

``OUTPUTS`` was calculated by ``compute_rnn`` of RNNoise's revision 3fe3790, built from its sources,
with the file that :func:`text` makes and the input that :func:`frames` gives: two gains and a
probability of speech a frame. Its tanh is a table of 201 numbers with a correction of second order:
it is up to 1e-5 off.
"""

from __future__ import annotations

import numpy as np

BEGIN = "rnnoise-nu model file version 1\n"
LAYERS = {
    "input_dense": (42, 3, 0),
    "vad_gru": (3, 2, 2),
    "noise_gru": (47, 3, 2),
    "denoise_gru": (47, 4, 0),
    "denoise_output": (4, 2, 1),
    "vad_output": (2, 1, 1),
}
"""Inputs, units, activation, in the file's order."""


def text() -> str:
    """The weights are those of a linear congruential generator, from -100 to 100."""
    lines, state = [], 1
    for name, (inputs, units, activation) in LAYERS.items():
        gates = 3 if name.endswith("gru") else 1
        counts = [inputs * units * gates, *([units * units * gates] * (gates == 3)), units * gates]
        lines.append(f"{inputs} {units} {activation}")
        for count in counts:
            numbers = []
            for _ in range(count):
                state = (state * 1103515245 + 12345) % 2**31
                numbers.append(str((state >> 8) % 201 - 100))
            lines.append(" ".join(numbers))
    return BEGIN + "\n".join(lines) + "\n"


def frames(count: int = 12) -> np.ndarray:
    step, feature = np.mgrid[:count, :42]
    return (((step * 37 + feature * 11) % 64 - 32) / 64).astype(np.float32)


OUTPUTS = np.array(
    [
        [0.48689693, 0.46232653, 0.48583320],
        [0.51717603, 0.43264890, 0.49072966],
        [0.52066392, 0.41897768, 0.48696035],
        [0.44493294, 0.47401863, 0.49764925],
        [0.47432160, 0.43235406, 0.48988312],
        [0.45792976, 0.47057283, 0.50154996],
        [0.46874979, 0.43381065, 0.49524349],
        [0.49188977, 0.43396765, 0.48920709],
        [0.50544411, 0.44572812, 0.50303209],
        [0.52061498, 0.44094503, 0.49282879],
        [0.47812808, 0.47265071, 0.50479579],
        [0.49366134, 0.43442053, 0.49434504],
    ]
)
