"""An ONNX file as plain Python: the only module that knows the ``onnx`` package.

Everything is read lazily and checked where it is read, so that what a model does not need cannot
stop it, and what it needs is refused by name.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError

OPSETS: Final = (7, 28)
"""First and last version of the operator set whose definitions were compared with this reader."""

FLOATS: Final = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")
INTEGERS: Final = ("INT32", "INT64")

Anything = NDArray[Any]
# What an attribute may be, and the Python types that its value has.
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (float,),
    "string": (str,),
    "ints": (list,),
    "floats": (list,),
    "strings": (list,),
    "tensor": (np.ndarray,),
}


@dataclass(frozen=True)
class Info:
    """What the file says of a tensor: element type; sizes, or the symbols that stand for them."""

    element: str
    sizes: tuple[int | None, ...] | None
    symbols: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of the graph; an input or output that is left out is called ``""``."""

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int
    result: Info | None = None  # of the first output

    def __str__(self) -> str:
        label = f"{self.domain}.{self.op}" if self.domain else self.op
        return f"node {self.name or ', '.join(self.outputs)!r} ({label})"

    def unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self}: {what}")

    def malformed(self, what: str) -> FormatError:
        return FormatError(f"{self}: {what}")

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
class Graph:
    """The nodes in the file's order, and what is known of tensors by name."""

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Info]
    outputs: tuple[str, ...]
    infos: Mapping[str, Info]
    constants: Constants
    opset: int


class Constants(Mapping[str, Anything]):
    """The initializers by name, converted when they are asked for."""

    def __init__(self, initializers: Any) -> None:
        self._tensors = {tensor.name: tensor for tensor in initializers}

    def __getitem__(self, name: str) -> Anything:
        return to_array(f"initializer {name!r}", self._tensors[name])

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a file, and the files of tensors that it may refer to in its folder.

    Raises ``UnsupportedError`` without the onnx package and for a version of the operator set
    that was not compared, ``FormatError`` for anything that is no model.
    """
    try:
        import onnx
    except ImportError as error:
        raise UnsupportedError(
            "ONNX files need the onnx package: pip install rnn_native[onnx]"
        ) from error
    malformed: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    with open(path, "rb") as file:
        content = file.read()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except malformed as error:
        raise FormatError(f"not an ONNX model: {error}") from error
    if not model.HasField("graph") or not model.graph.node:
        raise FormatError("not an ONNX model: it has no nodes")
    try:
        folder = os.path.dirname(os.fspath(path))
        onnx.external_data_helper.load_external_data_for_model(model, folder)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise FormatError(f"tensors kept outside the file: {error}") from error
    opset = _opset(model)
    constants = Constants(model.graph.initializer)
    described = (*model.graph.value_info, *model.graph.output)
    infos = {value.name: _info(value) for value in described}
    return Graph(
        nodes=tuple(_node(node, opset, infos) for node in model.graph.node),
        inputs={v.name: _info(v) for v in model.graph.input if v.name not in constants},
        outputs=tuple(value.name for value in model.graph.output),
        infos=infos,
        constants=constants,
        opset=opset,
    )


def to_array(where: str, tensor: Any) -> Anything:
    """A tensor of the file as an array; bfloat16, which NumPy has not, as float32."""
    from onnx import TensorProto, numpy_helper

    try:
        array: Anything = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise FormatError(f"{where}: not a tensor: {error}") from error
    if tensor.data_type == TensorProto.BFLOAT16:  # the upper half of a float32
        return (array.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array


def element_name(code: int) -> str:
    """``FLOAT`` for 1 and so on."""
    from onnx import TensorProto

    try:
        return str(TensorProto.DataType.Name(code))
    except ValueError:
        return f"element type {code}"


def element_of(array: Anything) -> str:
    """The element type of an array as ONNX calls it."""
    names = {"f4": "FLOAT", "f8": "DOUBLE", "f2": "FLOAT16", "i4": "INT32", "i8": "INT64"}
    return names.get(array.dtype.str[1:], array.dtype.name)


def _opset(model: Any) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise FormatError(f"expected one version of the ONNX operator set, found {versions}")
    first, last = OPSETS
    if not first <= versions[0] <= last:
        raise UnsupportedError(
            f"operator set {versions[0]}: expected one from {first} to {last}; "
            "onnx.version_converter may convert the file"
        )
    return int(versions[0])


def _node(node: Any, opset: int, infos: Mapping[str, Info]) -> Node:
    return Node(
        op=node.op_type,
        domain="" if node.domain == "ai.onnx" else node.domain,
        name=node.name,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes={attribute.name: attribute for attribute in node.attribute},
        opset=opset,
        result=infos.get(node.output[0]) if node.output else None,
    )


def _info(value: Any) -> Info:
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
    return Info(element, sizes, tuple(dim.dim_param for dim in tensor.shape.dim))


def _attribute(node: Node, name: str, attribute: Any) -> Any:
    from onnx import AttributeProto, TensorProto, helper

    if attribute.ref_attr_name:
        raise node.malformed(f"attribute {name}: refers to {attribute.ref_attr_name!r}")
    try:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            return to_array(f"{node}: attribute {name}", value)
        if isinstance(value, bytes):
            return value.decode()
        if attribute.type == AttributeProto.STRINGS:
            return [item.decode() for item in value]
        return list(value) if isinstance(value, (list, tuple)) else value
    except ValueError as error:
        raise node.malformed(f"attribute {name}: {error}") from error
