"""Tensors named as in PyTorch's ``state_dict``, with nothing to say what they are.

``torch.nn.RNN``, ``GRU`` and ``LSTM`` save no options: they are inferred from names and shapes.
What these do not show has PyTorch's defaults unless an option says otherwise: tanh for an RNN,
the reset gate after the product for a GRU, sigmoid for an output layer. The modules ``RNNCell``,
``GRUCell`` and ``LSTMCell``, whose names have no ``_l0``, are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import FormatError, OptionError, RnnError
from ..spec import GATES, Array, ModelSpec, Recurrent
from ..warn import warn
from .array_names import modules_of
from .inferred import options_of
from .names import some
from .strangers import Strangers, hint

_LISTED: Final = 50  # modules to choose from
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
        Nothing recurrent, a tensor missing, shapes that contradict.
    OptionError
        Several recurrent modules and no ``prefix``; an option that contradicts the tensors, or
        that their cell does not have.
    UnsupportedError
        The module holds more than the arrays of a cell.
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
        sources = getattr(tensors, "sources", list)
        warn(
            f"only the recurrent module {chosen!r} is read; left out: {some(sources(rest))}. "
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
    arrays = {own: tensors[name] for own, name in names.items()}
    options = options_of(arrays, prefix, Strangers(prefix, tensors, names.values()))
    given, used = _with_said(tensors, prefix, given), set()
    cell = given.get("cell")
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


def _with_said(
    tensors: Mapping[str, Array], prefix: str, given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The options that are given, and those that the file says of the module: ``OptionError`` for
    two that differ."""
    whole: Mapping[str, Any] = getattr(tensors, "said", {}).get(prefix, {})
    said = {option: value for option, value in whole.items() if option in _OWNERS}
    for option, value in said.items():
        if given.get(option) not in (None, value):
            raise OptionError(
                f"{option}={given[option]!r}, but the file says {value!r} of the module {prefix!r}"
            )
    return {**given, **said}


def _choose(
    modules: Mapping[str, dict[str, str]], tensors: Mapping[str, Array], prefix: str | None
) -> str:
    if not modules:
        raise FormatError(
            "expected tensors named as in a PyTorch state_dict, such as weight_ih_l0; "
            f"found {some(list(tensors))}{hint(['weight_ih_l0', 'weight_hh_l0'], list(tensors))}"
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
    raise OptionError(f"several recurrent modules: choose one with prefix= {listed}")
