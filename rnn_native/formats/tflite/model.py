"""A TensorFlow Lite file as plain Python: its subgraphs, their tensors and operators."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, UnsupportedError
from ..reading import read_bytes
from . import schema
from .flatbuffer import Bytes, Table

_VERSION: Final = 3
_LONGEST: Final = 512  # characters of a tensor's name


@dataclass(frozen=True, eq=False)
class Scale:
    """What the integers q of a tensor stand for: (q - zero) * scale, each of the whole tensor or of
    every slice along an axis."""

    scale: NDArray[np.float32]
    zero: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """One of a subgraph. ``sizes`` are None where they are free; ``element`` is called as ONNX
    calls it; ``data`` are the bytes of a constant, None of what is no constant."""

    index: int
    name: str
    sizes: tuple[int | None, ...]
    element: str
    scale: Scale | None
    data: NDArray[np.uint8] | None
    is_variable: bool
    is_sparse: bool

    @property
    def is_quantized(self) -> bool:
        """Whether its integers stand for other numbers."""
        return self.scale is not None


@dataclass(frozen=True, eq=False)
class Operator:
    """``inputs`` and ``outputs`` are indices of tensors, -1 for one that is left out."""

    op: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def option(self, number: int, kind: str, default: float = 0) -> Any:
        """A field of its options; the schema's default is that of the kind, unless it is given."""
        return default if self.options is None else self.options.number(number, kind, default)


