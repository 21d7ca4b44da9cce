"""Bach's chorales as piano rolls, out of music21's corpus, one step for each quarter note.

What is asked at each step is which of the piano's 88 keys sound at it, given all steps before; the
score is the negative log-likelihood of a step, the sum over its keys, as in Boulanger-Lewandowski
et al. (2012) and Chung et al. (2014). Their data set JSB Chorales has the same kind of pieces from
another source in another split, so its figures are near ours in kind and not in detail.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...formats.files import replacing
from ...models import pad
from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Bach chorales"
ABOUT: Final = (
    "Which of 88 keys sound at the next quarter note of a four-part chorale (music21's corpus; "
    "60 % to learn from, 20 % to watch, 20 % to test, by a fixed seed)."
)
NEEDS: Final = ("music21",)
KEYS: Final = 88
LOWEST: Final = 21  # MIDI's number of the piano's first key
SEED: Final = 1685

CHUNG_2014: Final = {"rnn": 9.10, "gru": 8.54, "lstm": 8.67}
"""Test negative log-likelihoods of tanh, GRU and LSTM units on JSB Chorales, table 2 of Chung et
al. (2014), "Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling"."""

_ONE_SETTING = re.compile(r"bwv\d+(\.\d+)?\.mxl")  # without variants such as bwv120.8-a


def piano_roll(score: Any) -> NDArray[np.bool_]:
    """Which keys sound at each quarter note of a music21 score, [time, 88]."""
    roll = np.zeros((int(np.ceil(float(score.highestTime))), KEYS), dtype=np.bool_)
    for note in score.flatten().notes:
        begin = float(note.offset)
        first, last = np.ceil(begin), np.ceil(begin + float(note.quarterLength))
        for pitch in note.pitches:
            if 0 <= pitch.midi - LOWEST < KEYS:
                roll[int(first) : int(last), pitch.midi - LOWEST] = True
    return roll


def read(most: int | None) -> list[NDArray[np.bool_]]:
    """The rolls of the corpus's chorales in four parts, in the order of their names."""
    from music21 import converter, corpus

    paths = sorted((Path(path) for path in corpus.getComposer("bach")), key=lambda path: path.name)
    rolls: list[NDArray[np.bool_]] = []
    for path in paths:
        if most is not None and len(rolls) == most:
            break
        if _ONE_SETTING.fullmatch(path.name):
            score = converter.parse(path, forceSource=True, storePickle=False)
            if len(score.parts) == 4:
                rolls.append(piano_roll(score))
    if len(rolls) < 5:
        raise UnsupportedError("chorales: this music21 has no corpus of Bach's chorales")
    return rolls


def _cached(cache: Path, most: int | None) -> list[NDArray[np.bool_]]:
    """What ``read`` gives: parsing takes longer than all else of a quick comparison."""
    import music21

    file = cache / f"chorales-{most or 'all'}-music21-{music21.__version__}.npz"
    if file.exists():
        with np.load(file) as archive:
            flat, lengths = archive["rolls"], archive["lengths"]
        return np.split(flat, np.cumsum(lengths)[:-1])
    rolls = read(most)
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(file) as new:
        np.savez_compressed(new, rolls=np.concatenate(rolls), lengths=[len(roll) for roll in rolls])
    return rolls


def _load(cache: Path, most: int | None) -> Splits:
    rolls = _cached(cache, most)
    order = np.random.default_rng(SEED).permutation(len(rolls))
    one, two = round(0.6 * len(order)), round(0.8 * len(order))
    parts = (order[:one], order[one:two], order[two:])
    return Splits(*(_data([rolls[index] for index in part]) for part in parts))


def _data(rolls: list[NDArray[np.bool_]]) -> Data:
    y, lengths = pad(rolls)
    x = np.zeros(y.shape, np.float32)
    x[:, 1:] = y[:, :-1]  # a step sees what sounded before it, the first one silence
    return Data(x, y.astype(np.float64), lengths)


def tasks(scale: str) -> list[Task]:
    if scale == "quick":  # so few pieces are not learnt out in the time that there is
        return []
    most, epochs = {"full": (None, 150), "tiny": (10, 2)}[scale]
    return [
        Task(
            "chorales", "quarter notes", KEYS, KEYS, "sigmoid", 60_000,
            Metric("negative log-likelihood per step", "loss", KEYS, digits=3),
            Learning(epochs, 16, 1e-2, "constant", patience=25, forget_bias=1.0),
            partial(_load, most=most), 30,
            units={"full": (16, 32, 64, 128, 256), "tiny": ()}[scale],
        )
    ]  # fmt: skip
