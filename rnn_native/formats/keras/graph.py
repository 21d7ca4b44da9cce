"""A Keras model as calls of its layers, models inside of it taken apart.

A call takes tensors and makes some. A tensor is named by the layer's path, the number of the call
(within each model around it as well: a model that is called twice has its layers called twice)
and its place among what the call makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import FormatError
from .config import MODELS, Layer, layers_of, mapping
from .shape import Size

MAX_LAYERS: Final = 20_000
"""Models inside of models multiply: a small file can describe more than any memory holds."""
_MAX_DEPTH: Final = 16
_STATEFUL: Final = ("SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM", "RNN", "Bidirectional")
OPERATORS: Final = (
    "operator Add", "operator Divide", "operator Multiply", "operator Subtract",
    "operator TrueDivide",
)  # fmt: skip
"""What Keras 3 makes of ``a + b`` and its like: of two arguments, and no mask passes them."""
CONSTANT: Final = "constant"
"""The argument of a call of these that says which of both is a number, 0 or 1, and what it is."""
RECURRENT: Final = _STATEFUL
"""The classes that ``node=`` is made for."""


@dataclass(frozen=True)
class Tensor:
    layer: str
    call: tuple[int, ...]
    index: int = 0


@dataclass(frozen=True)
class Call:
    """One call of a layer: of what data, from which initial states, with which other arguments."""

    layer: Layer
    data: tuple[Tensor, ...]
    states: tuple[Tensor, ...] = ()
    mask: tuple[Tensor, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """``calls`` by layer and number; ``alias``: what the tensors of models inside stand for;
    ``shapes``: what the model says of its inputs, [batch, ...], where it does."""

    calls: dict[tuple[str, tuple[int, ...]], Call] = field(default_factory=dict)
    alias: dict[Tensor, Tensor] = field(default_factory=dict)
    inputs: dict[Tensor, None] = field(default_factory=dict)
    shapes: dict[Tensor, list[Size]] = field(default_factory=dict)
    outputs: list[Tensor] = field(default_factory=list)

    def resolve(self, tensor: Tensor) -> Tensor:
        for _ in range(2 * _MAX_DEPTH):
            if tensor not in self.alias:
                break
            tensor = self.alias[tensor]
        return tensor

    def maker(self, tensor: Tensor) -> Call | None:
        """The call that makes a tensor; None for an input of the model."""
        tensor = self.resolve(tensor)
        if tensor in self.inputs:
            return None
        call = self.calls.get((tensor.layer, tensor.call))
        if call is None:
            raise FormatError(f"nothing makes the tensor {tensor.layer!r}")
        return call

    def named(self, name: str) -> list[Call]:
        """All calls of the layer of this name."""
        return [call for (layer, _), call in self.calls.items() if layer == name]

    @property
    def recurrent(self) -> list[str]:
        """The names of the recurrent layers, each once."""
        names = (c.layer.name for c in self.calls.values() if c.layer.kind in RECURRENT)
        return list(dict.fromkeys(names))


def graph_of(model: Layer) -> Graph:
    """Raises ``FormatError`` for what is no description of a model."""
    graph = Graph()
    graph.outputs = _Reader(graph).model(model, (), None)
    return graph


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._layers = 0

    def _layers_of(self, model: Layer) -> list[tuple[Layer, Mapping[str, Any]]]:
        layers = layers_of(model)
        self._layers += 1 + len(layers)
        if self._layers > MAX_LAYERS:
            raise FormatError(f"more than {MAX_LAYERS} layers, in models inside of each other")
        return layers

    def model(
        self, model: Layer, call: tuple[int, ...], given: Sequence[Tensor] | None
    ) -> list[Tensor]:
        """Enters the calls of a model's layers; ``given`` is what an inner model is called with.
        Returns the tensors that the model makes."""
        if len(model.path) > _MAX_DEPTH:
            raise FormatError(f"{model}: models inside of each other, more than {_MAX_DEPTH} deep")
        if model.kind == "Sequential":
            return self._sequential(model, call, given)
        return self._functional(model, call, given)

    def _sequential(
        self, model: Layer, call: tuple[int, ...], given: Sequence[Tensor] | None
    ) -> list[Tensor]:
        if given is not None and len(given) != 1:
            raise FormatError(f"{model}: called with {len(given)} inputs, it takes one")
        current = given[0] if given else Tensor(model.name, (*call, -1))
        if given is None:
            self.graph.inputs[current] = None
        layers = self._layers_of(model)
        if given is None and layers and (shape := _shape_of(layers[0][0])) is not None:
            self.graph.shapes[current] = shape
        for layer, _ in layers:
            if layer.kind != "InputLayer":
                current = self._enter(Call(layer, (current,)), (*call, 0))[0]
        return [current]

    def _functional(
        self, model: Layer, call: tuple[int, ...], given: Sequence[Tensor] | None
    ) -> list[Tensor]:
        refs = {key: _references(model, model.options.get(key), call) for key in
                ("input_layers", "output_layers")}  # fmt: skip
        if given is None:
            self.graph.inputs.update(dict.fromkeys(refs["input_layers"]))
        elif len(given) != len(refs["input_layers"]):
            raise FormatError(
                f"{model}: called with {len(given)} inputs, it takes {len(refs['input_layers'])}"
            )
        else:
            self.graph.alias.update(zip(refs["input_layers"], given, strict=True))
        calls: list[tuple[int, Call]] = []
        for layer, config in self._layers_of(model):
            nodes = config.get("inbound_nodes", [])
            if not isinstance(nodes, list):
                raise FormatError(f"{layer}: inbound_nodes: expected a list")
            if layer.kind == "InputLayer" and given is None:
                shape = _shape_of(layer)
                if shape is not None:
                    self.graph.shapes[Tensor(layer.name, (*call, 0))] = shape
            if layer.kind != "InputLayer":
                calls += [(number, _call(model, layer, node, call)) for number, node in
                          enumerate(nodes) if node]  # fmt: skip
        first = _first_calls([made for _, made in calls], refs["output_layers"])
        for number, made in calls:
            skipped = first.get(made.layer.name, 0) if made.layer.kind in MODELS else 0
            self._enter(made, (*call, number + skipped))
        return refs["output_layers"]

    def _enter(self, call: Call, number: tuple[int, ...]) -> list[Tensor]:
        """Adds a call, or those that a model is made of; returns what it makes."""
        layer = call.layer
        if layer.kind in MODELS:
            made = self.model(layer, number, call.data)
            names = [Tensor(layer.name, number, index) for index in range(len(made))]
            self.graph.alias.update(zip(names, made, strict=True))
            return names
        key = (layer.name, number)
        if key in self.graph.calls:
            raise FormatError(f"there are two layers {layer.name!r}")
        self.graph.calls[key] = call
        return [Tensor(*key)]


def _shape_of(layer: Layer) -> list[Size] | None:
    """What a layer says of its input, the batch with it."""
    shape = layer.options.get("batch_shape", layer.options.get("batch_input_shape"))
    if not isinstance(shape, list):
        return None
    for size in shape:
        if size is not None and (not isinstance(size, int) or size < 0):
            raise FormatError(f"{layer}: its shape: expected integers, got {repr(shape)[:80]}")
    return shape


def _first_calls(calls: Sequence[Call], outputs: Sequence[Tensor]) -> dict[str, int]:
    """The least number of a call that is used, by layer. Keras 2 counts the call with which a
    model inside was made, and does not write it down: then it is 1."""
    first: dict[str, int] = {}
    used = [tensor for call in calls for tensor in (*call.data, *call.states, *call.mask)]
    for tensor in (*used, *outputs):
        first[tensor.layer] = min(tensor.call[-1], first.get(tensor.layer, tensor.call[-1]))
    return first


def _call(model: Layer, layer: Layer, node: Any, number: tuple[int, ...]) -> Call:
    """A call as the configuration of Keras 2 (a list of tensors) or 3 (arguments) has it."""
    if isinstance(node, dict):
        args, named = node.get("args"), dict(mapping(node.get("kwargs", {}), f"{layer}: kwargs"))
        if not isinstance(args, list):
            raise FormatError(f"{layer}: args: expected a list")
        positional = ("initial_state", "mask") if layer.kind in RECURRENT else ()
        for index, value in enumerate(args[1:]):
            key = positional[index] if index < len(positional) else f"argument {index + 1}"
            named.setdefault(key, value)
        data = _tensors(args[:1], model, number)
        if layer.kind in OPERATORS:
            both = [*args, *(named[name] for name in ("x1", "x2") if name in named)]
            each = [_tensors(value, model, number) for value in both]
            constant = _constant_of(both)
            if len(both) == 2 and all(len(tensors) == 1 for tensors in each):
                named = {}
            elif constant is not None and len(each[1 - constant[0]]) == 1:
                named = {CONSTANT: constant}
            data = [tensor for tensors in each for tensor in tensors]
    else:
        if isinstance(node, list) and node and isinstance(node[0], str):
            node = [node]
        data = _references(model, node, number)
        last = node[0][3] if len(node[0]) > 3 else {}
        named = dict(mapping(last, f"{layer}: the arguments of its call"))
        if layer.kind in RECURRENT:
            data, named["initial_state"] = data[:1], data[1:]
    states = _tensors(named.pop("initial_state", None), model, number)
    mask = _tensors(named.pop("mask", None), model, number)
    return Call(layer, tuple(data), tuple(states), tuple(mask), named)


def _constant_of(both: Sequence[Any]) -> tuple[int, float] | None:
    """The one of two arguments that is a number, if one is."""
    numbers = [
        (index, float(value))
        for index, value in enumerate(both)
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return numbers[0] if len(numbers) == 1 and len(both) == 2 else None


def _references(model: Layer, value: Any, call: tuple[int, ...]) -> list[Tensor]:
    """Tensors as ``[name, call, index]``: one, or a list of them."""
    if isinstance(value, Mapping):  # by names, which those of the layers stand for here
        value = [*value.values()]
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise FormatError(f"{model}: expected tensors, got {repr(value)[:80]}")
    return [_reference(model, item, call) for item in value]


def _reference(model: Layer, item: Any, call: tuple[int, ...]) -> Tensor:
    if (
        not isinstance(item, list)
        or len(item) < 3
        or not isinstance(item[0], str)
        or not all(isinstance(number, int) for number in item[1:3])
    ):
        raise FormatError(f"{model}: expected [name, call, index], got {repr(item)[:80]}")
    return Tensor("/".join((*model.path, item[0])), (*call, item[1]), item[2])


def _tensors(value: Any, model: Layer, call: tuple[int, ...]) -> list[Tensor]:
    """All tensors in an argument, however nested."""
    return list(_walk(value, model, call, 0))


def _walk(value: Any, model: Layer, call: tuple[int, ...], depth: int) -> Iterator[Tensor]:
    if depth > _MAX_DEPTH:
        raise FormatError(f"{model}: arguments nested more than {_MAX_DEPTH} deep")
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = mapping(value.get("config"), f"{model}: a tensor")
            yield _reference(model, config.get("keras_history"), call)
    elif isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int):
            yield _reference(model, value, call)
            return
        for item in value:
            yield from _walk(item, model, call, depth + 1)