@dataclass(frozen=True, eq=False)
class SubGraph:
    name: str
    tensors: Sequence[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: Sequence[Operator]


class Model:
    """A file, read as far as it is asked for."""

    def __init__(self, data: bytes) -> None:
        source = Bytes(data, schema.IDENTIFIER)
        self.size = len(data)
        self._data = data
        self._root = source.root()
        version = self._root.number(schema.Model.VERSION, "uint32")
        if version != _VERSION:
            raise UnsupportedError(f"expected version {_VERSION} of the schema, got {version}")
        self.description = self._root.text(schema.Model.DESCRIPTION)

    @cached_property
    def subgraphs(self) -> Sequence[SubGraph]:
        found = [self._subgraph(table) for table in self._root.tables(schema.Model.SUBGRAPHS)]
        if not found or not found[0].operators:
            raise FormatError("not a model: it has no operators")
        return found

    @cached_property
    def metadata(self) -> Mapping[str, bytes]:
        found = {}
        for table in self._root.tables(schema.Model.METADATA):
            data = self._buffer(table.number(schema.Metadata.BUFFER, "uint32"))
            found[table.text(schema.Metadata.NAME)] = b"" if data is None else data.tobytes()
        return found

    @cached_property
    def signatures(self) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """The names of inputs and outputs of each."""
        return {
            table.text(schema.Signature.SIGNATURE_KEY): (
                _names(table, schema.Signature.INPUTS),
                _names(table, schema.Signature.OUTPUTS),
            )
            for table in self._root.tables(schema.Model.SIGNATURE_DEFS)
        }

    @cached_property
    def _buffers(self) -> Sequence[NDArray[np.uint8] | None]:
        found: list[NDArray[np.uint8] | None] = []
        for table in self._root.tables(schema.Model.BUFFERS):
            data = table.array(schema.Buffer.DATA, "uint8")
            begin = table.number(schema.Buffer.OFFSET, "uint64")
            if data is None and begin > 1:  # behind the FlatBuffer, in a file beyond 2 GB
                size = table.number(schema.Buffer.SIZE, "uint64")
                if begin + size > self.size:
                    raise FormatError(
                        f"a buffer of {size} bytes at {begin}; the file has {self.size} bytes"
                    )
                data = np.frombuffer(self._data, np.uint8, size, begin)
            found.append(data)
        return found

    @cached_property
    def _codes(self) -> Sequence[tuple[str, int]]:
        return [_code(table) for table in self._root.tables(schema.Model.OPERATOR_CODES)]

    def _buffer(self, index: int) -> NDArray[np.uint8] | None:
        if index >= len(self._buffers):
            raise FormatError(f"refers to buffer {index} of {len(self._buffers)}")
        return self._buffers[index]

    def _subgraph(self, table: Table) -> SubGraph:
        operators = [self._operator(one) for one in table.tables(schema.SubGraph.OPERATORS)]
        inputs, outputs = (
            table.integers(field) for field in (schema.SubGraph.INPUTS, schema.SubGraph.OUTPUTS)
        )
        made = {*inputs, *(index for one in operators for index in one.outputs)}
        tensors: list[Tensor] = []
        names: set[str] = {""}
        for index, one in enumerate(table.tables(schema.SubGraph.TENSORS)):
            tensors.append(self._tensor(index, one, names, index in made))
        used = [*inputs, *outputs, *(i for one in operators for i in (*one.inputs, *one.outputs))]
        if any(not -1 <= index < len(tensors) for index in used):
            raise FormatError(f"refers to a tensor that is none of its {len(tensors)}")
        if -1 in (*inputs, *outputs):
            raise FormatError("leaves out a tensor that is an input or an output of the graph")
        name = table.text(schema.SubGraph.NAME)
        return SubGraph(name, tensors, inputs, outputs, operators)

    def _tensor(self, index: int, table: Table, names: set[str], is_made: bool) -> Tensor:
        shape = table.integers(schema.Tensor.SHAPE)
        free = table.integers(schema.Tensor.SHAPE_SIGNATURE)
        free = free if len(free) == len(shape) else shape
        if min(shape, default=0) < 0:
            free = shape
        code = table.number(schema.Tensor.TYPE, "int8")
        known = 0 <= code < len(schema.TYPES)
        variable = table.number(schema.Tensor.IS_VARIABLE, "bool")
        data = self._buffer(table.number(schema.Tensor.BUFFER, "uint32"))
        is_empty = data is None or not data.size
        if is_made or (is_empty and (variable or 0 not in shape)):
            data = None
        elif data is None:
            data = np.empty(0, np.uint8)  # of no elements
        name = table.text(schema.Tensor.NAME)[:_LONGEST]
        while name in names:
            name = f"{name or 'tensor'}#{index}"
        names.add(name)
        return Tensor(
            index=index,
            name=name,
            sizes=tuple(None if size < 0 else size for size in free),
            element=schema.TYPES[code] if known else f"element type {code}",
            scale=_scale(table.table(schema.Tensor.QUANTIZATION)),
            data=data,
            is_variable=variable,
            is_sparse=table.table(schema.Tensor.SPARSITY) is not None,
        )

    def _operator(self, table: Table) -> Operator:
        code = table.number(schema.Operator.OPCODE_INDEX, "uint32")
        if code >= len(self._codes):
            raise FormatError(f"refers to operator code {code} of {len(self._codes)}")
        op, version = self._codes[code]
        return Operator(
            op,
            version,
            table.integers(schema.Operator.INPUTS),
            table.integers(schema.Operator.OUTPUTS),
            table.table(schema.Operator.BUILTIN_OPTIONS),
        )


def needed(subgraph: SubGraph, wanted: Sequence[int], start: int) -> list[Operator]:
    """The operators that tensors are made with, in the file's order; ``start`` is given."""
    makers: dict[int, int] = {}
    for place, operator in enumerate(subgraph.operators):
        for index in operator.outputs:
            if index in makers or index in subgraph.inputs:
                raise FormatError(
                    f"the tensor {subgraph.tensors[index].name!r} is made more than once"
                )
            if index >= 0:
                makers[index] = place
    found: set[int] = set()
    pending = [index for index in wanted if index != start]
    while pending:
        place = makers.get(pending.pop(), -1)
        if place >= 0 and place not in found:
            found.add(place)
            inputs = subgraph.operators[place].inputs
            pending += [index for index in inputs if index >= 0 and index != start]
    return [subgraph.operators[place] for place in sorted(found)]


def load(path: str | os.PathLike[str]) -> Model:
    return Model(read_bytes(path))


def _names(table: Table, field: int) -> tuple[str, ...]:
    return tuple(one.text(schema.TensorMap.NAME) for one in table.tables(field))


def _code(table: Table) -> tuple[str, int]:
    """The operator's name, which is its own where it is none of the format's, and its version."""
    code = table.number(schema.OperatorCode.DEPRECATED_BUILTIN_CODE, "int8")
    code = max(code, table.number(schema.OperatorCode.BUILTIN_CODE, "int32"))
    version = table.number(schema.OperatorCode.VERSION, "int32", 1)
    custom = table.text(schema.OperatorCode.CUSTOM_CODE)
    if custom:
        return custom[:_LONGEST], version
    known = 0 <= code < len(schema.OPERATORS)
    return (schema.OPERATORS[code] if known else f"operator {code}"), version


def _scale(table: Table | None) -> Scale | None:
    scale = None if table is None else table.array(schema.Quantization.SCALE, "float32")
    if table is None or scale is None or not len(scale):
        return None
    zero = table.array(schema.Quantization.ZERO_POINT, "int64")
    if zero is None or not len(zero):
        zero = np.zeros(1, np.int64)
    axis = table.number(schema.Quantization.QUANTIZED_DIMENSION, "int32")
    return Scale(scale, zero, axis)
