"""The names that a ``state_dict`` would have, of quantized modules, whose weights are packed.

===========================================  ==================================================
``torch.ao.nn.quantized.dynamic.LSTM, GRU``  ``_all_weight_values.N.param``, where N counts
                                             directions and then layers
``LSTMCell``, ``GRUCell``, ``RNNCell``       ``_packed_weight_ih``, ``_packed_weight_hh``
``Linear``                                   ``_packed_params._packed_params``, and of what it
                                             would give ``scale`` and ``zero_point``
===========================================  ==================================================

What is inside of each is named by ``objects``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ...errors import FormatError
from .foreign import Foreign, Unread
from .values import Tensor

_LAYER = re.compile(
    r"(?P<prefix>.*?)_all_weight_values\.(?P<index>0|[1-9][0-9]{0,4})\.param\.(?P<own>\w+)",
    re.DOTALL,
)
_PACKED: Final[Mapping[str, str]] = {
    "_packed_weight_ih.weight": "weight_ih", "_packed_weight_ih.bias": "bias_ih",
    "_packed_weight_hh.weight": "weight_hh", "_packed_weight_hh.bias": "bias_hh",
    "_packed_params._packed_params.weight": "weight", "_packed_params._packed_params.bias": "bias",
    "_packed_params._packed_params.0": "weight", "_packed_params._packed_params.1": "bias",
}  # fmt: skip
_OF_LINEAR: Final = ("weight", "bias")
_ARRAYS: Final = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_AMBIGUOUS: Final = (
    "a quantized recurrent module of two packed layers of as many features as units: the file does "
    "not say whether they are one after the other or the two directions of one; save the "
    "state_dict from before quantizing"
)

Leaf = Tensor | Foreign | Unread


def renamed(
    named: Mapping[str, Leaf], said: Mapping[str, Mapping[str, Any]], whole: bool = False
) -> dict[str, Leaf]:
    """The same by the names of a ``state_dict``; ``said`` are options of modules by prefix. Where
    they are ``whole``, none is left out, and what could be of two names keeps its own."""
    if not any("_packed_" in name or "_all_weight_values." in name for name in named):
        return dict(named)
    layers: dict[str, dict[int, dict[str, Leaf]]] = {}
    found: dict[str, Leaf] = {}
    gone: set[str] = set()
    for name, leaf in named.items():
        match = _LAYER.fullmatch(name)
        if match is not None:
            layer = layers.setdefault(match["prefix"], {}).setdefault(int(match["index"]), {})
            layer[match["own"]] = leaf
            continue
        prefix, own = _unpacked(name)
        if own in _OF_LINEAR:
            gone |= {f"{prefix}scale", f"{prefix}zero_point"}
        _put(found, f"{prefix}{own}", leaf)
    for prefix, each in layers.items():
        both = said.get(prefix, {}).get("bidirectional")
        for name, leaf in _stacked(prefix, each, both, whole):
            _put(found, name, leaf)
    return {name: leaf for name, leaf in found.items() if whole or name not in gone}


def _unpacked(name: str) -> tuple[str, str]:
    """The prefix of a module, and the own name of what is packed in it; or no own name."""
    for end, own in _PACKED.items():
        if name.endswith(end):
            return name.removesuffix(end), own
    return name, ""


def _put(found: dict[str, Leaf], name: str, leaf: Leaf) -> None:
    if name in found:
        raise FormatError(f"the name {name!r} is there twice")
    found[name] = leaf


def _stacked(
    prefix: str, each: Mapping[int, Mapping[str, Leaf]], both: bool | None, keep: bool
) -> list[tuple[str, Leaf]]:
    """The arrays of layers and directions; ``both`` is whether there are two, None if unknown."""
    whole = [each[index] for index in sorted(each)]
    arrays = [(n, layer.get(f"weight_{n}")) for layer in whole for n in ("ih", "hh")]
    shapes = [
        leaf.shape if isinstance(leaf, Tensor) and len(leaf.shape) == 2 else None
        for _, leaf in arrays
    ]
    known = sorted(each) == list(range(len(each))) and None not in shapes
    if known and both is None:
        both = _directions([shape[1] for shape in shapes if shape is not None])
    if not known or (both is None and keep):
        return [
            (f"{prefix}_all_weight_values.{index}.param.{own}", leaf)
            for index, layer in each.items()
            for own, leaf in layer.items()
        ]
    directions = 2 if both else 1
    named: list[tuple[str, Leaf]] = []
    for index, layer in enumerate(whole):
        end = f"_l{index // directions}{'_reverse' if both and index % 2 else ''}"
        for own in _ARRAYS:
            leaf = layer.get(own)
            if leaf is not None:
                named.append((f"{prefix}{own}{end}", Unread(_AMBIGUOUS) if both is None else leaf))
    return named


def _directions(columns: list[int]) -> bool | None:
    """Whether these are two directions of each layer, by the features that each takes and gives in
    turn; None where they may be either. Sizes that are neither's are refused later."""
    takes, gives = columns[::2], columns[1::2]
    one = all(takes[i] == gives[i - 1] for i in range(1, len(takes)))
    pairs = list(zip(takes[::2], takes[1::2], strict=False))
    two = len(takes) % 2 == 0 and all(first == second for first, second in pairs)
    two = two and all(takes[i] == 2 * gives[i - 1] for i in range(2, len(takes), 2))
    if one and two:
        return None
    return two
