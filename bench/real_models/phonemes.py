"""Letters to phonemes by an encoder and a greedy decoder, as both such networks here do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import rnn_native as rn

from .model import Given, Measure, Part, Run, share
from .words import of_one_length

MEASURE = Measure("words of the same phonemes, %", "{:.2f}", 99.5, 99.0, at_least=True)


def spoken(
    runs: Mapping[str, Run], rows: Sequence[Sequence[int]], start: int, end: int, longest: int
) -> list[tuple[int, ...]]:
    """The phonemes of each row of letters: the likeliest next one until ``end``."""
    found: list[tuple[int, ...]] = [()] * len(rows)
    for places, letters in of_one_length(rows):
        _, state = runs["encoder"](letters)
        symbols = np.full((1, len(places)), start, np.int64)
        chosen = []
        for _ in range(longest):
            logits, state = runs["decoder"](symbols, state)
            symbols = np.asarray(logits).argmax(axis=-1)
            chosen.append(symbols[0])
        for place, row in zip(places, np.stack(chosen, axis=1).tolist(), strict=True):
            found[place] = tuple(row[: row.index(end)] if end in row else row)
    return found


def parts(
    specs: Mapping[str, rn.ModelSpec],
    others: Sequence[Sequence[int]],
    start: int,
    end: int,
    longest: int,
) -> dict[str, Part]:
    """``others``: the rows of letters that ``rn.quantize`` is given."""
    read = cache(lambda: given(specs, others, start, end, longest))
    return {
        name: Part(spec, calibration=lambda name=name: read()[name]) for name, spec in specs.items()
    }


def given(
    specs: Mapping[str, rn.ModelSpec],
    rows: Sequence[Sequence[int]],
    start: int,
    end: int,
    longest: int,
) -> dict[str, list[Given]]:
    """What each part reads where these rows are said: letters, and phonemes up to the last one."""
    runs = {part: rn.Model(spec) for part, spec in specs.items()}
    said = spoken(runs, rows, start, end, longest)
    read: dict[str, list[Given]] = {part: [] for part in specs}
    for places, letters in of_one_length(rows):
        _, state = runs["encoder"](letters)
        read["encoder"].append((letters, None))
        begun = [[start, *said[place]][:longest] for place in places]
        for mine, symbols in of_one_length(begun):
            several = isinstance(state, tuple)
            own = tuple(part[:, mine] for part in state) if several else state[:, mine]
            read["decoder"].append((symbols, own))
    return read


def judge(plain: Sequence[Any], other: Sequence[Any]) -> list[float]:
    return [share([a == b for a, b in zip(plain, other, strict=True)])]
