"""Recurrent operators of TensorFlow Lite: every option against its own interpreter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from tflite_files import File, Graph
from tflite_graphs import BATCH, INPUTS, STEPS, UNITS, lstm, normal, options, weights
from tflite_runs import compare, interpreter, theirs

import rnn_native as rn
from rnn_native.formats.tflite.schema import (
    ACTIVATIONS,
    BidirectionalLstm,
    BidirectionalRnn,
    Lstm,
    SequenceRnn,
    UnidirectionalLstm,
)

pytestmark = pytest.mark.oracle

CASES: dict[str, tuple[dict[int, Any], dict[str, Any]]] = {
    "plain": (options(), {}),
    "clip": (options(CELL_CLIP=0.2), {}),
    "a clip of Keras": (options(CELL_CLIP=10.0), {}),
    "relu": (options("RELU"), {}),
    "peephole": (options(), {"peephole": True}),
    "coupled": (options(), {"coupled": True}),
    "coupled peephole": (options(CELL_CLIP=0.3), {"coupled": True, "peephole": True}),
    "projected": (options(), {"projected": 3}),
    "projection bias": (options(), {"projected": 3, "projection_bias": True}),
    "all": (
        options(CELL_CLIP=0.2),
        {"projected": 2, "projection_bias": True, "peephole": True, "coupled": True},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("time_major", [False, True])
def test_lstm(case: str, time_major: bool, tmp_path: Path) -> None:
    fields, own = CASES[case]
    file = File()
    shape = (STEPS, BATCH, INPUTS) if time_major else (BATCH, STEPS, INPUTS)
    x = file.main.input(*shape)
    fields = fields | {UnidirectionalLstm.TIME_MAJOR: ("bool", time_major)}
    file.main.outputs = [lstm(file.main, x, fields, **own)]
    data = normal(1, *shape, scale=2)
    path = file.write(tmp_path / "m.tflite")
    (expected,) = theirs(path.read_bytes(), data)
    y, _ = rn.load(path)(data if time_major else data.swapaxes(0, 1))
    y = y if time_major else y.swapaxes(0, 1)
    np.testing.assert_allclose(y, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("case", ["plain", "clip", "peephole", "projected", "coupled"])
@pytest.mark.parametrize("merged", [False, True])
def test_bidirectional_lstm(case: str, merged: bool, tmp_path: Path) -> None:
    fields, own = CASES[case]
    fields = {BidirectionalLstm[UnidirectionalLstm(k).name]: v for k, v in fields.items()}
    fields[BidirectionalLstm.MERGE_OUTPUTS] = ("bool", merged)
    fields[BidirectionalLstm.TIME_MAJOR] = ("bool", False)
    batch = 1 if merged else BATCH  # of the others it makes other numbers each time, then
    file = File()
    g, size = file.main, own.get("projected") or UNITS
    x = g.input(batch, STEPS, INPUTS)
    both = [*weights(g, 7, **own), *weights(g, 107, **own)]
    states = [g.state(batch, n) for n in (size, UNITS, size, UNITS)]
    outputs = [g.tensor((batch, STEPS, size * (1 + merged))) for _ in range(2 - merged)]
    inputs = [x, *both, *states, *[-1] * 9]
    g.add("BIDIRECTIONAL_SEQUENCE_LSTM", inputs, *outputs, options=fields)
    g.outputs = outputs
    compare(file, tmp_path, normal(1, batch, STEPS, INPUTS, scale=2), tolerance=5e-6)


def rnn(graph: Graph, seed: int, inputs: int = INPUTS) -> list[int]:
    arrays = normal(seed, UNITS, inputs), normal(seed + 1, UNITS, UNITS), normal(seed + 2, UNITS)
    return [*map(graph.constant, arrays), graph.state(BATCH, UNITS)]


@pytest.mark.parametrize("activation", ["TANH", "RELU", "NONE"])
@pytest.mark.parametrize("time_major", [False, True])
def test_rnn(activation: str, time_major: bool, tmp_path: Path) -> None:
    file = File()
    g = file.main
    shape = (STEPS, BATCH) if time_major else (BATCH, STEPS)
    x, y = g.input(*shape, INPUTS), g.tensor((*shape, UNITS))
    fields = {
        SequenceRnn.TIME_MAJOR: ("bool", time_major),
        SequenceRnn.FUSED_ACTIVATION_FUNCTION: ("int8", ACTIVATIONS.index(activation)),
    }
    g.outputs = [g.add("UNIDIRECTIONAL_SEQUENCE_RNN", [x, *rnn(g, 3)], y, options=fields)]
    data = normal(1, *shape, INPUTS)
    path = file.write(tmp_path / "m.tflite")
    (expected,) = theirs(path.read_bytes(), data)
    got, _ = rn.load(path)(data if time_major else data.swapaxes(0, 1))
    got = got if time_major else got.swapaxes(0, 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("merged", [False, True])
def test_bidirectional_rnn(merged: bool, tmp_path: Path) -> None:
    file = File()
    g = file.main
    x = g.input(BATCH, STEPS, INPUTS)
    fields = {
        BidirectionalRnn.FUSED_ACTIVATION_FUNCTION: ("int8", ACTIVATIONS.index("TANH")),
        BidirectionalRnn.MERGE_OUTPUTS: ("bool", merged),
    }
    outputs = [g.tensor((BATCH, STEPS, UNITS * (1 + merged))) for _ in range(2 - merged)]
    inputs = [x, *rnn(g, 3), *rnn(g, 13), *[-1] * 3]
    g.add("BIDIRECTIONAL_SEQUENCE_RNN", inputs, *outputs, options=fields)
    g.outputs = outputs
    compare(file, tmp_path, normal(1, BATCH, STEPS, INPUTS))


@pytest.mark.parametrize("op", ["LSTM", "LSTM of one matrix", "RNN"])
def test_a_step_goes_on_with_the_state_of_the_one_before(op: str, tmp_path: Path) -> None:
    """What the interpreter keeps between calls is the model's state."""
    file = File()
    g = file.main
    x, y = g.input(BATCH, INPUTS), g.tensor((BATCH, UNITS))
    tanh = ("int8", ACTIVATIONS.index("TANH"))
    if op == "RNN":
        g.add(op, [x, *rnn(g, 3)], y, options={0: tanh})
    elif op != "LSTM":
        arrays = [
            g.constant(normal(5, 4 * UNITS, INPUTS + UNITS)),
            g.constant(normal(6, 4 * UNITS)),
        ]
        h, c = g.state(BATCH, UNITS), g.state(BATCH, UNITS)
        more = [g.tensor((BATCH, n)) for n in (UNITS, INPUTS + UNITS, 4 * UNITS)]
        fields = {Lstm.FUSED_ACTIVATION_FUNCTION: tanh, Lstm.KERNEL_TYPE: ("int8", 1)}
        g.add("LSTM", [x, h, *arrays, c], y, *more, options=fields, version=2)
    else:
        states = [g.state(BATCH, UNITS), g.state(BATCH, UNITS)]
        inputs = [x, *weights(g, 7, peephole=True), *states, -1, -1, -1, -1]
        g.add(op, inputs, y, options={Lstm.FUSED_ACTIVATION_FUNCTION: tanh})
    g.outputs = [y]
    path = file.write(tmp_path / "m.tflite")
    steps = normal(1, STEPS, BATCH, INPUTS)
    expected = theirs_of_steps(path.read_bytes(), steps)
    got, _ = rn.load(path)(steps)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)


