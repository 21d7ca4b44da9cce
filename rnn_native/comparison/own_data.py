"""A user's own sequences as tasks: labels are classes to tell, numbers are to be guessed, and where
there is neither, the next step is asked. Features are scaled to a mean of 0 and a deviation of 1
over what is learnt from.
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
from .forecasting import autoregression, windows
from .reading import Sequences, read_archive, read_csv, read_npz, read_ts
from .task import Data, Learning, Metric, Splits, Task

SEED: Final = 20
BUDGET: Final = 20_000
EPOCHS: Final = {"full": 100, "quick": 30, "tiny": 2}
UNITS: Final = {"full": (16, 32, 64, 128), "quick": (16, 64), "tiny": ()}
WINDOW: Final = 50
"""Steps of a piece of a series that is one long sequence."""


@dataclass(frozen=True)
class OwnFamily:
    """A family of one task, for the study."""

    name: str
    TITLE: str
    source: partial[Sequences]
    NEEDS: Sequence[str] = ()

    @property
    def ABOUT(self) -> str:  # noqa: N802
        return (
            f"{self.TITLE}: data of your own. Features and numbers to guess are in units of their "
            "deviation over what is learnt from."
        )

    def tasks(self, scale: str) -> list[Task]:
        return [make_task(self.name, self.source, scale)]


def family(path: Path, **options: Any) -> OwnFamily:
    """Of a file (.npz, .csv) or a folder with NAME_TRAIN.ts and NAME_TEST.ts."""
    if path.is_dir():
        return OwnFamily(_plain(path.name), path.name, partial(read_ts, path), ("aeon",))
    if path.suffix == ".csv":
        return OwnFamily(_plain(path.stem), path.stem, partial(read_csv, path, **options))
    if path.suffix == ".npz":
        return OwnFamily(_plain(path.stem), path.stem, partial(read_npz, path))
    raise OptionError(f"{path}: expected an .npz, a .csv or a folder of .ts files")


def archive(name: str) -> OwnFamily:
    """A data set of the UCR and UEA archives by its name, as aeon has it."""
    return OwnFamily(_plain(name), name, partial(read_archive, name), ("aeon",))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "data"


def make_task(name: str, source: partial[Sequences], scale: str) -> Task:
    """Which kind of task it is follows from y."""
    read = source()
    if len(read.x) == 1 and read.y is not None:
        raise ShapeError(
            f"{name}: y: expected several sequences with it, got one; without y the next step of "
            "one long series is asked"
        )
    steps, features = read.x.shape[1:]
    if read.lengths is not None:
        steps = int(np.median(read.lengths))
    kind, outputs, metric, references = _kind(read)
    if len(read.x) == 1:
        steps = min(WINDOW, max(2, steps // 10))
    asked = "next step" if read.y is None else {"softmax": "classes"}.get(kind, "numbers")
    return Task(
        name, asked, features, outputs, kind, max(BUDGET, 40 * (features + outputs)), metric,
        Learning(
            EPOCHS[scale], 16 if len(read.x) < 1000 else 32, 3e-3, "cosine", 25, forget_bias=1.0
        ),
        partial(_load, source=source, window=steps), max(2, min(steps - 1, 100)),
        units=UNITS[scale], references=references,
    )  # fmt: skip


def _kind(read: Sequences) -> tuple[str, int, Metric, Any]:
    if read.y is None:
        features = read.x.shape[2]
        return (
            "identity", features, Metric("mean squared error", "loss", digits=4),
            partial(autoregression, order=5),
        )  # fmt: skip
    if read.y.dtype.kind == "f":
        width = 1 if read.y.ndim == 1 else read.y.shape[-1]
        return (
            "identity", width, Metric("mean squared error, in units of the variance", "loss",
                                      digits=4), _mean_as_reference,
        )  # fmt: skip
    classes = len(np.unique(read.y))
    if classes < 2:
        raise ShapeError("y: expected at least two classes, got one")
    return (
        "softmax", classes, Metric("share right", "score", baseline=1 / classes, digits=3),
        _commonest,
    )  # fmt: skip


def _mean_as_reference(splits: Splits) -> Mapping[str, float]:
    level = splits.train.y.reshape(-1, splits.train.y.shape[-1]).mean(axis=0)
    return {"the mean": float(np.mean((splits.test.y - level) ** 2))}


def _commonest(splits: Splits) -> Mapping[str, float]:
    known = splits.train.y[splits.train.y >= 0]
    asked = splits.test.y[splits.test.y >= 0]
    return {"the commonest class": float(np.mean(asked == np.bincount(known).argmax()))}


def _load(_: Path, source: partial[Sequences], window: int) -> Splits:
    read = source()
    if len(read.x) == 1:
        return windows(read.x[0][: None if read.lengths is None else read.lengths[0]], window)
    x, y = read.x, read.y
    if y is not None and y.dtype.kind != "f":
        y = np.unique(y, return_inverse=True)[1].reshape(y.shape)
    elif y is not None and y.ndim == 1:
        y = y[:, None]
    one, two, three = _parts(len(x), read.split)
    known = x[one]
    counts = np.ones(known.shape[:2], np.bool_)
    if read.lengths is not None:
        counts = np.arange(x.shape[1]) < read.lengths[one][:, None]
    deviation = known[counts].std(axis=0)
    x = (x - known[counts].mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    lengths = read.lengths
    if y is not None and y.dtype.kind == "f":
        y = _scaled(y, one, read)
    if y is None:
        x, y = x[:, :-1], x[:, 1:]
        lengths = None if lengths is None else np.maximum(lengths - 1, 0)
    return Splits(
        *(
            Data(
                x[rows].astype(np.float32), y[rows],
                None if lengths is None else lengths[rows].astype(np.int64),
            )
            for rows in (one, two, three)
        )
    )  # fmt: skip


def _scaled(y: NDArray[Any], one: NDArray[Any], read: Sequences) -> NDArray[Any]:
    """Numbers to guess in units of their deviation over what is learnt from, as X is."""
    known = y[one]
    if y.ndim == 3 and read.lengths is not None:
        known = known[np.arange(y.shape[1]) < read.lengths[one][:, None]]
    known = known.reshape(-1, y.shape[-1])
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
