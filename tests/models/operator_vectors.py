"""Published vectors of recurrent operators, as they are printed, and how far a result may be off.

A file has ``weights`` by name and ``vectors``. A vector's ``sizes`` are time, rows, input and
hidden; each of its arrays is the vector's own or that of the weights it names, less those it is
``without``, and is repeated to the shape it needs: one number fills it, one direction serves both.

**Tolerance.** A result may differ from a printed number by half the unit of its last digit, and by
what the printed number itself was off before it was printed: it was calculated in float32, with
activations that may be onnxruntime's rational ones, for which `bounds.run` derives a bound. Our
Model is one such calculation more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import bounds
from onnx_bounds import OnnxRuntime

import rnn_native as rn
from rnn_native.spec import ModelSpec

Array = NDArray[Any]

FOLDER = Path(__file__).parents[1] / "data" / "operator_vectors"
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Printed:
    """An array as it is printed: its values, and for each the half of its last digit's unit."""

    def __init__(self, numbers: Any, shape: tuple[int, ...]) -> None:
        given = numbers if isinstance(numbers, list) else [numbers]
        digits = [Decimal(number) for number in given]
        self.value = np.resize(np.array(digits, np.float64), shape)
        self.half_unit = np.resize(0.5 * 10.0 ** -_places(digits), shape)

    def transpose(self, axes: Any) -> None:
        self.value, self.half_unit = self.value.transpose(axes), self.half_unit.transpose(axes)


def _places(numbers: list[Decimal]) -> Array:
    """The decimal places that numbers are rounded to, which is what they show or more, for trailing
    zeros are not printed: as many digits as most have, but no more places than most have.

    Numbers of less than four digits say nothing of that, and where all are such, they are exact.
    """
    shown = np.array([max(0, -int(number.as_tuple().exponent)) for number in numbers])
    digits = np.array([len(number.as_tuple().digits) for number in numbers])
    rounded = digits >= 4
    if not rounded.any():
        return np.full(len(numbers), 8)
    hidden = np.minimum(np.median(shown[rounded]), shown + np.median(digits[rounded]) - digits)
    return np.maximum(shown, hidden)


class Vector:
    """One case of a file."""

    def __init__(self, given: dict[str, Any], weights: dict[str, Any], cell: str) -> None:
        self.name: str = given["name"]
        left_out = given.get("without", ())
        self.given = {k: v for k, v in weights.items() if k not in left_out} | given
        self.cell: str = given.get("cell", cell)
        self.direction: str = given.get("direction", "forward")
        self.directions = 1 + (self.direction == "bidirectional")
        self.lengths: Array | None = None
        if "lengths" in given:
            self.lengths = np.array(given["lengths"], np.int32)

    def printed(self, name: str) -> Printed | None:
        """X, W, R, B, P, initial_h and initial_c; Y, Y_h and Y_c, all as ONNX shapes them."""
        if name not in self.given:
            return None
        numbers, shape = self.given[name], self._shape(name)
        if isinstance(numbers, dict):
            numbers = list(_built(numbers, shape))
        if name not in self.given.get("rows_first", ()):
            return Printed(numbers, shape)
        order = [1, 0, 2] if name == "X" else [2, 0, 1, 3]  # [B, T, ...] of X, [B, T, D, H] of Y
        array = Printed(numbers, tuple(shape[i] for i in order))
        array.transpose(np.argsort(order))
        return array

    def array(self, name: str) -> Array | None:
        """In float32, as they all calculate."""
        printed = self.printed(name)
        return None if printed is None else printed.value.astype(np.float32)

    def _shape(self, name: str) -> tuple[int, ...]:
        time, rows, features, h = self.given["sizes"]
        d, gates = self.directions, GATES[self.cell]
        biases = self.given.get("biases", 2 * gates)
        shapes: dict[str, tuple[int, ...]] = {
            "X": (time, rows, features),
            "W": (d, gates * h, features),
            "R": (d, gates * h, h),
            "B": (d, biases * h),
            "P": (d, 3 * h),
            "Y": (time, d, rows, h),
        }
        return shapes.get(name, (d, rows, h))

    @property
    def state(self) -> Any:
        """The initial state, zeros where the vector has none."""
        names = ["initial_h", "initial_c"] if self.cell == "lstm" else ["initial_h"]
        arrays = [self.array(name) for name in names]
        zeros = np.zeros(self._shape("Y_h"), np.float32)
        state = tuple(zeros if a is None else a for a in arrays)
        return state if self.cell == "lstm" else state[0]

    def check(self, spec: ModelSpec, misprinted: tuple[int, ...] | None = None) -> None:
        """The reference and the Model of spec give what is printed, but for one number of Y."""
        x = self.array("X")
        assert x is not None
        call = (x, self.state, self.lengths)
        y, finals = bounds.run(spec, *call, kind=OnnxRuntime)
        off = [part.each for part in (y, *finals)]
        self._check(rn.reference.run(spec, *call), off, misprinted)
        self._check(rn.Model(spec)(*call), [2 * each for each in off], misprinted)

    def _check(self, result: Any, off: list[Array], misprinted: tuple[int, ...] | None) -> None:
        ours = bounds.flatten(result)
        assert {"Y", "Y_h"} & self.given.keys()
        for name, got, allowed in zip(("Y", "Y_h", "Y_c"), ours, off, strict=False):
            printed = self.printed(name)
            if printed is None:
                continue
            if name == "Y":
                if misprinted is not None:
                    printed.half_unit[misprinted] = np.inf
                printed.transpose((0, 2, 1, 3))  # the directions beside each other
            want, half = (a.reshape(got.shape) for a in (printed.value, printed.half_unit))
            error = np.abs(np.asarray(got, np.float64) - want)
            excess = float(np.max(error - half - allowed))
            assert excess <= 0, f"{name} is {error.max():.2g} off, {excess:.2g} too far"


def _built(rule: dict[str, Any], shape: tuple[int, ...]) -> Iterator[Any]:
    """One direction of a matrix each of whose gates is one number, or a diagonal that repeats."""
    if "gates" in rule:
        count = int(np.prod(shape[1:])) // len(rule["gates"])
        yield from (number for number in rule["gates"] for _ in range(count))
        return
    size = shape[2]
    for cycle in rule["diagonals"]:
        for k in range(size):
            yield from (cycle[k % len(cycle)] if j == k else 0 for j in range(size))


def vectors(file: str, cell: str = "") -> list[Vector]:
    """Those of a file, whose numbers stay as printed; of one cell, or with it."""
    data = json.loads((FOLDER / file).read_text("ascii"), parse_float=Decimal)
    return [Vector(v, data["weights"].get(v.get("weights"), {}), cell) for v in data["vectors"]]
