"""An ONNX file as plain Python: with ``tensors``, what knows the ``onnx`` package.

Everything is read lazily and checked where it is read, so that what a model does not need cannot
stop it, and what it needs is refused by name.
"""

from __future__ import annotations

import importlib
import os
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, Final, cast

import numpy as np

from ...errors import FormatError, RnnError, UnsupportedError
from ..reading import read_bytes
from .messages import Attribute, ValueMessage
from .tensors import Anything as Anything
from .tensors import Constants, Contents, element_name, text
from .tensors import element_of as element_of

OPSETS: Final = (7, 28)
"""First and last version of the operator set whose definitions were compared with this reader."""

MAX_NODES: Final = 50_000
"""Of a file, bodies of If, Loop and Scan included: a second's work; models have far fewer."""

MAX_TENSORS: Final = 200_000
"""That a graph gives, makes, describes or keeps, as many as four to a node."""

_SHOWN: Final = 12  # versions or domains in one message

FLOATS: Final = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")
INTEGERS: Final = ("INT32", "INT64", "INT8", "INT16", "UINT8", "UINT16", "UINT32", "UINT64")

# What an attribute may be, and the Python types that its value has.
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (float,),
    "string": (str,),
    "ints": (list,),
    "floats": (list,),
    "strings": (list,),
    "tensor": (np.ndarray,),
    "graph": (object,),
}


@dataclass(frozen=True)
class Info:
    """What the file says of a tensor: element type; sizes, or the symbols that stand for them."""

    element: str
    sizes: tuple[int | None, ...] | None
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of the graph; an input or output that is left out is called ``""``.

    ``captured`` are the tensors around it that its bodies read, those of If, Loop and Scan.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    contents: Contents
    result: Info | None = None  # of the first output
    captured: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Its inputs, and what its bodies read."""
        return self.inputs + self.captured

    def __str__(self) -> str:
        label = f"{self.domain}.{self.op}" if self.domain else self.op
        return f"node {self.name or ', '.join(self.outputs)!r} ({label})"

    def unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self}: {what}")

    def malformed(self, what: str) -> FormatError:
        return FormatError(f"{self}: {what}")

    def without(self, name: str) -> Node:
        """The same, but for one attribute."""
        rest = {key: value for key, value in self.attributes.items() if key != name}
        return replace(self, attributes=rest)

    def options(self, **known: tuple[str, Any]) -> dict[str, Any]:
        """The values of the attributes ``name=(type, default)``; any other one is refused."""
        values = {name: default for name, (_, default) in known.items()}
        for name, value in self.attributes.items():
            value = _attribute(self, name, value)
            if name not in known:
                raise self.unsupported(f"attribute {name}={value!r:.200} is not supported")
            kind = known[name][0]
            if not isinstance(value, _TYPES[kind]):
                raise self.malformed(f"attribute {name}: expected {kind}, got {value!r:.200}")
            values[name] = value
        return values


@dataclass(frozen=True, eq=False)
class Past(Node):
    """Its input with ``count`` frames of before in front of it along ``axis``: see ``caches``."""

    axis: int = 0
    count: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Refused(Node):
    """A node that a pass over the graph could not rewrite, and why."""

    error: RnnError

    @classmethod
    def of(cls, node: Node, error: RnnError) -> Refused:
        return cls(**{field.name: getattr(node, field.name) for field in fields(Node)}, error=error)


@dataclass(frozen=True, eq=False)
class Graph:
    """The nodes in the file's order, and what is known of tensors by name.

    ``optional`` are the inputs whose default is an initializer; before version 4 of the file format
    every initializer had to be an input, and is none of them. ``framed`` says that each call is one
    step, whose axis is of size 1 wherever it is, and goes on with what calls before have left.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Info]
    optional: Mapping[str, Info]
    outputs: tuple[str, ...]
    infos: Mapping[str, Info]
    constants: Mapping[str, Anything]
    contents: Contents
    framed: bool = False


