"""TensorFlow Lite files as converters write them: a FlatBuffer of tables, put together by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnn_native.formats.tflite import schema

CODES = {
    "bool": "?", "int8": "b", "uint8": "B", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float32": "f",
}  # fmt: skip
TYPES = {
    "f4": 0, "f2": 1, "i4": 2, "u1": 3, "i8": 4, "b1": 6, "i2": 7, "i1": 9, "f8": 10,
}  # fmt: skip

# Of the union BuiltinOptions, by operator.
OPTIONS = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "AVERAGE_POOL_2D": 5, "MAX_POOL_2D": 5, "RNN": 7,
    "FULLY_CONNECTED": 8, "SOFTMAX": 9, "CONCATENATION": 10, "ADD": 11, "LSTM": 14, "RESHAPE": 17,
    "MUL": 21, "PAD": 22, "GATHER": 23, "TRANSPOSE": 26, "MEAN": 27, "SUM": 27, "REDUCE_MAX": 27,
    "SUB": 28, "DIV": 29, "SQUEEZE": 30, "UNIDIRECTIONAL_SEQUENCE_RNN": 31, "STRIDED_SLICE": 32,
    "SPLIT": 35, "CAST": 37, "DEQUANTIZE": 38, "LESS": 40, "SLICE": 48, "TILE": 51,
    "EXPAND_DIMS": 52, "SHAPE": 55, "PACK": 59, "UNPACK": 64, "SQUARE": 66, "ZEROS_LIKE": 67,
    "FILL": 68, "BIDIRECTIONAL_SEQUENCE_LSTM": 69, "BIDIRECTIONAL_SEQUENCE_RNN": 70,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 71, "LEAKY_RELU": 75, "SQUARED_DIFFERENCE": 76,
    "MIRROR_PAD": 77, "REVERSE_V2": 81, "REVERSE_SEQUENCE": 87, "QUANTIZE": 89, "WHILE": 93,
    "BATCH_MATMUL": 101, "GELU": 116, "DYNAMIC_UPDATE_SLICE": 117, "SPLIT_V": 79,
    "LOGICAL_AND": 62, "MAXIMUM": 39, "MINIMUM": 39, "LOG_SOFTMAX": 36,
}  # fmt: skip


@dataclass
class Table:
    """Fields by number: a (kind, number), a text, bytes, an array, a Table, or a list of Tables."""

    fields: Mapping[int, Any]


class Flat:
    """A FlatBuffer, written from its root on: what a table names stands behind it."""

    def __init__(self, root: Table, identifier: bytes) -> None:
        self.data = bytearray(8)
        self.data[4:8] = identifier
        struct.pack_into("<I", self.data, 0, self.write(root))

    def write(self, value: Any) -> int:
        if isinstance(value, Table):
            return self._table(value)
        if isinstance(value, str):
            return self._vector(value.encode() + b"\0", 1, len(value.encode()))
        if isinstance(value, bytes):
            return self._vector(value, 16, len(value))
        if isinstance(value, np.ndarray):
            return self._vector(value.tobytes(), value.itemsize, value.size)
        begin = self._vector(bytes(4 * len(value)), 4, len(value))
        for index, one in enumerate(value):
            self._refer(begin + 4 + 4 * index, self.write(one))
        return begin

    def _table(self, table: Table) -> int:
        fields = {number: value for number, value in table.fields.items() if value is not None}
        count = max(fields, default=-1) + 1
        size = 8 + 8 * len(fields)
        places = {number: 8 + 8 * index for index, number in enumerate(fields)}
        vtable = self._put(
            struct.pack(
                f"<HH{count}H", 4 + 2 * count, size, *(places.get(n, 0) for n in range(count))
            ),
            2,
        )
        at = self._put(bytes(size), 8)
        struct.pack_into("<i", self.data, at, at - vtable)
        for number, value in fields.items():
            if isinstance(value, tuple):
                struct.pack_into(f"<{CODES[value[0]]}", self.data, at + places[number], value[1])
            else:
                self._refer(at + places[number], self.write(value))
        return at

    def _vector(self, content: bytes, align: int, count: int) -> int:
        """Its items are aligned, which stand behind its length."""
        while (len(self.data) + 4) % max(4, align):
            self.data.append(0)
        return self._put(struct.pack("<I", count) + content, 1)

    def _put(self, content: bytes, align: int) -> int:
        self.data += bytes(-len(self.data) % align)
        at = len(self.data)
        self.data += content
        return at

    def _refer(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.data, at, target - at)


@dataclass
class Graph:
    """A subgraph; ``file`` is the one that it belongs to."""

    file: File
    name: str = "main"
    tensors: list[Table] = field(default_factory=list)
    operators: list[Table] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int | None],
        dtype: str = "f4",
        name: str = "",
        data: bytes | None = None,
        scale: tuple[ArrayLike, ArrayLike, int] | None = None,
        variable: bool = False,
    ) -> int:
        """``scale`` are scales, zero points and the axis that they are along."""
        quantization = None
        if scale is not None:
            quantization = Table(
                {
                    schema.Quantization.SCALE: np.atleast_1d(np.asarray(scale[0], "<f4")),
                    schema.Quantization.ZERO_POINT: np.atleast_1d(np.asarray(scale[1], "<i8")),
                    schema.Quantization.QUANTIZED_DIMENSION: ("int32", scale[2]),
                }
            )
        free = None in shape
        self.tensors.append(
            Table(
                {
                    schema.Tensor.SHAPE: np.array([n or 1 for n in shape], "<i4"),
                    schema.Tensor.TYPE: ("int8", TYPES[dtype]),
                    schema.Tensor.BUFFER: ("uint32", self.file.buffer(data)),
                    schema.Tensor.NAME: name or f"t{len(self.tensors)}",
                    schema.Tensor.QUANTIZATION: quantization,
                    schema.Tensor.IS_VARIABLE: ("bool", variable),
                    schema.Tensor.SHAPE_SIGNATURE: np.array(
                        [-1 if n is None else n for n in shape], "<i4"
                    ) if free else None,
                }
            )
        )  # fmt: skip
        return len(self.tensors) - 1

    def input(self, *shape: int | None, dtype: str = "f4", name: str = "x", **options: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, name, **options))
        return self.inputs[-1]

    def constant(self, array: ArrayLike, dtype: str = "f4", **options: Any) -> int:
        value = np.asarray(array, f"<{dtype}")
        return self.tensor(value.shape, dtype, data=value.tobytes(), **options)

    def integers(self, *numbers: int) -> int:
        return self.constant(numbers, "i4")

    def state(self, *shape: int) -> int:
        return self.tensor(shape, variable=True)

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        *outputs: int,
        options: Mapping[int, Any] | None = None,
        version: int = 1,
    ) -> int:
        """An operator that makes these tensors, of which the first is returned."""
        kind = OPTIONS.get(op, 0)
        self.operators.append(
            Table(
                {
                    schema.Operator.OPCODE_INDEX: ("uint32", self.file.code(op, version)),
                    schema.Operator.INPUTS: np.array(inputs, "<i4"),
                    schema.Operator.OUTPUTS: np.array(outputs, "<i4"),
                    3: ("uint8", kind) if kind else None,
                    schema.Operator.BUILTIN_OPTIONS: Table(options or {}) if kind else None,
                }
            )
        )
        return outputs[0]

    def table(self) -> Table:
        return Table(
            {
                schema.SubGraph.TENSORS: self.tensors,
                schema.SubGraph.INPUTS: np.array(self.inputs, "<i4"),
                schema.SubGraph.OUTPUTS: np.array(self.outputs, "<i4"),
                schema.SubGraph.OPERATORS: self.operators,
                schema.SubGraph.NAME: self.name,
            }
        )


class File:
    """A model of a main graph, and of those that it calls."""

    def __init__(self) -> None:
        self._buffers: list[Table] = [Table({})]
        self._codes: list[tuple[str, int]] = []
        self.graphs: list[Graph] = []
        self.main = self.graph("main")
        self.signatures: list[Table] = []

    def graph(self, name: str) -> Graph:
        self.graphs.append(Graph(self, name))
        return self.graphs[-1]

    def buffer(self, data: bytes | None) -> int:
        if data is None:
            return 0
        self._buffers.append(Table({schema.Buffer.DATA: data}))
        return len(self._buffers) - 1

    def code(self, op: str, version: int) -> int:
        if (op, version) not in self._codes:
            self._codes.append((op, version))
        return self._codes.index((op, version))

    def content(self) -> bytes:
        codes = []
        for op, version in self._codes:
            known = op in schema.OPERATORS
            number = schema.OPERATORS.index(op) if known else 32
            codes.append(
                Table(
                    {
                        schema.OperatorCode.DEPRECATED_BUILTIN_CODE: ("int8", min(number, 127)),
                        schema.OperatorCode.CUSTOM_CODE: None if known else op,
                        schema.OperatorCode.VERSION: ("int32", version),
                        schema.OperatorCode.BUILTIN_CODE: ("int32", number),
                    }
                )
            )
        root = Table(
            {
                schema.Model.VERSION: ("uint32", 3),
                schema.Model.OPERATOR_CODES: codes,
                schema.Model.SUBGRAPHS: [graph.table() for graph in self.graphs],
                schema.Model.DESCRIPTION: "made by a test",
                schema.Model.BUFFERS: self._buffers,
                schema.Model.SIGNATURE_DEFS: self.signatures or None,
            }
        )
        return bytes(Flat(root, schema.IDENTIFIER).data)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content())
        return path
