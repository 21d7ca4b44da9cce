"""A GRU of 128 that has learnt Bach's chorales: which keys sound at the next quarter note.

No package has such a network: this one is trained here, in some seconds, on the data of the
comparison (rnn_native/comparison/tasks/chorales.py), and kept in build/precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

import rnn_native as rn
from rnn_native.comparison.task import Splits
from rnn_native.comparison.tasks import chorales
from rnn_native.models import GRUModel

from .model import Given, Measure, Part, RealModel, Run, Task

FOLDER = Path("build/precision")


@cache
def data() -> Splits:
    (task,) = chorales.tasks("full")
    return task.load(FOLDER)


@cache
def network() -> rn.ModelSpec:
    path = FOLDER / "chorales-gru.safetensors"
    if not path.exists():
        learnt, watched, _ = data()
        model = GRUModel(chorales.KEYS, 128, chorales.KEYS, output="sigmoid")
        model.fit(
            learnt.x, learnt.y, lengths=learnt.lengths,
            validation=(watched.x, watched.y, watched.lengths),
            epochs=100, batch_size=16, learning_rate=3e-3, patience=10, seed=0,
        )  # fmt: skip
        model.save(path)
    return rn.load(path).spec


def calibration() -> list[Given]:
    """Some of the pieces that it has learnt."""
    learnt = data().train
    pairs = zip(learnt.x[:60], learnt.lengths[:60], strict=True)
    return [(x[:length, None], None) for x, length in pairs]


def prepare(pieces: int) -> Task:
    test = data().test
    rows = list(zip(test.x, test.y, test.lengths, strict=True))[:pieces]

    def answer(runs: Mapping[str, Run]) -> float:
        """The negative log-likelihood of a step, the sum over its keys, in nats."""
        total = 0.0
        for x, y, length in rows:
            likely = np.asarray(runs["predictor"](x[:length, None])[0], np.float64)[:, 0]
            sounds = y[:length] > 0.5
            total -= np.log(np.maximum(np.where(sounds, likely, 1 - likely), 1e-12)).sum()
        return total / sum(length for _, _, length in rows)

    part = Part(network(), calibration=calibration)
    return Task({"predictor": part}, answer, lambda plain, other: [other, other - plain])


MODEL = RealModel(
    "chorales", "GRU 128", ("music21",), "pieces", 69,
    (Measure("negative log-likelihood of a step", "{:.5f}"), Measure("its change", "{:+.1e}")),
    prepare,
)  # fmt: skip
