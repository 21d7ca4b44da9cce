"""The options of a recurrent layer, from the names and shapes of its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import FormatError
from ..spec import CELLS, GATES, Array, Cell
from .array_names import ARRAY, OUTPUT
from .strangers import Strangers

_CELLS: Final = {gates: cell for cell, gates in GATES.items()}
_MATRICES: Final = ("weight_ih", "weight_hh", "weight_hr")


def options_of(arrays: Mapping[str, Array], prefix: str, strangers: Strangers) -> dict[str, Any]:
    """The options of the Recurrent whose arrays these are, which ``strangers`` are beside. Raises
    ``FormatError`` for one that is missing, and what ``strangers.check`` does."""
    parsed = [match for match in map(ARRAY.fullmatch, arrays) if match]
    layers = {int(match["layer"]) for match in parsed}
    suffixes = {match["reverse"] or "" for match in parsed}
    kinds = {match["array"] for match in parsed}
    if layers != set(range(len(layers))):
        absent = min(set(range(len(layers))) - layers)
        raise FormatError(
            f"module {prefix!r}: no tensors of layer {absent}, but some of layer {max(layers)}"
        )
    bias = bool(kinds & {"bias_ih", "bias_hh"})
    gated = _gated(arrays) if kinds & {"weight_gh", "weight_ch"} else None
    there = {
        "bias": bias,
        "proj_size": int("weight_hr" in kinds),
        "peephole": bool(kinds & {"weight_ci", "weight_cf", "weight_co"}),
    }
    # Of all cells without recurrence of gates an LSTM has the most arrays.
    expected_kinds = [name for name, _ in (gated or CELLS["lstm"]).shapes(1, 1, there)]
    expected = [
        f"{kind}_l{layer}{suffix}"
        for layer in sorted(layers)
        for suffix in sorted(suffixes)
        for kind in sorted(expected_kinds, reverse=True)
    ]
    output = any(name in arrays for name in OUTPUT)
    if output:
        expected += OUTPUT[: 2 + bias]
    missing = [name for name in expected if name not in arrays]
    if missing:
        raise strangers.missing(missing, list(arrays))
    strangers.check()
    end = f"_l0{min(suffixes)}"
    where = f"module {prefix!r}"
    options = _sizes_of_gates(gated, arrays, end, where) if gated else _sizes(arrays, end, where)
    both = "bidirectional" if len(suffixes) == 2 else None
    return {
        **options,
        "num_layers": len(layers),
        "direction": both or ("reverse" if "_reverse" in suffixes else "forward"),
        "bias": bias,
        **({"peephole": True} if there["peephole"] else {}),
        **({"output_layer": len(arrays["weight_ho"])} if output else {}),
    }


def _gated(arrays: Mapping[str, Array]) -> Cell:
    """Which cell with gates that recur on gates: the one whose arrays or whose rows are there."""
    gru, lstm = CELLS["gate_gru"], CELLS["gate_lstm"]
    rows = dict(lstm.recurrent_shapes(1, {}))["weight_gh"][0]
    for name, array in arrays.items():
        rows_of_lstm = array.ndim == 2 and len(array) == rows * array.shape[1]
        if name.startswith("weight_ch") or (name.startswith("weight_gh") and rows_of_lstm):
            return lstm
    return gru


def _sizes_of_gates(
    cell: Cell, arrays: Mapping[str, Array], end: str, where: str
) -> dict[str, Any]:
    """Cell and sizes of a gate-recurrent cell; ``Recurrent`` checks the shapes."""
    w_ih, w_gh = arrays[f"weight_ih{end}"], arrays[f"weight_gh{end}"]
    for name, matrix in ((f"weight_ih{end}", w_ih), (f"weight_gh{end}", w_gh)):
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise FormatError(f"{where}: {name}: expected a matrix, got {matrix.shape}")
    sizes = {"input_size": w_ih.shape[1], "hidden_size": w_gh.shape[1]}
    return {"cell": cell.kind, **sizes, "gate_recurrent": True}


def _sizes(arrays: Mapping[str, Array], end: str, where: str) -> dict[str, Any]:
    """Cell and sizes, from the shapes of the first layer's arrays."""
    w_ih, w_hh, w_hr = (arrays.get(f"{kind}{end}") for kind in _MATRICES)
    assert w_ih is not None
    assert w_hh is not None
    for kind, matrix in zip(_MATRICES, (w_ih, w_hh, w_hr), strict=True):
        if matrix is not None and (matrix.ndim != 2 or 0 in matrix.shape):
            raise FormatError(f"{where}: {kind}{end}: expected a matrix, got {matrix.shape}")
    rows, columns = w_hh.shape
    hidden = columns if w_hr is None else w_hr.shape[1]
    gates, remainder = divmod(rows, hidden)
    if remainder or gates not in _CELLS:
        raise FormatError(
            f"{where}: weight_hh{end}: expected 1 (RNN), 3 (GRU) or 4 (LSTM) times {hidden} rows, "
            f"got shape {w_hh.shape}"
        )
    cell = _CELLS[gates]
    only_lstm = [n for n in arrays if n.startswith(("weight_hr", "weight_c"))]
    if only_lstm and cell != "lstm":
        raise FormatError(f"{where}: {only_lstm[0]} is of an LSTM, but the shapes of a {cell!r}")
    if w_hr is not None and w_hr.shape[0] >= hidden:
        raise FormatError(
            f"{where}: weight_hr{end}: expected fewer rows than columns, got {w_hr.shape}"
        )
    options = {"cell": cell, "input_size": w_ih.shape[1], "hidden_size": hidden}
    return options if w_hr is None else {**options, "proj_size": w_hr.shape[0]}
