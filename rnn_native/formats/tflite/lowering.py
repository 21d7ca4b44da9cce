"""A file's graph as one of ONNX's operators, as far as its outputs need it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...errors import FormatError, UnsupportedError
from ..onnx.graph import File
from ..onnx.messages import GraphMessage, ModelMessage, OpsetMessage, TensorMessage
from .contents import Constants
from .loops import LOOPS
from .model import Model, Operator, SubGraph, load
from .operators import OPERATORS
from .writer import OPSET, Writer, value_of


def opened(
    path: str | os.PathLike[str], start: str | None, end: str | None, node: str | None
) -> File:
    """The file, with the operators that its outputs need; or those between two tensors, or what a
    recurrent operator reads."""
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
    if node is not None:  # whatever else there is that is not read
        operators = subgraph.operators
    refused: UnsupportedError | None = None
    for operator in operators:
        try:
            lower(writer, model, operator)
        except UnsupportedError as error:
            if node is None:
                raise
            refused = refused or error
    graph = writer.graph
    if refused is not None and not graph.node:
        raise refused
    for index in subgraph.inputs:
        graph.input.append(value_of(subgraph.tensors[index]))
    for index in subgraph.outputs:
        tensor = subgraph.tensors[index]
        graph.output.append(value_of(tensor))
        if tensor.data is not None:
            graph.initializer.append(TensorMessage(tensor.name, tensor))
    graph.value_info += [value_of(tensor) for tensor in subgraph.tensors if tensor.data is None]
    return graph


def lower(writer: Writer, model: Model, operator: Operator) -> None:
    """Adds what stands in the place of an operator."""
    writer.begin(operator)
    if operator.op in LOOPS:
        LOOPS[operator.op](writer, model)
    elif operator.op in OPERATORS:
        OPERATORS[operator.op](writer)
    else:
        raise writer.unsupported("this operator is not supported")


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
