"""A graph that no ONNX file holds, in the fields of ONNX's messages that are read here.

What puts operators of its own into a graph (``cells/rewriting``), or reads another format as the
operators that this reader knows (``formats/tflite``), has these; nothing of them needs the onnx
package. Names of fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Attribute:
    """An attribute of a node: a number, a text, a list of them, an array or a ``GraphMessage``."""

    name: str
    value: Any

    ref_attr_name = ""
    graphs = ()

    def HasField(self, name: str) -> bool:  # noqa: N802  # as protobuf has it
        return name == "g" and isinstance(self.value, GraphMessage)

    @property
    def g(self) -> Any:
        return self.value

    @property
    def i(self) -> Any:
        return self.value

    @property
    def s(self) -> bytes:
        return str(self.value).encode()


@dataclass(frozen=True, eq=False)
class NodeMessage:
    op_type: str
    input: Sequence[str]
    output: list[str]
    attribute: Sequence[Attribute] = ()
    name: str = ""
    domain: str = ""


@dataclass(frozen=True, eq=False)
class ValueMessage:
    """A tensor by its name; ``info`` is a ``graph.Info``."""

    name: str
    info: Any


@dataclass(frozen=True, eq=False)
class TensorMessage:
    """A constant by its name; whoever makes one has ``Contents`` that know what it holds."""

    name: str
    holds: Any


@dataclass(eq=False)
class GraphMessage:
    node: list[NodeMessage] = field(default_factory=list)
    input: list[ValueMessage] = field(default_factory=list)
    output: list[ValueMessage] = field(default_factory=list)
    value_info: list[ValueMessage] = field(default_factory=list)
    initializer: list[TensorMessage] = field(default_factory=list)


@dataclass(frozen=True)
class OpsetMessage:
    version: int
    domain: str = ""


@dataclass(frozen=True, eq=False)
class ModelMessage:
    graph: GraphMessage
    opset_import: Sequence[OpsetMessage]
    metadata_props: Sequence[Any] = ()
    ir_version: int = 10

    def HasField(self, name: str) -> bool:  # noqa: N802  # as protobuf has it
        return name == "graph"
