"""g2p-fa: Persian letters to phonemes, two LSTMs of 256 as encoder and two as decoder."""

from __future__ import annotations

import rnn_native as rn

from . import phonemes
from .model import RealModel, Task, package_file
from .words import PERSIAN_LETTERS, persian

PAD, START, END = 0, 1, 2
STEPS = 30  # to which the package pads each word; its encoder reads the padding


def _spec(part: str, *chain: str) -> rn.ModelSpec:
    path = package_file("g2p-fa", "g2p_fa/data/weights")
    return rn.load(path, "torch", prefix=part, chain=list(chain)).spec


def _rows(words: list[str]) -> list[list[int]]:
    rows = [[START, *(PERSIAN_LETTERS.index(letter) + 3 for letter in word), END] for word in words]
    return [row + [PAD] * (STEPS - len(row)) for row in rows]


def prepare(amount: int) -> Task:
    rows, others = _rows(persian(amount)), _rows(persian(amount, behind=amount))
    specs = {
        "encoder": _spec("encoder", "embedding", "rnn"),
        "decoder": _spec("decoder", "embedding", "rnn", "fc_out"),
    }
    return Task(
        phonemes.parts(specs, others, START, END, STEPS - 1),
        lambda runs: phonemes.spoken(runs, rows, START, END, STEPS - 1),
        phonemes.judge,
    )


MODEL = RealModel(
    "g2p-fa", "4 LSTM 256", ("g2p-fa", "hazm"), "words", 2000, (phonemes.MEASURE,), prepare
)
