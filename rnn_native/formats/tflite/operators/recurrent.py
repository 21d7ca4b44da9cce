"""Recurrent layers: over a sequence, in one or both directions, and one step of one.

Weights of a direction are a matrix [units, inputs] a gate, in the order i, f, c, o; ONNX has the
order i, o, f, c in one matrix. Coupled gates (the matrices of i are left out) are i = 1 - f: as
1 - sigmoid(a) = sigmoid(-a), the i has the weights of f, negated. A bias p of a projection comes
to every h before it is used: h = h~ + p for the h~ of a layer without it, whose gates get R p more,
and whose h~ before the first step is -p where h is zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from ..schema import (
    Activation,
    BidirectionalLstm,
    BidirectionalRnn,
    Lstm,
    SequenceRnn,
    UnidirectionalLstm,
)
from ..writer import Writer

_GATES: Final = "ifco"
_ORDER: Final = "iofc"
_BASIC: Final = 1  # of KERNEL_TYPE

# ONNX's names of what fused_activation_function can be.
_FUNCTIONS: Final = {"NONE": "Affine", "RELU": "Relu", "TANH": "Tanh"}


@dataclass(frozen=True)
class Places:
    """Which inputs of an operator are what, of one direction; gates in the order i, f, c, o."""

    x: Sequence[int]
    h: Sequence[int]
    peepholes: Sequence[int]
    biases: Sequence[int]
    projection: Sequence[int]
    states: Sequence[int]
    norms: Sequence[int] = ()


def _of(begin: int, states: int, norms: Sequence[int] = ()) -> Places:
    numbers = [*range(begin, begin + 17)]
    return Places(
        numbers[:4], numbers[4:8], numbers[8:11], numbers[11:15], numbers[15:],
        (states, states + 1), norms,
    )  # fmt: skip


_FORWARD: Final = _of(1, 18, range(20, 24))
_BOTH: Final = (_of(1, 35), _of(18, 37))
_AUXILIARY: Final = range(39, 48)
_RNN: Final = ((1, 2, 3, 4),)
_BOTH_RNN: Final = ((1, 2, 3, 4), (5, 6, 7, 8))
_AUXILIARY_RNN: Final = range(9, 12)


class _Weights:
    """The inputs of ONNX's operator, direction by direction."""

    def __init__(self) -> None:
        self.parts: dict[str, list[str]] = {}

    def add(self, w: Writer, **parts: str) -> None:
        """Of one direction, without the dimension of directions; "" for what it has not."""
        for key, name in parts.items():
            self.parts.setdefault(key, []).append(w.axes("Unsqueeze", name, [0]) if name else "")

    def joined(self, w: Writer, key: str) -> str:
        names = self.parts[key]
        if not all(names):
            if any(names):
                raise w.unsupported(f"only one of both directions has {key}")
            return ""
        return names[0] if len(names) == 1 else w.add("Concat", *names, axis=0)


def _lstm(w: Writer, x: str, options: type[IntEnum], directions: Sequence[Places]) -> str:
    """Adds an LSTM of x [time, batch, features]; the name of its Y."""
    fields: Any = options
    cell_clip = float(w.operator.option(fields.CELL_CLIP, "float32"))
    proj_clip = float(w.operator.option(fields.PROJ_CLIP, "float32"))
    if proj_clip:
        raise w.unsupported(f"proj_clip={proj_clip:g}: bounds of a projection are not supported")
    weights = _Weights()
    for place in directions:
        _direction(w, place, weights)
    function = _function(w, fields.FUSED_ACTIVATION_FUNCTION)
    if function == "Affine":  # the interpreter multiplies o by what is left in its memory
        raise w.unsupported(
            "activation NONE of an LSTM, for which the format's own runtime makes "
            "no defined numbers"
        )
    keys = ("weights", "recurrent weights", "biases", "", "a state h", "a state c", "peepholes")
    names = [weights.joined(w, key) if key else "" for key in keys]
    attributes: dict[str, Any] = {
        "activations": ["Sigmoid", function, function] * len(directions),
        "direction": "bidirectional" if len(directions) > 1 else "forward",
    }
    if cell_clip:
        attributes["cell_clip"] = cell_clip
    projection = weights.joined(w, "a projection")
    y = w.made("LSTM", [x, *names, *([projection] if projection else [])], 3, **attributes)[0]
    shift = weights.joined(w, "a bias of a projection")
    return w.add("Add", y, w.axes("Unsqueeze", shift, [1])) if shift else y


