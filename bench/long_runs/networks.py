"""Six networks with input that does not end: three trained ones and three random ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rnn_native as rn

HIDDEN, FEATURES = 128, 32  # of the random ones
KEPT = 2.0  # bias of the gate that keeps the state: sigmoid(2) is 0.88


@dataclass(frozen=True)
class LongRun:
    """``steps`` [time, 1, features] come again and again."""

    spec: rn.ModelSpec
    steps: NDArray[np.float32]

    def x(self, first: int, last: int) -> NDArray[np.float32]:
        """Those steps, any number of them."""
        return self.steps[np.arange(first, last) % len(self.steps)]


def nsnet2(steps: int) -> LongRun:
    """Speech, a step for 10 ms."""
    from real_models import nsnet2, sound

    features = nsnet2.features_of(nsnet2.spectrum_of(sound.sound(-(-steps // 100))))
    return LongRun(nsnet2.network().spec, features[:steps, None])


def silero(steps: int) -> LongRun:
    """Speech, a step for 32 ms."""
    from real_models import silero, sound

    chunks = silero.chunks(sound.sound(-(-steps * silero.CHUNK // silero.RATE)))
    return LongRun(silero.network().spec, chunks[:steps, None])


def chorales(steps: int) -> LongRun:
    """One piece after the other; all have 20,000 steps."""
    from real_models import chorales

    pieces = [
        x[:length]
        for part in chorales.data()
        for x, length in zip(part.x, part.lengths, strict=True)
    ]
    return LongRun(chorales.network(), np.concatenate(pieces)[:steps, None])


def _random(cell: str, steps: int) -> LongRun:
    """Normal weights of deviation 1 / sqrt(inputs), biases with which gates keep most of a state,
    and normal noise."""
    rng = np.random.default_rng(128)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    shapes = {"weight_ih_l0": (gates * HIDDEN, FEATURES), "weight_hh_l0": (gates * HIDDEN, HIDDEN)}
    weights: dict[str, Any] = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)
        for name, shape in shapes.items()
    }
    bias = np.zeros(gates * HIDDEN, np.float32)
    if cell != "rnn":  # z of a GRU and f of an LSTM are the second of their gates
        bias[HIDDEN : 2 * HIDDEN] = KEPT
    weights |= {"bias_ih_l0": bias, "bias_hh_l0": np.zeros_like(bias)}
    noise = rng.standard_normal((steps, 1, FEATURES)).astype(np.float32)
    return LongRun(rn.ModelSpec((rn.Recurrent(cell, FEATURES, HIDDEN, weights),)), noise)


NETWORKS: Mapping[str, tuple[str, Callable[[int], LongRun]]] = {
    "nsnet2": ("NSNet2, 2 GRU 400", nsnet2),
    "silero": ("Silero v6, LSTM 128", silero),
    "chorales": ("chorales, GRU 128", chorales),
    "rnn": ("random RNN 128", partial(_random, "rnn")),
    "gru": ("random GRU 128", partial(_random, "gru")),
    "lstm": ("random LSTM 128", partial(_random, "lstm")),
}
"""What each is called in a table, and what makes it with so many different steps."""
