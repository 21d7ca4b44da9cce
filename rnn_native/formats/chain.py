"""A model put together of the modules in a ``state_dict``: ``rn.load(path, chain=[...])``.

A ``state_dict`` has the arrays of modules, and not in which order they run. The chain says it, and
what stands between them: ``["emb", "lstm", rn.Last(), "fc:relu", "out"]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..activations import ACTIVATIONS, CONSTANTS, Activation
from ..errors import OptionError, UnsupportedError
from ..spec import Array, Elementwise, Last, Layer, Linear, ModelSpec, Recurrent, Scale
from ..spec import layers as our_layers
from ..spec.layer import Value
from .modules import EPSILON, Modules, Place
from .names import similar

_MOST: Final = 1000  # items
_FUNCTION = re.compile(r"(?P<name>[a-z_0-9]+)(\((?P<constants>[^()]*)\))?")
_OVER_FEATURES: Final = ("softmax", "log_softmax")
_WORDS: Final = "h_n of a recurrent module, linear, eps=NUMBER of a BatchNorm, or an activation"
_OWN: Final[Mapping[type[Layer], str]] = {Recurrent: "h_n", Linear: "linear", Scale: "eps"}


def from_state_dict(
    tensors: Mapping[str, Array],
    chain: Sequence[str | Layer],
    *,
    prefix: str | None = None,
    **given: Any,
) -> ModelSpec:
    """The model whose layers are these, in this order.

    Parameters
    ----------
    tensors
        By name, as ``state_dict()`` has them. Modules that the chain does not name are left out.
    chain
        Names of modules, such as ``"encoder.lstm"``, and layers of ours, such as ``rn.Last()`` or
        ``rn.MaxPool(2)``. Behind a name, each after a colon, there may be

        - a function of its outputs, ``"fc:relu"``, its constants in parentheses,
          ``"fc:leaky_relu(0.2)"``;
        - ``"lstm:h_n"``: of a recurrent module the last state alone, of both directions side by
          side;
        - ``"fc:linear"``: a weight without a bias is that of a Linear, where it is first, too;
        - ``"bn:eps=0.001"``: of a BatchNorm, 1e-5 where it is not said.

        ``rn.Last()`` is ``y[:, -1]`` of what stands before it, at each row's last valid step. Of a
        bidirectional module that is not ``h_n``: its reverse half is of the last step, not of
        step 0.
    prefix
        What the names of all modules begin with, with or without its last dot.
    given
        Other options of ``plain.from_state_dict``, each for every module that has it.

    Raises
    ------
    OptionError
        A module, a word or a thing that is not known; an option that no module has.
    FormatError
        A module whose arrays contradict each other.
    UnsupportedError
        A module of arrays that are not understood; a layer in a place where it cannot be.
    ShapeError
        Neighbours that do not fit, named both.
    """
    if isinstance(chain, str) or not isinstance(chain, Sequence) or not chain:
        raise OptionError(f"chain: expected a list of modules and layers, got {chain!r:.200}")
    if len(chain) > _MOST:
        raise OptionError(f"chain: expected at most {_MOST} modules and layers, got {len(chain)}")
    modules, made = Modules(tensors, prefix or "", given), _Chain()
    for index, item in enumerate(chain):
        if isinstance(item, str):
            _add_module(made, modules, item)
        else:
            layer = _as_layer(f"chain[{index}]", item)
            made.add(f"chain[{index}]", layer)
    modules.check_used()
    return ModelSpec(tuple(made.layers))


class _Chain:
    """The layers so far, and what the last of them reads and gives."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._reads: Value | None = None
        self._gives: Value | None = None

    @property
    def place(self) -> Place:
        """That of the next module."""
        if self._gives is None:
            return Place(is_first=True)
        return Place(features=self._gives.features)

    def add(self, called: str, layer: Layer) -> None:
        """``ShapeError`` or ``UnsupportedError`` where it cannot stand behind the last one."""
        alone = _alone(self.layers[-1]) if self.layers else None
        if layer == Last() and alone is not None:
            self.layers.pop()
            layer, self._gives = alone, self._reads
        where = called if called.startswith("chain") else f"chain: {called}"
        if layer.arity != (1, 1):
            raise UnsupportedError(
                f"{where} ({type(layer).__name__}): reads several values, as no layer of a chain "
                "does; rn.ModelSpec(nodes=...) says which"
            )
        if self._gives is None:
            if layer.features_taken is None or not layer.can_be_first:
                raise UnsupportedError(f"{where} ({type(layer).__name__}): cannot be first")
            self._gives = Value("the input", layer.features_taken, layer.takes_indices)
        made = layer.outputs(where, called, [self._gives])[0]
        self._reads, self._gives = self._gives, made
        self.layers.append(layer)

    def activate(self, called: str, function: Activation | str) -> None:
        """A function of what the last layer gives, one of ``_OVER_FEATURES`` by its name; a Linear
        has it itself where it can."""
        last = self.layers[-1]
        name = function if isinstance(function, str) else function.name
        if isinstance(last, Linear) and last.activation == "identity" and name in ACTIVATIONS:
            self.layers[-1] = last.with_activation(name)
        elif isinstance(function, str):
            raise UnsupportedError(f"chain: {called}: {name} goes only directly behind a Linear")
        else:
            self.add(called, Elementwise(name, *function.constants))


