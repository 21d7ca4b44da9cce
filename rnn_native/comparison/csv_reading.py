"""Sequences out of a .csv: a row for each step, below a line of names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DTypeError, FormatError, OptionError, ShapeError
from ..models import pad
from .reading import Sequences, checked


def read_csv(
    path: Path, columns: Sequence[str] = (), target: str | None = None, sequence: str | None = None
) -> Sequences:
    """Rows of the columns named by the first line. ``sequence`` names the column that tells which
    sequence a row belongs to (none: one long series); ``target`` the label or number of each
    sequence; ``columns`` the features (none: all others)."""
    table = _read(path)
    features = _features(path, table.head, columns, target, sequence)
    if not table.rows or not features:
        raise ShapeError(f"{path}: expected rows and columns of features below a line of names")
    values = _numbers(path, table, features)
    if sequence is None:
        return checked(str(path), values[None], None, None)
    places: dict[str, list[int]] = {}
    for place, key in enumerate(table.column(sequence)):
        places.setdefault(key, []).append(place)
    x, lengths = pad([values[rows] for rows in places.values()])
    y = None if target is None else _targets(path, table, target, list(places.values()))
    return checked(str(path), x, y, lengths)


@dataclass(frozen=True)
class _Table:
    """Words; ``lines`` has the number of each row's line in the file."""

    head: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        place = self.head.index(name)
        return [row[place] for row in self.rows]


def _read(path: Path) -> _Table:
    """All rows, each as long as the line of names; empty lines are passed over."""
    rows, lines = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}: expected text in UTF-8, found the byte 0x{error.object[error.start]:02x} "
            "that is none; save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise FormatError(f"{path}: line {reader.line_num}: not a .csv: {error}") from None
    if not rows:
        raise FormatError(f"{path}: expected a line of names and rows below it, got an empty file")
    head = rows[0]
    for name in head:
        if head.count(name) > 1:
            raise FormatError(f"{path}: line {lines[0]}: the column {name!r} is there twice")
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if len(row) != len(head):
            raise FormatError(
                f"{path}: line {line}: expected {len(head)} cells, as many as there are names, "
                f"got {len(row)}"
            )
    return _Table(head, rows[1:], lines[1:])


def _features(
    path: Path,
    head: Sequence[str],
    columns: Sequence[str],
    target: str | None,
    sequence: str | None,
) -> list[str]:
    """The columns of features; ``OptionError`` where the options do not fit each other."""
    for name in [*columns, *filter(None, (target, sequence))]:
        if name not in head:
            raise OptionError(f"{path}: no column {name!r}; there are {', '.join(head)}")
    if target is not None and target == sequence:
        raise OptionError(f"{path}: --target and --sequence: expected two columns, got {target!r}")
    for option, other in (("--target", target), ("--sequence", sequence)):
        if other in columns:
            raise OptionError(
                f"{path}: --columns: {other!r} is what {option} names; expected it in one of them"
            )
    for name in columns:
        if columns.count(name) > 1:
            raise OptionError(f"{path}: --columns: {name!r} is there twice")
    if target is not None and sequence is None:
        raise OptionError(
            f"{path}: target={target}: expected a column that tells sequences apart with it "
            "(--sequence NAME)"
        )
    return list(columns) or [name for name in head if name not in (target, sequence)]


def _numbers(path: Path, table: _Table, features: Sequence[str]) -> NDArray[np.float64]:
    """[rows, features]"""
    places = [table.head.index(name) for name in features]
    values = np.empty((len(table.rows), len(features)))
    for index, row in enumerate(table.rows):
        for column, place in enumerate(places):
            try:
                values[index, column] = float(row[place])
            except ValueError:
                raise DTypeError(
                    f"{path}: line {table.lines[index]}, column {features[column]!r}: expected a "
                    f"number, got {row[place][:40]!r}; --columns leaves others out"
                ) from None
    return values


def _targets(
    path: Path, table: _Table, name: str, sequences: Sequence[Sequence[int]]
) -> NDArray[Any]:
    """One of each sequence: numbers where all are, else words."""
    words = table.column(name)
    labels = []
    for rows in sequences:
        first = words[rows[0]]
        for row in rows:
            where = f"{path}: line {table.lines[row]}: target {name}"
            if not words[row].strip():
                raise OptionError(f"{where}: expected a label or a number, got an empty cell")
            if words[row] != first:
                raise OptionError(
                    f"{where}: expected the same in all rows of a sequence, got {words[row]!r} "
                    f"after {first!r}"
                )
        labels.append(first)
    try:
        return np.array([float(label) for label in labels])
    except ValueError:
        return np.array(labels)
