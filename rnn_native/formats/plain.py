"""Tensors named as in PyTorch's ``state_dict``, with nothing to say what they are.

``torch.nn.RNN``, ``GRU`` and ``LSTM`` save no options: they are inferred from names and shapes.
What these do not show has PyTorch's defaults unless an option says otherwise: tanh for an RNN,
the reset gate after the product for a GRU, sigmoid for an output layer. The modules ``RNNCell``,
``GRUCell`` and ``LSTMCell``, whose names have no ``_l0``, are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import FormatError, OptionError, RnnError
from ..spec import CELLS, GATES, Array, Cell, ModelSpec, Recurrent
from ..warn import warn
from .names import SHOWN, similar, some

_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<array>weight_[igc]h|weight_hh|bias_ih|bias_hh|weight_hr|weight_c[ifo])"
    r"(_l(?P<layer>0|[1-9][0-9]{0,5})(?P<reverse>_reverse)?)?",
    re.DOTALL,
)
_OUTPUT: Final = ("weight_ho", "weight_xo", "bias_o")  # of an RNN's output layer
_CELLS: Final = {gates: cell for cell, gates in GATES.items()}
_LISTED: Final = 50  # modules to choose from
_COMPARED: Final = 200  # names, and none as long as _LONGEST, among which to look for a likeness
_LONGEST: Final = 50  # characters; an array's own name has half of them
_MAX_ARRAYS: Final = 10_000  # of one module; the core takes 2048 in a whole model


def from_state_dict(
    tensors: Mapping[str, Array],
    *,
    cell: str | None = None,
    nonlinearity: str | None = None,
    reset_after: bool | None = None,
    output_nonlinearity: str | None = None,
    prefix: str | None = None,
) -> ModelSpec:
    """A ModelSpec of one Recurrent from the tensors of one recurrent module.

    Parameters
    ----------
    tensors
        By name, as ``state_dict()`` has them.
    cell
        ``"rnn"``, ``"gru"`` or ``"lstm"``: what the shapes must say.
    nonlinearity
        RNN only: ``"tanh"`` (the default), ``"relu"`` or ``"sigmoid"``.
    reset_after
        GRU only, and not where its gates recur on gates: see ``Recurrent``; True is the default.
    output_nonlinearity
        RNN with an output layer only: see ``Recurrent``; ``"sigmoid"`` is the default.
    prefix
        What the names of the module begin with, ``"encoder.lstm."`` or without the last dot;
        ``""`` is none. Or what holds the module, ``"encoder"``, if it holds no other. Needed where
        there are several recurrent modules. Where it is not given and tensors of other modules
        are left out, a ``UserWarning`` says so.

    Raises
    ------
    FormatError
        Nothing recurrent, several modules, a tensor missing or too many, shapes that contradict.
    OptionError
        An option that contradicts the tensors, or that their cell does not have.
    """
    modules = modules_of(tensors)
    chosen = _choose(modules, tensors, prefix)
    given = {
        "cell": cell,
        "nonlinearity": nonlinearity,
        "reset_after": reset_after,
        "output_nonlinearity": output_nonlinearity,
    }
    layer, _ = recurrent_of(tensors, chosen, modules[chosen], given)
    taken = set(modules[chosen].values())
    rest = [name for name in tensors if name not in taken]
    if rest and prefix is None:
        warn(
            f"only the recurrent module {chosen!r} is read; left out: {some(rest)}. "
            f"prefix={chosen!r} says that this is meant"
        )
    return ModelSpec((layer,))


_OWNERS: Final[Mapping[str, tuple[str, ...]]] = {
    "nonlinearity": ("rnn", "rnn with an output layer"),
    "reset_after": ("gru",),
    "output_nonlinearity": ("rnn with an output layer",),
}
"""The options that arrays do not show, and the cells that have them."""


def recurrent_of(
    tensors: Mapping[str, Array],
    prefix: str,
    names: Mapping[str, str],
    given: Mapping[str, Any],
    strict: bool = True,
) -> tuple[Recurrent, set[str]]:
    """The layer of one recurrent module, ``names`` of its arrays as ``modules_of`` has them, and
    which of the options that are ``given``, and not None, are its; where it does not have one of
    them that is an ``OptionError``, unless not ``strict``. Raises what ``from_state_dict`` does."""
    if len(names) > _MAX_ARRAYS:
        raise FormatError(f"module {prefix!r}: {len(names)} tensors, more than {_MAX_ARRAYS}")
    taken = set(names.values())
    arrays = {own: tensors[name] for own, name in names.items()}
    options = _infer(arrays, [name for name in tensors if name not in taken], prefix)
    cell, used = given.get("cell"), set()
    if cell is not None and cell != options["cell"]:
        if cell not in GATES:
            raise OptionError(f"cell: expected one of {', '.join(GATES)}; got {cell!r}")
        which = "" if strict else f" of the module {prefix!r}"
        raise OptionError(
            f"cell={cell!r}, but the tensors{which} are those of a {options['cell']!r}"
        )
    kind = "gate-recurrent " if options.get("gate_recurrent") else ""
    kind += options["cell"] + (" with an output layer" if "output_layer" in options else "")
    for option, owners in _OWNERS.items():
        value = given.get(option)
        if value is None:
            continue
        if kind in owners:
            options[option] = value
            used.add(option)
        elif strict:
            raise OptionError(
                f"{option}={value!r}: only the cell {owners[0]!r} has it; "
                f"the tensors are those of a {kind!r}"
            )
    try:
        return Recurrent(weights=arrays, **options), used
    except OptionError:
        raise
    except RnnError as error:
        raise FormatError(f"module {prefix!r}: {error}") from error


def modules_of(tensors: Mapping[str, Array]) -> dict[str, dict[str, str]]:
    """The recurrent modules: for each prefix, names as ``Recurrent`` has them -> names in the
    file."""
    modules: dict[str, dict[str, str]] = {}
    for name in tensors:
        match = _NAME.fullmatch(name, max(0, len(name) - _LONGEST))
        if match:
            prefix = name[: match.start("array")]
            own = name[match.start("array") :] + ("" if match["layer"] else "_l0")
            module = modules.setdefault(prefix, {})
            if own in module:
                raise FormatError(f"{module[own]!r} and {name!r} are the same array of a module")
            module[own] = name
    for name in tensors:
        for own in _OUTPUT:
            prefix = name.removesuffix(own)
            if prefix != name and prefix in modules:
                modules[prefix][own] = name
    return modules


def _choose(
    modules: Mapping[str, dict[str, str]], tensors: Mapping[str, Array], prefix: str | None
) -> str:
    if not modules:
        raise FormatError(
            "expected tensors named as in a PyTorch state_dict, such as weight_ih_l0; "
            f"found {some(list(tensors))}{_hint(['weight_ih_l0', 'weight_hh_l0'], list(tensors))}"
        )
    inside = list(modules)
    if prefix is not None:
        within = prefix if prefix.endswith(".") else f"{prefix}."
        for candidate in (prefix, within):
            if candidate in modules:
                return candidate
        inside = [name for name in modules if prefix and name.startswith(within)]
    if len(inside) == 1:
        return inside[0]
    listed = some(list(map(repr, inside or modules)), _LISTED)
    if not inside:
        raise OptionError(f"prefix={prefix!r}: no recurrent module there; there are {listed}")
    raise FormatError(f"several recurrent modules: choose one with prefix= {listed}")


def _infer(arrays: Mapping[str, Array], rest: Sequence[str], prefix: str) -> dict[str, Any]:
    """The options of the Recurrent whose arrays these are; ``rest`` is what else the file has."""
    parsed = [match for match in map(_NAME.fullmatch, arrays) if match]
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
    output = any(name in arrays for name in _OUTPUT)
    if output:
        expected += _OUTPUT[: 2 + bias]
    missing = [name for name in expected if name not in arrays]
    if missing:
        raise FormatError(
            f"module {prefix!r}: missing {some(missing)}; found {some(list(arrays))}"
            + _hint(missing, rest)
        )
    # Nothing else lies in such a module. Where no dot ends the prefix, it may be anybody's.
    strangers = [
        name
        for name in rest
        if prefix.endswith(".") and name.startswith(prefix) and "." not in name[len(prefix) :]
    ]
    if strangers:
        raise FormatError(f"module {prefix!r}: unexpected {some(strangers)}")
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


_MATRICES: Final = ("weight_ih", "weight_hh", "weight_hr")


def _hint(missing: Sequence[str], found: Sequence[str]) -> str:
    """``; is 'lstm.w_hh' meant to be weight_hh_l0?`` for names much alike."""
    own = {full.rpartition(".")[2]: full for full in reversed(found[:_COMPARED])}
    plain = ("weight", "bias")  # of any module
    own = {n: full for n, full in own.items() if len(n) < _LONGEST and n not in plain}
    for name in missing[:SHOWN]:
        if near := similar(name, own, 1):
            return f"; is {own[near[0]]!r} meant to be {name}?"
    return ""
