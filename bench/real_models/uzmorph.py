"""uzmorph-nn: a tag for each letter of an Uzbek word, two bidirectional LSTMs of 64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import rnn_native as rn

from .model import Measure, Part, RealModel, Run, Task, package_file, share
from .words import uzbek

LETTERS = " '()+-.3:AEFGLOQSTU`abcdefghijklmnopqrstuvxyz{}"  # letter n is index n + 2
STEPS = 30  # to which the package pads each word with zeros; its network reads them


def prepare(amount: int) -> Task:
    path = package_file("uzmorph-nn", "uzmorph_nn/data/morph_bilstm.pth")
    spec = rn.load(path, chain=["char_embeddings", "lstm", "hidden2tag"]).spec
    words, others = uzbek(amount)
    letters = _letters(words)

    def answer(runs: Mapping[str, Run]) -> list[tuple[int, ...]]:
        tags = np.asarray(runs["tagger"](letters)[0]).argmax(axis=-1)
        return [tuple(row[: len(word)]) for word, row in zip(words, tags.T.tolist(), strict=True)]

    part = Part(spec, calibration=lambda: [(_letters(others), None)])
    return Task({"tagger": part}, answer, judge)


def _letters(words: list[str]) -> np.ndarray:
    letters = np.zeros((STEPS, len(words)), np.int64)
    for place, word in enumerate(words):
        letters[: len(word), place] = [LETTERS.index(letter) + 2 for letter in word]
    return letters


def judge(plain: Any, other: Any) -> list[float]:
    pairs = list(zip(plain, other, strict=True))
    letters = [a == b for words in pairs for a, b in zip(*words, strict=True)]
    return [share(letters), share([a == b for a, b in pairs])]


MODEL = RealModel(
    "uzmorph-nn", "2 bi-LSTM 64", ("uzmorph-nn", "uzbek_lemmatization"), "words", 2000,
    (
        Measure("letters of the same tag, %", "{:.2f}"),
        Measure("words of the same tags, %", "{:.2f}"),
    ),
    prepare,
)  # fmt: skip