def _alone(layer: Layer) -> Layer | None:
    """The same layer that gives its last state alone, which is a forward layer's last step; None
    where that is something else."""
    if not isinstance(layer, Recurrent) or not layer.runs_over_time or layer.output_layer:
        return None
    if layer.direction != "forward":
        return None
    return replace(layer, return_sequences=False) if layer.return_sequences else None


def _as_layer(where: str, item: Any) -> Layer:
    layer = item if isinstance(item, Layer) else getattr(item, "spec", None)
    if isinstance(layer, Layer):
        return layer
    name = getattr(item, "__name__", type(item).__name__)
    hint = f"; rn.{name}(...) makes one" if name in our_layers.__all__ else ""
    raise OptionError(
        f"{where}: expected the name of a module, or a layer such as rn.Last(); got {name}{hint}"
    )


# ---- a module, and the words behind its name ----


@dataclass
class _Words:
    options: dict[str, Any] = field(default_factory=dict)  # of ``_OWN``
    functions: list[Activation | str] = field(default_factory=list)


def _add_module(made: _Chain, modules: Modules, item: str) -> None:
    name, *words = item.split(":")
    name = name.removesuffix(".")
    said = _read_words(item, words)
    epsilon, linear = said.options.get("eps", EPSILON), "linear" in said.options
    layer = modules.layer(name, replace(made.place, linear=linear, epsilon=epsilon))
    for option in said.options:
        if option != _OWN.get(type(layer)):
            raise OptionError(
                f"chain: {item!r}: expected {_WORDS} behind a colon; {option} is not for a module "
                f"that is {layer.title!r}"
            )
    if "h_n" in said.options:
        assert isinstance(layer, Recurrent)
        layer = replace(layer, return_sequences=False)
    made.add(repr(name), layer)
    for function in said.functions:
        text = function if isinstance(function, str) else function.name
        made.activate(repr(f"{name}:{text}"), function)


def _read_words(item: str, words: Sequence[str]) -> _Words:
    said = _Words()
    for word in words:
        if word in ("h_n", "linear"):
            said.options[word] = True
        elif word.startswith("eps="):
            said.options["eps"] = _number(item, word.removeprefix("eps="))
        else:
            said.functions.append(_function(item, word))
    return said


def _function(item: str, word: str) -> Activation | str:
    if word in _OVER_FEATURES:
        return word
    match = _FUNCTION.fullmatch(word)
    if match is None:
        raise OptionError(f"chain: {item!r}: expected {_WORDS} behind a colon; got {word!r}")
    texts = match["constants"].split(",") if match["constants"] else []
    if len(texts) > 2:
        raise OptionError(f"chain: {item!r}: expected at most 2 constants, got {len(texts)}")
    try:
        return Activation(match["name"], *(_number(item, text) for text in texts))
    except OptionError as error:
        near = similar(word, [*CONSTANTS, *_OVER_FEATURES, "h_n", "linear"], 1)
        hint = f"; is {near[0]!r} meant?" if near and match["name"] not in CONSTANTS else ""
        raise OptionError(f"chain: {item!r}: {error}{hint}") from None


def _number(item: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"chain: {item!r}: expected a number, got {text!r}") from None
