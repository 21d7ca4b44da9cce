"""What a file does not say of a tensor and onnx's shape inference can tell."""

from __future__ import annotations

import importlib
from dataclasses import replace

from .branches import graph_around
from .graph import File, Graph, bodies_of, info_of
from .tensors import text


def with_start(file: File, graph: Graph, start: str) -> Graph:
    """The graph, where it describes the tensor that a part of it starts with.

    Exporters leave out what tensors in the middle of a graph are, as PyTorch did before 2.0. That
    of all others does not matter: the reader finds them from the start on.
    """
    if start in graph.inputs or start in graph_around(graph, start).infos:
        return graph
    from onnx import shape_inference

    too_large: type[Exception] = importlib.import_module("google.protobuf.message").EncodeError
    try:
        model = shape_inference.infer_shapes(file.model)  # a copy
    except (shape_inference.InferenceError, ValueError, RuntimeError, too_large):
        return graph
    pending = [model.graph]
    while pending:
        level = pending.pop()
        for value in level.value_info:
            if text(value.name) == start:
                return replace(graph, infos={**graph.infos, start: info_of(value)})
        pending += [body for node in level.node for _, body in bodies_of(node)]
    return graph
