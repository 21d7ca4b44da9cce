"""TensorFlow Lite files: ``.tflite`` and ``.lite``.

A file is a FlatBuffer (``flatbuffer``) of subgraphs (``model``), whose operators are read as those
of ONNX that calculate the same (``operators``): what a graph of these means is for ``formats.onnx``
to say, which knows axes, cells in pieces, loops and final states. So each operator is written down
once, in the terms of another format, and nothing is read twice; neither onnx nor TensorFlow is
needed for it. Two things that ONNX's LSTM has not stay with it: a projection, and bounds of c.

Integers that stand for other numbers are read as these numbers, and so is what flows between
operators on them: the model calculates in floats, where the file's own runtime rounds after every
operator. A state that the runtime keeps between calls is the state of the model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from ...spec import ModelSpec
from ..onnx import read_graph
from ..onnx.parts import nodes_of
from .about import strings as strings
from .every import arrays as arrays
from .lowering import opened


def choices(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The recurrent operators, as ``node=`` takes them."""
    return [{"node": name} for name in nodes_of(opened(path, None, None, ""))]


def read(
    path: str | os.PathLike[str],
    *,
    node: str | None = None,
    between: Sequence[str | None] | None = None,
    given: Mapping[str, ArrayLike] | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> ModelSpec:
    """Read a file.

    Parameters
    ----------
    node
        One recurrent operator to take by itself, by its name and that of the tensor that it makes,
        ``"UNIDIRECTIONAL_SEQUENCE_LSTM lstm/out"``. An error about a file that is not read lists
        them.
    between
        Two tensors of the graph, the model's input and its output; None in the place of either is
        where the graph itself begins or ends.
    given, shapes
        Values of inputs of the graph, and sizes that the file leaves open; see ``formats.onnx``.

    Raises
    ------
    FormatError
        For what is no valid file.
    UnsupportedError
        For what no model of ours does, naming the operator and what it makes.
    OptionError
        As for ONNX.
    """
    ends = between if isinstance(between, (list, tuple)) and len(between) == 2 else (None, None)
    return read_graph(
        lambda: opened(path, ends[0], ends[1], node), node=node, between=between, given=given,
        shapes=shapes,
    )[0]  # fmt: skip
