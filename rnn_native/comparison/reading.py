"""Sequences out of an .npz, or the archives that aeon reads; of a .csv: ``csv_reading``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, OptionError, ShapeError, UnsupportedError
from ..formats import naming
from ..formats.npz import open_archive
from ..models import pad

NAMES: Final = ("x", "y", "lengths")


@dataclass(frozen=True)
class Sequences:
    """What was read: ``x`` [sequences, time, features] in float64, zeros past ``lengths``; ``y``
    as it came, None where there is none. ``split``: where the test data begin, of an archive that
    says so."""

    x: NDArray[Any]
    y: NDArray[Any] | None
    lengths: NDArray[Any] | None = None
    split: int | None = None

    @property
    def steps(self) -> NDArray[np.bool_]:
        """Which steps are not padding, [sequences, time]."""
        if self.lengths is None:
            return np.ones(self.x.shape[:2], np.bool_)
        return np.asarray(np.arange(self.x.shape[1]) < self.lengths[:, None])


def read_npz(path: Path) -> Sequences:
    """``X``, and ``y`` and ``lengths`` where there are; in capitals or not, and nothing else."""
    with naming(path), open_archive(path) as archive:
        found: dict[str, str] = {}
        for name in archive.names:
            key = name.lower()
            if key in NAMES and key in found:
                raise OptionError(f"expected one of {found[key]} and {name}, got both")
            found[key] = name
        if "x" not in found:
            raise OptionError(f"expected an array X, got {', '.join(archive.names) or 'none'}")
        unknown = [name for key, name in found.items() if key not in NAMES]
        if unknown:
            raise OptionError(
                f"expected X, and y and lengths where there are; got also {', '.join(unknown)}, "
                "of which nothing would be read: leave it out, or call y what is to be told"
            )
        arrays: Mapping[str, NDArray[Any]] = {
            key: archive.read(name) for key, name in found.items()
        }
    return checked(str(path), arrays["x"], arrays.get("y"), arrays.get("lengths"))


def read_ts(folder: Path) -> Sequences:
    """The split of a folder with NAME_TRAIN.ts and NAME_TEST.ts."""
    datasets = _aeon_datasets()
    found = [sorted(folder.glob(f"*_{part}.ts")) for part in ("TRAIN", "TEST")]
    if not all(len(paths) == 1 for paths in found):
        raise OptionError(f"{folder}: expected one *_TRAIN.ts and one *_TEST.ts")
    try:
        parts = [datasets.load_from_ts_file(str(paths[0])) for paths in found]
    except OSError:
        raise
    except Exception as error:  # aeon's own, of many kinds, for what is no .ts file
        raise OptionError(f"{folder}: aeon cannot read it: {error}") from None
    return _joined(str(folder), *parts)


def read_archive(name: str) -> Sequences:
    """Of the sets that aeon brings, or has downloaded before."""
    datasets = _aeon_datasets()
    try:
        parts = [datasets.load_classification(name, split=split) for split in ("train", "test")]
    except Exception as error:  # of the network, of a name that does not exist: many kinds
        raise UnsupportedError(
            f"{name}: aeon has no such data set here ({type(error).__name__}: {error}); it brings "
            "ArrowHead, BasicMotions, GunPoint, ItalyPowerDemand, JapaneseVowels, OSULeaf and a "
            "few others, and downloads the rest where it may"
        ) from None
    return _joined(name, *parts)


def _aeon_datasets() -> Any:
    try:
        from aeon import datasets
    except ImportError as error:  # it is there, but not with what it needs
        raise UnsupportedError(f"aeon: cannot be imported: {error}") from None
    return datasets


def _joined(where: str, train: tuple[Any, Any], test: tuple[Any, Any]) -> Sequences:
    """aeon has features before time."""
    cases = [np.asarray(case, dtype=np.float64).T for part in (train, test) for case in part[0]]
    with naming(where):
        x, lengths = pad(cases)
    y = np.concatenate([np.asarray(train[1]), np.asarray(test[1])])
    read = checked(where, x, y, None if (lengths == x.shape[1]).all() else lengths)
    return replace(read, split=len(train[0]))


def checked(
    where: str, x: NDArray[Any], y: NDArray[Any] | None, lengths: NDArray[Any] | None
) -> Sequences:
    """What was read, with all that can be said of X and lengths alone: they are of one size, and
    all that counts is finite."""
    if x.dtype.kind not in "fiub":
        raise DTypeError(f"{where}: X: expected numbers, got {x.dtype}")
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or 0 in x.shape:
        raise ShapeError(f"{where}: X: expected [sequences, time, features], got {x.shape}")
    if y is not None and y.shape[:1] != x.shape[:1]:
        raise ShapeError(f"{where}: y: expected {len(x)} as X has sequences, got shape {y.shape}")
    if lengths is not None:
        _check_lengths(where, lengths, *x.shape[:2])
        lengths = lengths.astype(np.int64)
    read = Sequences(x.astype(np.float64), y, lengths)
    wrong = np.argwhere(read.steps & ~np.isfinite(read.x).all(axis=2))
    if len(wrong):
        row, step = wrong[0].tolist()
        raise ShapeError(
            f"{where}: X: sequence {row}, step {step}: a number is NaN or infinite: fill or leave "
            "out such steps"
        )
    read.x[~read.steps] = 0
    return read


def _check_lengths(where: str, lengths: NDArray[Any], sequences: int, time: int) -> None:
    if lengths.dtype.kind not in "iu":
        raise DTypeError(f"{where}: lengths: expected integers, got {lengths.dtype}")
    if lengths.shape != (sequences,):
        raise ShapeError(f"{where}: lengths: expected ({sequences},), got {lengths.shape}")
    for row, length in enumerate(lengths.tolist()):
        if not 1 <= length <= time:
            raise ShapeError(
                f"{where}: lengths[{row}]: expected 1 to {time}, as X has steps, got {length}"
            )