def _direction(w: Writer, at: Places, weights: _Weights) -> None:
    """Adds the weights of a direction."""
    if any(w.tensor(i) is not None for i in at.norms):
        raise w.unsupported(
            "layer normalisation inside the cell is not supported; a layer normalisation behind "
            "the layer is"
        )
    coupled = w.tensor(at.x[0]) is None
    x, h, biases = (_gates(w, many, coupled) for many in (at.x, at.h, at.biases))
    if not all((*x, *h)):
        raise w.malformed("leaves out the weights of a gate")
    if not all(biases) and any(biases):
        raise w.malformed("has the biases of some gates, and of others none")
    peepholes = _gates(w, at.peepholes, coupled)
    if not all(peepholes) and any(peepholes):
        raise w.malformed("has the peepholes of some gates, and of others none")
    projection, shift = (w.input(i) for i in at.projection)
    before = _state(w, at.states[0])
    recurrent = _joined(w, h, _GATES)
    bias = ""
    if all(biases) or shift:
        size = w.size(at.h[1], 0)
        own = _joined(w, biases, _GATES) if all(biases) else w.zeros(4 * size)
        other = w.zeros(4 * size)
        if shift:
            other = w.add("MatMul", recurrent, shift)
        bias = w.add("Concat", own, other, axis=0)
    if shift:
        minus = w.axes("Unsqueeze", w.add("Neg", shift), [0])
        before = w.add("Add", before, minus) if before else minus
    weights.add(
        w,
        **{
            "weights": _joined(w, x, _GATES),
            "recurrent weights": recurrent,
            "biases": bias,
            "a state h": before,
            "a state c": _state(w, at.states[1]),
            "peepholes": _joined(w, peepholes, "ifo") if all(peepholes) else "",
            "a projection": projection,
            "a bias of a projection": shift,
        },
    )


def _gates(w: Writer, places: Sequence[int], coupled: bool) -> list[str]:
    """What each gate has, i that of f negated where both are coupled."""
    names = [w.input(i) for i in places]
    if coupled and names[0]:
        raise w.malformed("leaves out weights of the input gate, and has others of it")
    if coupled and names[1]:
        names[0] = w.add("Neg", names[1])
    return names


def _joined(w: Writer, names: Sequence[str], order: str) -> str:
    """One array of those of the gates, in ONNX's order."""
    wanted = [gate for gate in _ORDER if gate in order]
    return w.add("Concat", *(names[order.index(gate)] for gate in wanted), axis=0)


def _state(w: Writer, position: int) -> str:
    """What a layer begins with, "" for zeros: those tensors are that the operator changes."""
    tensor = w.tensor(position)
    if tensor is None or (tensor.is_variable and tensor.data is None):
        return ""
    return w.input(position)


def _function(w: Writer, field: int) -> str:
    name = w.function(field)
    if name not in _FUNCTIONS:
        raise w.unsupported(f"activation {name} of a cell is not supported")
    return _FUNCTIONS[name]


def _sequence(w: Writer, is_time_major: bool) -> str:
    """The input as [time, batch, features]."""
    x = w.required(0)
    if len(w.sizes(0)) != 3:
        raise w.malformed(f"expected an input of rank 3, got the shape {w.sizes(0)}")
    return x if is_time_major else w.add("Transpose", x, perm=[1, 0, 2])


def _give(w: Writer, y: str, is_time_major: bool, merged: bool = True, count: int = 1) -> None:
    """Y [time, directions, batch, units] as the operator has it: the directions one behind the
    other on the features, or an output each."""
    if count == 1:
        parts = [w.axes("Squeeze", y, [1])]
    elif merged:
        ordered = w.add("Transpose", y, perm=[0, 2, 1, 3])
        parts = [w.add("Reshape", ordered, w.constant([0, 0, -1]))]
    else:
        halves = w.made("Split", [y, w.constant([1, 1])], 2, axis=1)
        parts = [w.axes("Squeeze", half, [1]) for half in halves]
    for position, part in enumerate(parts):
        w.give(part if is_time_major else w.add("Transpose", part, perm=[1, 0, 2]), position)


def _unidirectional_lstm(w: Writer) -> None:
    if w.operator.option(UnidirectionalLstm.DIAGONAL, "bool"):
        raise w.unsupported("diagonal_recurrent_tensors is not supported")
    time_major = w.operator.option(UnidirectionalLstm.TIME_MAJOR, "bool")
    x = _sequence(w, time_major)
    _give(w, _lstm(w, x, UnidirectionalLstm, [_FORWARD]), time_major)


def _bidirectional_lstm(w: Writer) -> None:
    _refuse_auxiliary(w, _AUXILIARY)
    time_major = w.operator.option(BidirectionalLstm.TIME_MAJOR, "bool", True)
    merged = w.operator.option(BidirectionalLstm.MERGE_OUTPUTS, "bool")
    y = _lstm(w, _sequence(w, time_major), BidirectionalLstm, _BOTH)
    _give(w, y, time_major, merged, 2)


