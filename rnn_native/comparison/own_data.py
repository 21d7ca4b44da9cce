"""A user's own sequences as tasks: what is asked of them, see ``targets``, split and scaled.

Features and numbers to guess are scaled to a mean of 0 and a deviation of 1 over what is learnt
from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError
from ..formats import naming
from .csv_reading import read_csv
from .forecasting import autoregression, windows
from .reading import Sequences, read_archive, read_npz, read_ts
from .targets import Asked, asked_of
from .task import Data, Learning, Metric, Splits, Task

SEED: Final = 20
BUDGET: Final = 20_000
EPOCHS: Final = {"full": 100, "quick": 30, "tiny": 2}
UNITS: Final = {"full": (16, 32, 64, 128), "quick": (16, 64), "tiny": ()}
WINDOW: Final = 50
"""Steps of a piece of a series that is one long sequence."""

_VARIANTS: Final = {
    "classification": "classes", "regression": "numbers", "next-step": "next step",
}  # fmt: skip


@dataclass(frozen=True)
class OwnFamily:
    """A family of one task, for the study. ``kind``: one of ``targets.KINDS``, or None."""

    name: str
    TITLE: str
    source: partial[Sequences]
    NEEDS: Sequence[str] = ()
    kind: str | None = None

    @property
    def ABOUT(self) -> str:  # noqa: N802
        return (
            f"{self.TITLE}: data of your own. Features and numbers to guess are in units of their "
            "deviation over what is learnt from."
        )

    def tasks(self, scale: str) -> list[Task]:
        return [make_task(self.name, self.source, scale, self.kind)]


def family(path: Path, kind: str | None = None, **options: Any) -> OwnFamily:
    """Of a file (.npz, .csv) or a folder with NAME_TRAIN.ts and NAME_TEST.ts."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return OwnFamily(_plain(path.name), path.name, partial(read_ts, path), ("aeon",), kind)
    if suffix == ".csv":
        source = partial(read_csv, path, **options)
        return OwnFamily(_plain(path.stem), path.stem, source, kind=kind)
    if suffix == ".npz":
        return OwnFamily(_plain(path.stem), path.stem, partial(read_npz, path), kind=kind)
    raise OptionError(f"{path}: expected an .npz, a .csv or a folder of .ts files")


def archive(name: str, kind: str | None = None) -> OwnFamily:
    """A data set of the UCR and UEA archives by its name, as aeon has it."""
    return OwnFamily(_plain(name), name, partial(read_archive, name), ("aeon",), kind)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"


