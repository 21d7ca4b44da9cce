"""The options of a Recurrent, and the arrays that they call for; without any numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ...activations import Activation
from ...errors import OptionError
from ..cell import Cell
from ..cells import KEYS, KINDS, cell_of, check
from ..keys import MAX_SIZE, Key

SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"forward": ("",), "reverse": ("_reverse",), "bidirectional": ("", "_reverse")}
)
DIRECTIONS: Final = tuple(SUFFIXES)

_STACK: Final = (
    Key("cell", "word", words=KINDS),
    Key("input_size", "natural", least=1),
    Key("hidden_size", "natural", least=1),
    Key("num_layers", "natural", 1, least=1),
    Key("direction", "word", "forward", words=DIRECTIONS),
    Key("bias", "flag", True),
)
_LAST: Final = (Key("return_sequences", "flag", True, optional=True, only_runs=True),)
_INITIAL: Final = (Key("initial_state", "flag", optional=True, only_runs=True, version=2),)

ALONG: Final = ("time", "positions")
_POSITIONS: Final = (
    Key("positions", "natural", 1, optional=True, least=1, only_runs=True, version=2),
    Key("along", "word", "time", optional=True, words=ALONG, only_runs=True, version=2),
)


def keys_of(cell: Cell) -> tuple[Key, ...]:
    """The options of a Recurrent with this cell, in the order of a file's line."""
    return _STACK + cell.keys + _LAST + _INITIAL + _POSITIONS


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
    cell_clip: float | None = None,
    return_sequences: bool = True,
    positions: int = 1,
    along: str = "time",
) -> dict[str, Any]:
    """The options of a ``Recurrent``, checked and normalised; raises what constructing it does."""
    given = locals()
    keys = {key.name: key for key in (*_STACK, *KEYS.values(), *_LAST, *_POSITIONS)}
    options = {name: keys[name].checked("Recurrent", value) for name, value in given.items()}
    definition = cell_of(cell, options["gate_recurrent"])
    check(definition, options)
    _check_positions(options)
    if activations is None:
        return options
    if nonlinearity != "tanh":
        raise OptionError(
            f"Recurrent activations: expected none beside nonlinearity={nonlinearity!r}, which "
            f"says the same; got {activations!r}"
        )
    directions = len(SUFFIXES[direction])
    every = _of_all_directions(definition, directions, activations)
    return options | {"activations": None} | definition.plain(every, directions)


def _check_positions(options: Mapping[str, Any]) -> None:
    positions, width = options["positions"], options["proj_size"] or options["hidden_size"]
    if (positions > 1 or options["along"] != "time") and options["output_layer"]:
        raise OptionError(
            f"Recurrent positions={positions}, along={options['along']}: expected 1, time with an "
            "output_layer"
        )
    made = width * len(SUFFIXES[options["direction"]])
    most = max(options["input_size"], options["hidden_size"], made)
    if positions * most > MAX_SIZE:
        raise OptionError(
            f"Recurrent positions: expected at most {MAX_SIZE} features of a step, got "
            f"{positions} positions of {most}"
        )


def _of_all_directions(
    cell: Cell, directions: int, activations: Sequence[Activation]
) -> tuple[Activation, ...]:
    """The activations of every direction, those of the first one first.

    ``activations`` are those of one direction, which all then have, or of all.
    """
    given = tuple(activations) if isinstance(activations, (tuple, list)) else ()
    if not given or not all(isinstance(one, Activation) for one in given):
        raise OptionError(
            f"Recurrent activations: expected a tuple of Activations, got {activations!r}"
        )
    count = len(cell.activations)
    if len(given) not in (count, count * directions):
        raise OptionError(
            f"Recurrent activations: expected {count}, or {count} for each direction "
            f"({directions}), for the cell {cell.kind!r}; got {len(given)}"
        )
    return given if len(given) == count * directions else given * directions


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
    options = {"bias": bias, "proj_size": proj_size, "peephole": peephole}
    suffixes, definition = SUFFIXES[direction], cell_of(cell, gate_recurrent)
    width = (proj_size or hidden_size) * len(suffixes)
    for layer in range(num_layers):
        for suffix in suffixes:
            inputs = width if layer else input_size
            for name, shape in definition.shapes(inputs, hidden_size, options):
                yield f"{name}_l{layer}{suffix}", shape
    if output_layer:
        yield "weight_ho", (output_layer, width)
        yield "weight_xo", (output_layer, input_size)
        if bias:
            yield "bias_o", (output_layer,)