class File:
    """A model as the onnx package has it, checked as far as every use of it needs."""

    def __init__(self, model: Any, contents: Contents) -> None:
        if not model.HasField("graph") or not model.graph.node:
            raise FormatError("not an ONNX model: it has no nodes")
        if count_nodes(model.graph) > MAX_NODES:
            raise UnsupportedError(f"a graph of more than {MAX_NODES} nodes")
        self.model = model
        self.contents = contents
        self.opset = _opset(model)
        self.properties = {text(entry.key): text(entry.value) for entry in model.metadata_props}

    def graph(self, bodies: Sequence[tuple[int, Any]] = ()) -> Graph:
        """The graph; or the innermost of ``bodies``, with all that it sees of the ones around it.

        A body is an attribute of the node of that index in the graph or body before, of which it
        sees the nodes before that one.
        """
        levels = [self.model.graph, *(body for _, body in bodies)]
        if sum(map(_count_tensors, levels)) > MAX_TENSORS:
            raise UnsupportedError(f"a graph of more than {MAX_TENSORS} tensors")
        ends = [*(index for index, _ in bodies), None]
        nodes = [n for level, end in zip(levels, ends, strict=True) for n in level.node[:end]]
        constants = [Constants(level.initializer, self.contents) for level in levels]
        known: Mapping[str, Anything] = ChainMap(*constants[::-1])  # type: ignore[arg-type]
        described = chain.from_iterable(v for g in levels for v in (g.value_info, g.output))
        infos = {text(value.name): info_of(value) for value in described}
        inputs = {text(value.name): info_of(value) for level in levels for value in level.input}
        optional = {n: i for n, i in inputs.items() if n in known and self.model.ir_version >= 4}
        return Graph(
            nodes=tuple(_node(node, infos, self.opset, self.contents) for node in nodes),
            inputs={name: info for name, info in inputs.items() if name not in known},
            optional=optional,
            outputs=tuple(text(value.name) for value in levels[-1].output),
            infos=infos,
            constants=known,
            contents=self.contents,
        )


def bodies_in(node: Node) -> list[tuple[str, Any]]:
    """The graphs inside of a node, by their attributes, as the onnx package has them."""
    return [(name, a.g) for name, a in node.attributes.items() if a.HasField("g")]


def body_of(node: Node, attribute: str) -> Graph:
    """The graph inside of a node that an attribute is, without what it sees around it."""
    body = dict(bodies_in(node)).get(attribute)
    if body is None:
        raise node.malformed(f"attribute {attribute}: expected a graph")
    if _count_tensors(body) > MAX_TENSORS:
        raise UnsupportedError(f"a graph of more than {MAX_TENSORS} tensors")
    infos = {text(value.name): info_of(value) for value in chain(body.value_info, body.output)}
    return Graph(
        nodes=tuple(_node(inner, infos, node.opset, node.contents) for inner in body.node),
        inputs={text(value.name): info_of(value) for value in body.input},
        optional={},
        outputs=tuple(text(value.name) for value in body.output),
        infos=infos,
        constants=Constants(body.initializer, node.contents),
        contents=node.contents,
    )


def _node(node: Any, infos: Mapping[str, Info], opset: int, contents: Contents) -> Node:
    captured = dict.fromkeys(n for _, body in bodies_of(node) for n in _captured(body))
    return Node(
        op=text(node.op_type),
        domain="" if node.domain == "ai.onnx" else text(node.domain),
        name=text(node.name),
        inputs=tuple(map(text, node.input)),
        outputs=tuple(map(text, node.output)),
        attributes={text(attribute.name): attribute for attribute in node.attribute},
        opset=opset,
        contents=contents,
        result=infos.get(node.output[0]) if node.output else None,
        captured=tuple(captured),
    )


def _captured(body: Any) -> dict[str, None]:
    """What a body, with those inside of it, reads and does not make."""
    made = {text(value.name) for value in chain(body.input, body.initializer)}
    found: dict[str, None] = {}
    for node in body.node:
        inside = (name for _, inner in bodies_of(node) for name in _captured(inner))
        read = (text(name) for name in chain(node.input, inside))
        found.update((name, None) for name in read if name and name not in made)
        made.update(map(text, node.output))
    found.update((text(v.name), None) for v in body.output if v.name not in made)
    return found