def make_task(name: str, source: partial[Sequences], scale: str, kind: str | None = None) -> Task:
    """All of the data is read and checked here, so that nothing of it fails later."""
    read = source()
    with naming(name):
        asked = asked_of(read, kind)
        longest, features = read.x.shape[1:]
        steps = longest if read.lengths is None else int(np.median(read.lengths))
        if len(read.x) == 1:
            steps = min(WINDOW, max(2, steps // 10))
        splits = _splits(read, asked, steps)
    output, outputs, metric, references = _learnt_as(asked, features)
    test = splits.test
    most = test.x.shape[1] if test.lengths is None else int(test.lengths.max())
    return Task(
        name, _VARIANTS[asked.kind], features, outputs, output,
        max(BUDGET, 40 * (features + outputs)), metric,
        Learning(
            EPOCHS[scale], 16 if len(read.x) < 1000 else 32, 3e-3, "cosine", 25, forget_bias=1.0
        ),
        partial(_load, source=source, window=steps, kind=kind),
        max(1, min(steps - 1, 100, most)),
        units=UNITS[scale], references=references, about=_about(read, asked, steps, splits),
    )  # fmt: skip


def _about(read: Sequences, asked: Asked, window: int, splits: Splits) -> str:
    """What was read, for whoever gave it to see whether it was meant so."""
    number, steps, features = read.x.shape
    of = f"{features} {'feature' if features == 1 else 'features'}"
    if number == 1:
        steps = steps if read.lengths is None else int(read.lengths[0])
        trend = (
            " Most of what is tested lies beyond all that is learnt from: a series with a trend is "
            "better given as its differences (np.diff)."
        )
        return (
            f"One series of {steps} steps with {of}, in windows of {window}: {asked.about}."
            f"{trend if _leaves_what_is_known(splits) else ''}"
        )
    long = "1 step" if steps == 1 else f"{steps} steps"
    if read.lengths is not None and read.lengths.min() < read.lengths.max():
        long = f"{read.lengths.min()} to {read.lengths.max()} steps"
    return f"{number} sequences of {long} with {of}: {asked.about}."


def _leaves_what_is_known(splits: Splits) -> bool:
    """Whether more than half of any feature's test data is out of the range of what is learnt."""
    known, asked = splits.train.x, splits.test.x
    beyond = (asked < known.min(axis=(0, 1))) | (asked > known.max(axis=(0, 1)))
    return bool((beyond.mean(axis=(0, 1)) > 0.5).any())


def _learnt_as(asked: Asked, features: int) -> tuple[str, int, Metric, Any]:
    if asked.y is None:
        return (
            "identity", features, Metric("mean squared error", "loss", digits=4),
            partial(autoregression, order=5),
        )  # fmt: skip
    if asked.kind == "regression":
        return (
            "identity", asked.y.shape[-1],
            Metric("mean squared error, in units of the variance", "loss", digits=4),
            _mean_as_reference,
        )  # fmt: skip
    classes = len(asked.classes)
    return (
        "softmax", classes, Metric("share right", "score", baseline=1 / classes, digits=3),
        _commonest,
    )  # fmt: skip


def _mean_as_reference(splits: Splits) -> Mapping[str, float]:
    known, asked = (_targets_of(data, 3) for data in (splits.train, splits.test))
    return {"the mean": float(np.mean((asked - known.mean(axis=0)) ** 2))}


def _commonest(splits: Splits) -> Mapping[str, float]:
    known, asked = (_targets_of(data, 2) for data in (splits.train, splits.test))
    return {"the commonest class": float(np.mean(asked == np.bincount(known).argmax()))}


def _targets_of(data: Data, axes_of_steps: int) -> NDArray[Any]:
    """[n, ...], of steps those that count; with so many axes y is of steps."""
    return data.counted(data.y) if data.y.ndim == axes_of_steps else data.y


def _load(_: Path, source: partial[Sequences], window: int, kind: str | None) -> Splits:
    read = source()
    return _splits(read, asked_of(read, kind), window)


def _splits(read: Sequences, asked: Asked, window: int) -> Splits:
    if len(read.x) == 1:
        return windows(read.x[0][: None if read.lengths is None else read.lengths[0]], window)
    x, y, lengths = read.x, asked.y, read.lengths
    one, two, three = _parts(len(x), read.split)
    counts = read.steps
    known = x[one][counts[one]]
    deviation = known.std(axis=0)
    x = (x - known.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    x[~counts] = 0
    if y is None:
        x, y = x[:, :-1], x[:, 1:]
        lengths = None if lengths is None else lengths - 1
    elif asked.kind == "regression":
        y = _scaled(y, counts, one)
    return Splits(
        *(
            Data(x[rows].astype(np.float32), y[rows], None if lengths is None else lengths[rows])
            for rows in (one, two, three)
        )
    )


def _scaled(y: NDArray[Any], counts: NDArray[np.bool_], one: NDArray[Any]) -> NDArray[Any]:
    """Numbers to guess in units of their deviation over what is learnt from, as X is."""
    known = y[one][counts[one]] if y.ndim == 3 else y[one]
    deviation = known.std(axis=0)
    scaled: NDArray[Any] = (y - known.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _parts(number: int, split: int | None) -> list[NDArray[Any]]:
    """The rows to learn from, to watch and to test, by a fixed seed."""
    known = number if split is None else split
    order = np.random.default_rng(SEED).permutation(known)
    if split is not None:
        cut = round(0.8 * known)
        parts = [order[:cut], order[cut:], np.arange(split, number)]
    else:
        parts = np.split(order, [round(0.6 * known), round(0.8 * known)])
    if any(len(part) == 0 for part in parts):
        raise ShapeError(f"expected at least 5 sequences, got {number}")
    return parts
