"""Irish tunes, letter by letter: the ABC notation of O'Neill's Music of Ireland (1850 tunes), as
music21's corpus has it. What is asked at each letter is which one it is, given all before it in a
piece of 100; bits per character are the mean of -log2 of the probability given to the right one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import log, log2
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ..task import Data, Learning, Metric, Splits, Task

TITLE: Final = "Irish tunes"
ABOUT: Final = (
    "A language model of letters: which letter comes next in the ABC notation of O'Neill's tunes "
    "(music21's corpus), in pieces of 100 letters; 60 % of the tunes to learn from, 20 % to watch, "
    "20 % to test."
)
NEEDS: Final = ("music21",)
SEED: Final = 1850
LENGTH: Final = 100
LETTERS: Final = "\n !\"#'()*+,-./123456789:<=>ABCDEFGHKLMPRSTWZ[\\]^_abcdefghiklmnoprstuvwxyz{|}~"
"""All that may come; a letter that is none of these, as in another edition, becomes the last."""


def read() -> list[str]:
    """The tunes: metre, unit, key and notes; no titles, names or remarks."""
    import music21

    folder = Path(music21.__file__).parent / "corpus" / "oneills1850"
    text = "\n".join(path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.abc")))
    tunes = []
    for part in re.split(r"^X:", text, flags=re.MULTILINE)[1:]:
        lines = [line.strip() for line in part.splitlines()[1:]]
        kept = [
            line for line in lines
            if (line and not line.startswith("%") and re.match(r"[A-Z]:", line) is None)
            or line.startswith(("M:", "L:", "K:"))
        ]  # fmt: skip
        tunes.append("\n".join(kept) + "\n")
    if len(tunes) < 100:
        raise UnsupportedError("tunes: this music21 has no corpus of O'Neill's tunes")
    return tunes


def _load(_: Path, most: int | None) -> Splits:
    tunes = read()
    order = np.random.default_rng(SEED).permutation(len(tunes))[:most]
    one, two = round(0.6 * len(order)), round(0.8 * len(order))
    parts = (order[:one], order[one:two], order[two:])
    return Splits(*(pieces("".join(tunes[index] for index in part)) for part in parts))


def codes_of(text: str) -> NDArray[np.int64]:
    """The number of each letter in ``LETTERS``."""
    numbers = {letter: number for number, letter in enumerate(LETTERS)}
    return np.array([numbers.get(letter, len(LETTERS) - 1) for letter in text], np.int64)


def pieces(text: str) -> Data:
    """x [pieces, LENGTH, letters], one-hot, the letter before (nothing at the first), and which
    letter comes [pieces, LENGTH]."""
    codes = codes_of(text)
    codes = codes[: len(codes) // LENGTH * LENGTH].reshape(-1, LENGTH)
    x = np.zeros((*codes.shape, len(LETTERS)), np.float32)
    x[:, 1:] = np.eye(len(LETTERS), dtype=np.float32)[codes[:, :-1]]
    return Data(x, codes)


def by_counting(splits: Splits) -> Mapping[str, float]:
    """What those reach who know how often each letter comes, and what follows it; every pair is
    counted once more than it came (Laplace)."""
    known, asked = splits.train.y, splits.test.y
    single = np.bincount(known.ravel(), minlength=len(LETTERS)) + 1.0
    pairs = np.ones((len(LETTERS), len(LETTERS)))
    np.add.at(pairs, (known[:, :-1], known[:, 1:]), 1)
    first = -np.log2(single / single.sum())
    following = -np.log2(pairs / pairs.sum(axis=1, keepdims=True))
    bits = first[asked[:, 0]].sum() + following[asked[:, :-1], asked[:, 1:]].sum()
    return {
        "each letter as often as it comes": float(first[asked].mean()),
        "by the letter before": float(bits / asked.size),
    }


def tasks(scale: str) -> list[Task]:
    if scale == "quick":  # learning it takes longer than all the rest of a quick look
        return []
    most, epochs = {"full": (None, 12), "tiny": (20, 2)}[scale]
    return [
        Task(
            "tunes", "letters", len(LETTERS), len(LETTERS), "softmax", 60_000,
            Metric("bits per character", "loss", 1 / log(2), log2(len(LETTERS)), digits=3),
            Learning(epochs, 32, 3e-3, "cosine", forget_bias=1.0),
            partial(_load, most=most), 60, references=by_counting,
        )
    ]  # fmt: skip
