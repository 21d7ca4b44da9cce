"""Objects of PyTorch's in a pickle whose weights have names: modules that were saved whole, the
modules of a TorchScript program, and the packed weights of quantized ones.

They are stand-ins (``foreign``) with the state that the pickle gives them; nothing is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from .foreign import Foreign
from .values import Pairs, Tensor

_SCRIPT: Final = "__torch__"
_CLASSES: Final = "__torch__.torch.classes."
_LINEAR: Final = f"{_CLASSES}quantized.LinearPackedParamsBase"
_CELL: Final = f"{_CLASSES}rnn.CellParamsBase"
_PARTS: Final = 8  # of the state of a cell
_SIDES: Final = ("ih", "hh")
_MODES: Final = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}

Spend = Callable[[int], None]
"""Counts what is looked at; raises where it is too much."""


@dataclass
class Inside:
    """What is in an object by the names that a ``state_dict`` gives it, and the options that the
    object has; ``source`` is the class of a program, whose code may say more."""

    items: list[tuple[Any, Any]]
    said: dict[str, Any] = field(default_factory=dict)
    source: Foreign | None = None


def inside(foreign: Foreign, spend: Spend) -> Inside | None:
    """None where it is none of these objects."""
    packed = _packed(foreign)
    if packed is not None:
        return Inside(list(packed.items()))
    state = foreign.parts[-1] if foreign.parts else None
    if type(state) is not Pairs:
        return None
    spend(len(state.flat) + len(state.rows or ()))
    pairs = [(key, value) for key, value in state.items() if type(key) is str]
    attributes = dict(pairs)
    if _is_script(foreign):
        return Inside([pair for pair in pairs if _is_part(pair[1])], _said(attributes), foreign)
    if type(attributes.get("_parameters")) is not Pairs or "_modules" not in attributes:
        return None
    items = [pair for pair in pairs if type(pair[1]) is Foreign and _packed(pair[1]) is not None]
    for name in ("_parameters", "_buffers", "_modules"):
        held = attributes.get(name)
        if type(held) is Pairs:
            spend(len(held.flat) + len(held.rows or ()))
            items += held.items()
    return Inside(items, _said(attributes))


def _is_script(value: Any) -> bool:
    """Whether it is of a class of a program's own."""
    if type(value) is not Foreign or not f"{value.module}.".startswith(f"{_SCRIPT}."):
        return False
    return not f"{value.module}.".startswith(_CLASSES)


def _is_part(value: Any) -> bool:
    return type(value) is Tensor or _is_script(value) or _packed(value) is not None


def _said(attributes: dict[str, Any]) -> dict[str, Any]:
    """What a recurrent module says of itself and its arrays do not."""
    said: dict[str, Any] = {}
    mode, own = attributes.get("mode"), attributes.get("nonlinearity")
    nonlinearity = _MODES.get(mode) if type(mode) is str else None
    if nonlinearity is None and type(own) is str and own in _MODES.values():
        nonlinearity = own if mode is None else None
    if nonlinearity is not None:
        said["nonlinearity"] = nonlinearity
    if type(attributes.get("bidirectional")) is bool:
        said["bidirectional"] = attributes["bidirectional"]
    return said


# ---- packed weights: (state, class), or as a program has them ----


def _packed(value: Any) -> dict[str, Any] | None:
    """The weights of a packed object by their names; None where it is none."""
    name, state = _class_and_state(value)
    if name == _LINEAR:
        return _linear(value)
    if name == _CELL and type(state) is tuple:
        return dict(_of_cell(state))
    return None


def _class_and_state(value: Any) -> tuple[Any, Any]:
    if type(value) is not Foreign or not value.parts:
        return None, None
    state, name = value.parts[-1], f"{value.module}.{value.name}"
    if name == "torch.ScriptObject" and type(state) is tuple and len(state) == 2:
        return state[1], state[0]
    return name, state


def _linear(value: Any) -> dict[str, Any] | None:
    name, state = _class_and_state(value)
    if type(name) is not str or name != _LINEAR or type(state) is not tuple or len(state) < 2:
        return None
    return {"weight": state[0], "bias": state[1]}


def _of_cell(state: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """(kind, biases, scales, zero points, packed weights); of float16 the packed ones alone."""
    for held in state[:_PARTS]:
        if type(held) is not list or len(held) != len(_SIDES):
            continue
        linears = [_linear(part) for part in held]
        if None in linears:
            continue
        for side, linear in zip(_SIDES, linears, strict=True):
            assert linear is not None
            yield f"weight_{side}", linear["weight"]
            yield f"bias_{side}", linear["bias"]
        return
