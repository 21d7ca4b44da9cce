"""The strings of a graph, version 2: which values a layer reads, and the names of everything.

Of a model with two inputs, three layers and two outputs::

    rnn_native.version        2
    rnn_native.layers         3
    rnn_native.layer.0        recurrent cell=gru ...
    rnn_native.layer.1        linear ... inputs=in1
    rnn_native.layer.2        combine mode=add inputs=0,1
    rnn_native.node.0         gru                           (the name of each layer)
    rnn_native.inputs         2
    rnn_native.input.0        features=40
    rnn_native.input.0.name   mel
    rnn_native.input.1        indices=30                    (or indices=30 time=false)
    rnn_native.input.1.name   speaker
    rnn_native.outputs        2,0:1
    rnn_native.output.0       sum                           (the name of each output)

A value is ``inK``, input K of the model; ``N``, what layer N gives; or ``N:1``, its second value.
A layer reads values of layers before it; without ``inputs=`` the layer before, the first one in0.
docs/file-format.md says the same to those who write a reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import FormatError
from ..spec import Input, Layer, ModelSpec, Static
from ..spec.layer import LAST
from .names import some

VERSION: Final = "2"

_KEY: Final = " inputs="
_VALUE = re.compile(r"(?P<input>in)?(?P<number>0|[1-9][0-9]{0,8})(?P<second>:1)?")
_INPUT = re.compile(r"(?P<kind>features|indices)=(?P<size>[1-9][0-9]{0,8})(?P<static> time=false)?")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")


def reads(spec: ModelSpec) -> list[str]:
    """What each layer's line says behind its options; nothing where it reads what it would."""
    numbers = _numbers(spec)
    texts = [",".join(numbers[source] for source in node.inputs) for node in spec.nodes.values()]
    return ["" if t == _before(i) else f"{_KEY}{t}" for i, t in enumerate(texts)]


def to_strings(spec: ModelSpec) -> dict[str, str]:
    """What there is beside the layers' lines, in a fixed order."""
    numbers = _numbers(spec)
    strings = {f"node.{index}": name for index, name in enumerate(spec.nodes)}
    strings["inputs"] = str(len(spec.inputs))
    for index, (name, one) in enumerate(spec.inputs.items()):
        kind, behind = "indices" if one.indices else "features", "" if one.time else " time=false"
        strings[f"input.{index}"] = f"{kind}={one.features}{behind}"
        strings[f"input.{index}.name"] = name
    strings["outputs"] = ",".join(numbers[value] for value in spec.outputs.values())
    return strings | {f"output.{index}": name for index, name in enumerate(spec.outputs)}


def _before(index: int) -> str:
    """What a layer reads whose line does not say it."""
    return str(index - 1) if index else "in0"


def _numbers(spec: ModelSpec) -> dict[str, str]:
    """The number of each value."""
    numbers = {name: f"in{index}" for index, name in enumerate(spec.inputs)}
    for index, name in enumerate(spec.nodes):
        numbers |= {name: str(index), name + LAST: f"{index}:1"}
    return numbers


@dataclass(frozen=True)
class Wires:
    """What the strings of a graph say besides its layers."""

    nodes: dict[str, list[str]]
    inputs: dict[str, Input]
    outputs: dict[str, str]

    def spec(self, layers: Sequence[Layer], mask_value: float | None) -> ModelSpec:
        """The model of these layers."""
        pairs = zip(self.nodes.items(), layers, strict=True)
        nodes = {name: (layer, sources) for (name, sources), layer in pairs}
        return ModelSpec((), mask_value, nodes=nodes, inputs=self.inputs, outputs=self.outputs)


def from_strings(lines: Sequence[str], texts: Mapping[str, str]) -> tuple[list[str], Wires]:
    """The inverse of :func:`to_strings` and :func:`reads`: the layers' lines without what they
    read, and that. ``FormatError`` for anything missing, unknown or malformed."""
    left = dict(texts)

    def take(key: str) -> str:
        if key not in left:
            raise FormatError(f"metadata: rnn_native.{key} is missing")
        return left.pop(key)

    names = [take(f"node.{index}") for index in range(len(lines))]
    count = take("inputs")
    if not _COUNT.fullmatch(count):
        raise FormatError(f"metadata: rnn_native.inputs: expected a number of them, got {count!r}")
    inputs: dict[str, Input] = {}
    for index in range(int(count)):  # ends with the first that is missing
        found = _INPUT.fullmatch(text := take(f"input.{index}"))
        if not found:
            raise FormatError(
                f"metadata: rnn_native.input.{index}: expected features= or indices= and a number, "
                f"and time=false where it has none; got {text!r}"
            )
        name = _new("input", index, take(f"input.{index}.name"), inputs)
        kind = Static if found["static"] else Input
        inputs[name] = kind(int(found["size"]), found["kind"] == "indices")
    outputs: dict[str, str] = {}
    for index, number in enumerate(take("outputs").split(",")):
        name = _new("output", index, take(f"output.{index}"), outputs)
        outputs[name] = _named("outputs", number, [], names, len(names))
    if left:
        raise FormatError(f"metadata: unknown entries rnn_native.{some(sorted(left))}")
    plain, of_inputs = [], list(inputs)
    nodes: dict[str, list[str]] = {}
    for index, (name, line) in enumerate(zip(names, lines, strict=True)):
        line, key, listed = line.partition(_KEY)
        numbers = listed.split(",") if key else [_before(index)]
        where = f"layer {index}: inputs"
        sources = [_named(where, number, of_inputs, names, index) for number in numbers]
        nodes[_new("node", index, name, nodes)] = sources
        plain.append(line)
    return plain, Wires(nodes, inputs, outputs)


def _new(what: str, index: int, name: str, known: Mapping[str, object]) -> str:
    if name in known:
        raise FormatError(f"metadata: rnn_native.{what}.{index}: {name!r} is there twice")
    return name


def _named(where: str, text: str, inputs: Sequence[str], nodes: Sequence[str], count: int) -> str:
    """The name of the value of a number, among the inputs and the first ``count`` nodes."""
    found = _VALUE.fullmatch(text)
    if found and not (found["input"] and found["second"]):
        names, number = inputs if found["input"] else nodes, int(found["number"])
        if number < (len(inputs) if found["input"] else count):
            return names[number] + (LAST if found["second"] else "")
    raise FormatError(
        f"metadata: {where}: expected numbers of values before it, such as in0, 2 or 2:1; "
        f"got {text!r}"
    )
