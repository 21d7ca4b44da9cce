"""A file's graph as one of ONNX's operators, as far as its outputs need it."""

from __future__ import annotations

import os

from ...errors import UnsupportedError
from ..onnx.graph import File
from ..onnx.messages import GraphMessage, ModelMessage, OpsetMessage, TensorMessage
from .contents import Constants
from .loops import LOOPS
from .model import Model, Operator, SubGraph, load, needed
from .operators import OPERATORS
from .writer import OPSET, Writer


def opened(
    path: str | os.PathLike[str], start: str | None, end: str | None, node: str | None
) -> File:
    """The file, with the operators that its outputs need, or those between two tensors; with all
    that can be read where a recurrent operator is asked for, or a tensor that there is not."""
    model = load(path)
    contents = Constants(model.size)
    subgraph = model.subgraphs[0]
    return File(
        ModelMessage(_lowered(model, subgraph, contents, start, end, node), [OpsetMessage(OPSET)]),
        contents,
    )


def _lowered(
    model: Model,
    subgraph: SubGraph,
    contents: Constants,
    start: str | None,
    end: str | None,
    node: str | None,
) -> GraphMessage:
    writer = Writer(subgraph, contents)
    by_name = {tensor.name: tensor.index for tensor in subgraph.tensors}
    wanted = [by_name[end]] if end in by_name else list(subgraph.outputs)
    operators = needed(subgraph, wanted, by_name.get(start or "", -1))
    lenient = node is not None or any(name and name not in by_name for name in (start, end))
    refused: UnsupportedError | None = None
    for operator in subgraph.operators if lenient else operators:
        try:
            lower(writer, model, operator)
        except UnsupportedError as error:
            if not lenient:
                raise
            refused = refused or error
    graph = writer.graph
    if refused is not None and not graph.node:
        raise refused
    for index in subgraph.inputs:
        graph.input.append(writer.value(index))
    for index in subgraph.outputs:
        tensor = subgraph.tensors[index]
        graph.output.append(writer.value(index))
        if tensor.data is not None:
            graph.initializer.append(TensorMessage(tensor.name, tensor))
    graph.value_info += [
        writer.value(tensor.index) for tensor in subgraph.tensors if tensor.data is None
    ]
    return graph


def lower(writer: Writer, model: Model, operator: Operator) -> None:
    """Adds what stands in the place of an operator."""
    writer.begin(operator)
    if operator.op in LOOPS:
        LOOPS[operator.op](writer, model, lower)
    elif operator.op in OPERATORS:
        OPERATORS[operator.op](writer)
    else:
        raise writer.unsupported("this operator is not supported")
