"""Sequences out of an .npz, a .csv, or the archives that aeon reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, OptionError, ShapeError, UnsupportedError
from ..models import pad


@dataclass(frozen=True)
class Sequences:
    """What was read: ``x`` padded, ``y`` None where the next step is asked. ``split``: where the
    test data begin, of an archive that says so."""

    x: NDArray[Any]
    y: NDArray[Any] | None
    lengths: NDArray[Any] | None = None
    split: int | None = None


def read_npz(path: Path) -> Sequences:
    with np.load(path, allow_pickle=False) as file:
        names = {name.lower(): name for name in file.files}
        if "x" not in names:
            raise OptionError(f"{path}: expected an array X, got {', '.join(file.files)}")
        x = np.asarray(file[names["x"]])
        y = np.asarray(file[names["y"]]) if "y" in names else None
        lengths = np.asarray(file[names["lengths"]]) if "lengths" in names else None
    return _checked(str(path), x, y, lengths)


def read_csv(
    path: Path, columns: Sequence[str] = (), target: str | None = None, sequence: str | None = None
) -> Sequences:
    """A row for each step, named by the first line. ``sequence`` names the column that tells which
    sequence a row belongs to (none: one long series); ``target`` the label or number of each
    sequence; ``columns`` the features (none: all others)."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        head = list(reader.fieldnames or ())
        rows = list(reader)
    for name in [*columns, *filter(None, (target, sequence))]:
        if name not in head:
            raise OptionError(f"{path}: no column {name!r}; there are {', '.join(head)}")
    if target is not None and sequence is None:
        raise OptionError(
            f"{path}: target={target}: expected a column that tells sequences apart with it "
            "(--sequence NAME)"
        )
    features = list(columns) or [name for name in head if name not in (target, sequence)]
    if not rows or not features:
        raise ShapeError(f"{path}: expected rows and columns of features below a line of names")
    try:
        values = np.array([[float(row[name]) for name in features] for row in rows])
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"{path}: features {', '.join(features)}: {error}; --columns leaves others out"
        ) from None
    if sequence is None:
        return _checked(str(path), values[None], None, None)
    keys = [row[sequence] for row in rows]
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    order = list(places)
    x, lengths = pad([values[places[key]] for key in order])
    y = None
    if target is not None:
        y = np.array(
            _targets(path, target, [[rows[i][target] for i in places[key]] for key in order])
        )
    return _checked(str(path), x, y, lengths)


def _targets(path: Path, name: str, given: Sequence[Sequence[str]]) -> list[str] | list[float]:
    """One of each sequence: numbers where all are and any has a fraction, else labels."""
    for labels in given:
        if len(set(labels)) > 1:
            raise OptionError(
                f"{path}: target {name}: expected the same in all rows of a sequence, got "
                f"{' and '.join(map(repr, sorted(set(labels))[:2]))}"
            )
    labels = [labels[0] for labels in given]
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return list(labels)
    return numbers if any("." in label for label in labels) else list(labels)


def read_ts(folder: Path) -> Sequences:
    from aeon.datasets import load_from_ts_file

    found = [sorted(folder.glob(f"*_{part}.ts")) for part in ("TRAIN", "TEST")]
    if not all(len(paths) == 1 for paths in found):
        raise OptionError(f"{folder}: expected one *_TRAIN.ts and one *_TEST.ts")
    return _joined(str(folder), *(load_from_ts_file(str(paths[0])) for paths in found))


def read_archive(name: str) -> Sequences:
    """Of the sets that aeon brings, or has downloaded before."""
    from aeon.datasets import load_classification

    try:
        parts = [load_classification(name, split=split) for split in ("train", "test")]
    except Exception as error:  # of the network, of a name that does not exist: many kinds
        raise UnsupportedError(
            f"{name}: aeon has no such data set here ({type(error).__name__}: {error}); it brings "
            "ArrowHead, BasicMotions, GunPoint, ItalyPowerDemand, JapaneseVowels, OSULeaf and a "
            "few others, and downloads the rest where it may"
        ) from None
    return _joined(name, *parts)


def _joined(where: str, train: tuple[Any, Any], test: tuple[Any, Any]) -> Sequences:
    """aeon has features before time."""
    cases = [np.asarray(case, dtype=np.float64).T for part in (train, test) for case in part[0]]
    x, lengths = pad(cases)
    y = np.concatenate([np.asarray(train[1]), np.asarray(test[1])])
    read = _checked(where, x, y, None if (lengths == x.shape[1]).all() else lengths)
    return Sequences(read.x, read.y, read.lengths, split=len(train[0]))


def _checked(
    where: str, x: NDArray[Any], y: NDArray[Any] | None, lengths: NDArray[Any] | None
) -> Sequences:
    if x.dtype.kind not in "fiub":
        raise DTypeError(f"{where}: X: expected numbers, got {x.dtype}")
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or 0 in x.shape:
        raise ShapeError(f"{where}: X: expected [sequences, time, features], got {x.shape}")
    if y is not None and len(y) != len(x):
        raise ShapeError(f"{where}: y: expected {len(x)} as X has sequences, got {len(y)}")
    if lengths is not None and lengths.shape != (len(x),):
        raise ShapeError(f"{where}: lengths: expected ({len(x)},), got {lengths.shape}")
    x = x.astype(np.float64)
    counts = np.ones(x.shape[:2], np.bool_)
    if lengths is not None:
        counts = np.arange(x.shape[1]) < lengths[:, None]
    if not np.isfinite(x[counts]).all():
        raise ShapeError(f"{where}: X: a number is NaN or infinite: fill or leave out such steps")
    return Sequences(x, y, lengths)
