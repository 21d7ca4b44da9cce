"""OpenVINO's published vectors of its cells and of RNNSequence, against layers of ours.

Its gates stand as the vector's ``gates`` say, by the letters of our equations. One bias has the
sums of both; that of a GRU which resets after the product has four parts: z, r, n of the input, n
of the state.

Of RNNSequence it is the first row of each direction, for rows do not know of each other.
GRUSequence and LSTMSequence are left out: their weights, inputs and states are between 1 and 10
with a clip of 0.7, so that every gate is one and the same number, whatever its order.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from operator_vectors import Array, Vector, vectors

from rnn_native.spec import Activation, ModelSpec, Recurrent

pytestmark = pytest.mark.oracle

CASES = {vector.name: vector for vector in vectors("openvino.json")}
OURS = {"rnn": "h", "gru": "rzn", "lstm": "ifgo"}


def reordered(array: Array, gates: str, cell: str) -> Array:
    blocks = dict(zip(gates, np.split(array, len(gates)), strict=True))
    return np.concatenate([blocks[gate] for gate in OURS[cell]])


def biases(vector: Vector, direction: int, gates: str) -> tuple[Array, Array]:
    """bias_ih and bias_hh of its one."""
    hidden = vector.given["sizes"][3]
    rows = len(gates) * hidden
    given = vector.array("B")
    both = np.zeros((2, rows), np.float32)
    if given is not None:
        both[0] = given[direction, :rows]
        both[1, rows - hidden :] = 0 if given.shape[1] == rows else given[direction, rows:]
    return reordered(both[0], gates, vector.cell), reordered(both[1], gates, vector.cell)


def layer_of(vector: Vector) -> Recurrent:
    gates, cell = vector.given["gates"], vector.cell
    _, _, features, hidden = vector.given["sizes"]
    options: dict[str, Any] = dict(vector.given.get("options", {}))
    if "clip" in options:
        options["clip"] = float(options["clip"])
    if "activations" in vector.given:
        options["activations"] = tuple(
            Activation(name, float(alpha), float(beta))
            for name, alpha, beta in vector.given["activations"]
        )
    ends = {"forward": [""], "reverse": ["_reverse"]}.get(vector.direction, ["", "_reverse"])
    arrays: dict[str, Array] = {}
    for direction, end in enumerate(ends):
        for ours, theirs in (("weight_ih", "W"), ("weight_hh", "R")):
            given = vector.array(theirs)
            assert given is not None
            arrays[f"{ours}_l0{end}"] = reordered(given[direction], gates, cell)
        arrays[f"bias_ih_l0{end}"], arrays[f"bias_hh_l0{end}"] = biases(vector, direction, gates)
    return Recurrent(cell, features, hidden, arrays, direction=vector.direction, **options)


@pytest.mark.parametrize("name", CASES)
def test_a_vector_of_openvino(name: str) -> None:
    CASES[name].check(ModelSpec((layer_of(CASES[name]),)))
