"""One layer of a Keras model as its configuration has it: class, name, options.

The JSON comes from strangers: every value that is used is checked for its type first.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...errors import FormatError, UnsupportedError

MODELS: Final = ("Sequential", "Functional", "Model")
MAX_CONFIG: Final = 2**23
"""Bytes of a configuration: parsed, it takes some thirty times as many."""
Step = str | tuple[str, int]  # a group of Keras 3, or one of a class and its number among those
_Config = Mapping[str, Any]
_OF_LAYERS: Final = frozenset(("trainable", "dtype", "layers"))


@dataclass(frozen=True)
class Layer:
    """A layer, or a model that is one.

    ``path`` has the names of the models around it and its own; ``groups`` is where Keras 3 keeps
    its weights; ``version`` is Keras's major one.
    """

    kind: str
    path: tuple[str, ...]
    groups: tuple[Step, ...]
    options: _Config
    version: int

    @property
    def name(self) -> str:
        return "/".join(self.path)

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind})"

    def option(self, key: str, kind: type, default: Any = ...) -> Any:
        """An option of this type; the default stands for one that is absent."""
        value = self.options.get(key, default)
        if value is ...:
            raise FormatError(f"{self}: {key} is missing")
        if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            if not abs(value) <= sys.float_info.max:  # an infinity, NaN, a longer integer
                raise FormatError(f"{self}: {key}: expected a finite number, got {_short(value)}")
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise FormatError(f"{self}: {key}: expected {kind.__name__}, got {_short(value)}")
        return value

    def unsupported(self, message: str) -> UnsupportedError:
        return UnsupportedError(f"{self}: {message}")

    def inner(self, key: str, *groups: Step) -> Layer:
        """A layer or cell that is an option of this one."""
        return self.wrapped(self.options.get(key), key, *groups)

    def wrapped(self, config: object, key: str, *groups: Step) -> Layer:
        kind, options = of_class(config, f"{self}: {key}")
        return Layer(kind, self.path, self.groups + groups, options, self.version)


def parse_json(text: bytes | str, what: str) -> _Config:
    """A JSON object of bounded size."""
    if len(text) > MAX_CONFIG:
        raise FormatError(f"{what}: {len(text)} bytes; at most {MAX_CONFIG} are read")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what}: no JSON that could be read: {str(error)[:200]}") from error
    return mapping(parsed, what)


def of_class(config: object, what: str) -> tuple[str, _Config]:
    """Class and options of a serialised object; a class of the user's own has its name changed,
    so that it is none of Keras's."""
    known = mapping(config, what)
    kind = known.get("class_name")
    if not isinstance(kind, str):
        raise FormatError(f"{what}: expected a class_name, got {_short(kind)}")
    module, registered = known.get("module", "keras"), known.get("registered_name")
    if registered is not None and not str(module).startswith(("keras", "tf_keras")):
        kind = f"{str(registered)[:80]}, a class of one's own"
    options = known.get("config")
    if kind == "Sequential" and isinstance(options, list):  # before Keras 2.2.3
        options = {"layers": options}
    return kind, mapping(options, f"{what}: config")


def layers_of(model: Layer) -> list[tuple[Layer, _Config]]:
    """The layers that a model is made of, and their configurations."""
    configs = model.options.get("layers")
    if not isinstance(configs, list):
        raise FormatError(f"{model}: layers: expected a list, got {_short(configs)}")
    counts: dict[str, int] = {}
    layers = []
    for config in configs:
        kind, options = of_class(config, f"{model}: layers")
        name = config.get("name", options.get("name"))
        if not isinstance(name, str):
            raise FormatError(f"{model}: a {kind[:80]} without a name")
        snake = snake_case(str(config["class_name"]))
        groups: tuple[Step, ...] = ("layers", (snake, counts.get(snake, 0)))
        counts[snake] = counts.get(snake, 0) + 1
        path = (*model.path, name)
        if model.version > 2 and _is_operator(config, options):
            kind = f"operator {kind[:80]}"  # whatever layer is called like it
        layers.append((Layer(kind, path, model.groups + groups, options, model.version), config))
    return layers


def _is_operator(config: _Config, options: _Config) -> bool:
    """Whether it is a function, such as ``a + b``, that Keras 3 lists among the layers. A
    ``.keras`` file says where it comes from; in an ``.h5`` it lacks what every layer has."""
    module = config.get("module")
    if module is not None:
        return str(module).startswith("keras.src.ops")
    return bool(config.get("inbound_nodes")) and not _OF_LAYERS & options.keys()


def snake_case(name: str) -> str:
    """A class's name as Keras makes a group's of it: ``lstm``, ``simple_rnn``, ``gru_cell``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def mapping(value: object, what: str) -> _Config:
    if not isinstance(value, Mapping):
        raise FormatError(f"{what}: expected an object, got {_short(value)}")
    return value


def _short(value: object) -> str:
    return repr(value)[:80]