def theirs_of_steps(content: bytes, steps: Any) -> Any:
    runtime = interpreter(content)
    runtime.allocate_tensors()
    runtime.reset_all_variables()
    found = []
    for step in steps:
        runtime.set_tensor(runtime.get_input_details()[0]["index"], step)
        runtime.invoke()
        found.append(runtime.get_tensor(runtime.get_output_details()[0]["index"]).copy())
    return np.stack(found)


def test_the_time_comes_first_where_a_bidirectional_lstm_does_not_say(tmp_path: Path) -> None:
    """The schema's default is true, of this operator alone."""
    file = File()
    g = file.main
    x = g.input(STEPS, BATCH, INPUTS)
    fields = {
        BidirectionalLstm.FUSED_ACTIVATION_FUNCTION: ("int8", ACTIVATIONS.index("TANH")),
        BidirectionalLstm.MERGE_OUTPUTS: ("bool", True),
    }
    states = [g.state(BATCH, UNITS) for _ in range(4)]
    inputs = [x, *weights(g, 7), *weights(g, 107), *states, *[-1] * 9]
    y = g.tensor((STEPS, BATCH, 2 * UNITS))
    g.outputs = [g.add("BIDIRECTIONAL_SEQUENCE_LSTM", inputs, y, options=fields)]
    data = normal(1, STEPS, BATCH, INPUTS)
    path = file.write(tmp_path / "m.tflite")
    (expected,) = theirs(path.read_bytes(), data)
    got, _ = rn.load(path)(data)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
