"""Recurrent layers that TensorFlow Lite's files have as a WHILE, or step by step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from tflite_files import File
from tflite_graphs import (
    BATCH,
    CELLS,
    INPUTS,
    ROW,
    STEPS,
    UNITS,
    loop,
    normal,
    put_by_cuts,
    put_by_update,
)
from tflite_runs import compare

import rnn_native as rn
from rnn_native.formats.tflite import schema

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("put", [put_by_cuts, put_by_update])
def test_a_while_whose_body_is_a_cell(cell: str, put: Any, tmp_path: Path) -> None:
    data = normal(1, BATCH, STEPS, INPUTS)
    model = compare(loop(cell, put, "all"), tmp_path, data, tolerance=5e-6)
    (layer,) = model.spec.layers
    assert isinstance(layer, rn.Recurrent)
    assert layer.cell == cell.partition(" ")[0]


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_state_of_a_while(cell: str, tmp_path: Path) -> None:
    compare(
        loop(cell, put_by_cuts, "last"), tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("outputs", ["all", "last"])
def test_a_while_of_as_many_steps_as_come(cell: str, outputs: str, tmp_path: Path) -> None:
    """Sizes are computed: of the states, of what outputs are put into, and how many steps."""
    file = loop(cell, put_by_cuts, outputs, free=True)
    compare(file, tmp_path, normal(1, 3, 7, INPUTS), tolerance=5e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("turned", [False, True])
def test_steps_one_by_one(cell: str, turned: bool, tmp_path: Path) -> None:
    """UNPACK, cells, PACK."""
    make, count = CELLS[cell]
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    steps = [g.tensor((BATCH, INPUTS)) for _ in range(STEPS)]
    fields = {schema.Unpack.NUM: ("int32", STEPS), schema.Unpack.AXIS: ("int32", 1)}
    g.add("UNPACK", [x], *steps, options=fields)
    states = [g.constant(np.zeros(ROW)) for _ in range(count)]
    made = []
    for step in steps[::-1] if turned else steps:
        states = make(g, step, states)
        made.append(states[0])
    made = made[::-1] if turned else made
    fields = {schema.Pack.VALUES_COUNT: ("int32", STEPS), schema.Pack.AXIS: ("int32", 1)}
    g.outputs = [g.add("PACK", made, g.tensor((BATCH, STEPS, UNITS)), options=fields)]
    model = compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS), tolerance=5e-6)
    assert [type(layer) for layer in model.spec.layers] == [rn.Recurrent]
