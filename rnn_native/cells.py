"""What the cells are: their options, the names and shapes of their arrays, and of their state.

Everything that depends on a cell alone, without any numbers; :class:`rnn_native.spec.Recurrent`
is these options with weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from .activations import STANDARD, finite, of_all_directions
from .activations import Activation as Activation
from .errors import OptionError, UnsupportedError

ACTIVATIONS: Final = ("identity", "sigmoid", "tanh", "relu", "softmax", "log_softmax")
"""Of a Linear layer, and of the output layer of an RNN."""
NONLINEARITIES: Final = ("tanh", "relu", "sigmoid")
SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"forward": ("",), "reverse": ("_reverse",), "bidirectional": ("", "_reverse")}
)
DIRECTIONS: Final = tuple(SUFFIXES)
MAX_SIZE: Final = 2**24
"""Of every size of a layer, in the file format and the C core too."""
GATES: Final[Mapping[str, int]] = MappingProxyType({"rnn": 1, "gru": 3, "lstm": 4})
_STATES: Final[Mapping[tuple[str, bool], str]] = MappingProxyType({
    ("rnn", False): "h",
    ("gru", False): "h",
    ("lstm", False): "hc",
    ("gru", True): "hz",
    ("lstm", True): "hcif",
})  # fmt: skip
_TRACED: Final[Mapping[str, str]] = MappingProxyType({"rnn": "h", "gru": "rznh", "lstm": "ifgoch"})


def trace_names(cell: str) -> tuple[str, ...]:
    """What a cell calculates in one step, in the order of its equations."""
    return tuple(_TRACED[cell])


def state_names(cell: str, gate_recurrent: bool = False) -> tuple[str, ...]:
    """What a cell carries from step to step: h first, which is also its output."""
    return tuple(_STATES[cell, gate_recurrent])


def one_of(where: str, value: str, allowed: tuple[str, ...] | list[str]) -> str:
    if value not in allowed:
        raise OptionError(f"{where}: expected one of {', '.join(allowed)}; got {value!r}")
    return value


def size(where: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{where}: expected an integer, got {value!r}")
    if not least <= value <= MAX_SIZE:
        raise OptionError(f"{where}: expected {least} to {MAX_SIZE}, got {value}")
    return int(value)


def _flag(where: str, value: object) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{where}: expected True or False, got {value!r}")
    return bool(value)


def recurrent_options(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    direction: str = "forward",
    bias: bool = True,
    nonlinearity: str = "tanh",
    reset_after: bool = True,
    proj_size: int = 0,
    peephole: bool = False,
    gate_recurrent: bool = False,
    output_layer: int = 0,
    output_nonlinearity: str = "sigmoid",
    activations: Sequence[Activation] | None = None,
    clip: float | None = None,
    input_forget: bool = False,
    return_sequences: bool = True,
) -> dict[str, Any]:
    """The options of a ``Recurrent``, checked and normalised; raises what constructing it does."""
    sizes = {
        "input_size": size("Recurrent input_size", input_size, 1),
        "hidden_size": size("Recurrent hidden_size", hidden_size, 1),
        "num_layers": size("Recurrent num_layers", num_layers, 1),
        "proj_size": size("Recurrent proj_size", proj_size, 0),
        "output_layer": size("Recurrent output_layer", output_layer, 0),
    }
    if proj_size >= hidden_size:
        raise OptionError(
            f"Recurrent proj_size: expected less than hidden_size {hidden_size}, got {proj_size}"
        )
    checked = {
        "cell": one_of("Recurrent cell", cell, list(GATES)),
        "direction": one_of("Recurrent direction", direction, DIRECTIONS),
        "nonlinearity": one_of("Recurrent nonlinearity", nonlinearity, NONLINEARITIES),
        "output_nonlinearity": one_of(
            "Recurrent output_nonlinearity", output_nonlinearity, ACTIVATIONS
        ),
        "bias": _flag("Recurrent bias", bias),
        "reset_after": _flag("Recurrent reset_after", reset_after),
        "peephole": _flag("Recurrent peephole", peephole),
        "gate_recurrent": _flag("Recurrent gate_recurrent", gate_recurrent),
        "clip": _clip(clip),
        "input_forget": _flag("Recurrent input_forget", input_forget),
        "return_sequences": _flag("Recurrent return_sequences", return_sequences),
    }
    for owners, name, used, of_gates in (
        (("rnn",), "nonlinearity", nonlinearity != "tanh", False),
        (("rnn",), "output_layer", output_layer != 0, False),
        (("rnn",), "output_nonlinearity", output_nonlinearity != "sigmoid", False),
        (("gru", "lstm"), "gate_recurrent", gate_recurrent, True),
        (("gru",), "reset_after", not reset_after, False),
        (("lstm",), "proj_size", proj_size != 0, False),
        (("lstm",), "peephole", peephole, False),
        (("lstm",), "input_forget", input_forget, False),
        (tuple(GATES), "activations", activations is not None, False),
        (tuple(GATES), "clip", clip is not None, False),
    ):
        if used and cell not in owners:
            raise UnsupportedError(
                f"Recurrent {name}: only the cell {' or '.join(map(repr, owners))} has it, "
                f"this one is {cell!r}"
            )
        if used and gate_recurrent and not of_gates:
            raise UnsupportedError(
                f"Recurrent {name}: a gate_recurrent {cell!r} has no such option"
            )
    for name, used in (("activations", activations is not None), ("clip", clip is not None)):
        if used and output_layer:
            raise UnsupportedError(
                f"Recurrent {name}: an {cell!r} with an output_layer has no such option"
            )
    if output_nonlinearity != "sigmoid" and not output_layer:
        raise UnsupportedError("Recurrent output_nonlinearity: there is no output_layer to have it")
    if output_layer and not return_sequences:
        raise UnsupportedError(
            "Recurrent return_sequences: only True with an output_layer, whose outputs are of steps"
        )
    return checked | sizes | _activations(cell, direction, nonlinearity, activations)


def _activations(
    cell: str, direction: str, nonlinearity: str, activations: Sequence[Activation] | None
) -> dict[str, Any]:
    """``activations`` and ``nonlinearity``, so that equal cells have equal options: what can be
    said without ``activations`` is."""
    plain = {"nonlinearity": nonlinearity, "activations": None}
    if activations is None:
        return plain
    if nonlinearity != "tanh":
        raise OptionError(
            f"Recurrent activations: expected none beside nonlinearity={nonlinearity!r}, which "
            f"says the same; got {activations!r}"
        )
    directions = len(SUFFIXES[direction])
    every = of_all_directions(cell, directions, activations)
    if every == STANDARD[cell] * directions:
        return plain
    if cell == "rnn" and len(set(every)) == 1 and every[0].name in NONLINEARITIES:
        return plain | {"nonlinearity": every[0].name}
    return plain | {"activations": every}


def _clip(value: object) -> float | None:
    if value is None:
        return None
    bound = finite("Recurrent clip", value)
    if bound <= 0:
        raise OptionError(f"Recurrent clip: expected a number above 0, or None; got {value!r}")
    return bound


def recurrent_shapes(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    direction: str = "forward",
    bias: bool = True,
    *,
    proj_size: int = 0,
    peephole: bool = False,
    gate_recurrent: bool = False,
    output_layer: int = 0,
    **_: object,
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every array of a Recurrent with these options, in ``state_dict`` order.

    Options that call for no array of their own are ignored.
    """
    rows = GATES[cell] * hidden_size
    state = proj_size or hidden_size
    suffixes = SUFFIXES[direction]
    for layer in range(num_layers):
        for suffix in suffixes:
            end = f"_l{layer}{suffix}"
            yield f"weight_ih{end}", (rows, state * len(suffixes) if layer else input_size)
            if gate_recurrent:
                yield from _gate_recurrent_shapes(cell, end, hidden_size, bias)
                continue
            yield f"weight_hh{end}", (rows, state)
            if bias:
                yield f"bias_ih{end}", (rows,)
                yield f"bias_hh{end}", (rows,)
            if proj_size:
                yield f"weight_hr{end}", (proj_size, hidden_size)
            if peephole:
                for gate in "ifo":
                    yield f"weight_c{gate}{end}", (hidden_size,)
    if output_layer:
        yield "weight_ho", (output_layer, state * len(suffixes))
        yield "weight_xo", (output_layer, input_size)
        if bias:
            yield "bias_o", (output_layer,)


def _gate_recurrent_shapes(
    cell: str, end: str, size: int, bias: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What follows ``weight_ih`` in a layer whose gates recur on gates."""
    if cell == "gru":
        yield f"weight_gh{end}", (2 * size, size)
        yield f"weight_hh{end}", (size, size)
    else:
        yield f"weight_gh{end}", (4 * size, size)
        yield f"weight_ch{end}", (4 * size, size)
    if bias:
        yield f"bias_ih{end}", (GATES[cell] * size,)
