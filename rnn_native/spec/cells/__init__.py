"""The cells: ``CELLS`` is the only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...errors import UnsupportedError
from ..cell import Cell
from ..keys import Key, one_of
from .gate_gru import GateGRU
from .gate_lstm import GateLSTM
from .gru import GRU
from .lstm import LSTM
from .rnn import RNN

CELLS: Final[Mapping[str, Cell]] = MappingProxyType(
    {cell.name: cell for cell in (RNN(), GRU(), LSTM(), GateGRU(), GateLSTM())}
)
KINDS: Final = tuple(dict.fromkeys(cell.kind for cell in CELLS.values()))
"""What ``cell`` of a Recurrent can be."""
KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {key.name: key for cell in CELLS.values() for key in cell.keys}
)
"""The options that not every cell has."""


def cell_of(kind: str, gate_recurrent: bool = False) -> Cell:
    """The cell of ``cell`` and ``gate_recurrent`` of a Recurrent; ``OptionError`` or
    ``UnsupportedError`` where there is none."""
    one_of("Recurrent cell", kind, KINDS)
    for cell in CELLS.values():
        if cell.kind == kind and cell.gate_recurrent == gate_recurrent:
            return cell
    raise _only_others("gate_recurrent", kind)


def check(cell: Cell, options: Mapping[str, Any]) -> None:
    """``UnsupportedError`` where the cell has no such option, or does not have them together."""
    own = {key.name for key in cell.keys}
    for key in KEYS.values():
        if key.name in own or not key.is_used(options[key.name]):
            continue
        if cell.kind not in _owners(key.name):
            raise _only_others(key.name, cell.kind)
        raise UnsupportedError(
            f"Recurrent {key.name}: a gate_recurrent {cell.kind!r} has no such option"
        )
    cell.check(options)


def _owners(option: str) -> list[str]:
    cells = (cell for cell in CELLS.values() if option in [key.name for key in cell.keys])
    return list(dict.fromkeys(cell.kind for cell in cells))


def _only_others(option: str, kind: str) -> UnsupportedError:
    return UnsupportedError(
        f"Recurrent {option}: only the cell {' or '.join(map(repr, _owners(option)))} has it, "
        f"this one is {kind!r}"
    )
