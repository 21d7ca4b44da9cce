"""Inputs of a graph that the reader of the file states: they are constants from there on."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import OptionError
from ..names import suggest
from .graph import Anything, Graph, Info
from .operators.common import DTYPES


def with_given(graph: Graph, given: Mapping[str, Any]) -> Graph:
    """The graph with these values in the place of the inputs of these names.

    Raises ``OptionError`` for what is no input, and for a value of another type or shape.
    """
    known = {**graph.inputs, **graph.optional}
    for name in given:
        if name not in known:
            listed = ", ".join(map(repr, known)) or "none"
            raise OptionError(
                f"given: the graph has no input {name!r}{suggest(str(name), known)}; "
                f"its inputs are {listed}"
            )
    stated = {name: _value(name, value, known[name]) for name, value in given.items()}
    return replace(
        graph,
        inputs={name: info for name, info in graph.inputs.items() if name not in stated},
        optional={name: info for name, info in graph.optional.items() if name not in stated},
        constants=ChainMap(stated, graph.constants),  # type: ignore[arg-type]
    )


def check_given(given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise OptionError(f"given: expected values by the names of inputs, got {given!r:.200}")


def _value(name: str, value: Any, info: Info) -> Anything:
    """The value as the file describes the input; one number also stands for a tensor of one."""
    where = f"given: the input {name!r}"
    if info.element not in DTYPES:
        raise OptionError(f"{where}: element type {info.element}")
    dtype = np.dtype(DTYPES[info.element])
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise OptionError(f"{where}: expected numbers, got {value!r:.200}") from error
    if array.dtype.kind not in "biuf":
        raise OptionError(f"{where}: expected numbers, got {value!r:.200}")
    sizes = info.sizes
    if sizes is not None and array.size == 1 and all(size in (None, 1) for size in sizes):
        array = array.reshape((1,) * len(sizes))
    if sizes is not None and (
        len(sizes) != array.ndim
        or any(size not in (None, got) for size, got in zip(sizes, array.shape, strict=True))
    ):
        shown = tuple("?" if size is None else size for size in sizes)
        raise OptionError(f"{where}: expected shape {shown}, got {array.shape}")
    with np.errstate(all="ignore"):
        made = array.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(made, array):
        raise OptionError(f"{where}: expected {dtype}, got {value!r:.200}")
    return made
