"""How it was done, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cost import MARGIN, UNITS
from ...recommend import RARE
from ...statistics import SOLVED, chance
from ..blocks import Section, Text


def section(results: Mapping[str, Any]) -> Section:
    seeds = len(results["choice"]["seeds"])
    rates = ", ".join(f"{rate:g}" for rate in results["choice"]["rates"])
    return Section(
        "how",
        "How it was done",
        [
            Text(
                "The cells of the field (PyTorch's equations), and those of the article literally. "
                "On each task every cell has as many hidden units as fit one number of weights.",
                "Cells.",
            ),
            Text(
                f"Each cell on each task is offered the learning rates {rates} in a run of a third "
                "of the epochs, and takes the one with the lowest loss of the validation data. All "
                "else is equal. Test data are asked once, at the end.",
                "Learning.",
            ),
            Text(
                "A cell is ahead of another where each of its seeds is better than every seed of "
                "the other: the two are apart. "
                f"Equal cells come apart in {chance(seeds):.0%} of pairs, with {seeds} "
                f"seed{'' if seeds == 1 else 's'} each. How much a number would change with other "
                "test data is not in its range. A task is solved where every seed has left at most "
                f"{SOLVED:.0%} of what is lost by chance; of two cells that solve a lag none is "
                "ahead.",
                "Seeds.",
            ),
            Text(
                "First come those that no other outlasts: that solves a lag as long on every "
                "family of lags, and a longer one on some. Of these, one is passed over if another "
                "is ahead of it on more data tasks than an equal one would be in "
                f"{RARE:.0%} of comparisons. Of those left, one is passed over if another takes "
                f"{MARGIN:.0%} less time at {UNITS} units and was, where both were learnt with "
                "equal units, not behind more often than that.",
                "What to take.",
            ),
            Text(
                "L is the loss at the last step T of a sequence, s(T−k) the state that the cell "
                "carries after the step k before it: h, for the LSTM h and c, for the article’s "
                "GRU h and z, for its LSTM h, c, i and f. A line that falls fast is a gradient "
                "that vanishes: the error at the end hardly says anything about what happened k "
                "steps before. One that rises is one that explodes. Means over 64 test sequences "
                "(fewer where there are fewer that long), in float64; of the seeds the geometric "
                "mean.",
                "Gradients.",
            ),
            Text(
                "Of the first seed after learning, over the last steps of the same test sequences: "
                "the mean of all units, and where eight of ten are.",
                "Gates.",
            ),
        ],
    )
