"""A model put together of the modules in a ``state_dict``: ``rn.load(path, chain=[...])``.

A ``state_dict`` has the arrays of modules, and not in which order they run. The chain says it, and
what stands between them: ``["emb", "lstm", rn.Last(), "fc:relu", "out"]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...activations import ACTIVATIONS, Activation
from ...errors import FormatError, OptionError, RnnError, UnsupportedError
from ...spec import (
    Array,
    Elementwise,
    Last,
    Layer,
    Linear,
    ModelSpec,
    Recurrent,
    Scale,
    Strided,
)
from ...spec import layers as our_layers
from ...spec.featurewise import Featurewise
from ...spec.layer import Value
from ...spec.layers.conv import Conv
from ..folding import normalized
from ..names import some
from . import classes, paddings, pools, windows
from .kinds import Here, Kind, bound
from .layout import Layout, read_input
from .modules import Modules, class_of
from .text import WORDS, Call, Item
from .text import read as read_text

_MOST: Final = 1000  # items
_KINDS: Final[Mapping[str, Kind]] = {
    **classes.CLASSES, **windows.CLASSES, **pools.CLASSES, **paddings.CLASSES,
}  # fmt: skip
_WINDOWED: Final = windows.CLASSES.keys() | pools.CLASSES.keys() | paddings.CLASSES.keys()
_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "h_n": ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"), "linear": ("Linear",),
    "eps": ("BatchNorm1d", "BatchNorm2d"),
}  # fmt: skip
"""The classes that the words behind a name are for."""


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
        Names of modules, such as ``"encoder.lstm"``, classes of PyTorch's without arrays, such as
        ``"MaxPool1d(2)"``, and layers of ours, such as ``rn.Last()``. Behind a name, each after a
        colon, there may be

        - its class, as PyTorch prints it, for what arrays do not say:
          ``"conv:Conv1d(8, 16, kernel_size=(3,), stride=(2,))"``; all arguments may be left out,
          and those that are there have to be what the arrays are;
        - functions of its outputs, ``"fc:relu"``, with constants in parentheses,
          ``"fc:leaky_relu(0.2)"``;
        - ``"lstm:h_n"``: of a recurrent module the last state alone, of both directions side by
          side;
        - ``"fc:linear"``: a weight without a bias is that of a Linear, where it is first, too;
        - ``"bn:eps=0.001"``: of a BatchNorm, 1e-5 where it is not said.

        ``"Input(1, 32, time)"`` in front says how the input lies in PyTorch, behind its batch: the
        channels and the axes behind them, one of which is the time. Positions, the axes inside a
        step, become features by ``"Flatten()"``, channels before positions.

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
            _add_text(made, modules, read_text(item))
        else:
            for one in item if isinstance(item, tuple) and item else (item,):
                made.add(f"chain[{index}]", _as_layer(f"chain[{index}]", one))
    modules.check_used()
    if not made.layers:
        raise OptionError(f"chain: expected at least one module or layer, got {chain!r:.200}")
    return ModelSpec(tuple(made.layers))


class _Chain:
    """The layers so far, what the last of them reads and gives, and how that lies in PyTorch."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.layout = Layout()
        self._reads: Value | None = None
        self._gives: Value | None = None

    @property
    def features(self) -> int | None:
        """Of what comes to the next module; None where it is the first."""
        return None if self._gives is None else self._gives.features

    def begin(self, called: str, features: int, layout: Layout) -> None:
        """With an input of so many features."""
        if self._gives is not None:
            raise OptionError(f"chain: {called}: can only be first")
        self._gives, self.layout = Value("the input", features), layout

    def add(self, called: str, layer: Layer, layout: Layout | None = None) -> None:
        """``ShapeError`` or ``UnsupportedError`` where it cannot stand behind the last one;
        ``layout``: what it leaves, where it is none of ours."""
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
        self.layout = layout or _left_by(layer, self.layout)

    def normalize(self, called: str, scale: Scale, channels: int) -> None:
        """By a Scale of each feature; a convolution in front takes the one of its channels up."""
        last = self.layers[-1] if self.layers else None
        plain = isinstance(last, Conv) and last.activation == "identity"
        if isinstance(last, Conv) and plain and last.out_channels == channels:
            own = Scale(scale.scale[:channels], scale.shift[:channels])
            self.layers[-1] = normalized(last, own)
        else:
            self.add(called, scale, self.layout)

    def activate(self, called: str, function: Activation | str) -> None:
        """A function of what the last layer gives, one of ``OVER_FEATURES`` by its name; a Linear
        or a convolution has it itself where it can."""
        last = self.layers[-1] if self.layers else None
        name = function if isinstance(function, str) else function.name
        own = ACTIVATIONS if isinstance(last, Linear) else ACTIVATIONS[:4]  # not over features
        if last is not None and last.own_activation == "identity" and name in own:
            self.layers[-1] = last.with_activation(name)
        elif isinstance(function, str):
            raise UnsupportedError(f"chain: {called}: {name} goes only directly behind a Linear")
        else:
            self.add(called, Elementwise(name, *function.constants), self.layout)


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