def import_onnx() -> Any:
    """The onnx package; ``UnsupportedError`` where there is none."""
    try:
        import onnx
    except ImportError as error:
        raise UnsupportedError(
            "ONNX files need the onnx package: pip install rnn_native[onnx]"
        ) from error
    return onnx


def load(path: str | os.PathLike[str]) -> File:
    """Read a file; those with tensors that it may refer to, in its folder, when they are needed.

    Raises ``UnsupportedError`` without the onnx package and for a version of the operator set
    that was not compared, ``FormatError`` for anything that is no model.
    """
    model, size = parse(path)
    return File(model, Contents(os.path.dirname(os.fspath(path)), size))


def parse(path: str | os.PathLike[str]) -> tuple[Any, int]:
    """The ``onnx.ModelProto`` in a file, and how many bytes that has; nothing is checked yet."""
    onnx = import_onnx()
    malformed: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    content = read_bytes(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except malformed as error:
        raise FormatError(f"not an ONNX model: {error}") from error
    return model, len(content)


def bodies_of(node: Any) -> list[tuple[str, Any]]:
    """The graphs inside of a node, by their attributes."""
    return [
        (text(attribute.name), graph)
        for attribute in node.attribute
        for graph in ([attribute.g] if attribute.HasField("g") else attribute.graphs)
    ]


def count_nodes(graph: Any) -> int:
    """With those of all bodies; it does not go on counting beyond ``MAX_NODES``."""
    count, pending = 0, [graph]
    while pending and count <= MAX_NODES:
        nodes = pending.pop().node
        count += len(nodes)
        if count <= MAX_NODES:
            pending += [body for node in nodes for _, body in bodies_of(node)]
    return count


def _count_tensors(graph: Any) -> int:
    return sum(map(len, (graph.input, graph.output, graph.value_info, graph.initializer)))


def _opset(model: Any) -> int:
    ours = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    versions = list(dict.fromkeys(ours))  # onnx.compose names one once for each model it joins
    if not versions and model.opset_import:
        domains = ", ".join(text(entry.domain) for entry in model.opset_import[:_SHOWN])
        raise UnsupportedError(f"its operators are of {domains:.200} alone, none of ONNX itself")
    if len(versions) != 1:
        shown = ", ".join(map(str, versions[:_SHOWN])) + ", ..." * (len(versions) > _SHOWN)
        raise FormatError(
            f"expected one version of the ONNX operator set, found {len(versions)}: {shown or '-'}"
        )
    first, last = OPSETS
    if not first <= versions[0] <= last:
        raise UnsupportedError(
            f"operator set {versions[0]}: expected one from {first} to {last}; "
            "onnx.version_converter may convert the file"
        )
    return int(versions[0])


def info_of(value: Any) -> Info:
    if isinstance(value, ValueMessage):
        return cast(Info, value.info)
    if not value.type.HasField("tensor_type"):
        return Info("no tensor", None)
    tensor = value.type.tensor_type
    element = element_name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return Info(element, None)
    sizes = tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in tensor.shape.dim
    )
    return Info(element, sizes, tuple(text(dim.dim_param) for dim in tensor.shape.dim))


def _attribute(node: Node, name: str, attribute: Any) -> Any:
    if isinstance(attribute, Attribute):
        return attribute.value
    from onnx import AttributeProto, TensorProto, helper

    if attribute.ref_attr_name:
        raise node.malformed(f"attribute {name}: refers to {attribute.ref_attr_name!r}")
    try:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            return node.contents.array(f"{node}: attribute {name}", value)
        if isinstance(value, bytes):
            return value.decode()
        if attribute.type == AttributeProto.STRINGS:
            return [item.decode() for item in value]
        return list(value) if isinstance(value, (list, tuple)) else value
    except ValueError as error:
        raise node.malformed(f"attribute {name}: {error}") from error