def _refuse_auxiliary(w: Writer, places: Sequence[int]) -> None:
    if any(w.tensor(i) is not None for i in places):
        raise w.unsupported("an auxiliary input of both directions is not supported")


def _rnn(w: Writer, x: str, activation: int, directions: Sequence[Sequence[int]]) -> str:
    weights = _Weights()
    for places in directions:
        own, recurrent, bias, state = places
        size = w.size(own, 0)
        zeros = w.zeros(size)
        weights.add(
            w,
            **{
                "weights": w.required(own),
                "recurrent weights": w.required(recurrent),
                "biases": w.add("Concat", w.required(bias), zeros, axis=0),
                "a state": _state(w, state),
            },
        )
    keys = ("weights", "recurrent weights", "biases", "", "a state")
    names = [weights.joined(w, key) if key else "" for key in keys]
    return w.made(
        "RNN", [x, *names], 2,
        activations=[_function(w, activation)] * len(directions),
        direction="bidirectional" if len(directions) > 1 else "forward",
    )[0]  # fmt: skip


def _unidirectional_rnn(w: Writer) -> None:
    time_major = w.operator.option(SequenceRnn.TIME_MAJOR, "bool")
    x = _sequence(w, time_major)
    y = _rnn(w, x, SequenceRnn.FUSED_ACTIVATION_FUNCTION, _RNN)
    _give(w, y, time_major)


def _bidirectional_rnn(w: Writer) -> None:
    _refuse_auxiliary(w, _AUXILIARY_RNN)
    time_major = w.operator.option(BidirectionalRnn.TIME_MAJOR, "bool")
    merged = w.operator.option(BidirectionalRnn.MERGE_OUTPUTS, "bool")
    x = _sequence(w, time_major)
    y = _rnn(w, x, BidirectionalRnn.FUSED_ACTIVATION_FUNCTION, _BOTH_RNN)
    _give(w, y, time_major, merged, 2)


def _step_rnn(w: Writer) -> None:
    """One step, whose state is a tensor that the operator changes."""
    x = w.axes("Unsqueeze", w.required(0), [0])
    y = _rnn(w, x, Activation.FUSED_ACTIVATION_FUNCTION, _RNN)
    w.give(w.axes("Squeeze", y, [0, 1]))


def _step_lstm(w: Writer) -> None:
    """One step: of the kernel FULL with states that the operator changes, of BASIC with states that
    are inputs and outputs."""
    if w.operator.option(Lstm.KERNEL_TYPE, "int8") == _BASIC:
        _basic_lstm(w)
        return
    x = w.axes("Unsqueeze", w.required(0), [0])
    w.give(w.axes("Squeeze", _lstm(w, x, Lstm, [_FORWARD]), [0, 1]))


def _basic_lstm(w: Writer) -> None:
    """Gates i, c, f, o of one matrix [4 units, inputs + units], of x and h side by side.

    Its outputs are h, c, and two that hold what is calculated on the way.
    """
    if w.operator.option(Lstm.CELL_CLIP, "float32") or w.operator.option(Lstm.PROJ_CLIP, "float32"):
        raise w.unsupported("bounds of a step of the kernel BASIC are not supported")
    x, weight, bias = w.required(0), w.required(2), w.required(3)
    inputs, both_sizes = w.size(0, 1), w.size(2, 1)
    widths = w.constant([inputs, both_sizes - inputs])
    own, recurrent = w.made("Split", [weight, widths], 2, axis=1)
    both = []
    for array in (own, recurrent, bias):
        i, c, f, o = w.made("Split", [array], 4, axis=0, num_outputs=4)
        both.append(w.add("Concat", i, o, f, c, axis=0))
    zeros = w.zeros(w.size(2, 0))
    both[2] = w.add("Concat", both[2], zeros, axis=0)
    states = [_state(w, position) for position in (1, 4)]
    arrays = [w.axes("Unsqueeze", name, [0]) if name else "" for name in (*both, "", *states)]
    y, _, c = w.made("LSTM", [w.axes("Unsqueeze", x, [0]), *arrays], 3, direction="forward")
    if w.is_read(1):
        w.give(w.axes("Squeeze", c, [0]), 1)
    w.give(w.axes("Squeeze", y, [0, 1]))


OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM": _bidirectional_lstm,
        "BIDIRECTIONAL_SEQUENCE_RNN": _bidirectional_rnn,
        "LSTM": _step_lstm,
        "RNN": _step_rnn,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _unidirectional_lstm,
        "UNIDIRECTIONAL_SEQUENCE_RNN": _unidirectional_rnn,
    }
)
