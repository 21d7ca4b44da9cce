"""The equations of a Recurrent over whole sequences, along time or along positions of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...activations import FUNCTIONS
from ..cell import Cell, CellState, Functions, Options, Weights
from ..layer import Float64, Ran, State, float64
from ..products import Dot
from ..weights import Array


class Recurrent(Options, Protocol):
    """Of a Recurrent, what the equations of a stack ask for."""

    @property
    def input_size(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def state_size(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def num_directions(self) -> int: ...
    @property
    def suffixes(self) -> tuple[str, ...]: ...
    @property
    def positions(self) -> int: ...
    @property
    def runs_over_time(self) -> bool: ...
    @property
    def return_sequences(self) -> bool: ...
    @property
    def output_layer(self) -> int: ...
    @property
    def output_nonlinearity(self) -> str: ...
    @property
    def definition(self) -> Cell: ...
    @property
    def trace_names(self) -> tuple[str, ...]: ...
    @property
    def arrays(self) -> Mapping[str, Array]: ...
    def functions(self, direction: int) -> Functions: ...
    def begin(self, sequences: int) -> State: ...


def run_positions(
    layer: Recurrent, x: Float64, state: State, valid: NDArray[np.bool_], dot: Dot
) -> Ran:
    """What the layer makes of x [time, batch, positions * input_size], or of [batch, ...] where it
    runs along the positions of what has no time."""
    count = layer.positions
    if layer.runs_over_time:  # each position is a row of a larger batch
        apart = tuple(_apart(array, count) for array in (x, *state))
        ran = run_sequences(layer, apart[0], apart[1:], np.repeat(valid, count, axis=1), dot)
        return Ran(
            tuple(_together(array, count) for array in ran.outputs),
            tuple(_together(array, count) for array in ran.state),
            {name: _together(array, count) for name, array in ran.trace.items()},
        )
    before = x.shape[:-1]  # each step of each row is a row of a larger batch
    rows = x.reshape(-1, count, layer.input_size).transpose(1, 0, 2)
    everything = np.ones(rows.shape[:2], dtype=np.bool_)
    ran = run_sequences(layer, rows, layer.begin(rows.shape[1]), everything, dot)

    def steps(array: Float64) -> Float64:
        return array.transpose(1, 0, 2).reshape(*before, count * array.shape[2])

    y = ran.outputs[0]
    outputs = steps(y) if layer.return_sequences else y.reshape(*before, y.shape[-1])
    return Ran((outputs,), (), {name: steps(array) for name, array in ran.trace.items()})


def _apart(array: Float64, positions: int) -> Float64:
    """[..., batch * positions, size] of [..., batch, positions * size]."""
    *first, batch, features = array.shape
    return array.reshape(*first, batch * positions, features // positions)


def _together(array: Float64, positions: int) -> Float64:
    """The inverse of it."""
    *first, rows, size = array.shape
    return array.reshape(*first, rows // positions, positions * size)


def run_sequences(
    layer: Recurrent, x: Float64, state: State, valid: NDArray[np.bool_], dot: Dot
) -> Ran:
    """Each layer of the stack reads the outputs of the one below, both directions side by side. An
    output layer behind the stack sees the top layer's h_t and the bottom layer's x_t."""
    finals: list[CellState] = []
    trace: dict[str, Float64] = {}
    h = x
    for level in range(layer.num_layers):
        outputs = []
        for direction, suffix in enumerate(layer.suffixes):
            ending = f"_l{level}{suffix}"
            first = tuple(part[len(finals)] for part in state)
            inside, final = _direction(layer, direction, ending, h, first, valid, dot)
            outputs.append(inside["h"])
            finals.append(final)
            trace |= {name + ending: array for name, array in inside.items()}
        h = np.concatenate(outputs, axis=-1)
    state = tuple(np.stack(rows) for rows in zip(*finals, strict=True))
    last = np.concatenate(list(state[0][-layer.num_directions :]), axis=-1)
    if not layer.return_sequences:
        return Ran((last,), state, trace)
    if layer.output_layer:
        trace["o"] = h = _output(layer, h, x, dot)
    return Ran((h, last), state, trace)


def _output(layer: Recurrent, h: Float64, x: Float64, dot: Dot) -> Float64:
    """o_t = f(W_ho h_t + W_xo x_t + b_o), section 3.1 of the article."""
    w = {name: float64(array) for name, array in layer.arrays.items() if "_l" not in name}
    a = dot(h, w["weight_ho"]) + dot(x, w["weight_xo"]) + w.get("bias_o", 0.0)
    y: Float64 = FUNCTIONS[layer.output_nonlinearity](a)
    return y


def _direction(
    layer: Recurrent,
    direction: int,
    ending: str,
    x: Float64,
    state: CellState,
    valid: NDArray[np.bool_],
    dot: Dot,
) -> tuple[dict[str, Float64], CellState]:
    """One direction of one layer: everything that its cell calculates, and the final state.

    A row's state only moves at its valid steps, so the reverse direction, which meets a row's
    padding first, starts at its last valid step. Nothing valid reads what stands in padding.
    """
    cell, w, functions = layer.definition, _weights(layer, ending), layer.functions(direction)
    time, batch = valid.shape
    trace = {name: np.zeros((time, batch, layer.hidden_size)) for name in layer.trace_names}
    trace["h"] = np.zeros((time, batch, layer.state_size))
    for t in reversed(range(time)) if ending.endswith("_reverse") else range(time):
        inside = cell.step(layer, functions, w, x[t], state, dot)
        for name, array in inside.items():
            trace[name][t] = array
        new = (inside[name] for name in cell.state_names)
        pairs = zip(new, state, strict=True)
        state = tuple(np.where(valid[t, :, None], *pair) for pair in pairs)
    return trace, state


def _weights(layer: Recurrent, ending: str) -> Weights:
    """The float64 arrays of one layer and direction, without the ending; no bias is 0."""
    own = {name: array for name, array in layer.arrays.items() if name.endswith(ending)}
    w = {name.removesuffix(ending): float64(array) for name, array in own.items()}
    for bias in ("bias_ih", "bias_hh"):
        w.setdefault(bias, np.zeros(len(w["weight_ih"])))
    return w
