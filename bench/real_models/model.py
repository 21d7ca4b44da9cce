"""What a trained network with a task is: its parts, what it answers, and how answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Protocol

import rnn_native as rn


class Run(Protocol):
    """A part as somebody runs it: x [time, batch, ...] to y and the final states, which go to the
    next run by the same one."""

    def __call__(self, x: Any, state: Any = None) -> tuple[Any, Any]: ...


Given = tuple[Any, Any]
"""x [time, batch, ...] of a call, and the state that it begins with, or None."""


def _as_it_is(array: Any) -> Any:
    return array


@dataclass(frozen=True)
class Part:
    """A network of a task. Other runtimes run its ``file``, an .onnx, or what ``Model.save`` makes
    of the spec; ``into`` turns x [time, batch, ...] to the file's axes and ``out`` its y back. With
    ``by_step`` they get a step in a call, as in a stream. ``calibration`` makes what
    ``rn.quantize`` is given: nothing that the task asks."""

    spec: rn.ModelSpec
    file: Path | None = None
    into: Callable[[Any], Any] = _as_it_is
    out: Callable[[Any], Any] = _as_it_is
    by_step: bool = False
    calibration: Callable[[], Sequence[Given]] = tuple


@dataclass(frozen=True)
class Measure:
    """One number of an answer: how it is printed, and what it has to reach with weights of 16 bits
    and of 8; None where nothing is asked."""

    name: str
    form: str
    at_16_bits: float | None = None
    at_8_bits: float | None = None
    at_least: bool = False

    def reached(self, value: float, bits: int) -> bool:
        limit = {16: self.at_16_bits, 8: self.at_8_bits}.get(bits)
        if limit is None:
            return True
        return value >= limit if self.at_least else value <= limit


@dataclass(frozen=True)
class Task:
    """``answer`` asks the parts, by their names; ``judge`` gives a number for each measure, of the
    answer in float32 and of another one."""

    parts: Mapping[str, Part]
    answer: Callable[[Mapping[str, Run]], Any]
    judge: Callable[[Any, Any], Sequence[float]]


@dataclass(frozen=True)
class RealModel:
    """``prepare`` takes how much is asked, in ``unit``; ``amount`` is that of a report, and
    ``most`` all that there is, where that is more."""

    name: str
    about: str
    needs: tuple[str, ...]
    unit: str
    amount: int
    measures: tuple[Measure, ...]
    prepare: Callable[[int], Task]
    most: int = 0

    def at_most(self, asked: int | None) -> int:
        """As much as there is of what is asked, None being what a report has."""
        return min(asked or self.amount, max(self.most, self.amount))


def package_file(package: str, path: str) -> Path:
    """A file of a package, which is not imported; ``PackageNotFoundError`` without it."""
    return Path(str(distribution(package).locate_file(path)))


def share(same: Sequence[bool]) -> float:
    """Percent of them that are true."""
    return 100.0 * sum(same) / len(same)