def _left_by(layer: Layer, layout: Layout) -> Layout:
    """What a layer of ours leaves of positions: it may put features into any order."""
    if not layer.gives_steps:
        return layout.without_time() if layer.output_size is None else Layout()
    if layer.output_size is None or isinstance(layer, Featurewise):
        return layout
    made, positions = (getattr(layer, name, 0) for name in ("positions_made", "positions"))
    if made and positions > 1:
        if layout.inside != (positions,):
            return Layout(is_known=False)
        return Layout(tuple(size and made for size in layout.axes))
    ordered = isinstance(layer, Strided) and (layout.positions > 1 or not layout.is_known)
    return Layout(is_known=not ordered)


# ---- a text: a module, or a class without arrays ----


def _add_text(made: _Chain, modules: Modules, item: Item) -> None:
    if item.kind is not None and item.kind.name == "Input":
        _begin(made, item)
        return
    recurrent: Recurrent | None = None
    names: dict[str, str] = {}
    where = f"chain: {item.text!r}"
    if item.module is not None:
        key, recurrent, names = modules.find(item.module)
        where = f"module {key!r}"
    arrays = modules.arrays(names)
    name = _class_name(made, where, item, recurrent, arrays)
    said = bound(where, item.kind or Call(name), _KINDS)
    _use_words(where, item, name, said)
    here = Here(where, arrays, made.layout, made.features, said, recurrent)
    called = repr(item.text if item.module is None else item.module)
    try:
        _make(made, called, name, here, last_alone="h_n" in item.options)
    except RnnError as error:
        if isinstance(error, FormatError) or str(error).startswith((where, f"chain: {called}")):
            raise
        keeps = isinstance(error, (OptionError, UnsupportedError)) or name in _WINDOWED
        kind = type(error) if keeps or item.module is None else FormatError
        raise kind(f"{where}: {error}") from error
    for function in item.functions:
        text = function if isinstance(function, str) else function.name
        made.activate(repr(f"{item.module or item.text}:{text}"), function)


def _begin(made: _Chain, item: Item) -> None:
    assert item.kind is not None
    where = f"chain: {item.text!r}"
    if item.module is not None or item.kind.named or item.options or item.functions:
        raise OptionError(f"{where}: expected 'Input(1, 32, time)' and the like alone")
    made.begin(repr(item.text), *read_input(where, item.kind.args))


def _class_name(
    made: _Chain,
    where: str,
    item: Item,
    recurrent: Recurrent | None,
    arrays: Mapping[str, Array],
) -> str:
    """The class that is said, if the arrays can be of it, or that of the arrays."""
    said = None if item.kind is None else item.kind.name
    if recurrent is not None:
        own = recurrent.cell.upper()
        if said not in (None, own, f"{own}Cell"):
            raise OptionError(f"{where}: {said} is said, but its arrays are those of {own}")
        return said or own
    if said is None:
        is_table = made.features is None and "linear" not in item.options
        return class_of(where, arrays, is_table)
    kind = _KINDS.get(said)
    if kind is not None:
        there, wanted = set(arrays), set(kind.arrays)
        if said in _OWN["h_n"] or not wanted <= there <= wanted | set(kind.more):
            has = " and ".join(kind.arrays) or " or ".join(kind.more) or "other ones"
            own = some(list(arrays)) if item.module is not None else "no name, and so none"
            raise FormatError(f"{where}: the arrays of {said} are {has}, and this has {own}")
        if item.module is not None and not there:
            raise FormatError(f"{where}: {said} has no arrays")
    return said


def _use_words(where: str, item: Item, name: str, said: dict[str, Any]) -> None:
    """Of ``item.options`` those that are arguments of the class; ``OptionError`` for others that
    it has not."""
    for option, value in item.options.items():
        if name not in _OWN[option]:
            raise OptionError(
                f"chain: {item.text!r}: expected {WORDS} behind a colon; {option} is not for a "
                f"module that is {name!r}"
            )
        if option in said:
            if item.kind is not None:
                raise OptionError(f"{where}: {option} is said behind the class, not in it")
            said[option] = value


def _make(made: _Chain, called: str, name: str, here: Here, last_alone: bool) -> None:
    """Adds the layers of a class, or the function that it is."""
    kind = _KINDS[name]
    if kind.function is not None:
        made.activate(called, kind.function(here))
        return
    assert kind.make is not None
    layers, layout = kind.make(here)
    for layer in layers:
        if last_alone and "return_sequences" in layer.options:
            alone = layer.make(layer.arrays, layer.options | {"return_sequences": False})
            made.add(called, alone, layout)
        elif isinstance(layer, Scale):
            made.normalize(called, layer, layer.input_size // here.layout.positions)
        else:
            made.add(called, layer, layout)
    made.layout = layout
